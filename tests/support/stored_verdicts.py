"""A little schema in which one anomaly test ran once, after a fortnight of runs that collected its metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.source import arrow_schema
from tests.support.table_source import TableSource

#: When the scored run started; its own results are written five minutes later.
RUN = datetime(2026, 11, 15, 6)
DETECTED = RUN + timedelta(minutes=1)
WRITTEN = RUN + timedelta(minutes=5)
TODAY = RUN.replace(hour=0)

PARAMS: Mapping[str, Any] = {
    "timestamp_column": "ordered_at",
    "where_expression": None,
    "time_bucket": {"period": "day", "count": 1},
    "freshness_column": None,
    "event_timestamp_column": None,
    "dimensions": None,
    "days_back": 14,
    "backfill_days": 2,
    "anomaly_sensitivity": 3,
    "anomaly_direction": "both",
    "seasonality": None,
    "ignore_small_changes": {"spike_failure_percent_threshold": None, "drop_failure_percent_threshold": None},
    "fail_on_zero": False,
    "min_value": None,
    "detection_delay": {"period": "hour", "count": 0},
    "anomaly_exclude_metrics": None,
    "exclude_final_results": "1 = 1",
    "exclude_detection_period_from_training": None,
}
PROPERTIES = json.dumps(
    {
        "dimensions": None,
        "event_timestamp_column": None,
        "freshness_column": None,
        "time_bucket": {"count": 1, "period": "day"},
        "timestamp_column": "ordered_at",
        "where_expression": None,
    }
)
#: A fortnight whose last value is an anomaly.
INCIDENT = (100.0,) * 13 + (10.0,)


def metric(days_ago: int, value: float, **changes: Any) -> dict[str, Any]:
    """Return the row of the bucket that ended ``days_ago`` days before the run, as the run of that day wrote it."""
    end = TODAY - timedelta(days=days_ago)
    updated_at = end + timedelta(hours=6, seconds=30)
    return {
        "id": f"row_count.{end:%Y%m%d}",
        "full_table_name": "SHOP.CORE.ORDERS",
        "metric_name": "row_count",
        "metric_value": value,
        "bucket_start": end - timedelta(days=1),
        "bucket_end": end,
        "updated_at": updated_at,
        "created_at": updated_at + timedelta(minutes=4),
        "metric_properties": PROPERTIES,
        **changes,
    }


def history(values: Sequence[float] = INCIDENT) -> list[dict[str, Any]]:
    """Return a row for each value, the last of them of the bucket that ended on the day of the run."""
    return [metric(len(values) - 1 - number, value) for number, value in enumerate(values)]


def stored_verdict(
    *,
    metrics: Sequence[Mapping[str, Any]] | None = None,
    params: Mapping[str, Any] | None = None,
    run_results: Sequence[Mapping[str, Any]] = (),
    materialization: str = "table",
    invocation: Mapping[str, Any] | None = None,
    declared: Mapping[str, Any] | None = None,
    **result: Any,
) -> TableSource:
    """Return a source with one stored verdict, by default a failure that the incident in its metrics explains.

    :param declared: its row of dbt_tests, as in ``{"error_if": "> 1"}``; None where that table is not held.
    """
    row = {
        "id": "verdict",
        "test_execution_id": "run.test",
        "test_unique_id": "test",
        "model_unique_id": "model.shop.orders",
        "invocation_id": "run",
        "detected_at": DETECTED,
        "created_at": WRITTEN,
        "database_name": "shop",
        "schema_name": "core",
        "table_name": "orders",
        "test_type": "anomaly_detection",
        "test_sub_type": "row_count",
        "test_short_name": "volume_anomalies",
        "test_params": json.dumps(PARAMS if params is None else params),
        "severity": "ERROR",
        "status": "fail",
        "failures": 1,
        **result,
    }
    started = {"invocation_id": "run", "run_started_at": f"{RUN:%Y-%m-%d %H:%M:%S}", "vars": "{}", **(invocation or {})}
    tables = {
        "elementary_test_results": [row],
        "data_monitoring_metrics": list(history() if metrics is None else metrics),
        "dbt_invocations": [started],
        "dbt_run_results": list(run_results),
        "dbt_models": [{"unique_id": "model.shop.orders", "materialization": materialization}],
    }
    if declared is not None:
        conditions = {"warn_if": "!= 0", "error_if": "!= 0", "generated_at": f"{RUN - timedelta(days=30):%Y-%m-%d}"}
        tables["dbt_tests"] = [{"unique_id": "test", **conditions, **declared}]
    return TableSource({name: _table(name, rows) for name, rows in tables.items()})


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    schema = arrow_schema(TABLES[name], [column.name for column in TABLES[name].columns])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
