"""A warehouse that changes between the attempts of one run of a snapshot, and attempts that are cut short."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots import Manifest, find_manifest, open_snapshot, write_snapshot
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.dying_writer import POLICY
from tests.support.little_project import SMALL_WORLD_END, small_world
from tests.support.random_histories import BreakingStore, Interrupted
from tests.support.signing import opened
from tests.support.stores import local_rest

RUN = "dag/run/task/-1"
#: The number of encrypted files when a snapshot of the small world has finished some of its artifacts.
ARTIFACTS = 6
#: When the newest row of a small world was created.
LAST_MARKER = SMALL_WORLD_END - timedelta(days=1) + timedelta(hours=6, minutes=2, seconds=1)


class Sync:
    """A warehouse that changes between the attempts of one run, and the store that they write to."""

    def __init__(self, directory: Path) -> None:
        self.path = write_duckdb(small_world(days=5), directory / "warehouse.duckdb")
        self.rest = local_rest(directory)
        self.keys = self.rest.keys

    def change(self, *statements: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("USE elementary")
            for statement in statements:
                connection.execute(statement)

    def attempt_until(self, files: int, **options: Any) -> None:
        """Take a snapshot that is cut short when this number of encrypted files is there."""
        with pytest.raises(Interrupted):
            self.snapshot(store=BreakingStore(self.rest.folder, files), **options)

    def snapshot(self, **options: Any) -> Manifest:
        repository = opened(options.pop("store", self.rest.store), options.pop("keys", self.keys))
        with WarehouseSource(DuckDBWarehouse(self.path, "elementary")) as source:
            return write_snapshot(source, repository, **{"policy": POLICY, "run_key": RUN, **options})

    def keys_held(self) -> list[Category]:
        """Return the categories that the newest snapshot has data keys of."""
        return [Category(name) for name in find_manifest(self.rest.repository).keys]

    def column(self, table: str, column: str) -> list[Any]:
        values: list[Any] = read_all(open_snapshot(opened(self.rest.store, self.keys)), table, [column])[
            column
        ].to_pylist()
        return values


def new_run(number: int, created_at: datetime = LAST_MARKER + timedelta(minutes=5)) -> Sequence[str]:
    return (
        "INSERT INTO dbt_run_results (model_execution_id, invocation_id, created_at, status) "
        f"VALUES ('new-{number}.a', 'new-{number}', TIMESTAMP '{created_at}', 'success')",
        f"INSERT INTO dbt_invocations (invocation_id, created_at) VALUES ('new-{number}', TIMESTAMP '{created_at}')",
    )
