"""Many results of dbt are reduced step by step, and say the same as all at once."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from airflow_provider_elementary.incidents import results_in_steps
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.incidents.earlier_results import RESULT_TABLES
from tests.support.dbt_project import MONDAY, rows_table
from tests.support.table_source import TableSource
from tests.unit.incidents.test_earlier_results import RandomProject

CHECKS = "dbt_source_freshness_results"
#: How many hours a project is watched.
HOURS = 24 * 60


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many results each step reads."""
    found: list[int] = []
    whole = results_in_steps.HeldResults.read

    def counted(self: results_in_steps.HeldResults, table: str, **given: object) -> pa.RecordBatchReader:
        rows = whole(self, table, **given).read_all()  # type: ignore[arg-type]
        if table in RESULT_TABLES:
            found.append(len(rows))
        return rows.to_reader()

    monkeypatch.setattr(results_in_steps.HeldResults, "read", counted)
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rows", [150, 700])
def test_results_in_steps_say_what_all_say(
    seed: int, rows: int, reads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = RandomProject(seed, hours_apart=6)
    for number in range(HOURS):
        written.hour(number)
    held = written.held()
    as_of = MONDAY + timedelta(hours=HOURS)
    every = dbt_conditions(TableSource(held), as_of=as_of)
    monkeypatch.setattr(results_in_steps, "_ROWS_AT_ONCE", rows)
    reads.clear()

    found = dbt_conditions(TableSource(held), as_of=as_of)

    assert (found.conditions, found.seen_at) == (every.conditions, every.seen_at)
    assert (found.good_at, found.lists) == (every.good_at, every.lists)
    assert found.conditions
    assert max(reads) < sum(map(len, (held[name] for name in RESULT_TABLES))) / 2


def test_no_step_ends_after_the_moment_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    written = RandomProject(1, hours_apart=6)
    for number in range(HOURS):
        written.hour(number)
    held, as_of = written.held(), MONDAY + timedelta(hours=HOURS)
    wrong = [
        {"unique_id": "source.shop.raw", "status": "pass", "created_at": as_of + timedelta(days=400, hours=hour)}
        for hour in range(40)
    ]
    checks = pa.concat_tables([held[CHECKS], rows_table(CHECKS, wrong)])
    held = {**held, CHECKS: checks}
    every = dbt_conditions(TableSource(held), as_of=as_of)
    results = sum(len(held[name]) for name in RESULT_TABLES)
    monkeypatch.setattr(results_in_steps, "_ROWS_AT_ONCE", results - 5)

    found = dbt_conditions(TableSource(held), as_of=as_of)

    assert found.earlier is not None
    assert found.earlier.until < as_of
    assert (found.conditions, found.good_at, found.lists) == (every.conditions, every.good_at, every.lists)


def test_steps_together_read_few_rows_more_than_twice(reads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    written = RandomProject(2, hours_apart=1)
    for number in range(24 * 12):
        written.hour(number)
    held = written.held()
    results = sum(len(held[name]) for name in RESULT_TABLES)
    # Less than what is written in the days that are read again.
    monkeypatch.setattr(results_in_steps, "_ROWS_AT_ONCE", results // 60)
    reads.clear()

    dbt_conditions(TableSource(held), as_of=MONDAY + timedelta(days=12))

    assert sum(reads) < 4 * results
