"""Tests that a worker's task sends the figures of a sync and of a drill to a StatsD server, by UDP."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.connections import duckdb_file, local_store
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world

DAG = """
from airflow.sdk import DAG
from airflow_provider_elementary.operators.snapshot import (
    ElementaryRestoreDrillOperator, ElementarySnapshotOperator, ElementaryVerifySnapshotOperator,
)

with DAG("killed"):
    ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id="reader", store_conn_id="store")
    ElementaryVerifySnapshotOperator(task_id="verify", store_conn_id="store")
    ElementaryRestoreDrillOperator(task_id="drill", store_conn_id="store")
"""
#: As StatsD spells it: a name, a value, a kind, and tags as DataDog's agent and InfluxDB read them, or none.
LINE = re.compile(r"airflow\.(elementary\.[\w.]+)(,[^:]*)?:([\d.]+)\|(\w+)")


def received(listener: socket.socket) -> dict[str, tuple[float, str, str]]:
    """Return the value, kind and tags of each figure that has come."""
    found = {}
    while True:
        try:
            text = listener.recv(65_536).decode()
        except BlockingIOError:
            return found
        for name, tags, value, kind in LINE.findall(text):
            found[name] = (float(value), kind, tags)


def test_a_worker_sends_the_figures_of_a_sync_a_verification_and_a_drill(tmp_path: Path) -> None:
    pytest.importorskip("statsd")
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "dag.py").write_text(DAG)
    bundle = {
        "name": "dags-folder",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path / "dags")},
    }
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        environment = {
            **os.environ,
            "AIRFLOW_CONN_READER": json.dumps(
                duckdb_file(write_duckdb(small_world(days=2), tmp_path / "world.duckdb"))
            ),
            "AIRFLOW_CONN_STORE": json.dumps(local_store(tmp_path / "store")),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "AIRFLOW__OPENLINEAGE__DISABLED": "True",
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(listener.getsockname()[1]),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
        }
        for task in ("snapshot", "verify", "drill"):
            command = [sys.executable, "-m", "tests.support.supervised_task", "killed", task, str(tmp_path / "none")]
            finished = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
            )
            assert finished.returncode == 0, finished.stdout + finished.stderr
        figures = received(listener)

    assert set(figures) == {
        *(f"elementary.snapshot.{name}" for name in ("bytes", "committed", "duration", "new_rows")),
        *(f"elementary.snapshot.{name}" for name in ("problems", "rows", "written_bytes")),
        *(f"elementary.verify.{name}" for name in ("duration", "files", "findings", "rows", "sound")),
        *(f"elementary.restore_drill.{name}" for name in ("differences", "duration", "passed", "rows")),
    }
    assert figures["elementary.snapshot.committed"] == (1.0, "c", ",store=store,dag_id=killed,kind=full")
    assert figures["elementary.snapshot.rows"][:2] == (figures["elementary.restore_drill.rows"][0], "g")
    assert figures["elementary.verify.sound"][0] == figures["elementary.restore_drill.passed"][0] == 1
    assert figures["elementary.snapshot.duration"][1] == "ms"
