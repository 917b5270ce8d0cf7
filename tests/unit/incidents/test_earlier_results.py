"""Results of the newest days with the earlier ones that a run kept say what all results say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.incidents.dbt_evidence import DbtConditions
from airflow_provider_elementary.incidents.earlier_results import RESULT_TABLES, EarlierResults
from tests.support.datasets import world_a
from tests.support.dbt_project import MONDAY, project, rows_table
from tests.support.table_source import TableSource

#: Runs of the first hours find nothing that a run before them saved.
FIRST_HOUR = 70
EVENTS = (*RESULT_TABLES, "dbt_invocations")
MODELS = ("orders", "payments", "customers")
#: How likely what failed fails again.
BAD = (0.85, 0.98)
TESTS = tuple(f"test.shop.{name}" for name in ("not_null", "unique", "positive", "anomalies", "singular"))


class ReadSince(TableSource):
    """Notes from when on tables of results were read."""

    def read(self, table: str, **given: Any) -> pa.RecordBatchReader:
        if table == "dbt_run_results":
            since.append(given.get("since"))
        return super().read(table, **given)


since: list[datetime | None] = []


def compare(
    held: dict[str, pa.Table], as_of: datetime, earlier: EarlierResults | None
) -> tuple[DbtConditions, DbtConditions]:
    """Return what the newest results say with the earlier ones, and what all say, after a check that it is the same."""
    since.clear()
    found = dbt_conditions(ReadSince(held), as_of=as_of, earlier=earlier)
    if earlier is None:
        return found, found
    every = dbt_conditions(TableSource(held), as_of=as_of)
    assert found.conditions == every.conditions
    assert found.seen_at == every.seen_at
    assert found.good_at == every.good_at
    assert found.lists == every.lists
    return found, every


class RandomProject:
    """What dbt writes hour by hour, where tests fail, recover, flap, leave and return, and jobs are missed."""

    def __init__(self, seed: int, hours_apart: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.hours_apart = hours_apart
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in EVENTS}
        self.failing: dict[str, float] = {}
        self.listed = set(TESTS)
        self.silent_until = -1
        self.oldest = MONDAY
        self.held_back: list[tuple[int, str, dict[str, Any]]] = []

    def hour(self, number: int) -> None:
        """Write what dbt writes in one hour."""
        chance = self.random.random
        now = MONDAY + timedelta(hours=number)
        self.oldest = now
        for due, table, row in self.held_back:
            if due == number:
                self.rows[table].append(row)
                self.oldest = min(self.oldest, row["created_at"])
        if chance() < 0.004:
            self.silent_until = number + self.random.randrange(10, 120)
        if chance() < 0.02:
            self.listed ^= {self.random.choice(TESTS)}
        if number < self.silent_until or number % self.hours_apart:
            return
        for job in ("hourly", "nightly"):
            if (job == "nightly" and now.hour != 2) or chance() < 0.03:
                continue
            self._run(f"{job}-{number}", job, now, is_marked=chance() > 0.05, is_empty=chance() < 0.03)
            if chance() < 0.03:
                self._run(f"{job}-{number}-again", job, now + timedelta(minutes=20), is_marked=True, is_empty=False)

    def _run(self, name: str, job: str, now: datetime, *, is_marked: bool, is_empty: bool) -> None:
        written: list[tuple[str, dict[str, Any]]] = []
        if not is_empty:
            at = now + timedelta(minutes=5)
            facts = {"invocation_id": name, "created_at": at}
            for model in MODELS if job == "hourly" else MODELS[:1]:
                row = {"model_execution_id": f"{name}.{model}", "unique_id": f"model.shop.{model}", "name": model}
                written.append(
                    ("dbt_run_results", {**facts, **row, "resource_type": "model", "status": self._status(model)})
                )
            for test in sorted(self.listed):
                status = self._status(test)
                for column in ("a", "b") if test.endswith("anomalies") else ("a",):
                    row = {"test_execution_id": f"{name}.{test}", "test_unique_id": test, "column_name": column}
                    table = {} if test.endswith("singular") else {"table_name": "orders", "database_name": "shop"}
                    row |= {"schema_name": "core", "test_name": test[10:], "test_short_name": test[10:], **table}
                    status = status if column == "a" else "pass"
                    written.append(("elementary_test_results", {**facts, **row, "status": status, "detected_at": at}))
                run = {"model_execution_id": f"{name}.{test}.run", "unique_id": test, "resource_type": "test"}
                written.append(("dbt_run_results", {**facts, **run, "status": status}))
            if now.hour % 6 == 0 and self.random.random() > 0.05:
                check = {"unique_id": "source.shop.raw", "status": self._status("source")}
                written.append(("dbt_source_freshness_results", {**facts, **check}))
        if is_marked:
            scope = {"project_name": "shop", "target_database": "shop", "target_schema": "core"}
            row = {"invocation_id": name, "created_at": now + timedelta(minutes=6), "command": "build", "job_name": job}
            written.append(("dbt_invocations", {**row, **scope}))
            if self.random.random() < 0.05:
                written.append(("dbt_invocations", {**row, **scope, "created_at": now + timedelta(minutes=7)}))
        for table, row in written:
            self.rows[table].append(row)
        if written and self.random.random() < 0.02:
            # A result that is written late, with the time at which it was made.
            table, row = self.random.choice(written)
            self.rows[table].remove(row)
            self.held_back.append(
                (int((now - MONDAY).total_seconds() / 3600) + self.random.randrange(1, 90), table, row)
            )

    def _status(self, name: str) -> str:
        chance = self.random.random()
        before = self.failing.get(name, 0.0)
        bad = before if before in BAD else self.random.choice(BAD)
        self.failing[name] = bad if before > chance else self.random.choice((0.02, 0.02, 0.3))
        if self.random.random() < 0.05:
            return "skipped"
        if self.failing[name] in BAD:
            return self.random.choice(("fail", "error", "warn"))
        return "pass" if name in TESTS else "success"

    def held(self) -> dict[str, pa.Table]:
        """Return all tables as they are."""
        stamp = f"{MONDAY:%Y-%m-%d %H:%M:%S}"
        tests = [{"unique_id": name, "generated_at": stamp, "name": name[10:]} for name in sorted(self.listed)]
        tests = [{**row, "parent_model_unique_id": "model.shop.orders"} for row in tests]
        tables = {name: rows_table(name, rows) for name, rows in {**self.rows, "dbt_tests": tests}.items()}
        return {**project().held, **tables}


def runs(written: RandomProject, hours: int, every: int) -> Iterator[tuple[datetime, dict[str, pa.Table], datetime]]:
    """Yield the moment of each run, the tables, and the oldest time of what came since the run before."""
    oldest = MONDAY
    for number in range(hours):
        written.hour(number)
        oldest = min(oldest, written.oldest) if number % every else written.oldest
        if number % every == every - 1 and number >= FIRST_HOUR:
            yield MONDAY + timedelta(hours=number + 1), written.held(), oldest


@pytest.mark.parametrize(("seed", "hours", "apart", "every"), [(1, 100, 1, 1), (2, 240, 4, 4), (3, 1080, 8, 24)])
def test_after_each_run_the_newest_results_say_what_all_say(seed: int, hours: int, apart: int, every: int) -> None:
    earlier: EarlierResults | None = None
    known: list[Condition] = []
    known_of_all: list[Condition] = []
    read_all = read_newest = 0
    for as_of, held, oldest in runs(RandomProject(seed, apart), hours, every):
        if earlier is not None and oldest < earlier.until:
            # The store says so.
            earlier = None
        found, of_all = compare(held, as_of, earlier)
        known, known_of_all, earlier = found.since(known), of_all.since(known_of_all), found.earlier
        assert known == known_of_all
        read_all += None in since
        read_newest += None not in since

    assert len(known) > 5
    assert read_all
    assert read_newest > 10


def test_the_newest_results_of_a_real_project_say_what_all_say_every_other_day(shared: Path) -> None:
    world = world_a(shared)
    first = pc.min(world["dbt_run_results"]["created_at"]).as_py()
    earlier: EarlierResults | None = None
    read_all = 0
    for day in range(1, 71, 2):
        as_of = first.replace(hour=0, minute=0) + timedelta(days=day)
        held = {
            name: table.filter(pc.less(table["created_at"], pa.scalar(as_of))) if name in EVENTS else table
            for name, table in world.items()
        }
        found, _ = compare(held, as_of, earlier)
        earlier = found.earlier
        read_all += None in since

    assert earlier is not None
    assert found.conditions
    assert sum(table.num_rows for table in earlier.tables.values()) < 8_000
    assert read_all < 10


def little(days: int, bad: dict[int, str], **changed: Any) -> dict[str, pa.Table]:
    """Return what a job wrote that tests one table daily, on day 1 without a result of Elementary's.

    :param bad: statuses by day.
    :param changed: by column, the value of a test result of a day.
    """
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in EVENTS}
    listed = {"unique_id": TESTS[0], "name": "not_null", "generated_at": f"{MONDAY}"}
    rows["dbt_tests"] = [{**listed, "parent_model_unique_id": "model.shop.orders"}]
    for day in range(days):
        at, command = MONDAY + timedelta(days=day), f"c{day}"
        rows["dbt_invocations"].append(
            {
                **{"invocation_id": command, "created_at": at + timedelta(minutes=1), "command": "build"},
                **{"generated_at": f"{at:%Y-%m-%dT%H:%M:%S}", "project_name": "shop"},
            }
        )
        common = {"created_at": at, "status": bad.get(day, "pass"), "invocation_id": command}
        if day == 1:
            named = {"unique_id": TESTS[0], "resource_type": "test", "model_execution_id": command}
            rows["dbt_run_results"].append({**common, **named})
            continue
        row = {
            **{**common, "test_unique_id": TESTS[0], "test_execution_id": command, "table_name": "orders"},
            **{"database_name": "shop", "schema_name": "core", "model_unique_id": "model.shop.orders"},
        }
        rows["elementary_test_results"].append({**row, **{name: value(day, row) for name, value in changed.items()}})
    return {**project().held, **{name: rows_table(name, found) for name, found in rows.items()}}


def test_a_result_of_no_command_that_comes_later_has_all_read_again() -> None:
    def command(day: int, row: dict[str, Any]) -> str | None:
        return None if day == 11 else str(row["invocation_id"])

    bad, at = {0: "fail", 3: "fail"}, timedelta(hours=2)
    _, before = compare(little(11, bad), MONDAY + timedelta(days=10) + at, None)

    found, _ = compare(little(12, bad, invocation_id=command), MONDAY + timedelta(days=11) + at, before.earlier)

    assert found.conditions[0].ended_at != before.conditions[0].ended_at
    assert None in since


def test_a_test_that_always_fails_keeps_the_ends_of_its_streak_and_when_results_came() -> None:
    bad = {day: "warn" if day % 7 == 3 else "fail" for day in range(2, 99)}
    earlier, known, known_of_all = None, list[Condition](), list[Condition]()
    for days in (30, 31, 32, 60, 61, 99):
        found, of_all = compare(little(days, bad), MONDAY + timedelta(days=days - 1, hours=2), earlier)
        known, known_of_all, earlier = found.since(known), of_all.since(known_of_all), found.earlier

        assert known == known_of_all
        assert (None in since) == (days == 30)
        assert found.conditions[0].times == days - 2
        assert earlier is not None
        # The good ones before it, its first one, and the newest that failed and warned.
        assert earlier.tables["elementary_test_results"].num_rows <= 4


@pytest.mark.parametrize("odd", ["a command twice", "a first result of no command"])
def test_a_streak_folds_into_its_first_result_that_can_take_others(odd: str) -> None:
    def command(day: int, row: dict[str, Any]) -> str | None:
        return None if day == 2 and odd == "a first result of no command" else str(row["invocation_id"])

    earlier = None
    for days in (30, 31, 40):
        held = little(days, dict.fromkeys(range(2, 99), "fail"), invocation_id=command)
        if odd == "a command twice":
            markers = held["dbt_invocations"]
            held["dbt_invocations"] = pa.concat_tables([markers, markers.slice(2, 1)])
        earlier = compare(held, MONDAY + timedelta(days=days - 1, hours=2), earlier)[0].earlier

        assert (None in since) == (days == 30)
        assert earlier is not None
        assert earlier.tables["elementary_test_results"].num_rows <= 5


@pytest.mark.parametrize("order", [1, -1])
def test_two_results_of_one_time_say_the_same_in_any_order(order: int) -> None:
    bad = {2: "fail", 3: "error", 4: "fail"}
    held = little(6, bad)
    twins = [
        {**row, "status": "error", "invocation_id": "another", "test_execution_id": "another"}
        for row in little(5, bad)["elementary_test_results"].to_pylist()[-1:]
    ]
    rows = [*held["elementary_test_results"].to_pylist(), *twins][::order]
    held["elementary_test_results"] = rows_table("elementary_test_results", rows)

    condition = dbt_conditions(TableSource(held), as_of=MONDAY + timedelta(days=6)).conditions[0]

    assert (condition.subject, condition.times, condition.state) == (TESTS[0], 4, "fail")


def test_the_id_of_an_execution_that_is_not_kept_has_all_read_again() -> None:
    def execution(day: int, row: dict[str, Any]) -> str:
        return "c5" if day == 11 else str(row["invocation_id"])

    bad = dict.fromkeys(range(12), "fail")
    _, before = compare(little(11, bad), MONDAY + timedelta(days=10, hours=2), None)
    assert before.earlier is not None
    assert "c5" not in before.earlier.tables["elementary_test_results"]["invocation_id"].to_pylist()

    compare(little(12, bad, test_execution_id=execution), MONDAY + timedelta(days=11, hours=2), before.earlier)

    assert None in since


@pytest.mark.parametrize("is_saved", [True, False])
def test_nothing_is_saved_where_commands_give_one_id_of_executions(is_saved: bool) -> None:
    def execution(day: int, row: dict[str, Any]) -> str:
        return str(row["invocation_id"]) if is_saved else "one"

    bad = {0: "fail", 3: "fail", 11: "error"}
    earlier = None
    for days in range(8, 14):
        as_of = MONDAY + timedelta(days=days - 1, hours=2)
        found, _ = compare(little(days, bad, test_execution_id=execution), as_of, earlier)
        earlier = found.earlier
        assert (earlier is not None) == is_saved
