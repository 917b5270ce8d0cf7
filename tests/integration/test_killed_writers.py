"""Workers that the system kills at any stage, or that write at once, leave one sound chain and lose nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.snapshots import LocalKeys, Manifest, write_snapshot
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.conftest import ROOT
from tests.support.datasets import write_duckdb
from tests.support.dying_writer import POLICY
from tests.support.little_project import small_world
from tests.support.stores import Rest, local_rest

RUN = "dag/run/task/-1"
MASTER_KEYS = LocalKeys.generate()
#: Long after every snapshot of a test was begun.
LATER = datetime.now(UTC) + timedelta(days=100)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_duckdb(small_world(days=3), tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb")


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    made = local_rest(tmp_path)
    return Rest(made.store, LocalKeys(MASTER_KEYS), made.folder)


def start(warehouse: Path, rest: Rest, run_key: str, *stage: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "tests.support.dying_writer",
        str(warehouse),
        rest.store.uri,
        json.dumps(MASTER_KEYS),
    ]
    return subprocess.Popen([*command, run_key, *stage], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def retry(warehouse: Path, rest: Rest) -> Manifest:
    with WarehouseSource(DuckDBWarehouse(warehouse, "elementary")) as source:
        return write_snapshot(source, rest.repository, policy=POLICY, run_key=RUN)


def keys_below(rest: Rest, prefix: str) -> set[str]:
    return {found.key for found in rest.store.list(prefix)}


class TestKilled:
    @pytest.mark.parametrize(
        ("operation", "number", "moment", "committed"),
        [
            ("create", "0", "before", 0),
            ("create", "0", "during", 0),
            ("create", "7", "before", 0),
            ("create", "7", "during", 0),
            ("put_if_absent", "0", "before", 0),
            ("put_if_absent", "0", "after", 1),
        ],
        ids=[
            "before the first byte",
            "in the first file",
            "between two files",
            "in the middle of a file",
            "before the commit",
            "right after the commit",
        ],
    )
    def test_a_retry_commits_once_with_every_row_and_prune_removes_the_orphans(
        self, warehouse: Path, rest: Rest, operation: str, number: str, moment: str, committed: int
    ) -> None:
        killed = start(warehouse, rest, RUN, operation, number, moment)
        killed.communicate(timeout=120)
        after_the_kill = keys_below(rest, "manifests/")

        # The names of snapshots hold seconds, and prune leaves what began with the newest snapshot or later.
        time.sleep(1)
        manifest = retry(warehouse, rest)
        report = prune(rest.repository, Retention(), now=LATER)

        left = {path.relative_to(rest.folder).as_posix() for path in rest.path("data").rglob("*") if path.is_file()}
        assert killed.returncode == -signal.SIGKILL
        assert len(after_the_kill) == committed
        assert (manifest.sequence, manifest.tables["dbt_run_results"].rows) == (1, 15)
        assert {file.snapshot_id for file in manifest.files} == {manifest.snapshot_id}
        assert len(keys_below(rest, "manifests/")) == 1
        assert left == {file.key for file in manifest.files}
        assert report.removed == ()
        assert verify(rest.repository, snapshot="all").findings == ()


class TestAtOnce:
    def test_two_runs_at_once_both_commit_one_upon_the_other(self, warehouse: Path, rest: Rest) -> None:
        writers = [start(warehouse, rest, f"dag/run {number}", "never", "-1", "before") for number in range(2)]

        said = [writer.communicate(timeout=240)[0].strip() for writer in writers]

        report = verify(rest.repository, snapshot="all")
        assert [writer.returncode for writer in writers] == [0, 0]
        assert sorted(said) == ["1", "2"]
        assert (report.findings, report.manifests) == ((), 2)
