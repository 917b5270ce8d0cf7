"""A small project that runs once an hour, and its sync into a store."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.snapshots import Keys, LocalKeys, Manifest, Policy, Repository, Store, write_snapshot
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.little_project import SMALL_WORLD_END, World, small_world
from tests.support.signing import opened

#: When the first hour begins.
BEGAN = datetime(2026, 10, 1)


class HourlyProject:
    """A project that runs once an hour.

    :param store: where its snapshots go.
    :param folder: where its warehouse is.
    :param hours: how many runs there are in all.
    :param began: the hour of the first run.
    :param keys: the master keys of its snapshots; by default its own.
    """

    def __init__(
        self, store: Store, folder: Path, hours: int, *, began: datetime = BEGAN, keys: Keys | None = None
    ) -> None:
        self._store, self._warehouse, self._began = store, folder / "warehouse.duckdb", began
        self._keys = keys or LocalKeys(LocalKeys.generate())
        self._world = hourly(small_world(hours), SMALL_WORLD_END - timedelta(days=hours), began)

    def now(self, hour: int) -> datetime:
        """Return the end of an hour."""
        return self._began + timedelta(hours=hour + 1)

    def repository(self) -> Repository:
        """Return the repository as the next task opens it."""
        return opened(self._store, self._keys)

    def write(self, hour: int) -> None:
        """Write the warehouse as it is at the end of an hour."""
        self._warehouse.unlink(missing_ok=True)
        write_duckdb(world_until(self._world, self.now(hour)), self._warehouse)

    def sync(self, hour: int) -> Manifest:
        """Write the warehouse, and take the snapshot at the end of an hour."""
        self.write(hour)
        return self.take(hour, self.repository())

    def take(self, hour: int, repository: Repository) -> Manifest:
        """Take the snapshot at the end of an hour."""
        with (
            patch("airflow_provider_elementary.snapshots.capture.utc_now", return_value=self.now(hour)),
            WarehouseSource(DuckDBWarehouse(self._warehouse, "elementary")) as source,
        ):
            policy = Policy(failed_rows_days=100_000)
            return write_snapshot(
                source,
                repository,
                policy=policy,
                run_key=f"hour {hour}",
                run_after=self.now(hour),
                overlap=timedelta(minutes=10),
            )


def hourly(world: World, first: datetime, began: datetime) -> World:
    """Return a world of daily runs as one of hourly runs.

    :param first: the midnight before its first run.
    :param began: the hour of the first run.
    """

    def moved(table: pa.Table) -> pa.Table:
        times = [
            began + timedelta(hours=(time - first).days, minutes=time.minute, seconds=time.second)
            for time in table["created_at"].to_pylist()
        ]
        place = table.column_names.index("created_at")
        return table.set_column(place, table.schema.field(place), pa.array(times, pa.timestamp("us")))

    return {name: moved(table) if "created_at" in table.column_names else table for name, table in world.items()}


def world_until(world: World, end: datetime) -> World:
    """Return a world as it was at a time."""
    until = pa.scalar(end, pa.timestamp("us"))
    return {
        name: table.filter(pc.less(table["created_at"], until)) if "created_at" in table.column_names else table
        for name, table in world.items()
    }
