"""A snapshot takes finished runs, what is older than the time-out, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import cast

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.snapshots.capture.commit_markers import Markers, find_unmarked
from airflow_provider_elementary.snapshots.capture.consistency import (
    ConsistencyPoint,
    _young_results,
    consistency_entry,
    next_window_start,
)
from airflow_provider_elementary.snapshots.capture.facts import TableFacts
from airflow_provider_elementary.snapshots.capture.tally import Tally
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.warehouses.source import WarehouseSource

NOW = datetime(2026, 11, 22, 12)
RESULTS_OF_TESTS = "elementary_test_results"
RESULTS, METRICS, SAMPLES = (
    TABLES[name] for name in ("dbt_run_results", "data_monitoring_metrics", "test_result_rows")
)
POINT = ConsistencyPoint(
    tables={},
    watermark=NOW,
    abandoned_until=NOW - timedelta(hours=6),
    committed_until=NOW - timedelta(hours=2),
    read_at=None,
    markers=pa.array(["done"]),
    results=pa.array(["done.test"]),
)


def result(run: str | None, age: timedelta | None) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "invocation_id": pa.array([run], pa.string()),
            "created_at": pa.array([NOW - age if age is not None else None], pa.timestamp("us")),
        }
    )


def metric(age: timedelta) -> pa.RecordBatch:
    return result(None, age).select(["created_at"])


@pytest.mark.parametrize(
    ("run", "age", "taken"),
    [
        ("done", timedelta(hours=1), True),
        ("open", timedelta(hours=1), False),
        ("open", timedelta(hours=5, minutes=59), False),
        ("open", timedelta(hours=6), True),
        ("open", None, True),
        ("done", timedelta(seconds=-1), False),
        (None, timedelta(hours=1), False),
        (None, timedelta(hours=2), True),
    ],
)
def test_a_row_of_a_run_is_taken_once_the_run_is_finished_or_timed_out(
    run: str | None, age: timedelta | None, taken: bool
) -> None:
    assert POINT.takes(RESULTS, result(run, age)).to_pylist() == [taken]


@pytest.mark.parametrize(("hours", "taken"), [(1, False), (2, True), (7, True)])
def test_a_row_that_names_no_run_is_taken_up_to_the_newest_marker(hours: int, taken: bool) -> None:
    assert POINT.takes(METRICS, metric(timedelta(hours=hours))).to_pylist() == [taken]


@pytest.mark.parametrize(
    ("test_result", "hours", "taken"), [("done.test", 1, True), ("open.test", 1, False), ("open.test", 6, True)]
)
def test_a_sample_follows_its_test_result(test_result: str, hours: int, taken: bool) -> None:
    batch = metric(timedelta(hours=hours)).append_column(
        pa.field("elementary_test_results_id", pa.string()), pa.array([test_result])
    )

    assert POINT.takes(SAMPLES, batch).to_pylist() == [taken]


def test_the_next_window_reaches_back_to_what_waits() -> None:
    tally = Tally(NOW - timedelta(hours=6))
    batch = result("open", timedelta(hours=3))
    tally.count(POINT, RESULTS, batch, POINT.takes(RESULTS, batch))

    assert next_window_start(POINT, tally, timedelta(hours=1), None) == NOW - timedelta(hours=3)
    assert tally.waiting["dbt_run_results"] == 1


def test_the_next_window_reaches_over_the_overlap_and_never_behind_the_last_one() -> None:
    tally = Tally(NOW - timedelta(hours=6))

    assert next_window_start(POINT, tally, timedelta(hours=1), None) == NOW - timedelta(hours=1)
    assert next_window_start(POINT, tally, timedelta(hours=5), NOW - timedelta(hours=2)) == NOW - timedelta(hours=2)


def test_settled_rows_are_those_before_the_window_and_undated_apart() -> None:
    tally = Tally(NOW - timedelta(hours=6))
    for age in (timedelta(hours=30), timedelta(hours=4), timedelta(minutes=30), None):
        batch = result("done", age)
        tally.count(POINT, RESULTS, batch, POINT.takes(RESULTS, batch))

    assert tally.settled(RESULTS, NOW - timedelta(hours=1)) == (2, NOW - timedelta(hours=30))
    assert tally.undated["dbt_run_results"] == 1


def test_runs_without_a_marker_are_named() -> None:
    tally = Tally(NOW - timedelta(hours=6))
    for age in (timedelta(hours=7), timedelta(hours=1)):
        batch = result("open", age)
        tally.count(POINT, RESULTS, batch, POINT.takes(RESULTS, batch))

    entry = consistency_entry(
        POINT, tally, window_from=NOW, overlap=timedelta(hours=1), commit_timeout=timedelta(hours=6), earlier=None
    )

    assert (entry.waiting, entry.incomplete) == (("open",), ("open",))


@pytest.mark.parametrize(("hashed", "reads"), [((), []), (("elementary_test_results.id",), [RESULTS_OF_TESTS])])
def test_results_are_read_again_only_where_their_ids_are_hashed(hashed: tuple[str, ...], reads: list[str]) -> None:
    results = pa.RecordBatch.from_pydict(
        {
            "id": ["done.test", "open.test"],
            "invocation_id": ["done", "open"],
            "created_at": pa.array([NOW - timedelta(hours=1)] * 2, pa.timestamp("us")),
        }
    )
    samples = pa.RecordBatch.from_pydict({"elementary_test_results_id": ["done.test", "open.test"]})
    kept = {RESULTS_OF_TESTS: results, "test_result_rows": samples}
    point = replace(POINT, tables={name: TableFacts(NOW, kept=(batch,)) for name, batch in kept.items()}, results=None)
    source = _Warehouse([results])
    manifest = SimpleNamespace(policy={"hashed_columns": list(hashed)}, files=())
    base = cast(SnapshotSource, SimpleNamespace(tables=lambda: [RESULTS_OF_TESTS], manifest=manifest))

    found = _young_results(cast(WarehouseSource, source), point, NOW - timedelta(hours=12), base)

    assert source.asked == reads
    assert found.to_pylist() == ["done.test"]


def test_runs_of_the_window_and_those_of_the_snapshot_before_are_counted_together() -> None:
    times = pa.array([NOW - timedelta(days=days) for days in (6, 4, 2, 0)], pa.timestamp("us"))
    markers = Markers(pa.array(["done"]), pa.chunked_array([times]), NOW, None, timedelta(0), timedelta(0))
    earlier = replace(
        consistency_entry(
            POINT,
            Tally(None),
            window_from=NOW - timedelta(hours=1),
            overlap=timedelta(hours=1),
            commit_timeout=timedelta(hours=6),
            earlier=None,
        ),
        unmarked={
            **{f"killed-{days}": (NOW - timedelta(days=days)).isoformat() for days in (1, 3, 5, 40)},
            "done": (NOW - timedelta(hours=2)).isoformat(),
        },
    )
    in_window = {"open": NOW, "done": NOW - timedelta(minutes=1)}
    source = _Warehouse([])
    tables = {"dbt_run_results": TableFacts(NOW, runs=in_window)}

    found = find_unmarked(
        cast(WarehouseSource, source), tables, earlier, markers, NOW, NOW - timedelta(hours=6), NOW - timedelta(hours=2)
    )

    assert source.asked == []
    assert (found.lately, found.recurrences, found.is_recurrent, found.matches_none) == (3, 3, True, False)
    assert set(found.newest) == {"killed-1", "killed-3", "killed-5", "open"}
    assert found.marked_until == NOW - timedelta(minutes=1)


class _Warehouse:
    """Notes which tables are read."""

    def __init__(self, batches: list[pa.RecordBatch]) -> None:
        self.batches, self.asked = batches, list[str]()

    def tables(self) -> list[str]:
        return ["dbt_run_results"]

    def schema(self, table: str) -> pa.Schema:
        return pa.schema({"id": pa.string(), "invocation_id": pa.string(), "created_at": pa.timestamp("us")})

    def read(self, table: str, **_: object) -> pa.RecordBatchReader:
        self.asked.append(table)
        return pa.RecordBatchReader.from_batches(self.batches[0].schema, self.batches)
