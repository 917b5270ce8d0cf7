"""Declares the 13 views of the Elementary dbt package (0.25)."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from types import MappingProxyType

import sqlglot
from sqlglot import exp

from airflow_provider_elementary.elementary_schema.ddl import Dialect, qualified


def create_views(dialect: Dialect, schema: str) -> dict[str, str]:
    """Return the statement that makes each view, in an order in which they can be made.

    :param schema: where the tables are, and the views will be.
    """
    statements = {}
    for name, text in _VIEWS.items():
        query = sqlglot.parse_one(Template(text).substitute(_SHARED), read="duckdb")
        own = {cte.alias for cte in query.find_all(exp.CTE)}
        for table in query.find_all(exp.Table):
            if table.name not in own:
                table.set("db", exp.to_identifier(schema, quoted=True))
                table.set("this", exp.to_identifier(table.name, quoted=True))
        statements[name] = f"CREATE VIEW {qualified(dialect, schema, name)} AS {query.sql(dialect)}"
    return statements


_SHARED: Mapping[str, str] = MappingProxyType(
    {
        "alert": """id AS alert_id, data_issue_id, test_execution_id, test_unique_id, model_unique_id, detected_at,
    database_name, schema_name, table_name, column_name, test_type AS alert_type, test_sub_type AS sub_type,
    test_results_description AS alert_description, owners, tags, test_results_query AS alert_results_query, other,
    test_name, test_short_name, test_params, severity, status, result_rows""",
        "run": """results.model_execution_id, results.unique_id, results.invocation_id, results.query_id, results.name,
    results.generated_at, results.status, results.full_refresh, results.message, results.execution_time,
    results.execute_started_at, results.execute_completed_at, results.compile_started_at,
    results.compile_completed_at, results.compiled_code, results.adapter_response, results.thread_id,
    results.group_name, nodes.database_name, nodes.schema_name""",
        "node": "nodes.tags, nodes.package_name, nodes.path, nodes.original_path, nodes.owner, nodes.alias",
        "error_run": """model_execution_id AS alert_id, unique_id, CAST(generated_at AS TIMESTAMP) AS detected_at,
    database_name, materialization, path, original_path, schema_name, message, owner AS owners, tags, alias, status,
    full_refresh""",
        "of_the_day": """(PARTITION BY date_trunc('day', CAST(results.generated_at AS TIMESTAMP))
    ORDER BY results.generated_at ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)""",
        "so_far": """(PARTITION BY metric_name, full_table_name, column_name
    ORDER BY bucket_start ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)""",
        "scored": """id, full_table_name, column_name, dimension, dimension_value, metric_name, anomaly_score,
    latest_metric_value, bucket_start, bucket_end, training_avg, training_stddev, training_start, training_end,
    training_set_size""",
    }
)

#: In DuckDB's dialect; ``$name`` is one of the words above.
_VIEWS: Mapping[str, str] = MappingProxyType(
    {
        "model_run_results": """
SELECT $run, coalesce(results.materialization, nodes.materialization) AS materialization, $node,
    row_number() OVER (PARTITION BY results.unique_id ORDER BY results.generated_at DESC)
        AS model_invocation_reverse_index,
    coalesce(first_value(results.invocation_id) OVER $of_the_day = results.invocation_id, FALSE)
        AS is_the_first_invocation_of_the_day,
    coalesce(last_value(results.invocation_id) OVER $of_the_day = results.invocation_id, FALSE)
        AS is_the_last_invocation_of_the_day
FROM dbt_run_results AS results JOIN dbt_models AS nodes ON results.unique_id = nodes.unique_id""",
        "snapshot_run_results": """
SELECT $run, coalesce(results.materialization, nodes.materialization) AS materialization, $node
FROM dbt_run_results AS results JOIN dbt_snapshots AS nodes ON results.unique_id = nodes.unique_id""",
        "seed_run_results": """
SELECT $run, results.materialization, $node
FROM dbt_run_results AS results JOIN dbt_seeds AS nodes ON results.unique_id = nodes.unique_id""",
        "job_run_results": """
SELECT job_name AS name, job_id AS id, job_run_id AS run_id,
    min(CAST(run_started_at AS TIMESTAMP)) AS run_started_at,
    max(CAST(run_completed_at AS TIMESTAMP)) AS run_completed_at,
    date_diff('second', min(CAST(run_started_at AS TIMESTAMP)), max(CAST(run_completed_at AS TIMESTAMP)))
        AS run_execution_time
FROM dbt_invocations
WHERE job_id IS NOT NULL
GROUP BY job_name, job_id, job_run_id""",
        "monitors_runs": """
SELECT full_table_name, column_name, metric_name, metric_properties, max(bucket_end) AS last_bucket_end,
    min(bucket_end) AS first_bucket_end
FROM data_monitoring_metrics
GROUP BY full_table_name, column_name, metric_name, metric_properties""",
        "metrics_anomaly_score": """
