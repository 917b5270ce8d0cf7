"""What dbt makes of a number of anomalies: pass, warn or fail, by a test's severity, ``error_if`` and ``warn_if``."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_elementary.anomalies.elementary.predicates import duckdb_predicate
from airflow_provider_elementary.anomalies.engine import sql_text
from airflow_provider_elementary.exceptions import ConfigurationError


def failures_meet(column: str, conditions: Iterable[str | None]) -> str:
    """Return SQL over ``total``: whether it meets the condition in a column, null where that cannot be told.

    :param column: the column that holds the condition, as in ``> 10``.
    :param conditions: every condition that the column holds.
    """
    known = []
    for condition in sorted({text for text in conditions if text}):
        try:
            predicate = duckdb_predicate(f"total {condition}", {"total": "BIGINT"})
        except ConfigurationError:
            continue
        known.append(f"WHEN {sql_text(condition)} THEN {predicate}")
    return f"CASE {column} {' '.join(known)} END" if known else "CAST(NULL AS BOOLEAN)"


# Elementary counts the anomalies of each metric, and dbt those of the whole test. A metric without any passes; to the
# others goes the status of the test. A warning is a failure where dbt runs with --warn-error.
STATUSES = """
CREATE TEMP VIEW answers AS
WITH declared AS (
    SELECT unique_id, warn_if, error_if, TRY_CAST(generated_at AS TIMESTAMP) AS declared_at
    FROM dbt_tests
    QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC) = 1
),
recomputed AS (
    SELECT
        elementary_test_results_id AS id,
        count(*) AS buckets,
        count(bucket_end) AS ended,
        count(*) FILTER (WHERE is_replaced) AS replaced,
        count(*) FILTER (WHERE is_anomalous AND is_kept) AS anomalies,
        max(abs(score)) AS largest
    FROM scored
    GROUP BY elementary_test_results_id
),
counted AS (
    SELECT
        j.*,
        r.* EXCLUDE (id),
        d.* EXCLUDE (unique_id),
        sum(coalesce(anomalies, failures)) OVER (PARTITION BY test_execution_id) AS total
    FROM judged AS j
    LEFT JOIN recomputed AS r USING (id)
    LEFT JOIN declared AS d ON d.unique_id = j.test_unique_id
),
met AS (
    SELECT
        *,
        declared_at <= make_timestamp(run_starts)
            AND {is_error} IS NOT NULL
            AND {is_warning} IS NOT NULL AS is_declared,
        CASE WHEN is_declared THEN {is_error} ELSE TRUE END AS is_error,
        CASE WHEN is_declared THEN {is_warning} ELSE TRUE END AS is_warning
    FROM counted
)
SELECT
    *,
    CASE
        WHEN anomalies = 0 THEN 'pass'
        WHEN is_error AND coalesce(lower(severity), 'error') <> 'warn' THEN if(severity IS NULL, 'warn or fail', 'fail')
        WHEN is_warning THEN 'warn'
        ELSE 'pass'
    END AS expected,
    CASE
        WHEN expected = 'warn or fail' THEN if(status IN ('warn', 'fail'), status, 'fail')
        WHEN expected = 'warn' AND status = 'fail' THEN status
        ELSE expected
    END AS answer
FROM met
"""
