"""Declares the metrics of test results: rates, flakiness, recovery."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from airflow_provider_elementary.elementary_schema.newest import newest_sql
from airflow_provider_elementary.elementary_schema.nodes import (
    BUILT,
    TEST_PARENTS_SQL,
    TEST_PREFIX,
    places_sql,
    table_sql,
)
from airflow_provider_elementary.elementary_schema.statuses import level_sql, status_sql
from airflow_provider_elementary.metrics.definitions import (
    Definition,
    Metric,
    place_columns,
    together,
)
from airflow_provider_elementary.metrics.facts import DAYS_BACK, Fact
from airflow_provider_elementary.metrics.place_facts import CLAIMS, INVOCATIONS

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
    "dbt_tests": ("quality_dimension",),
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

_DETECTED_AT = "coalesce(detected_at, created_at)"
_UPLOADED_AT = "coalesce(try_cast(generated_at AS TIMESTAMP), created_at)"

# dbt_tests names no dimension for tests of many monitors: there, it follows from what was monitored.
_OF_SUB_TYPE = """
CASE
    WHEN test_type = 'schema_change' THEN 'validity'
    WHEN test_sub_type ILIKE '%null%' OR test_sub_type ILIKE '%missing%' THEN 'completeness'
    WHEN test_sub_type IN ('row_count', 'dimension') THEN 'completeness'
    WHEN test_sub_type IN ('freshness', 'event_freshness') THEN 'freshness'
    WHEN test_type = 'anomaly_detection' AND test_sub_type <> 'generic' THEN 'accuracy'
    ELSE 'other'
END
"""

# An anomaly test writes a row per column and metric: its worst one is the outcome of the execution. What Elementary
# has no result of (unit tests) is in the run results of dbt. A test that names no table is one of its model's table;
# where that is not known either (several models, none), its series is its own. An execution keeps the table and the
# dimension that it first had.
_OUTCOMES = Fact(
    name="test_outcomes",
    columns={
        "test": pa.string(),
        "invocation_id": pa.string(),
        "is_result": pa.bool_(),
        "test_type": pa.string(),
        "quality_dimension": pa.string(),
        "severity": pa.int64(),
        "failed_rows": pa.float64(),
    },
    happened={"elementary_test_results": _DETECTED_AT, "dbt_run_results": _UPLOADED_AT},
    reads=together({"elementary_test_results": RESULT_COLUMNS}, RESULT_DETAILS, RESULT_PLACES),
    query=f"""
WITH {TEST_PARENTS_SQL},
results AS (
    SELECT
        coalesce(nullif(trim(test_execution_id), ''), nullif(trim(id), ''),
            concat_ws('|', test_unique_id, invocation_id, detected_at, created_at)) AS execution,
        coalesce(nullif(trim(test_unique_id), ''), nullif(trim(id), '')) AS test,
        {table_sql("table_name")} AS named_table,
        coalesce(nullif(trim(model_unique_id), ''), parent) AS node,
        invocation_id,
        test_type,
        test_sub_type,
        {_DETECTED_AT} AS ran_at,
        created_at,
        {level_sql(status_sql("status"))} AS level,
        coalesce(failed_row_count, failures) AS failed_rows,
        TRUE AS is_result
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
        {_UPLOADED_AT},
        created_at,
        {level_sql(status_sql("status"))},
        failures,
        FALSE
    FROM dbt_run_results
    LEFT JOIN parents USING (unique_id)
    WHERE resource_type IN ('test', 'unit_test') AND nullif(trim(unique_id), '') IS NOT NULL
),
acted AS (SELECT DISTINCT node AS unique_id, invocation_id FROM results WHERE named_table IS NULL),
{places_sql((*BUILT, "dbt_sources"))},
dimensions AS (
    SELECT unique_id, lower(nullif(trim(quality_dimension), '')) AS dimension
    FROM ({newest_sql("dbt_tests")})
)
SELECT
    concat_ws('|', is_result, execution) AS key,
    coalesce(max(named_table), max(p.full_table_name), '{TEST_PREFIX}' || max(test)) AS full_table_name,
    date_trunc('day', max(r.ran_at)) AS day,
    max(r.ran_at) AS happened_at,
    max(created_at) AS created_at,
    max(test) AS test,
    max(r.invocation_id) AS invocation_id,
    is_result,
    max(test_type) AS test_type,
    coalesce(max(dimension), min({_OF_SUB_TYPE})) AS quality_dimension,
    max(CASE level WHEN 'failing' THEN 2 WHEN 'warning' THEN 1 WHEN 'skipped' THEN -1 ELSE 0 END) AS severity,
    max(r.failed_rows) AS failed_rows
