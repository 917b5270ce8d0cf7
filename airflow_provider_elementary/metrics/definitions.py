"""The metrics, as a table of facts: which tables and columns each needs, and the DuckDB query that computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """How one or more metrics come about.

    :param names: the metrics, as they stand in ``metric_name``; empty where the package's own monitors name them.
    :param needs: the tables that the query reads, each with the columns that it reads.
    :param query: a DuckDB query over these tables that yields the columns of the long table of metrics.
    :param judged: whether anomalies are looked for; rates of verdicts are verdicts already.
    """

    names: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    query: str
    judged: bool = True


_NODES = """
nodes AS (
    SELECT unique_id, upper(concat_ws('.', database_name, schema_name, alias)) AS full_table_name FROM dbt_models
)
"""

# Monitors that the package collected: of the rows with one id the newest counts.
_COLLECTED = """
SELECT id, full_table_name, column_name, metric_name, metric_type, dimension, dimension_value, metric_properties,
    bucket_start, bucket_end, bucket_duration_hours, metric_value, updated_at
FROM data_monitoring_metrics
QUALIFY row_number() OVER (PARTITION BY id ORDER BY updated_at DESC NULLS LAST, created_at DESC NULLS LAST) = 1
"""

# Runs repeat within a day; a day's time is the mean of its runs, its rows are their sum.
_RUNS = f"""
WITH {_NODES},
executions AS (
    SELECT full_table_name, date_trunc('day', created_at) AS day, status, execution_time, rows_affected, created_at
    FROM dbt_run_results JOIN nodes USING (unique_id)
    WHERE status IN ('success', 'error', 'fail')
    QUALIFY row_number() OVER (PARTITION BY model_execution_id ORDER BY created_at DESC) = 1
),
daily AS (
    SELECT full_table_name, day, max(created_at) AS updated_at,
        avg(execution_time) FILTER (WHERE status = 'success') AS execution_time,
        sum(rows_affected)::DOUBLE AS rows_affected
    FROM executions GROUP BY ALL
)
SELECT md5(concat_ws('|', full_table_name, metric_name, day)) AS id, full_table_name, NULL AS column_name, metric_name,
    metric_name AS metric_type, NULL AS dimension, NULL AS dimension_value, NULL AS metric_properties,
    day AS bucket_start, day + INTERVAL 1 DAY AS bucket_end, 24 AS bucket_duration_hours, metric_value, updated_at
FROM (UNPIVOT daily ON execution_time, rows_affected INTO NAME metric_name VALUE metric_value)
"""  # noqa: S608 - constants

_OUTCOMES = f"""
WITH {_NODES},
executions AS (
    SELECT full_table_name, date_trunc('day', created_at) AS day, status, created_at
    FROM dbt_run_results JOIN nodes USING (unique_id)
    WHERE status IN ('success', 'error', 'fail')
    QUALIFY row_number() OVER (PARTITION BY model_execution_id ORDER BY created_at DESC) = 1
)
SELECT md5(concat_ws('|', full_table_name, 'success_rate', day)) AS id, full_table_name, NULL AS column_name,
    'success_rate' AS metric_name, 'success_rate' AS metric_type, NULL AS dimension, NULL AS dimension_value,
    NULL AS metric_properties, day AS bucket_start, day + INTERVAL 1 DAY AS bucket_end, 24 AS bucket_duration_hours,
    100.0 * count(*) FILTER (WHERE status = 'success') / count(*) AS metric_value, max(created_at) AS updated_at
FROM executions GROUP BY full_table_name, day
"""  # noqa: S608 - constants

_TESTS = """
WITH verdicts AS (
    SELECT upper(concat_ws('.', database_name, schema_name, table_name)) AS full_table_name,
        date_trunc('day', created_at) AS day, test_execution_id, created_at,
        max(CASE status WHEN 'fail' THEN 3 WHEN 'error' THEN 2 WHEN 'warn' THEN 1 ELSE 0 END) AS severity
    FROM elementary_test_results
    WHERE table_name IS NOT NULL AND status IN ('pass', 'warn', 'fail', 'error')
    GROUP BY ALL
),
daily AS (
    SELECT full_table_name, day, max(created_at) AS updated_at,
        100.0 * count(*) FILTER (WHERE severity = 0) / count(*) AS test_pass_rate,
        100.0 * count(*) FILTER (WHERE severity = 1) / count(*) AS test_warn_rate,
        100.0 * count(*) FILTER (WHERE severity >= 2) / count(*) AS test_fail_rate
    FROM verdicts GROUP BY ALL
)
SELECT md5(concat_ws('|', full_table_name, metric_name, day)) AS id, full_table_name, NULL AS column_name, metric_name,
    metric_name AS metric_type, NULL AS dimension, NULL AS dimension_value, NULL AS metric_properties,
    day AS bucket_start, day + INTERVAL 1 DAY AS bucket_end, 24 AS bucket_duration_hours, metric_value, updated_at
FROM (UNPIVOT daily ON test_pass_rate, test_warn_rate, test_fail_rate INTO NAME metric_name VALUE metric_value)
"""

DEFINITIONS = (
    Definition(
        names=(),
        needs={
            "data_monitoring_metrics": (
                "id",
                "full_table_name",
                "column_name",
                "metric_name",
                "metric_type",
                "dimension",
                "dimension_value",
                "metric_properties",
                "bucket_start",
                "bucket_end",
                "bucket_duration_hours",
                "metric_value",
                "updated_at",
                "created_at",
            )
        },
        query=_COLLECTED,
    ),
    Definition(
        names=("execution_time", "rows_affected"),
        needs={
            "dbt_models": ("unique_id", "database_name", "schema_name", "alias"),
            "dbt_run_results": (
                "model_execution_id",
                "unique_id",
                "created_at",
                "status",
                "execution_time",
                "rows_affected",
            ),
        },
        query=_RUNS,
    ),
    Definition(
        names=("success_rate",),
        needs={
            "dbt_models": ("unique_id", "database_name", "schema_name", "alias"),
            "dbt_run_results": ("model_execution_id", "unique_id", "created_at", "status"),
        },
        query=_OUTCOMES,
        judged=False,
    ),
    Definition(
        names=("test_pass_rate", "test_warn_rate", "test_fail_rate"),
        needs={
            "elementary_test_results": (
                "test_execution_id",
                "created_at",
                "database_name",
                "schema_name",
                "table_name",
                "status",
            )
        },
        query=_TESTS,
        judged=False,
    ),
)
