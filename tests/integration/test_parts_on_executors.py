"""A snapshot in parts survives the death of a worker, on Airflow's real executors.

Minutes and 1.2 GB, so only where ``ELEMENTARY_EXECUTORS`` is set, as ``make acceptance`` does. It needs redis-server
and the extra ``executors``; ``ELEMENTARY_PARTS_ROWS`` is how many rows ``data_monitoring_metrics`` has.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import LocalKeys, open_store, write_snapshot
from tests.conftest import ROOT
from tests.support.connections import local_store, postgres_reader
from tests.support.datasets import copy_postgres, load_world_a_postgres, many_metrics
from tests.support.parts import differing_tables, facts_of
from tests.support.signing import opened
from tests.support.stores import local_rest

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

_ROWS = int(os.environ.get("ELEMENTARY_PARTS_ROWS", "300000"))
_SECONDS = 1_800.0
_DAG = "elementary_snapshot_in_parts"

pytestmark = [
    pytest.mark.skipif(not os.environ.get("ELEMENTARY_EXECUTORS"), reason="ELEMENTARY_EXECUTORS is not set"),
    pytest.mark.skipif(importlib.util.find_spec("celery") is None, reason="the extra executors is not installed"),
]


@pytest.mark.parametrize("executor", ["CeleryExecutor", "LocalExecutor"])
def test_a_snapshot_in_parts_on_an_executor_equals_that_of_one_task(
    executor: str,
    postgres_server: PostgresServer,
    postgres_database: str,
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.servers.airflow import airflow_deployment

    is_celery = executor == "CeleryExecutor"
    if is_celery and shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    load_world_a_postgres(postgres_server, postgres_database, shared)
    copy_postgres(many_metrics(_ROWS), postgres_server, postgres_database, "elementary", "data_monitoring_metrics")
    reader = json.dumps(postgres_reader(postgres_server, postgres_database))
    keys = LocalKeys.generate()
    store = json.dumps(local_store(tmp_path / "parts", keys))
    connections = {"AIRFLOW_CONN_READER": reader, "AIRFLOW_CONN_STORE": store}
    form = {
        "elementary_conn_id": "reader",
        "store_conn_id": "store",
        "accept_unknown": ["client-address"],
        "rows_per_part": max(1, _ROWS // 5),
    }
    dags = tmp_path / "dags"
    dags.mkdir()
    shutil.copy(ROOT / "dags" / f"{_DAG}.py", dags)

    with airflow_deployment(postgres_server, tmp_path, dags, connections, workers=2 if is_celery else 0) as airflow:
        airflow.airflow("dags", "unpause", _DAG)
        airflow.airflow("dags", "trigger", _DAG, "--conf", json.dumps(form))
        killed = airflow.kill_worker_of(_DAG, "snapshot.capture", _SECONDS)
        [(state,)] = airflow.wait_for("SELECT state FROM dag_run WHERE state IN ('success', 'failed')", _SECONDS)
        instances = airflow.rows(
            "SELECT task_id, map_index, state, try_number, extract(epoch FROM start_date)::float,"
            " extract(epoch FROM end_date)::float FROM task_instance ORDER BY start_date"
        )
    _print(executor, instances, killed)

    taken = opened(open_store((tmp_path / "parts").as_uri()), LocalKeys(keys))
    manifest = taken.latest()
    whole = local_rest(tmp_path / "whole").repository
    monkeypatch.setenv("AIRFLOW_CONN_READER", reader)
    with ElementaryHook("reader").source() as source:
        expected = write_snapshot(source, whole)
    attempts = {index: attempt for task, index, _, attempt, _, _ in instances if task == "snapshot.capture"}
    assert state == "success"
    assert manifest.sequence == 1
    assert facts_of(manifest)["tables"] == facts_of(expected)["tables"]
    assert differing_tables(taken.source(manifest), whole.source(expected)) == []
    assert attempts[killed[1]] == 2


def _print(executor: str, instances: list[tuple[Any, ...]], killed: tuple[str, int]) -> None:
    print(f"\n{executor}, {_ROWS:,} rows of metrics and world A, killed: {killed}")
    began = min(instance[4] for instance in instances)
    for task, index, state, attempt, start, end in instances:
        print(f"  {task}[{index}] {state}, attempt {attempt}: {start - began:.1f} s to {end - began:.1f} s")
