"""Stores in a directory when the disk fails."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.exceptions import (
    StoreRefusedError,
)
from airflow_provider_elementary.snapshots import open_store
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.conftest import ROOT
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world

if TYPE_CHECKING:
    pass


@pytest.fixture
def source(tmp_path: Path) -> Iterator[WarehouseSource]:
    path = write_duckdb(small_world(days=3), tmp_path / "warehouse.duckdb")
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        yield source


def write(store: Any, content: bytes, key: str = "data/large") -> None:
    with store.create(key) as file:
        for start in range(0, len(content), 1_000_000):
            file.write(content[start : start + 1_000_000])


# A process of its own: a limit on the size of files cannot be taken back.
_WRITE_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from airflow_provider_elementary.snapshots import LocalKeys, open_store, write_snapshot
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.signing import opened

warehouse, store, limit = sys.argv[1:]
repository = opened(open_store(Path(store).as_uri()), LocalKeys(LocalKeys.generate()))
with WarehouseSource(DuckDBWarehouse(Path(warehouse), "elementary")) as source:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        write_snapshot(source, repository)
    except Exception as error:
        print(type(error).__name__, error)
"""


class TestLocalDirectory:
    @pytest.mark.parametrize("limit", [2_000, 20], ids=["within a file", "at the first byte"])
    def test_a_snapshot_on_a_full_disk_leaves_nothing_that_counts(self, tmp_path: Path, limit: int) -> None:
        warehouse = write_duckdb(small_world(days=3), tmp_path / "warehouse.duckdb")
        store = tmp_path / "store"

        command = [sys.executable, "-c", _WRITE_ON_A_FULL_DISK, str(warehouse), str(store), str(limit)]
        finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

        assert finished.stdout.startswith("StoreError Using ")
        assert (
            "File too large. Nothing was committed. Free disk space or fix the file system, then retry."
            in finished.stdout
        )
        assert list(store.glob("manifests/*")) == []
        assert [path for path in store.rglob("*") if path.name.startswith(".partial-")] == []

    def test_what_a_killed_writer_left_is_discarded_once_it_is_old(self, tmp_path: Path) -> None:
        store = open_store(tmp_path.as_uri())
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / ".partial-abc").write_bytes(b"half")
        store.put("data/whole", b"whole")

        now = datetime.now(UTC)
        young = store.discard_unfinished(now - timedelta(hours=1))
        old = store.discard_unfinished(now + timedelta(hours=1))

        assert (young, old) == ([], ["data/.partial-abc"])
        assert [found.key for found in store.list("")] == ["data/whole"]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_directory_without_permission_is_refused(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)

        with pytest.raises(StoreRefusedError, match="This user may not use"):
            open_store((tmp_path / "store").as_uri()).put("key", b"content")
