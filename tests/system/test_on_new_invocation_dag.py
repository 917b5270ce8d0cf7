"""The DAG that a dbt invocation starts: its watcher is the trigger that looks for the marker, and it runs as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from airflow_provider_elementary.sample import build_sample
from tests.support.connections import duckdb_file, local_store
from tests.support.dag_runs import parse_dag, run_dag

Connect = Callable[[str, Mapping[str, object]], str]

DAG_ID = "elementary_on_new_invocation"

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]


def test_it_waits_for_an_asset_that_watches_for_invocations() -> None:
    [asset] = parse_dag(DAG_ID).timetable.asset_condition.objects
    [watcher] = asset.watchers

    path, arguments = watcher.trigger.serialize()

    assert asset.name == "elementary_invocations"
    assert path == "airflow_provider_elementary.triggers.invocation.ElementaryInvocationTrigger"
    assert arguments["elementary_conn_id"] == "elementary_default"


def test_a_person_may_start_it_too(tmp_path: Path, airflow_connection: Connect) -> None:
    airflow_connection("elementary_default", duckdb_file(build_sample(tmp_path / "sample.duckdb")))
    airflow_connection("elementary_store_default", local_store(tmp_path / "store"))

    outcome = run_dag(DAG_ID, {})

    assert outcome.states == dict.fromkeys(("log_events", "snapshot", "metrics", "anomalies"), "success")
    assert outcome.returned["log_events"] == []
