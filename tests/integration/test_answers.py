"""Answers to the incidents of a store: by the core function, the DAG and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.answer import answer_incident
from airflow_provider_elementary.incidents.store import current_incidents, incidents_table
from airflow_provider_elementary.incidents.tracking import Incident, track_incidents
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots import LocalKeys, Repository, open_store
from airflow_provider_elementary.storage.records.answer_log import read_answers
from airflow_provider_elementary.storage.records.answers import AnswerRequest
from airflow_provider_elementary.storage.records.results import write_result
from tests.support.connections import local_store
from tests.support.dag_runs import run_dag
from tests.support.incidents import anomaly, failing_test
from tests.support.shop import CUSTOMERS, ORDERS
from tests.support.stores import Rest, copied, take, world_after

MASTER_KEYS = LocalKeys.generate()
NOW = datetime(2026, 11, 4, 12)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Rest:
    """A store with one snapshot of the little project, of which a test fails."""
    folder = tmp_path_factory.mktemp("answers")
    rest = Rest(open_store((folder / "store").as_uri()), LocalKeys(MASTER_KEYS), folder / "store")
    take(rest, folder / "warehouse.duckdb", world_after(8))
    return rest


@pytest.fixture
def rest(kept: Rest, tmp_path: Path) -> Rest:
    return copied(kept, tmp_path)


@pytest.fixture
def repository(rest: Rest) -> Repository:
    """The store, in which a task saved incidents of the newest snapshot too."""
    repository = rest.repository
    known = current_incidents(repository)
    extra = track_incidents([anomaly(ORDERS), anomaly(CUSTOMERS), failing_test("removed_from_dbt")], Lineage())
    rows = incidents_table([*extra, *known]).to_reader()
    origin = {"snapshot_id": repository.source().manifest.snapshot_id}
    write_result(repository, "incidents", rows, run_key="run", origin=origin, parameters={})
    return repository


def say(repository: Repository, incident_id: str, answer: Any, run: str = "run", **facts: Any) -> Incident:
    request = AnswerRequest.parse({"incident_id": incident_id, "answer": answer, **facts}, NOW)
    return answer_incident(repository, request, answered_by="ada", run_key=run, now=NOW).incident


def of(repository: Repository, kind: str, root: str = "") -> Incident:
    """Return the open incident that began with a condition of this kind."""
    return next(
        each
        for each in current_incidents(repository)
        if each.status == "open" and each.cause.kind == kind and root in (each.root, "")
    )


def test_a_failing_test_that_dbt_still_has_cannot_be_resolved_by_hand(rest: Rest) -> None:
    repository = rest.repository
    failing = of(repository, "test")

    with pytest.raises(ConfigurationError, match=r"is not over: Test .* ended with fail, and its next good result"):
        say(repository, failing.incident_id, "resolve")

    assert read_answers(repository) == ()


def test_a_resolved_incident_takes_a_note_only(repository: Repository) -> None:
    held = of(repository, "anomaly", ORDERS)
    say(repository, held.incident_id, "resolve")

    over = next(each for each in current_incidents(repository) if each.incident_id == held.incident_id)
    assert over.status == "resolved"
    with pytest.raises(ConfigurationError, match="is resolved, so it takes a note only"):
        say(repository, held.incident_id, "acknowledge", "second")
    say(repository, held.incident_id, "note", "third", note="it was the loader")


def test_an_answer_is_given_once_for_a_run(repository: Repository) -> None:
    held = of(repository, "anomaly", ORDERS)
    say(repository, held.incident_id, "resolve")
    say(repository, held.incident_id, "resolve")

    assert len(read_answers(repository)) == 1


def test_a_new_normal_needs_a_metric(rest: Rest) -> None:
    repository = rest.repository

    with pytest.raises(ConfigurationError, match="No metric of incident"):
        say(repository, of(repository, "test").incident_id, "new-normal", since="2026-11-01")


def test_merged_incidents_are_one_and_are_answered_by_either_id(repository: Repository) -> None:
    one, other = of(repository, "anomaly", ORDERS), of(repository, "anomaly", CUSTOMERS)
    with pytest.raises(ConfigurationError, match="cannot be merged into itself"):
        say(repository, one.incident_id, "merge", into=one.incident_id)
    with pytest.raises(ConfigurationError, match="is not known in"):
        say(repository, one.incident_id, "merge", into="0" * 16)

    say(repository, one.incident_id, "merge", into=other.incident_id)
    say(repository, one.incident_id, "assign", "second", assignee="bob")

    found = next(each for each in current_incidents(repository) if each.incident_id == other.incident_id)
    assert (found.merged, found.assignee, len(found.conditions)) == ((one.incident_id,), "bob", 2)
    assert one.incident_id not in {each.incident_id for each in current_incidents(repository)}


def test_splitting_needs_conditions_of_the_incident_and_not_all(repository: Repository) -> None:
    held = of(repository, "anomaly", ORDERS)

    with pytest.raises(ConfigurationError, match=f"has no condition {'0' * 16}"):
        say(repository, held.incident_id, "split", conditions=["0" * 16])
    with pytest.raises(ConfigurationError, match="all conditions"):
        say(repository, held.incident_id, "split", conditions=[each.condition_id for each in held.conditions])


@pytest.fixture
def store_of(
    rest: Rest, repository: Repository, airflow_connection: Callable[[str, Mapping[str, object]], str]
) -> Rest:
    """The store, which a connection of Airflow names."""
    airflow_connection("elementary_store_default", local_store(rest.folder, MASTER_KEYS))
    return rest


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_the_command_line_answers_and_shows_it(store_of: Rest, capsys: pytest.CaptureFixture[str]) -> None:
    held = of(store_of.repository, "anomaly", ORDERS)

    status, shown = printed(
        capsys, "incidents", "answer", held.incident_id, "expected", "--reason", "planned", "--note", "migration"
    )

    assert (status, shown["answers"][0]["reason"]) == (0, "planned")
    _, listed = printed(capsys, "incidents")
    found = next(each for each in listed if each["incident_id"] == held.incident_id)
    assert (found["status"], found["answers"][0]["note"]) == ("resolved", "migration")
    assert found["url"].split("?")[1].startswith(f"id={held.incident_id}")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["0" * 16, "mute"], 2, "Answer 'mute' lacks until"),
        (["0" * 16, "mute", "--until", "2020-01-01"], 2, "which is over"),
        (["0" * 16, "shout"], 2, "invalid choice"),
        (["nothing", "acknowledge"], 2, "which is no id"),
        (["0" * 16, "acknowledge"], 3, "is not known in"),
    ],
)
def test_the_command_line_refuses_with_a_sentence(
    arguments: list[str], status: int, said: str, store_of: Rest, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["incidents", "answer", *arguments]) == status
    assert said in capsys.readouterr().err


def test_a_run_of_the_dag_records_the_answer_once_and_refuses_unknown_fields(airflow_db: None, store_of: Rest) -> None:
    held = of(store_of.repository, "anomaly", ORDERS)
    until = f"{datetime.now() + timedelta(days=3):%Y-%m-%d}"
    form: Mapping[str, Any] = {"incident_id": held.incident_id, "answer": "mute", "until": until}

    assert run_dag("elementary_answer", form).state == "success"
    assert run_dag("elementary_answer", {**form, "user": "root"}).state == "failed"

    [given] = read_answers(store_of.repository)
    assert (given.answer, given.incident_id, given.until) == ("mute", held.incident_id, f"{until}T00:00:00")


def test_a_note_of_digits_stays_a_text_in_the_form(airflow_db: None, store_of: Rest) -> None:
    held = of(store_of.repository, "anomaly", ORDERS)

    assert run_dag("elementary_answer", {"incident_id": held.incident_id, "answer": "note", "note": "2026"}).state == (
        "success"
    )

    assert [given.note for given in read_answers(store_of.repository)] == ["2026"]
