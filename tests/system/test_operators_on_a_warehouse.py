"""Metrics and anomalies can be computed straight from a warehouse, with the same outcome as from a snapshot of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.connections import local_store, postgres_reader
from tests.support.dag_runs import run_parsed_dag
from tests.support.datasets import write_postgres
from tests.support.little_project import small_world

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]

DAG_FILE = """
from airflow.sdk import DAG

from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.metrics import ElementaryTableMetricsOperator
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator

STORE = {"store_conn_id": "{{ params.store_conn_id }}"}

with DAG("both_ways", params={"store_conn_id": ""}):
    snapshot = ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id="dwh", **STORE)
    snapshot >> ElementaryTableMetricsOperator(task_id="metrics_of_snapshot", **STORE)
    snapshot >> ElementaryAnomalyOperator(task_id="anomalies_of_snapshot", days=28, **STORE)
    ElementaryTableMetricsOperator(task_id="metrics_of_warehouse", elementary_conn_id="dwh", **STORE)
    ElementaryAnomalyOperator(task_id="anomalies_of_warehouse", elementary_conn_id="dwh", days=28, **STORE)
    ElementaryAnomalyOperator(task_id="gate", elementary_conn_id="dwh", days=28, fail_on="any", **STORE)
"""


@pytest.mark.dag
@pytest.mark.usefixtures("airflow_db")
def test_both_ways_give_the_same_and_a_gate_stops_for_an_anomaly(
    postgres_server: PostgresServer, postgres_database: str, tmp_path: Path, airflow_connection: Connect
) -> None:
    write_postgres(small_world(), postgres_server, postgres_database)
    airflow_connection("dwh", postgres_reader(postgres_server, postgres_database))
    airflow_connection("store", local_store(tmp_path / "store"))
    (tmp_path / "both_ways.py").write_text(DAG_FILE)

    outcome = run_parsed_dag(tmp_path, "both_ways", {"store_conn_id": "store"})

    returned = outcome.returned
    assert returned["metrics_of_warehouse"]["rows"] == returned["metrics_of_snapshot"]["rows"] > 0
    assert returned["anomalies_of_warehouse"]["anomalies"] == returned["anomalies_of_snapshot"]["anomalies"] != []
    assert outcome.states["gate"] == "failed"
