"""Histories of a project through warehouse, syncs, tasks, command line and page: what stops, leaves or is renamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from airflow_provider_elementary.alerts import AlertFilter, send_alerts
from airflow_provider_elementary.alerts.alert import Alert
from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.incidents.enrich import enrich
from airflow_provider_elementary.incidents.evaluate import dbt_conditions_of, lineage_of
from airflow_provider_elementary.incidents.store import TrackedIncidents, update_incidents
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.page.store_reader import Readers
from airflow_provider_elementary.page.store_status import load_store_status
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from tests.support.connections import local_store
from tests.support.dbt_project import MONDAY, result, rows_table, run
from tests.support.stores import Rest, take

Rows = dict[str, list[dict[str, Any]]]

#: The first Monday lies this many days from that of the builders: a sync takes nothing that is later than now.
FIRST = -84
_STAMP = f"{MONDAY + timedelta(days=FIRST):%Y-%m-%d %H:%M:%S}"
NOT_NULL, UNIQUE = "test.shop.not_null", "test.shop.unique"
ORDERS, SALES = "model.shop.orders", "model.shop.sales"


def at(day: int, hour: float = 0) -> datetime:
    return MONDAY + timedelta(days=FIRST + day, hours=hour)


def model(unique_id: str) -> dict[str, Any]:
    name = unique_id.rpartition(".")[2]
    place = {"database_name": "shop", "schema_name": "core", "alias": name, "name": name}
    return {"unique_id": unique_id, "generated_at": _STAMP, "metadata_hash": unique_id, **place}


def listed(*tests: str) -> list[dict[str, Any]]:
    parent = {"parent_model_unique_id": ORDERS, "generated_at": _STAMP}
    return [{"unique_id": name, "name": name, "metadata_hash": name, **parent} for name in tests]


def builds(days: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {"invocation_id": f"c{day}", "command": "build", "project_name": "shop", "created_at": at(day, 1)}
        for day in days
    ]


def outcomes(*found: tuple[int, str, str]) -> list[dict[str, Any]]:
    """Return results of tests, each a day, a test and a status."""
    return [result(FIRST + day, status, test=test, invocation_id=f"c{day}") for day, test, status in found]


class Shop:
    """A warehouse that dbt writes to, its store, and the tasks that look at it.

    :param folder: where both are.
    """

    def __init__(self, folder: Path, keys: LocalKeys) -> None:
        self._folder = folder
        self._rest = Rest(open_store((folder / "store").as_uri()), keys, folder / "store")
        self.sent: list[Alert] = []

    def sync(self, now: datetime, rows: Rows) -> None:
        """Take a snapshot of these rows."""
        given = {"dbt_models": [model(ORDERS)], **rows}
        world = {name: rows_table(name, given.get(name, [])) for name in TABLES}
        with patch("airflow_provider_elementary.snapshots.capture.utc_now", return_value=now):
            take(self._rest, self._folder / "warehouse.duckdb", world, run_key=str(now))

    def look(self, now: datetime) -> dict[str, Incident]:
        """Do what the tasks do that score, update incidents and send alerts; return the incidents by their subject."""
        repository = self._rest.repository
        origin = {"snapshot_id": repository.latest().snapshot_id}
        with compute_metrics(repository.source()) as metrics:
            verdicts = score_recent(metrics, method="elementary", days=60, parameters={}).verdicts
        run: Any = {"series": "tasks", "run_key": str(now)}
        lineage, of_dbt = lineage_of(repository, origin), dbt_conditions_of(repository, origin, **run)
        facts = {**run, "now": now}
        found = update_incidents(repository, enrich(verdicts, lineage), lineage, of_dbt, origin=origin, **facts)
        send_alerts(repository, found.key, {"mail": AlertFilter()}, self._send, **facts, url_of=lambda _: "")
        return _by_subject(found)

    def _send(self, route: str, alert: Alert) -> None:
        self.sent.append(alert)


def _by_subject(tracked: TrackedIncidents) -> dict[str, Incident]:
    return {incident.cause.subject: incident for incident in tracked.incidents}


@pytest.fixture
def shop(tmp_path: Path, airflow_connection: Callable[[str, Mapping[str, object]], str]) -> Shop:
    keys = LocalKeys.generate()
    airflow_connection("shop", local_store(tmp_path / "store", keys))
    return Shop(tmp_path, LocalKeys(keys))


@pytest.fixture
def clock() -> Iterator[Callable[[datetime], None]]:
    """Set the clock of the page and of the command line."""
    places = ("incidents.store", "page.store_status")
    patches = [patch(f"airflow_provider_elementary.{place}.utc_now") for place in places]
    clocks = [each.start() for each in patches]

    def set_to(now: datetime) -> None:
        for each in clocks:
            each.return_value = now

    yield set_to
    for each in patches:
        each.stop()


def on_the_page() -> set[tuple[str, str]]:
    """Return subject and state of the conditions of the open incidents of the page."""
    found = load_store_status(Readers().of("shop")).incidents
    return {(each.subject, each.state) for one in found if one.status == "open" for each in one.holding}


def on_the_command_line(capsys: pytest.CaptureFixture[str]) -> set[tuple[str, str]]:
    """Return the same of the command line."""
    capsys.readouterr()
    assert main(["incidents", "--store-conn-id", "shop", "--status", "open", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    return {(each["subject"], each["state"]) for one in shown for each in one["conditions"] if each["holds"]}


def test_a_test_that_is_removed_or_disabled_is_closed_and_not_resolved(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = outcomes((0, NOT_NULL, "fail"), (0, UNIQUE, "pass"))
    shop.sync(at(0, 2), {"dbt_tests": listed(NOT_NULL, UNIQUE), "dbt_invocations": builds([0]), **of(failing)})
    assert shop.look(at(0, 3))[NOT_NULL].status == "open"

    later = [*failing, *outcomes((1, UNIQUE, "pass"))]
    shop.sync(at(1, 2), {"dbt_tests": listed(UNIQUE), "dbt_invocations": builds([0, 1]), **of(later)})

    assert on_the_page() == on_the_command_line(capsys) == set()
    over = shop.look(at(1, 3))[NOT_NULL]
    assert (over.status, over.transition, over.cause.state) == ("resolved", "resolved", "removed")
    assert shop.sent[-1].title.startswith("Closed (high): SHOP.CORE.ORDERS")
    assert [each.cause.state for each in load_store_status(Readers().of("shop")).incidents if each.closed] == [
        "removed"
    ]
    assert "the test is no longer in the dbt project" in shop.sent[-1].text
    main(["incidents", "--store-conn-id", "shop"])
    said = capsys.readouterr().out
    assert "closed since" in said
    assert "removed, renamed or disabled" in said


def of(results: list[dict[str, Any]]) -> Rows:
    return {"elementary_test_results": results}


def test_a_renamed_test_begins_an_incident_and_closes_the_old_one(shop: Shop) -> None:
    failing = outcomes((0, NOT_NULL, "fail"))
    shop.sync(at(0, 2), {"dbt_tests": listed(NOT_NULL), "dbt_invocations": builds([0]), **of(failing)})
    shop.look(at(0, 3))

    later = [*failing, *outcomes((1, "test.shop.orders_have_ids", "fail"))]
    shop.sync(
        at(1, 2), {"dbt_tests": listed("test.shop.orders_have_ids"), "dbt_invocations": builds([0, 1]), **of(later)}
    )
    found = shop.look(at(1, 3))

    holding = {each.subject for one in found.values() if one.status == "open" for each in one.holding}
    assert holding == {"test.shop.orders_have_ids"}
    closed = [each for one in found.values() for each in one.conditions if each.subject == NOT_NULL]
    assert [each.state for each in closed] == ["removed"]


def test_a_renamed_model_closes_the_failed_run_of_its_old_name(shop: Shop) -> None:
    failed = {**run(FIRST, status="error"), "resource_type": "model", "invocation_id": "c0"}
    shop.sync(at(0, 3), {"dbt_run_results": [failed], "dbt_invocations": builds([0])})
    assert shop.look(at(0, 4))[ORDERS].severity == "critical"

    built = {**run(FIRST + 1, model="sales"), "resource_type": "model", "invocation_id": "c1"}
    rows: Rows = {"dbt_models": [model(SALES)], "dbt_run_results": [failed, built], "dbt_invocations": builds([0, 1])}
    shop.sync(at(1, 3), rows)

    over = shop.look(at(1, 4))[ORDERS]
    assert (over.status, over.cause.state) == ("resolved", "removed")
    # The next sync says the same of it, and sends nothing more.
    sent = len(shop.sent)
    again = {**run(FIRST + 2, model="sales"), "resource_type": "model", "invocation_id": "c2"}
    rows |= {"dbt_run_results": [failed, built, again], "dbt_invocations": builds([0, 1, 2])}
    shop.sync(at(2, 3), rows)
    assert shop.look(at(2, 4))[ORDERS].cause == over.cause
    assert len(shop.sent) == sent


def measured(table: str, days: Sequence[int], last: float | None = None) -> list[dict[str, Any]]:
    """Return row counts of a table by day; the last may be another."""
    return [
        {"id": f"{table}.{day}", "full_table_name": f"SHOP.CORE.{table.upper()}", "metric_name": "row_count"}
        | {"metric_value": last if last is not None and day == days[-1] else 1000.0 + day % 5}
        | {"bucket_start": at(day, -30), "bucket_end": at(day, -6), "bucket_duration_hours": 24}
        | {"updated_at": at(day), "created_at": at(day), "metric_properties": "{}"}
        for day in days
    ]


def test_a_table_that_was_dropped_is_no_longer_anomalous_after_two_weeks(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [model(ORDERS), model(SALES)]
    gone = measured("orders", range(30), 3.0)
    subject = "SHOP.CORE.ORDERS: row_count"

    for day, status in ((30, "open"), (40, "open"), (46, "resolved")):
        metrics = [*gone, *measured("sales", range(day))]
        rows: Rows = {"dbt_models": models if day == 30 else models[1:], "dbt_invocations": builds(range(day))}
        shop.sync(at(day, 2), {**rows, "data_monitoring_metrics": metrics})
        found = shop.look(at(day, 3))[subject]
        assert (day, found.status) == (day, status)

    assert found.cause.state == "no longer measured"
    assert on_the_page() == on_the_command_line(capsys) == set()
    assert shop.sent[-1].title.startswith("Closed (normal): SHOP.CORE.ORDERS")


def test_a_dbt_that_dies_is_an_incident_while_it_lasts_and_over_when_it_returns(
    shop: Shop, clock: Callable[[datetime], None], capsys: pytest.CaptureFixture[str]
) -> None:
    alive = list(range(30))
    for day in range(29, 33):
        shop.sync(at(day, 2), {"dbt_invocations": builds([each for each in alive if each <= day])})
        clock(at(day, 3))
        before = on_the_page()
        assert before == on_the_command_line(capsys)
    assert before == {("silence", "silent")}

    # The clock of the page changes nothing: what the snapshot says is of the moment it was taken.
    clock(at(33, 3))
    found = shop.look(at(33, 3))["silence"]
    assert on_the_page() == on_the_command_line(capsys) == {("silence", "silent")}
    assert found.cause.evidence == (
        "the last dbt command was at 2026-09-08 07:00 UTC, and before, the next one came within 1 day; nothing for 3 "
        "days"
    )
    assert shop.sent[-1].title.startswith("Incident (high): the dbt project silence")

    shop.sync(at(34, 2), {"dbt_invocations": builds([*alive, 34])})
    clock(at(34, 3))
    assert on_the_page() == on_the_command_line(capsys) == set()
    back = shop.look(at(34, 3))["silence"]
    assert (back.incident_id, back.status, back.resolved_at) == (found.incident_id, "resolved", at(34, 1))
    assert shop.sent[-1].title.startswith("Resolved (high): the dbt project silence")


def test_a_project_that_was_retired_is_not_an_incident_for_ever(shop: Shop) -> None:
    shop.sync(at(31, 2), {"dbt_invocations": builds(range(30))})
    assert shop.look(at(31, 3))["silence"].status == "open"

    shop.sync(at(60, 2), {"dbt_invocations": builds(range(30))})

    closed = shop.look(at(60, 3))["silence"]
    assert (closed.status, closed.cause.state) == ("resolved", "no longer expected")
    assert shop.sent[-1].title.startswith("Closed (high): the dbt project silence")


def test_a_scheduler_that_dies_is_seen_by_page_and_command_line(
    shop: Shop, clock: Callable[[datetime], None], capsys: pytest.CaptureFixture[str]
) -> None:
    for hour in range(5):
        shop.sync(at(0, hour), {"dbt_invocations": builds([0])})

    clock(at(0, 6))
    assert on_the_page() == on_the_command_line(capsys) == set()

    clock(at(0, 9))
    assert on_the_page() == on_the_command_line(capsys) == {("sync", "overdue")}
    main(["doctor", "--store-conn-id", "shop", "--conn-id", "none"])
    assert "before, one was taken every 1 hour" in " ".join(capsys.readouterr().out.split())
    # A task that runs again says so too, until the next snapshot.
    assert shop.look(at(0, 9))["sync"].status == "open"
    shop.sync(at(0, 10), {"dbt_invocations": builds([0])})
    assert shop.look(at(0, 11))["sync"].status == "resolved"
