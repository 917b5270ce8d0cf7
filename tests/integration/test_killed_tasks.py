"""A task that Airflow's supervisor ends while its warehouse hangs ends within seconds, and leaves no session."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT
from tests.servers.stalling import StallingProxy, stalling_proxy
from tests.support.connections import local_store, postgres_reader
from tests.support.datasets import write_postgres
from tests.support.little_project import small_world

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

_DAG = """
from airflow.sdk import DAG
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator

with DAG("killed"):
    ElementarySnapshotOperator(
        task_id="snapshot",
        elementary_conn_id="reader",
        store_conn_id="store",
        accept_unknown=["client-address"],
    )
"""
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename LIKE 'reader_%'"
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'reader_%'"


@pytest.fixture
def proxy(postgres_server: PostgresServer) -> Iterator[StallingProxy]:
    with stalling_proxy(postgres_server.port) as proxy:
        yield proxy


@pytest.fixture
def start(
    postgres_server: PostgresServer, postgres_database: str, proxy: StallingProxy, tmp_path: Path
) -> Callable[[Path], subprocess.Popen[str]]:
    write_postgres(small_world(days=2), postgres_server, postgres_database)
    reader = {**postgres_reader(postgres_server, postgres_database), "port": proxy.port}
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "dag.py").write_text(_DAG)
    bundle = {
        "name": "dags-folder",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path / "dags")},
    }
    environment: Mapping[str, str] = {
        **os.environ,
        "AIRFLOW_CONN_READER": json.dumps(reader),
        "AIRFLOW_CONN_STORE": json.dumps(local_store(tmp_path / "store")),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__OPENLINEAGE__DISABLED": "True",
    }

    def started(marked: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.support.supervised_task", "killed", "snapshot", str(marked)]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return started


#: How the task is ended, and what it waits for then. Marked as failed, it has 5 s before SIGKILL; where its worker is
#: terminated, it has no limit but its own.
ENDS = [("marked as failed", "lock"), ("SIGTERM to the worker", "lock"), ("SIGTERM to the worker", "dead link")]


@pytest.mark.parametrize(("end", "cause"), ENDS)
def test_a_task_killed_while_its_warehouse_hangs_ends_by_itself(
    end: str,
    cause: str,
    start: Callable[[Path], subprocess.Popen[str]],
    proxy: StallingProxy,
    postgres_server: PostgresServer,
    postgres_database: str,
    tmp_path: Path,
) -> None:
    marked = tmp_path / "marked"

    with postgres_server.connect(database=postgres_database) as locking:
        locking.autocommit = False
        locking.execute("LOCK TABLE elementary.dbt_models IN ACCESS EXCLUSIVE MODE")
        process = start(marked)
        deadline = time.monotonic() + 240
        while postgres_server.execute(WAITING) != [(1,)] and process.poll() is None:
            assert time.monotonic() < deadline, "the task never waited for the lock"
            time.sleep(0.05)
        assert process.poll() is None, process.communicate()[0]
        if cause == "dead link":
            proxy.stall()
        if end == "marked as failed":
            marked.touch()
        else:
            process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=120)
        if cause == "dead link":
            proxy.drop()
        left = postgres_server.execute(SESSIONS)

    # Its own last words: SIGKILL leaves none.
    assert "Nothing was committed. Retry" in printed
    assert left == [(0,)]
    assert not list((tmp_path / "store").glob("manifests/*"))
