"""A DuckDB warehouse that changes from sync to sync, and what dbt writes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots import (
    Keys,
    Manifest,
    Policy,
    Store,
    open_snapshot,
    write_snapshot,
)
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.keys import DataKey, WrappedKey
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.little_project import SMALL_WORLD_END
from tests.support.signing import opened

if TYPE_CHECKING:
    pass


EVERYTHING = Policy(categories=tuple(Category), failed_rows_days=100_000)


#: When the newest row of a small world was created: the marker of its last run.
LAST_MARKER = SMALL_WORLD_END - timedelta(days=1) + timedelta(hours=6, minutes=2, seconds=1)


class CountedKeys:
    """Keys that count how often a master key is asked for."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.made: list[Category] = []
        self.unwrapped: list[Category] = []

    def new_data_key(self, category: Category, context: Mapping[str, str]) -> DataKey:
        self.made.append(category)
        return self._keys.new_data_key(category, context)

    def unwrap(self, category: Category, wrapped: WrappedKey, context: Mapping[str, str]) -> bytes:
        self.unwrapped.append(category)
        return self._keys.unwrap(category, wrapped, context)

    def wrap(self, category: Category, plaintext: bytes, context: Mapping[str, str]) -> DataKey:
        return self._keys.wrap(category, plaintext, context)

    def master_key_id(self, category: Category, context: Mapping[str, str]) -> str:
        return self._keys.master_key_id(category, context)


@dataclass
class Sync:
    """A DuckDB warehouse that changes, and the store that its snapshots go to."""

    path: Path
    store: Store
    keys: CountedKeys

    @property
    def repository(self) -> Repository:
        """The store with its keys."""
        return opened(self.store, self.keys)

    def change(self, *statements: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("USE elementary")
            for statement in statements:
                connection.execute(statement)

    def source(self) -> WarehouseSource:
        return WarehouseSource(DuckDBWarehouse(self.path, "elementary"))

    def snapshot(self, policy: Policy = EVERYTHING, **arguments: Any) -> Manifest:
        self.keys.made.clear()
        self.keys.unwrapped.clear()
        with self.source() as source:
            return write_snapshot(source, self.repository, policy=policy, **arguments)

    def column(self, table: str, column: str, snapshot: str = "latest") -> list[Any]:
        values: list[Any] = read_all(open_snapshot(self.repository, snapshot), table, [column])[column].to_pylist()
        return values


def run_results(run: str, created_at: datetime, *nodes: str) -> str:
    values = ", ".join(f"('{run}.{node}', '{run}', TIMESTAMP '{created_at}', 'success')" for node in nodes)
    return f"INSERT INTO dbt_run_results (model_execution_id, invocation_id, created_at, status) VALUES {values}"


def marker(run: str, created_at: datetime) -> str:
    return f"INSERT INTO dbt_invocations (invocation_id, created_at) VALUES ('{run}', TIMESTAMP '{created_at}')"


def after(**duration: float) -> datetime:
    return LAST_MARKER + timedelta(**duration)
