"""OpenLineage events of the operators after a real run: tables read, results written, and data quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.metrics import ElementaryTableMetricsOperator
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator
from tests.support.connections import duckdb_file, local_store
from tests.support.datasets import write_duckdb
from tests.support.little_project import SQL_LITERAL, small_world

Connect = Callable[[str, Mapping[str, object]], str]

pytest.importorskip("airflow.providers.openlineage")


@dataclass(frozen=True)
class Events:
    """The event of each operator after its run, and where its store is."""

    folder: str
    snapshot: Any
    metrics: Any
    anomalies: Any


@pytest.fixture
def reported(tmp_path: Path, airflow_connection: Connect) -> Events:
    airflow_connection("dwh", duckdb_file(write_duckdb(small_world(), tmp_path / "world.duckdb")))
    store = {"store_conn_id": airflow_connection("store", local_store(tmp_path / "store"))}
    operators = (
        ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id="dwh", **store),
        ElementaryTableMetricsOperator(task_id="metrics", **store),
        ElementaryAnomalyOperator(task_id="anomalies", **store),
    )
    events = []
    for operator in operators:
        instance = SimpleNamespace(dag_id="dag", run_id="run", task_id=operator.task_id, map_index=-1)
        instance.get_previous_dagrun = lambda state=None: None
        operator.execute({"ti": instance, "outlet_events": {}})  # type: ignore[arg-type, typeddict-item]
        events.append(operator.get_openlineage_facets_on_complete(instance))
    return Events(str(tmp_path / "store"), *events)


def test_a_snapshot_reads_elementarys_tables_and_writes_its_manifest(reported: Events) -> None:
    names = {dataset.name for dataset in reported.snapshot.inputs}
    [written] = reported.snapshot.outputs

    assert {"world.elementary.dbt_models", "world.elementary.data_monitoring_metrics"} <= names
    assert (written.namespace, written.name) == ("file", f"{reported.folder}/manifests/0000000001")
    assert written.outputFacets["outputStatistics"].rowCount > 0


def test_metrics_are_reported_with_their_number(reported: Events) -> None:
    [written] = reported.metrics.outputs

    assert written.name.startswith(f"{reported.folder}/results/metrics/")
    assert written.outputFacets["outputStatistics"].rowCount > 0


def test_a_scored_table_has_metrics_and_an_assertion_for_each(reported: Events) -> None:
    tables = {dataset.name: dataset.inputFacets for dataset in reported.anomalies.inputs}

    orders = tables["shop.core.orders"]
    row_count = next(
        assertion
        for assertion in orders["dataQualityAssertions"].assertions
        if assertion.assertion == "elementary.row_count"
    )
    assert next(iter(tables)) == "shop.core.orders"
    assert orders["dataQualityMetrics"].rowCount == 100
    assert (row_count.success, row_count.actual, row_count.severity) == (False, "100", "warn")
    assert row_count.description.startswith("orders: row count 100 rows on")
    assert all(assertion.success for assertion in tables["shop.core.customers"]["dataQualityAssertions"].assertions)


def test_no_value_of_a_row_is_in_an_event(reported: Events) -> None:
    assert SQL_LITERAL not in str((reported.snapshot, reported.metrics, reported.anomalies))
    assert "CANARY" not in str((reported.snapshot, reported.metrics, reported.anomalies))


def test_the_namespace_is_that_of_the_warehouse_whether_it_or_a_snapshot_was_read(
    reported: Events, tmp_path: Path
) -> None:
    read = {dataset.namespace for dataset in (*reported.snapshot.inputs, *reported.anomalies.inputs)}

    assert read == {f"duckdb://{tmp_path}/world.duckdb"}


def test_the_namespace_that_the_configuration_names_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_elementary.operators.openlineage import table_namespace

    assert table_namespace() == "elementary"
    assert table_namespace("duckdb://world.duckdb") == "duckdb://world.duckdb"
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__OPENLINEAGE_NAMESPACE", "postgres://db.example.com:5432")
    assert table_namespace("duckdb://world.duckdb") == "postgres://db.example.com:5432"
