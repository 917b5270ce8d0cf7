"""Histories of a project: what is not good now is in an open incident, and no other incident is open."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_elementary.incidents.conditions import PROJECT
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.incidents.tracking import Incident, track_incidents
from airflow_provider_elementary.project.lineage import read_lineage
from tests.support.dbt_project import MONDAY, ORDERS, PAYMENTS, invocation, project, result, run

Rows = dict[str, list[dict[str, Any]]]
GOOD = ("pass", "success")
NO_TABLE = {"table_name": None, "schema_name": None, "database_name": None}


def freshness(day: int, status: str) -> dict[str, Any]:
    moment = MONDAY + timedelta(days=day)
    return {
        "source_freshness_execution_id": f"fresh-{day}",
        "unique_id": "source.shop.raw.orders",
        "status": status,
        "created_at": moment,
        "generated_at": f"{moment:%Y-%m-%d %H:%M:%S}",
    }


def build(day: int) -> dict[str, Any]:
    return {**invocation(day), "command": "build"}


def results(test: str, *statuses: str, **facts: Any) -> list[dict[str, Any]]:
    return [result(day, status, test=test, **facts) for day, status in enumerate(statuses)]


def runs(*statuses: str, **facts: Any) -> list[dict[str, Any]]:
    return [run(day, status=status, invocation_id=f"{day}-0", **facts) for day, status in enumerate(statuses)]


#: By name, what dbt wrote, and the subjects that are wrong now, each with its table.
HISTORIES: Mapping[str, tuple[Rows, set[tuple[str, str]]]] = {
    "a singular test that fails again": (
        {"elementary_test_results": results("test.shop.adds_up", "fail", "pass", "fail", **NO_TABLE)},
        {("test.shop.adds_up", "test test.shop.adds_up")},
    ),
    "a unit test that breaks": (
        {"elementary_test_results": results("unit_test.shop.orders.sum", "pass", "error", "error", **NO_TABLE)},
        {("unit_test.shop.orders.sum", "test unit_test.shop.orders.sum")},
    ),
    "a test that was skipped after it failed": (
        {"elementary_test_results": results("not_null", "fail", "skipped", "skipped")},
        {("not_null", ORDERS)},
    ),
    "a warning that became a failure, and one that passed": (
        {"elementary_test_results": [*results("unique", "warn", "fail"), *results("not_null", "warn", "pass")]},
        {("unique", ORDERS)},
    ),
    "a schema change that is in the newest result": (
        {
            "elementary_test_results": results(
                "schema_changes", "pass", "fail", test_type="schema_change", test_sub_type="column_removed"
            )
        },
        {("schema_changes", ORDERS)},
    ),
    "a model that fails, and one that succeeded again": (
        {"dbt_run_results": [*runs("success", "error"), *runs("error", "success", model="payments")]},
        {("model.shop.orders", ORDERS)},
    ),
    "a source that is late": (
        {"dbt_source_freshness_results": [freshness(0, "pass"), freshness(1, "runtime error")]},
        {("source.shop.raw.orders", "source.shop.raw.orders")},
    ),
    "a source that was late and is near its limit": (
        {"dbt_source_freshness_results": [freshness(0, "error"), freshness(1, "warn")]},
        {("source.shop.raw.orders", "source.shop.raw.orders")},
    ),
    "a test that flaps": (
        {"elementary_test_results": results("not_null", *("fail", "pass") * 4, "fail")},
        {("not_null", ORDERS)},
    ),
    "a test that flapped": (
        {"elementary_test_results": results("not_null", *("fail", "pass") * 4)},
        set(),
    ),
    "a command that failed before any node": (
        {"dbt_invocations": [build(0), build(1), build(2)], "dbt_run_results": runs("success", "success")},
        {("dbt build", PROJECT)},
    ),
    "a command that failed before any node, and the next that did not": (
        {
            "dbt_invocations": [build(0), build(1), build(2)],
            "dbt_run_results": [runs("success")[0], runs("success", "success", "success")[2]],
        },
        set(),
    ),
    "everything is good again": (
        {
            "elementary_test_results": results("not_null", "fail", "pass"),
            "dbt_run_results": runs("error", "success"),
            "dbt_source_freshness_results": [freshness(0, "error"), freshness(1, "pass")],
        },
        set(),
    ),
}


def incidents_of(rows: Rows, before: Sequence[Incident] | None = None) -> list[Incident]:
    source = project(**rows)
    return track_incidents(dbt_conditions(source).conditions, read_lineage(source), before)


def wrong_now(incidents: Sequence[Incident]) -> set[tuple[str, str]]:
    """Return what holds, after a check that exactly the open incidents have such conditions."""
    assert all((each.status == "open") == bool(each.holding) for each in incidents)
    return {(condition.subject, condition.table) for each in incidents for condition in each.holding}


def newest_not_good(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the tests whose newest result, skipped ones left out, is not good."""
    newest: dict[str, tuple[datetime, str]] = {}
    for row in rows:
        if row["status"] != "skipped":
            newest[row["test_unique_id"]] = max(
                newest.get(row["test_unique_id"], (datetime.min, "")), (row["detected_at"], row["status"])
            )
    return {test for test, (_, status) in newest.items() if status not in GOOD}


@pytest.mark.parametrize("name", HISTORIES)
def test_what_is_not_good_now_is_in_an_open_incident_and_nothing_else(name: str) -> None:
    rows, expected = HISTORIES[name]

    found = incidents_of(rows)

    assert wrong_now(found) == expected


def test_each_failure_of_a_test_that_flaps_is_an_incident_that_names_the_one_before() -> None:
    statuses = ("fail", "pass") * 3
    before: list[Incident] | None = None
    for day in range(1, len(statuses) + 1):
        before = incidents_of({"elementary_test_results": results("not_null", *statuses[:day])}, before)

    found = sorted(before or (), key=lambda each: each.started_at)

    assert [each.status for each in found] == ["resolved"] * 3
    assert [each.follows for each in found] == [None, found[0].incident_id, found[1].incident_id]


def test_a_late_source_that_only_warns_now_is_the_same_incident_and_less_severe() -> None:
    late = incidents_of({"dbt_source_freshness_results": [freshness(0, "error")]})
    near = incidents_of({"dbt_source_freshness_results": [freshness(0, "error"), freshness(1, "warn")]}, late)

    assert [each.incident_id for each in near] == [each.incident_id for each in late]
    assert (late[0].severity, near[0].severity, near[0].status) == ("high", "normal", "open")


@pytest.mark.parametrize("seed", range(4))
def test_random_histories_open_exactly_what_fails_and_stay_the_same(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    statuses = ("pass", "pass", "warn", "fail", "error", "skipped", "brand new")
    rows: Rows = {"elementary_test_results": [], "dbt_run_results": []}
    for number in range(8):
        facts = NO_TABLE if number % 3 == 0 else {"table_name": ORDERS if number % 2 else PAYMENTS}
        given = [chance.choice(statuses) for _ in range(chance.randint(1, 9))]
        rows["elementary_test_results"] += results(f"test.shop.t{number}", *given, **facts)
    rows["dbt_run_results"] += runs(*(chance.choice(("success", "error", "skipped")) for _ in range(6)))

    once = incidents_of(rows)
    twice = incidents_of(rows, once)
    thrice = incidents_of(rows, twice)

    failing = {subject for subject, _ in wrong_now(once) if subject.startswith("test.")}
    assert failing == newest_not_good(rows["elementary_test_results"])
    assert [(each.incident_id, each.status, each.conditions) for each in once] == [
        (each.incident_id, each.status, each.conditions) for each in twice
    ]
    assert twice == thrice
