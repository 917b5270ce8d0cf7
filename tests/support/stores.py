"""Stores of snapshots to test with: of a little dbt project that ran once more between two snapshots."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.snapshots import (
    Keys,
    LocalKeys,
    Manifest,
    Policy,
    Repository,
    Store,
    open_store,
    write_snapshot,
)
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.hourly_project import hourly
from tests.support.little_project import SMALL_WORLD_END, World, small_world
from tests.support.signing import opened

#: How many days the little project runs in all.
DAYS = 8


@dataclass(frozen=True)
class Rest:
    """Where the snapshots of a test rest, and the keys to them.

    :param folder: of the store, where it is a local one.
    """

    store: Store
    keys: Keys
    folder: Path

    @property
    def repository(self) -> Repository:
        """The store with its keys."""
        return opened(self.store, self.keys)

    def path(self, key: str) -> Path:
        """Return the file of an object."""
        return self.folder / key


def copied(rest: Rest, directory: Path) -> Rest:
    """Return a copy of a local store with its keys, to do with as a test pleases."""
    folder = directory / "store"
    shutil.copytree(rest.folder, folder)
    return Rest(open_store(folder.as_uri()), rest.keys, folder)


def local_rest(directory: Path) -> Rest:
    """Return an empty store in a directory, with fresh keys."""
    folder = directory / "store"
    return Rest(open_store(folder.as_uri()), LocalKeys(LocalKeys.generate()), folder)


def world_after(days: int) -> World:
    """Return the little project's schema after a number of its :data:`DAYS` days."""
    return dict(_world_after(days))


@cache
def _world_after(days: int) -> World:
    until = pa.scalar(SMALL_WORLD_END - timedelta(days=DAYS - days), pa.timestamp("us"))
    return {
        name: table.filter(pc.less(table["created_at"], until)) if "created_at" in table.column_names else table
        for name, table in small_world(DAYS).items()
    }


def world_after_hours(hours: int) -> World:
    """Return the little project's schema as if it had run once an hour: all its :data:`DAYS` days in one day."""
    first = SMALL_WORLD_END - timedelta(days=DAYS)
    return hourly(world_after(hours), first, first)


def take(rest: Rest, warehouse: Path, world: World, **options: Any) -> Manifest:
    """Take a snapshot of a world, as a DuckDB file of always the same name holds it."""
    warehouse.unlink(missing_ok=True)
    with WarehouseSource(DuckDBWarehouse(write_duckdb(world, warehouse), "elementary")) as source:
        return write_snapshot(source, rest.repository, **{"policy": Policy(failed_rows_days=100_000), **options})


def grow(rest: Rest, directory: Path, days: Sequence[int], **options: Any) -> list[Manifest]:
    """Take a snapshot after each of these numbers of days; all but the first are incremental."""
    return [take(rest, directory / "warehouse.duckdb", world_after(number), **options) for number in days]
