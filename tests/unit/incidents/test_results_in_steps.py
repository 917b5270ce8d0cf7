"""Many results of dbt are reduced step by step, and say the same as all at once."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pytest

from airflow_provider_elementary.incidents import results_in_steps
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.incidents.earlier_results import RESULT_TABLES
from tests.support.dbt_project import MONDAY
from tests.support.table_source import TableSource
from tests.unit.incidents.test_earlier_results import RandomProject

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
