"""Reads the configuration of each tested series from stored verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.anomalies.elementary.parameters import AnomalyTestParameters
from airflow_provider_elementary.anomalies.elementary.parity import STATEMENTS, fetch, load_table
from airflow_provider_elementary.anomalies.elementary.parity_configurations import read_configurations
from airflow_provider_elementary.anomalies.elementary.rule import parameters_table
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.source import Source, adapter_of

_PERIOD = pa.struct([("period", pa.string()), ("count", pa.int64())])
#: One row per series: what identifies it, all values of a dimension together, and its test's parameters.
CONFIGURATIONS_SCHEMA = pa.schema(
    {
        **dict.fromkeys(("full_table_name", "column_name", "metric_name", "metric_properties"), pa.string()),
        "test_name": pa.string(),
        "anomaly_sensitivity": pa.float64(),
        "anomaly_direction": pa.string(),
        "days_back": pa.int64(),
        "backfill_days": pa.int64(),
        "time_bucket": _PERIOD,
        "seasonality": pa.string(),
        "spike_failure_percent_threshold": pa.float64(),
        "drop_failure_percent_threshold": pa.float64(),
        "fail_on_zero": pa.bool_(),
        "min_value": pa.float64(),
        "detection_delay": _PERIOD,
        "anomaly_exclude_metrics": pa.string(),
        "exclude_detection_period_from_training": pa.bool_(),
    }
)


def read_test_configurations(source: Source) -> pa.Table:
    """Return the configuration of every series that an anomaly test watched when it ran last.

    Where several tests of one run watch a series, the most sensitive counts. A test whose configuration is not stored
    or cannot be read has no row.

    :param source: holds ``elementary_test_results``; without it there are no rows.
    :return: rows of :data:`CONFIGURATIONS_SCHEMA`.
    """
    if "elementary_test_results" not in source.tables():
        return CONFIGURATIONS_SCHEMA.empty_table()
    adapter = adapter_of(source)
    with bounded_connection() as connection:
        if load_table(connection, source, "elementary_test_results"):
            return CONFIGURATIONS_SCHEMA.empty_table()
        generic = "SELECT count(*) FROM elementary_test_results WHERE test_sub_type = 'generic'"
        # A command's variables are arguments of these tests alone.
        load_table(connection, source, "dbt_invocations", is_needed=connection.sql(generic).fetchall()[0][0] > 0)
        read = read_configurations(fetch(connection, STATEMENTS["configured"]), adapter)
        connection.register("configurations", read.table)
        connection.register("parameters", parameters_table(read.parameters, adapter))
        rows = fetch(connection, STATEMENTS["newest_tests"]).to_pylist()
    configured = [{**row, **_columns(read.parameters[row["configuration"]])} for row in rows]
    return pa.Table.from_pylist(configured, schema=CONFIGURATIONS_SCHEMA)


def _columns(parameters: AnomalyTestParameters) -> Mapping[str, Any]:
    delay = round(parameters.detection_delay.total_seconds() / 3600)
    return {
        "anomaly_sensitivity": parameters.anomaly_sensitivity,
        "anomaly_direction": parameters.anomaly_direction,
        "days_back": parameters.days_back,
        "backfill_days": parameters.backfill_days,
        "time_bucket": {"period": parameters.time_bucket.period, "count": parameters.time_bucket.count},
        "seasonality": parameters.seasonality,
        "spike_failure_percent_threshold": parameters.spike_percent,
        "drop_failure_percent_threshold": parameters.drop_percent,
        "fail_on_zero": parameters.fail_on_zero,
        "min_value": parameters.min_value,
        "detection_delay": {"period": "hour", "count": delay},
        "anomaly_exclude_metrics": parameters.anomaly_exclude_metrics,
        "exclude_detection_period_from_training": parameters.exclude_detection_period_from_training,
    }