FROM results AS r
LEFT JOIN places AS p
    ON named_table IS NULL AND p.unique_id = node AND p.invocation_id IS NOT DISTINCT FROM r.invocation_id
LEFT JOIN dimensions AS d ON d.unique_id = test
WHERE test IS NOT NULL AND isfinite(r.ran_at)
GROUP BY is_result, execution
""",  # noqa: S608 - constants
    merge="""
SELECT
    key,
    arg_min(full_table_name, taken) AS full_table_name,
    max(day) AS day,
    max(happened_at) AS happened_at,
    max(created_at) AS created_at,
    min(taken) AS taken,
    max(test) AS test,
    max(invocation_id) AS invocation_id,
    bool_or(is_result) AS is_result,
    max(test_type) AS test_type,
    arg_min(quality_dimension, taken) AS quality_dimension,
    max(severity) AS severity,
    max(failed_rows) AS failed_rows
FROM {rows} GROUP BY key
""",
)
TEST_FACTS = (_OUTCOMES, INVOCATIONS, CLAIMS)

#: A common table expression: the executions of tests that were not skipped; where Elementary has a result, dbt's own
#: adds nothing.
EXECUTIONS = """
WITH executions AS (
    SELECT *, happened_at AS ran_at, key AS execution
    FROM test_outcomes AS o
    WHERE severity >= 0 AND (
        is_result
        OR (test, day) NOT IN (SELECT (test, day) FROM test_outcomes WHERE is_result)
        AND (test, coalesce(invocation_id, '')) NOT IN (
            SELECT (test, coalesce(invocation_id, '')) FROM test_outcomes WHERE is_result AND invocation_id IS NOT NULL
        )
    )
)
"""

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

_FORTNIGHT = 13
#: How many days an execution may lie after the one that it is compared with.
_DAYS_BETWEEN = DAYS_BACK - _FORTNIGHT
_FLAKINESS = f"""
{EXECUTIONS},
pairs AS (
    SELECT
        full_table_name,
        day,
        ran_at,
        CASE WHEN lag(day) OVER past >= day - INTERVAL {_DAYS_BETWEEN} DAYS
            THEN (severity = 0) <> (lag(severity) OVER past = 0)
        END AS changes
    FROM executions
    WINDOW past AS (PARTITION BY test, full_table_name ORDER BY ran_at, execution)
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
    PARTITION BY full_table_name ORDER BY day RANGE BETWEEN INTERVAL {_FORTNIGHT} DAYS PRECEDING AND CURRENT ROW
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
        AND f.day >= p.day - INTERVAL {DAYS_BACK} DAYS
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

_TABLE_DAY = "one table, one day (UTC) on which a test of it ran"

#: What all metrics of test results are computed from.
of_test_results = partial(
    Definition,
    useful=RESULT_DETAILS,
    places=RESULT_PLACES,
    facts=TEST_FACTS,
)

TEST_DEFINITIONS = (
    of_test_results(
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
        query=_RATES,
    ),
    of_test_results(
        metrics=(
            Metric(
                "failed_rows", "rows", "rows that failed a dbt test in its last execution of the day, summed over tests"
            ),
        ),
        grain=_TABLE_DAY,
        needs={"elementary_test_results": (*RESULT_COLUMNS, "test_type", "failures")},
        query=_FAILED_ROWS,
    ),
    of_test_results(
        metrics=(
            Metric(
                "test_flakiness",
                "%",
                "of a test's executions over 14 days, those whose outcome (pass or not) differs from the one before, "
                "at most 22 days ago; over all tests of the table",
                is_scored=False,
            ),
        ),
        grain=_TABLE_DAY,
        needs={"elementary_test_results": RESULT_COLUMNS},
        query=_FLAKINESS,
    ),
    of_test_results(
        metrics=(
            Metric(
                "test_time_to_recover",
                "s",
                "mean time from a test's first failure or warning to its next pass, of tests that passed again; at "
                "most 35 days",
                is_scored=False,
            ),
        ),
        grain="one table, one day (UTC) on which a test of it passed again",
        needs={"elementary_test_results": RESULT_COLUMNS},
        query=_RECOVERIES,
    ),
)
