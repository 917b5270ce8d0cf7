"""A task whose warehouse or store stops answering ends soon after its execution_timeout."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout

from tests.servers.aws import AwsServer
from tests.servers.stalling import stalling_proxy
from tests.support.connections import local_store, postgres_reader, s3_store
from tests.support.dag_runs import run_parsed_dag
from tests.support.datasets import write_duckdb, write_postgres
from tests.support.little_project import small_world

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]

TIMEOUT = 4
MARGIN = 30
DAG = """
from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator

with DAG("{dag_id}", schedule=None, start_date=datetime(2026, 1, 1)):
    ElementarySnapshotOperator(
        task_id="snapshot", elementary_conn_id="dwh", execution_timeout=timedelta(seconds={seconds}), **{store!r}
    )
"""


def run(folder: Path, dag_id: str, store: Mapping[str, Any], seconds: float) -> tuple[str, float]:
    """Run the DAG once; return the task's state and how long the run took."""
    folder.mkdir(exist_ok=True)
    (folder / f"{dag_id}.py").write_text(DAG.format(dag_id=dag_id, store=dict(store), seconds=seconds))
    started = time.monotonic()
    outcome = run_parsed_dag(folder, dag_id, {})
    return outcome.states["snapshot"], time.monotonic() - started


def run_until_timeout(folder: Path, dag_id: str, store: Mapping[str, Any]) -> tuple[str, float]:
    """Run the DAG once, and again where Python dropped what Airflow raised, as in the callback of a weak reference.

    Airflow raises it once; the task then ends by the deadlines of its requests, which is not what is tested here.
    """
    dropped: list[object] = []
    report = sys.unraisablehook

    def note(unraisable: Any) -> None:
        if isinstance(unraisable.exc_value, AirflowTaskTimeout):
            dropped.append(unraisable.object)
        else:
            report(unraisable)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", note)
        ended = run(folder, dag_id, store, TIMEOUT)
        return run(folder / "dropped", f"{dag_id}_dropped", store, TIMEOUT) if dropped else ended


@pytest.mark.usefixtures("airflow_db")
class TestExecutionTimeout:
    def test_it_ends_a_task_whose_postgresql_link_is_silent(
        self, postgres_server: PostgresServer, postgres_database: str, airflow_connection: Connect, tmp_path: Path
    ) -> None:
        write_postgres(small_world(days=3), postgres_server, postgres_database)
        store = {"store_conn_id": airflow_connection("store", local_store(tmp_path / "store"))}

        with stalling_proxy(postgres_server.port) as proxy:
            airflow_connection("dwh", {**postgres_reader(postgres_server, postgres_database), "port": proxy.port})
            healthy, usual = run(tmp_path / "first", "stalled_postgres_first", store, 120)
            proxy.stall_after(received=30_000)
            stalled, seconds = run_until_timeout(tmp_path / "stalled", "stalled_postgres", store)
            proxy.resume()
            again, _ = run(tmp_path / "again", "stalled_postgres_again", store, 120)

        assert (healthy, stalled, again) == ("success", "failed", "success")
        assert seconds < usual + TIMEOUT + MARGIN

    @pytest.mark.parametrize("operation", ["requests", "parts"])
    def test_it_ends_a_task_whose_bucket_is_silent(
        self, aws_server: AwsServer, airflow_connection: Connect, tmp_path: Path, operation: str
    ) -> None:
        world = write_duckdb(small_world(days=3), tmp_path / "world.duckdb")
        airflow_connection("dwh", {"conn_type": "duckdb", "host": str(world)})

        with stalling_proxy(int(urlsplit(aws_server.endpoint_url).port or 0)) as proxy:
            behind = AwsServer(f"https://127.0.0.1:{proxy.port}", aws_server.ca, aws_server.region)
            airflow_connection("aws", behind.airflow_connection())
            on_s3 = s3_store(aws_server, f"s3://{aws_server.create_bucket()}/e", aws_server.create_key())
            store = {"store_conn_id": airflow_connection("on_s3", on_s3)}
            healthy, usual = run(tmp_path / "first", f"stalled_{operation}_first", store, 120)
            # With rows that are new it sends some 310,000 bytes, without any 57,000.
            world.unlink()
            write_duckdb(small_world(days=5), world)
            proxy.stall_after(sent=20_000 if operation == "requests" else 150_000)
            stalled, seconds = run_until_timeout(tmp_path / "stalled", f"stalled_{operation}", store)
            # moto serves nobody while one connection, that its client gave up, is in its TLS handshake.
            proxy.drop()
            proxy.resume()
            again, _ = run(tmp_path / "again", f"stalled_{operation}_again", store, 120)

        assert (healthy, stalled, again) == ("success", "failed", "success")
        assert seconds < usual + TIMEOUT + MARGIN
