"""Stores and warehouses that a test may spoil; ``rest`` copies what the fixture ``original`` of a file made."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_elementary.snapshots import LocalKeys, Manifest, open_store
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.postgres_reader import other_database, warehouse  # noqa: F401  # fixtures
from tests.support.stores import Rest, copied
from tests.support.syncs import CountedKeys, Sync


@pytest.fixture
def rest(original: tuple[Rest, list[Manifest]], tmp_path: Path) -> Rest:
    return copied(original[0], tmp_path)


@pytest.fixture
def manifests(original: tuple[Rest, list[Manifest]]) -> list[Manifest]:
    return original[1]


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    """Return a DuckDB warehouse of five days, and an empty store."""
    path = write_duckdb(small_world(days=5), tmp_path / "warehouse.duckdb")
    return Sync(path, open_store((tmp_path / "store").as_uri()), CountedKeys(LocalKeys(LocalKeys.generate())))
