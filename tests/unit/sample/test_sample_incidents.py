"""The incidents of the sample, by what its newest results say."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.incidents.current import current_conditions, read_dbt_conditions
from airflow_provider_elementary.incidents.tracking import track_incidents
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.project.lineage import read_lineage
from airflow_provider_elementary.sample import build_sample
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.incidents import require_conditions_of_failing_tests


def test_each_failing_test_of_the_demo_is_of_an_open_incident(tmp_path: Path) -> None:
    path = build_sample(tmp_path / "sample.duckdb")
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        lineage = read_lineage(source)
        with compute_metrics(source) as metrics:
            verdicts = score_recent(metrics, method="elementary", days=60, parameters={}).verdicts
        conditions = current_conditions(verdicts, lineage, read_dbt_conditions(source))

        failing = require_conditions_of_failing_tests(source, track_incidents(conditions, lineage))

    assert len(failing) == 11
