"""Declares the metrics of test results: rates, flakiness, recovery, coverage."""

from __future__ import annotations

from airflow_provider_elementary.elementary_schema.nodes import BUILT, TEST_PREFIX, places_sql, table_sql
from airflow_provider_elementary.elementary_schema.statuses import level_sql, status_sql
from airflow_provider_elementary.metrics.definitions import (
    MODEL_COLUMNS,
    MODELS,
    Definition,
    Metric,
    place_columns,
    together,
)

# An anomaly test writes a row per column and metric: its worst one is the outcome of the execution. What Elementary
# has no result of (unit tests) is in the run results of dbt. A test that names no table is one of its model's table;
# where that is not known either (several models, none), its series is its own.
EXECUTIONS = f"""
WITH parents AS (
    SELECT unique_id, arg_max(nullif(trim(parent_model_unique_id), ''), coalesce(generated_at, '')) AS parent
    FROM dbt_tests WHERE unique_id IS NOT NULL GROUP BY unique_id
),
results AS (
    SELECT
        coalesce(nullif(trim(test_execution_id), ''), nullif(trim(id), ''),
            concat_ws('|', test_unique_id, invocation_id, detected_at, created_at)) AS execution,
        coalesce(nullif(trim(test_unique_id), ''), nullif(trim(id), '')) AS test,
        {table_sql("database_name", "schema_name", "table_name")} AS named_table,
        coalesce(nullif(trim(model_unique_id), ''), parent) AS node,
        invocation_id,
        test_type,
        test_sub_type,
        coalesce(detected_at, created_at) AS ran_at,
        {level_sql(status_sql("status"))} AS level,
        coalesce(failed_row_count, failures) AS failed_rows
    FROM elementary_test_results LEFT JOIN parents ON parents.unique_id = test_unique_id
    UNION ALL
    SELECT
        coalesce(nullif(trim(model_execution_id), ''), concat_ws('|', unique_id, invocation_id, generated_at)),
        unique_id,
        NULL,
        parent,
        invocation_id,
        'dbt_test',
        'generic',
        coalesce(try_cast(generated_at AS TIMESTAMP), created_at),
        {level_sql(status_sql("status"))},
        failures
    FROM dbt_run_results
    LEFT JOIN parents USING (unique_id)
    ANTI JOIN (SELECT test_unique_id AS unique_id FROM elementary_test_results) AS known USING (unique_id)
    WHERE resource_type IN ('test', 'unit_test') AND nullif(trim(unique_id), '') IS NOT NULL
),
acted AS (SELECT DISTINCT node AS unique_id, invocation_id FROM results WHERE named_table IS NULL),
{places_sql((*BUILT, "dbt_sources"))},
executions AS (
    SELECT
        execution,
        any_value(test) AS test,
        coalesce(any_value(named_table), any_value(p.full_table_name), '{TEST_PREFIX}' || any_value(test))
            AS full_table_name,
        any_value(test_type) AS test_type,
        any_value(test_sub_type) AS test_sub_type,
        max(r.ran_at) AS ran_at,
        date_trunc('day', max(r.ran_at)) AS day,
        max(CASE level WHEN 'failing' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END) AS severity,
        max(r.failed_rows) AS failed_rows
    FROM results AS r
    LEFT JOIN places AS p
        ON named_table IS NULL AND p.unique_id = node AND p.invocation_id IS NOT DISTINCT FROM r.invocation_id
    WHERE test IS NOT NULL AND level <> 'skipped' AND isfinite(r.ran_at)
    GROUP BY execution
)
"""  # noqa: S608 - constants

RESULT_COLUMNS = (
    "id",
    "test_execution_id",
    "test_unique_id",
    "detected_at",
    "created_at",
    "database_name",
    "schema_name",
    "table_name",
    "status",
)
#: Null where an older package does not write them, or a policy excludes them.
RESULT_DETAILS = {
    "elementary_test_results": ("test_type", "test_sub_type", "failures", "failed_row_count"),
}
#: What says which table a test belongs to, and which tests have no result but that of dbt.
RESULT_PLACES = together(
    place_columns(*BUILT, "dbt_sources"),
    {
        "elementary_test_results": ("invocation_id",),
        "dbt_tests": ("unique_id", "generated_at", "parent_model_unique_id"),
        "dbt_run_results": (
            *("model_execution_id", "unique_id", "invocation_id", "generated_at", "created_at", "status", "failures"),
            "resource_type",
        ),
    },
)

