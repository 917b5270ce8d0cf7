"""Answers to incidents that somebody forges, changes, removes or brings back are noticed by each command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_elementary.alerts.dispatch import send_alerts
from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.exceptions import StoreRefusedError
from airflow_provider_elementary.incidents.enrich import enrich
from airflow_provider_elementary.incidents.store import TrackedIncidents, update_incidents
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots import Manifest
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.layout import FEEDBACK, series_key
from airflow_provider_elementary.storage.object_store.store import Fetched, Store
from airflow_provider_elementary.storage.outcomes import Outcome
from airflow_provider_elementary.storage.records.answer_log import (
    anchor_answers,
    append_answer,
    known_answers,
    lost_answers,
    read_answers,
    recorded_answers,
)
from airflow_provider_elementary.storage.records.answers import Answer
from tests.integration.forgery.test_results import found
from tests.support.incidents import failing_test, of_dbt
from tests.support.metric_series import daily
from tests.support.signing import new_signer, signed
from tests.support.stores import Rest, grow, local_rest
from tests.support.tampering import edit, edit_signed

ONE = Answer("1", "0" * 16, "note", "ada", "2026-11-04T12:00:00", note="it is the loader")
LAST = 4
#: Of no bucket: what dbt found is all there is.
VERDICTS = enrich(detect(daily([100.0] * 20)).slice(0, 0), Lineage())
LATER = datetime.now(UTC) + timedelta(days=100)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    """A snapshot, four answers, and the incidents that a task updated with them."""
    directory = tmp_path_factory.mktemp("answers")
    rest = local_rest(directory)
    manifests = grow(rest, directory, [3])
    for number in range(1, LAST + 1):
        append_answer(rest.repository, replace(ONE, answer_id=f"{number}"))
    track(rest, manifests[-1], "run 1")
    return rest, manifests


def track(rest: Rest, manifest: Manifest, run: str, **anchors: object) -> TrackedIncidents:
    return update_incidents(
        rest.repository,
        VERDICTS,
        Lineage(),
        of_dbt(failing_test()),
        series="dag/task",
        run_key=run,
        origin={"snapshot_id": manifest.snapshot_id},
        now=datetime(2026, 11, 4, 13),
        **anchors,
    )


def name(number: int) -> str:
    return series_key(FEEDBACK, number)


def anchor(rest: Rest) -> str | None:
    return anchor_answers(rest.repository, known_answers(rest.repository).place)


class TestWhatWasWritten:
    def test_an_answer_is_sound_and_counted(self, rest: Rest) -> None:
        for snapshot in ("latest", "all"):
            report = verify(rest.repository, snapshot=snapshot)

            assert (report.findings, report.answers) == ((), LAST)
            assert report.to_dict()["answers"] == LAST

    def test_names_the_document_before_by_its_hash(self, rest: Rest) -> None:
        before = known_answers(rest.repository).place
        append_answer(rest.repository, replace(ONE, answer_id="next"))

        edit_signed(rest, name(LAST), lambda facts: facts.update(before=1))

        assert before is not None
        assert ("rewritten", name(LAST)) in found(verify(rest.repository))

    def test_is_pruned_but_for_the_two_newest(self, rest: Rest) -> None:
        dry = prune(rest.repository, Retention(), now=LATER, dry_run=True)
        young = prune(rest.repository, Retention(), now=datetime(2026, 11, 4, 14, tzinfo=UTC))
        report = prune(rest.repository, Retention(), now=LATER)

        assert (dry.answers, young.answers, report.answers) == (LAST - 2, 0, LAST - 2)
        assert [each.key for each in rest.store.list(FEEDBACK)] == [name(LAST), name(LAST - 1)]
        assert len(read_answers(rest.repository)) == LAST
        assert verify(rest.repository, snapshot="all").findings == ()


def remove_the_newest(rest: Rest) -> tuple[str, str]:
    rest.path(name(LAST)).unlink()
    return "rolled back", name(LAST)


def remove_all(rest: Rest) -> tuple[str, str]:
    for number in range(1, LAST + 1):
        rest.path(name(number)).unlink()
    return "rolled back", name(LAST)


def remove_the_one_before(rest: Rest) -> tuple[str, str]:
    rest.path(name(LAST - 1)).unlink()
    return "missing", name(LAST - 1)


def change_the_one_before(rest: Rest) -> tuple[str, str]:
    edit(rest.path(name(LAST - 1)), lambda facts: facts.update(answers=[]))
    return "missing", name(LAST - 1)


def bring_an_older_one_back(rest: Rest) -> tuple[str, str]:
    rest.path(name(LAST)).write_bytes(rest.path(name(1)).read_bytes())
    return "rolled back", name(LAST)


def give_the_number_again(rest: Rest) -> tuple[str, str]:
    """Remove the newest and let somebody answer who knows nothing of it."""
    rest.path(name(LAST)).unlink()
    append_answer(rest.repository, replace(ONE, answer_id="another"))
    return "rewritten", name(LAST)


def answer_after_a_roll_back(rest: Rest) -> tuple[str, str]:
    rest.path(name(LAST)).unlink()
    append_answer(rest.repository, replace(ONE, answer_id="another"), known=LAST)
    return "rolled back", name(LAST)


ROLLED_BACK = (remove_the_newest, remove_all, bring_an_older_one_back, give_the_number_again)
ATTACKS = (*ROLLED_BACK, remove_the_one_before, change_the_one_before, answer_after_a_roll_back)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_verify_names_it(attack: Callable[[Rest], tuple[str, str]], rest: Rest) -> None:
    expected = attack(rest)

    report = verify(rest.repository)

    assert expected in found(report)
    assert report.outcome is Outcome.DAMAGED


@pytest.mark.parametrize("attack", ROLLED_BACK, ids=lambda attack: attack.__name__)
class TestARollBack:
    def test_is_noticed_by_the_next_run_that_recorded_the_answers(
        self, attack: Callable[[Rest], tuple[str, str]], rest: Rest, manifests: list[Manifest]
    ) -> None:
        recorded = anchor(rest)
        attack(rest)
        # The incidents that name the answers are gone too.
        for each in rest.store.list("results/"):
            rest.store.delete(each.key)

        tracked = track(rest, manifests[-1], "run 2", answers_anchor=recorded)

        assert "Find out who removed them" in str(tracked.lost)
        assert lost_answers(rest.repository, [recorded_answers(rest.repository, tracked.answers_anchor)]) is None

    def test_is_noticed_by_what_the_incidents_name_where_nothing_was_recorded(
        self, attack: Callable[[Rest], tuple[str, str]], rest: Rest, manifests: list[Manifest]
    ) -> None:
        attack(rest)

        assert track(rest, manifests[-1], "run 2").lost is not None

    def test_is_noticed_when_alerts_are_sent(
        self, attack: Callable[[Rest], tuple[str, str]], rest: Rest, manifests: list[Manifest]
    ) -> None:
        key = track(rest, manifests[-1], "run 2").key
        attack(rest)

        outcome = send_alerts(
            rest.repository,
            key,
            {},
            lambda route, alert: None,
            series="dag/alerts",
            run_key="run 2",
            now=datetime(2026, 11, 4, 14),
            url_of=str,
        )

        assert "Find out who removed them" in str(outcome.lost)


@pytest.mark.parametrize("by_another_key", [False, True], ids=["unsigned", "by another key"])
def test_forged_answers_are_passed_over_and_the_next_takes_their_place(rest: Rest, by_another_key: bool) -> None:
    body = b'{"answers":[],"before":0,"format_version":2,"previous":null}'
    store_id = rest.repository.trust.store_id
    content = signed(new_signer(), store_id, name(LAST + 1), body) if by_another_key else body
    rest.path(name(LAST + 1)).write_bytes(content)

    assert len(read_answers(rest.repository)) == LAST
    assert verify(rest.repository).findings == ()
    append_answer(rest.repository, replace(ONE, answer_id="next"))
    assert len(read_answers(rest.repository)) == LAST + 1


@pytest.mark.parametrize("count", [1, 257])
def test_a_prune_runs_whatever_somebody_put_beside_the_answers(count: int, rest: Rest) -> None:
    for number in range(LAST + 1, LAST + count + 1):
        rest.path(name(number)).write_bytes(b"{}")
    edit_signed(rest, name(LAST - 2), lambda facts: facts.update(format_version=9))

    report = prune(rest.repository, Retention(), now=LATER)

    assert (report.answers, len(report.kept)) == (0, 1)


@pytest.mark.parametrize("number", [LAST, LAST + 1])
def test_answers_that_cannot_be_read_are_not_called_removed(
    number: int, rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest.path(name(LAST)).rename(rest.path(name(number)))
    get = type(rest.store).get_capped

    def refused(store: Store, key: str, limit: int) -> Fetched | None:
        if key == name(number):
            raise StoreRefusedError(f"{key} was refused.")
        return get(store, key, limit)

    monkeypatch.setattr(type(rest.store), "get_capped", refused)

    assert found(verify(rest.repository)) == {("unreadable", name(number))}


@pytest.mark.parametrize("statement", [None, 7, "", {}, "elementary-signed 2 ed25519 x y\n{}"], ids=repr)
def test_what_is_no_signed_statement_counts_for_nothing(statement: object, rest: Rest) -> None:
    assert recorded_answers(rest.repository, statement) is None