WITH aggregated AS (
    SELECT id, full_table_name, column_name, dimension, dimension_value, metric_name, metric_value, source_value,
        bucket_start, bucket_end, bucket_duration_hours, updated_at,
        avg(metric_value) OVER $so_far AS training_avg,
        stddev(metric_value) OVER $so_far AS training_stddev,
        count(metric_value) OVER $so_far AS training_set_size,
        last_value(bucket_end) OVER $so_far AS training_end,
        first_value(bucket_end) OVER $so_far AS training_start
    FROM data_monitoring_metrics
    GROUP BY id, full_table_name, column_name, dimension, dimension_value, metric_name, metric_value, source_value,
        bucket_start, bucket_end, bucket_duration_hours, updated_at
), scored AS (
    SELECT *, metric_value AS latest_metric_value,
        CASE WHEN training_stddev IS NULL OR training_set_size = 1 THEN NULL
            WHEN training_stddev = 0 THEN 0
            ELSE (metric_value - training_avg) / training_stddev END AS anomaly_score
    FROM aggregated
    WHERE metric_value IS NOT NULL AND training_avg IS NOT NULL
)
SELECT $scored, max(updated_at) AS updated_at, coalesce(abs(anomaly_score) > 3, FALSE) AS is_anomaly
FROM scored
WHERE bucket_end >= date_trunc('day', CAST(current_timestamp AS TIMESTAMP)) - INTERVAL 7 DAY
GROUP BY $scored""",
        "anomaly_threshold_sensitivity": """
SELECT full_table_name, column_name, metric_name, latest_metric_value, training_avg AS metric_avg,
    training_stddev AS metric_stddev, anomaly_score,
    abs(anomaly_score) >= 1.5 AS is_anomaly_1_5,
    abs(anomaly_score) >= 2 AS is_anomaly_2,
    abs(anomaly_score) >= 2.5 AS is_anomaly_2_5,
    abs(anomaly_score) >= 3 AS is_anomaly_3,
    abs(anomaly_score) >= 3.5 AS is_anomaly_3_5,
    abs(anomaly_score) >= 4 AS is_anomaly_4,
    abs(anomaly_score) >= 4.5 AS is_anomaly_4_5
FROM metrics_anomaly_score
WHERE abs(anomaly_score) >= 1.5""",
        "dbt_artifacts_hashes": """
SELECT 'dbt_models' AS artifacts_model, metadata_hash FROM dbt_models
UNION ALL SELECT 'dbt_tests' AS artifacts_model, metadata_hash FROM dbt_tests
UNION ALL SELECT 'dbt_sources' AS artifacts_model, metadata_hash FROM dbt_sources
UNION ALL SELECT 'dbt_snapshots' AS artifacts_model, metadata_hash FROM dbt_snapshots
UNION ALL SELECT 'dbt_metrics' AS artifacts_model, metadata_hash FROM dbt_metrics
UNION ALL SELECT 'dbt_exposures' AS artifacts_model, metadata_hash FROM dbt_exposures
UNION ALL SELECT 'dbt_seeds' AS artifacts_model, metadata_hash FROM dbt_seeds
UNION ALL SELECT 'dbt_columns' AS artifacts_model, metadata_hash FROM dbt_columns
UNION ALL SELECT 'dbt_groups' AS artifacts_model, metadata_hash FROM dbt_groups""",
        "alerts_anomaly_detection": """
SELECT $alert FROM elementary_test_results
WHERE lower(status) NOT IN ('pass', 'skipped') AND test_type = 'anomaly_detection'""",
        "alerts_dbt_tests": """
SELECT $alert FROM elementary_test_results
WHERE lower(status) NOT IN ('pass', 'skipped') AND test_type = 'dbt_test'""",
        "alerts_schema_changes": """
SELECT $alert FROM elementary_test_results
WHERE lower(status) NOT IN ('pass', 'skipped') AND test_type = 'schema_change'""",
        "alerts_dbt_models": """
SELECT $error_run FROM model_run_results WHERE lower(status) NOT IN ('success', 'skipped')
UNION ALL
SELECT $error_run FROM snapshot_run_results WHERE lower(status) NOT IN ('success', 'skipped')""",
        "alerts_dbt_source_freshness": """
SELECT results.source_freshness_execution_id AS alert_id, results.max_loaded_at, results.snapshotted_at,
    CAST(results.generated_at AS TIMESTAMP) AS detected_at, results.max_loaded_at_time_ago_in_s, results.status,
    results.error, results.warn_after, results.error_after, results.filter, sources.unique_id,
    sources.database_name, sources.schema_name, sources.source_name, sources.identifier, sources.tags, sources.meta,
    sources.owner, sources.package_name, sources.path, results.error_after AS freshness_error_after,
    results.warn_after AS freshness_warn_after, results.filter AS freshness_filter
FROM dbt_source_freshness_results AS results JOIN dbt_sources AS sources ON results.unique_id = sources.unique_id
WHERE lower(results.status) <> 'pass'""",
    }
)