_RATES = f"""
{EXECUTIONS},
daily AS (
    SELECT
        full_table_name,
        day,
        max(ran_at) AS updated_at,
        100.0 * count(*) FILTER (WHERE severity = 0) / count(*) AS test_pass_rate,
        100.0 * count(*) FILTER (WHERE severity = 1) / count(*) AS test_warn_rate,
        100.0 * count(*) FILTER (WHERE severity >= 2) / count(*) AS test_fail_rate
    FROM executions GROUP BY ALL
)
SELECT full_table_name, metric_name, NULL AS dimension, NULL AS dimension_value, day, metric_value, updated_at
FROM (UNPIVOT daily ON test_pass_rate, test_warn_rate, test_fail_rate INTO NAME metric_name VALUE metric_value)
"""  # noqa: S608 - constants

# An anomaly test's failures are buckets and those of schema_changes are changes: only a dbt test counts rows.
_FAILED_ROWS = f"""
{EXECUTIONS},
last AS (
    SELECT * FROM executions
    WHERE test_type = 'dbt_test'
    QUALIFY row_number() OVER (PARTITION BY test, full_table_name, day ORDER BY ran_at DESC, execution) = 1
)
SELECT
    full_table_name,
    'failed_rows' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    sum(failed_rows)::DOUBLE AS metric_value,
    max(ran_at) AS updated_at
FROM last
GROUP BY full_table_name, day
HAVING metric_value IS NOT NULL
"""  # noqa: S608 - constants

_FLAKINESS = f"""
{EXECUTIONS},
pairs AS (
    SELECT
        full_table_name,
        day,
        ran_at,
        (severity = 0) <> (lag(severity) OVER (PARTITION BY test, full_table_name ORDER BY ran_at) = 0) AS changes
    FROM executions
),
daily AS (
    SELECT
        full_table_name,
        day,
        max(ran_at) AS updated_at,
        count(*) FILTER (WHERE changes) AS changes,
        count(changes) AS pairs
    FROM pairs GROUP BY ALL
)
SELECT
    full_table_name,
    'test_flakiness' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    100.0 * sum(changes) OVER fortnight / nullif(sum(pairs) OVER fortnight, 0) AS metric_value,
    updated_at
FROM daily
WINDOW fortnight AS (
    PARTITION BY full_table_name ORDER BY day RANGE BETWEEN INTERVAL 13 DAYS PRECEDING AND CURRENT ROW
)
QUALIFY metric_value IS NOT NULL
"""  # noqa: S608 - constants

_RECOVERIES = f"""
{EXECUTIONS},
runs AS (
    SELECT
        *,
        max(CASE WHEN severity = 0 THEN ran_at END)
            OVER earlier AS last_pass
    FROM executions
    WINDOW earlier AS (
        PARTITION BY test, full_table_name ORDER BY ran_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
recoveries AS (
    SELECT p.full_table_name, p.day, p.ran_at, epoch(p.ran_at) - epoch(min(f.ran_at)) AS seconds
    FROM runs AS p
    JOIN runs AS f
        ON f.test = p.test
        AND f.full_table_name = p.full_table_name
        AND f.severity > 0
        AND f.ran_at < p.ran_at
        AND f.ran_at > coalesce(p.last_pass, TIMESTAMP '1970-01-01')
    WHERE p.severity = 0
    GROUP BY p.test, p.execution, p.full_table_name, p.day, p.ran_at
)
SELECT
    full_table_name,
    'test_time_to_recover' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    avg(seconds) AS metric_value,
    max(ran_at) AS updated_at
FROM recoveries
GROUP BY full_table_name, day
"""  # noqa: S608 - constants

