"""Conditions that results of dbt are evidence of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.incidents.conditions import PROJECT, Condition
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.source import arrow_schema
from tests.support.dbt_project import MONDAY, ORDERS, result, run
from tests.support.table_source import TableSource

_MODELS = [
    {"unique_id": f"model.shop.{name}", "alias": name, "database_name": "shop", "schema_name": "core"}
    for name in ("orders", "payments")
]


def found(as_of: datetime | None = None, **rows: Sequence[dict[str, Any]]) -> list[Condition]:
    """Return the conditions of a project of two models with these rows."""
    given = {"dbt_models": _MODELS, **rows}
    held = {
        table: pa.Table.from_pylist(
            list(given.get(table, ())), schema=arrow_schema(known, [column.name for column in known.columns])
        )
        for table, known in TABLES.items()
    }
    return list(dbt_conditions(TableSource(held), as_of=as_of).conditions)


def of_a_test(*statuses: str | None, **facts: Any) -> list[Condition]:
    """Return the conditions of a test that ended with these statuses, one a day."""
    rows = [result(day, status, **facts) for day, status in enumerate(statuses) if status is not None]
    return found(elementary_test_results=rows)


class TestTests:
    @pytest.mark.parametrize("status", ["fail", "warn", "error", "runtime error", "brand new", "", "FAIL "])
    def test_a_test_whose_newest_result_is_not_good_is_a_condition_from_the_first(self, status: str) -> None:
        [condition] = of_a_test(status)

        assert condition.holds
        assert (condition.kind, condition.table, condition.started_at) == ("test", ORDERS, MONDAY)

    @pytest.mark.parametrize("status", ["pass", "success", "reused", "no-op", "skipped", "Pass   "])
    def test_a_good_or_skipped_result_is_none(self, status: str) -> None:
        assert of_a_test(status) == []

    def test_it_ends_with_the_first_good_result_and_not_before(self) -> None:
        [condition] = of_a_test("pass", "fail", "fail", "pass", "pass")

        assert condition.started_at == MONDAY + timedelta(days=1)
        assert condition.last_seen == MONDAY + timedelta(days=2)
        assert condition.ended_at == MONDAY + timedelta(days=3)
        assert condition.times == 2

    def test_a_skipped_result_keeps_the_failure(self) -> None:
        [condition] = of_a_test("fail", "skipped", None)

        assert condition.holds

    def test_a_failure_after_a_good_result_is_another_condition(self) -> None:
        first, second = of_a_test("fail", "pass", "fail")

        assert (first.holds, second.holds) == (False, True)
        assert first.key == second.key
        assert first.condition_id != second.condition_id

    def test_a_warning_is_normal_and_what_gets_worse_is_one_condition(self) -> None:
        [warned] = of_a_test("warn")
        [worse] = of_a_test("warn", "fail")

        assert (warned.severity, worse.severity) == ("normal", "high")
        assert worse.condition_id == warned.condition_id

    def test_a_test_without_a_table_is_one_too(self) -> None:
        [condition] = of_a_test("fail", table_name=None, database_name=None, schema_name=None)

        assert condition.table == "test not_null"
        assert condition.title == "Test not_null ended with fail"

    def test_a_test_that_broke_before_elementary_saw_it_is_in_the_run_results(self) -> None:
        rows = {
            "elementary_test_results": [result(0, "pass", invocation_id="one")],
            "dbt_run_results": [
                run(0, status="pass", unique_id="not_null", resource_type="test", invocation_id="one"),
                run(1, status="error", unique_id="not_null", resource_type="test", invocation_id="two"),
            ],
        }
        [condition] = found(**rows)

        assert (condition.state, condition.holds) == ("error", True)


class TestRunsAndFreshness:
    @pytest.mark.parametrize("status", ["error", "fail", "runtime error", "partial success", "unheard of"])
    def test_a_run_that_failed_is_critical_until_one_succeeds(self, status: str) -> None:
        failed, repaired = (
            {**run(day, status=name), "resource_type": "model"} for day, name in ((0, status), (1, "success"))
        )

        [condition] = found(dbt_run_results=[failed])
        assert (condition.severity, condition.table, condition.holds) == ("critical", ORDERS, True)
        [condition] = found(dbt_run_results=[failed, repaired])
        assert not condition.holds

    @pytest.mark.parametrize("kind", ["snapshot", "seed", "model"])
    def test_a_node_that_no_artifact_knows_is_one_of_the_project(self, kind: str) -> None:
        row = run(0, status="error", unique_id=f"{kind}.shop.gone", resource_type=kind)

        [condition] = found(dbt_run_results=[row])

        assert (condition.table, condition.title) == (PROJECT, "The run of gone ended with error")

    @pytest.mark.parametrize(("status", "severity"), [("warn", "normal"), ("error", "high"), ("runtime error", "high")])
    def test_a_source_that_is_late_is_a_condition(self, status: str, severity: str) -> None:
        source = {"unique_id": "source.shop.raw", "database_name": "shop", "schema_name": "raw", "identifier": "orders"}
        check = {"source_freshness_execution_id": "1", "unique_id": "source.shop.raw", "status": status}

        [condition] = found(dbt_sources=[source], dbt_source_freshness_results=[{**check, "created_at": MONDAY}])

        assert (condition.kind, condition.table) == ("source_freshness", "SHOP.RAW.ORDERS")
        assert (condition.family, condition.severity) == ("freshness", severity)


def test_a_check_dated_in_the_future_hides_none_that_is_missing() -> None:
    days = [
        {"unique_id": "source.shop.raw", "status": "pass", "created_at": MONDAY + timedelta(days=day)}
        for day in [*range(20), 20_000]
    ]

    [condition] = found(
        MONDAY + timedelta(days=25),
        dbt_source_freshness_results=days,
        dbt_invocations=invocations(*(24 * day + 1 for day in range(25))),
    )

    assert (condition.state, condition.holds) == ("not checked", True)


def invocations(*hours: float, command: str = "build") -> list[dict[str, Any]]:
    """Return dbt commands at these hours after Monday."""
    return [
        {"invocation_id": f"run-{hour}", "created_at": MONDAY + timedelta(hours=hour), "command": command}
        for hour in hours
    ]

    @pytest.mark.parametrize("order", [1, -1])
    @pytest.mark.parametrize(("first", "then", "states"), [("error", "success", []), ("success", "error", ["error"])])
    def test_a_run_that_is_written_again_counts_as_written_last(
        self, first: str, then: str, states: list[str], order: int
    ) -> None:
        row = run(0, status=first, resource_type="model", invocation_id="one")
        again = {**row, "status": then, "created_at": row["created_at"] + timedelta(minutes=5)}

        assert [condition.state for condition in found(dbt_run_results=[row, again][::order])] == states


class TestInvocations:
    DAILY = tuple(24.0 * day for day in range(12))

    def test_two_days_without_dbt_are_a_condition_of_the_project(self) -> None:
        [condition] = found(dbt_invocations=invocations(*self.DAILY, 11 * 24 + 72))

        assert (condition.table, condition.state, condition.holds) == (PROJECT, "silent", False)
        assert condition.started_at == MONDAY + timedelta(days=12)

    def test_silence_until_now_holds(self) -> None:
        assert found(dbt_invocations=invocations(*self.DAILY)) == []
        [condition] = found(MONDAY + timedelta(days=20), dbt_invocations=invocations(*self.DAILY))

        assert condition.holds

    @pytest.mark.parametrize("ahead", [timedelta(hours=20), timedelta(days=20_000)])
    def test_a_command_dated_in_the_future_hides_no_silence(self, ahead: timedelta) -> None:
        as_of = MONDAY + timedelta(days=20)
        wrong = {"invocation_id": "wrong", "created_at": as_of + ahead, "command": "build"}
        rows = invocations(*self.DAILY)

        assert found(as_of, dbt_invocations=[*rows, wrong]) == found(as_of, dbt_invocations=rows)

    def test_results_without_commands_are_corrected_by_the_zone_of_the_newest(self) -> None:
        ahead = timedelta(hours=9)
        rows = [
            {**row, "created_at": row["created_at"] + ahead, "generated_at": row["created_at"].isoformat()}
            for row in invocations(*self.DAILY)
        ]
        built = run(12, invocation_id="unmarked", created_at=MONDAY + timedelta(days=12) + ahead)

        [condition] = found(MONDAY + timedelta(days=14, hours=1), dbt_invocations=rows, dbt_run_results=[built])

        assert condition.title == "No dbt command ran after 2026-11-14 06:00 UTC"

    def test_results_alone_whose_zone_is_unknown_are_no_silence_until_now(self) -> None:
        built = [run(day, invocation_id=f"run-{day}") for day in (*range(12), *range(14, 26))]

        [condition] = found(MONDAY + timedelta(days=40), dbt_run_results=built)

        assert condition.ended_at == built[12]["created_at"]

    def test_a_weekend_that_is_always_free_is_no_condition(self) -> None:
        hours = [24.0 * day for day in range(40) if day % 7 < 5]

        assert found(dbt_invocations=invocations(*hours)) == []

    def test_a_command_without_results_is_one_until_the_next_with_results(self) -> None:
        rows = invocations(0, 1, 2)
        results = [run(0, invocation_id="run-0"), run(0, hour=2, invocation_id="run-2")]

        assert found(dbt_invocations=rows[:1], dbt_run_results=results[:1]) == []
        [held] = found(dbt_invocations=rows[:2], dbt_run_results=results[:1])
        [over] = found(dbt_invocations=rows, dbt_run_results=results)

        assert (held.holds, held.severity, over.ended_at) == (True, "critical", MONDAY + timedelta(hours=2))

    def test_where_results_are_never_recorded_nothing_is_wrong(self) -> None:
        assert found(dbt_invocations=invocations(0, 1, 2)) == []


class TestJobs:
    """A daily job that stops after 30 days beside an hourly one."""

    AS_OF = MONDAY + timedelta(days=32)

    def stopped(self, *others: dict[str, Any], **rows: Sequence[dict[str, Any]]) -> list[Condition]:
        nightly = [{**row, "job_name": "nightly"} for row in invocations(*(24 * day for day in range(30)))]
        hourly = [{**row, "job_name": "hourly"} for row in invocations(*(number + 0.5 for number in range(24 * 32)))]
        built = [run(day, hour=-3, invocation_id=f"run-{24 * day}") for day in range(30)]
        given = {
            "dbt_invocations": [*nightly, *hourly, *others],
            "dbt_run_results": [*built, *rows.pop("dbt_run_results", ())],
        }
        return found(self.AS_OF, **given, **rows)

    def test_one_that_stops_is_a_condition(self) -> None:
        [condition] = [each for each in self.stopped() if each.state == "silent"]

        assert (condition.subject, condition.holds) == ("job nightly", True)

    def test_a_command_dated_in_the_future_does_not_retire_it(self) -> None:
        wrong = {"invocation_id": "wrong", "created_at": self.AS_OF + timedelta(days=20_000), "job_name": "hourly"}

        assert self.stopped(wrong) == self.stopped()

    def test_one_whose_models_another_job_builds_is_none(self) -> None:
        moved = [run(30, invocation_id="run-720.5")]

        assert [each for each in self.stopped(dbt_run_results=moved) if each.state == "silent"] == []

    @pytest.mark.parametrize(("schema", "expected"), [("core", False), ("dev", True)])
    def test_one_whose_tables_others_test_in_another_schema_is_one(self, schema: str, *, expected: bool) -> None:
        tested = [result(day, "pass", hour=-3, invocation_id=f"run-{24 * day}") for day in range(30)]
        elsewhere = result(30, "pass", invocation_id="run-720.5", schema_name=schema)

        conditions = self.stopped(
            dbt_run_results=[run(30, invocation_id="run-720.5")], elementary_test_results=[*tested, elsewhere]
        )

        assert ("job nightly" in [each.subject for each in conditions]) == expected


def test_an_empty_schema_has_no_conditions() -> None:
    assert found() == []
    assert dbt_conditions(TableSource({})).conditions == ()
