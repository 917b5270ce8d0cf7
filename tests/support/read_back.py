"""Asserts that what a warehouse's driver reads is what was written."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.anomalies import compare_with_elementary
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.snapshots import SnapshotSource, open_snapshot, write_snapshot
from airflow_provider_elementary.source import Source, read_all
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.little_project import World
from tests.support.restores import EVERYTHING
from tests.support.stores import local_rest


def sorted_rows(table: pa.Table) -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=repr)


def assert_holds(source: Source, world: World) -> None:
    """Every table has the rows that were written, in the same types."""
    assert source.tables() == list(TABLES)
    for name, table in world.items():
        found = read_all(source, name)
        assert found.schema == table.schema
        assert sorted_rows(found) == sorted_rows(table)


def assert_reads(source: WarehouseSource, world: World) -> None:
    """The same, and no value was turned down."""
    assert_holds(source, world)
    assert source.rejections.to_list() == []


def assert_splits_at_the_microsecond(source: WarehouseSource, world: World) -> None:
    """A bound that is the time of a row is in the span, and that time is not in the span after it."""
    times = sorted(world["dbt_run_results"]["created_at"].to_pylist())
    bound = times[len(times) // 2]

    since = source.read("dbt_run_results", since=bound).read_all()["created_at"].to_pylist()
    later = source.read("dbt_run_results", since=bound + timedelta(microseconds=1)).read_all()["created_at"].to_pylist()

    assert sorted(since) == [time for time in times if time >= bound]
    assert sorted(later) == [time for time in times if time > bound]


def assert_reads_as(one: Source, other: Source) -> None:
    """Two sources have the same tables, with the same rows in the same types."""
    assert one.tables() == other.tables()
    for name in other.tables():
        ours, theirs = read_all(one, name), read_all(other, name)
        assert ours.schema == theirs.schema
        assert sorted_rows(ours) == sorted_rows(theirs)


def assert_snapshot_is_as_from_duckdb(source: WarehouseSource, world: World, directory: Path) -> None:
    """A snapshot of the warehouse that holds a world has the rows, and the verdicts, of one of DuckDB that holds it.

    :param world: verdicts in it were computed on PostgreSQL.
    """
    ours = _snapshot(source, directory / "ours")
    path = write_duckdb(world, directory / "world.duckdb")
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as opened:
        theirs = _snapshot(opened, directory / "theirs")

    assert_reads_as(ours, theirs)
    assert _verdicts(ours) == _verdicts(theirs)


def _snapshot(source: WarehouseSource, directory: Path) -> SnapshotSource:
    repository = local_rest(directory).repository
    write_snapshot(source, repository, policy=EVERYTHING)
    assert source.rejections.to_list() == []
    return open_snapshot(repository)


def _verdicts(source: Source) -> Counter[tuple[str, str]]:
    """Count the stored verdicts by whether Elementary's rule comes to the same, of which some have to."""
    comparison = compare_with_elementary(source, adapter="postgres")
    counts = Counter(zip(*(comparison[name].to_pylist() for name in ("agreement", "stored")), strict=True))
    assert counts["agree", "pass"] > 0
    assert counts["agree", "fail"] > 0
    return counts