# Artifacts hold the present only, so that each run adds the point of its own day. Elementary's own models are no
# tables of anybody's.
_COVERAGE = f"""
WITH {MODELS},
tests AS (
    SELECT unique_id, parent_model_unique_id, lower(test_column_name) AS column_name
    FROM dbt_tests WHERE unique_id IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC NULLS LAST) = 1
),
tested AS (
    SELECT
        parent_model_unique_id AS unique_id,
        count(*) AS tests,
        count(DISTINCT column_name) AS columns_tested
    FROM tests GROUP BY ALL
),
known AS (
    SELECT parent_unique_id AS unique_id, lower(name) AS column_name FROM dbt_columns WHERE name IS NOT NULL
    UNION
    SELECT parent_model_unique_id, column_name FROM tests WHERE column_name IS NOT NULL
),
width AS (SELECT unique_id, count(*) AS columns FROM known GROUP BY ALL),
counted AS (
    SELECT
        full_table_name,
        coalesce(tests, 0)::DOUBLE AS test_count,
        100.0 * coalesce(columns_tested, 0) / columns AS test_coverage
    FROM models LEFT JOIN tested USING (unique_id) LEFT JOIN width USING (unique_id)
    WHERE unique_id NOT LIKE 'model.elementary.%'
),
present AS (SELECT max(coalesce(try_cast(generated_at AS TIMESTAMP), created_at)) AS today FROM dbt_invocations)
SELECT
    full_table_name,
    metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    date_trunc('day', today) AS day,
    metric_value,
    today AS updated_at
FROM (UNPIVOT counted ON test_count, test_coverage INTO NAME metric_name VALUE metric_value) CROSS JOIN present
WHERE today IS NOT NULL
"""  # noqa: S608 - constants

_TABLE_DAY = "one table, one day (UTC) on which a test of it ran"

TEST_DEFINITIONS = (
    Definition(
        metrics=(
            Metric("test_pass_rate", "%", "test executions of the day that passed", is_scored=False),
            Metric("test_warn_rate", "%", "test executions of the day that warned", is_scored=False),
            Metric(
                "test_fail_rate",
                "%",
                "test executions of the day that failed, broke off, or have an unknown status",
                is_scored=False,
            ),
        ),
        grain=_TABLE_DAY,
        needs={"elementary_test_results": RESULT_COLUMNS},
        useful=RESULT_DETAILS,
        places=RESULT_PLACES,
        query=_RATES,
    ),
    Definition(
        metrics=(
            Metric(
                "failed_rows", "rows", "rows that failed a dbt test in its last execution of the day, summed over tests"
            ),
        ),
        grain=_TABLE_DAY,
        needs={"elementary_test_results": (*RESULT_COLUMNS, "test_type", "failures")},
        useful=RESULT_DETAILS,
        places=RESULT_PLACES,
        query=_FAILED_ROWS,
    ),
    Definition(
        metrics=(
            Metric(
                "test_flakiness",
                "%",
                "of a test's executions over 14 days, those whose outcome (pass or not) differs from the one before; "
                "over all tests of the table",
                is_scored=False,
            ),
        ),
        grain=_TABLE_DAY,
        needs={"elementary_test_results": RESULT_COLUMNS},
        useful=RESULT_DETAILS,
        places=RESULT_PLACES,
        query=_FLAKINESS,
    ),
    Definition(
        metrics=(
            Metric(
                "test_time_to_recover",
                "s",
                "mean time from a test's first failure or warning to its next pass, of tests that passed again",
                is_scored=False,
            ),
        ),
        grain="one table, one day (UTC) on which a test of it passed again",
        needs={"elementary_test_results": RESULT_COLUMNS},
        useful=RESULT_DETAILS,
        places=RESULT_PLACES,
        query=_RECOVERIES,
    ),
    Definition(
        metrics=(
            Metric("test_count", "tests", "tests whose parent is the model, 0 where there are none", is_scored=False),
            Metric("test_coverage", "%", "known columns of the model with a test of their own", is_scored=False),
        ),
        grain="one model, the day (UTC) of the newest dbt invocation",
        needs={
            "dbt_models": MODEL_COLUMNS,
            "dbt_tests": ("unique_id", "generated_at", "parent_model_unique_id", "test_column_name"),
            "dbt_columns": ("parent_unique_id", "name"),
            "dbt_invocations": ("generated_at", "created_at"),
        },
        useful={"dbt_models": ("name",)},
        query=_COVERAGE,
    ),
)
