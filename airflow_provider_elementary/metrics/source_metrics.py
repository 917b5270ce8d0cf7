"""Declares the metrics of source freshness and of table schemas."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from airflow_provider_elementary.elementary_schema.nodes import places_sql
from airflow_provider_elementary.elementary_schema.statuses import level_sql, status_sql
from airflow_provider_elementary.metrics.definitions import Definition, Metric, place_columns, together
from airflow_provider_elementary.metrics.facts import DAYS_BACK, Fact
from airflow_provider_elementary.metrics.place_facts import CLAIMS, INVOCATIONS

_CHECK_COLUMNS = ("source_freshness_execution_id", "unique_id", "generated_at", "created_at")
_AGE_COLUMNS = (*_CHECK_COLUMNS, "max_loaded_at_time_ago_in_s")
_SOURCE_COLUMNS = ("unique_id", "generated_at", "database_name", "schema_name", "identifier", "name")
_PLACES = together(place_columns("dbt_sources"), {"dbt_source_freshness_results": ("invocation_id", "status")})
_SHAPE_COLUMNS = ("full_table_name", "column_name", "data_type", "detected_at", "created_at")

# {"count": 6, "period": "hour"}; a threshold that is not set is {} or has a count of null.
_THRESHOLD = """
try_cast(CASE WHEN json_valid({column}) THEN json_extract_string({column}, '$.count') END AS DOUBLE)
    * CASE CASE WHEN json_valid({column}) THEN json_extract_string({column}, '$.period') END
        WHEN 'minute' THEN 60 WHEN 'hour' THEN 3600 WHEN 'day' THEN 86400
    END
"""

_CHECKED_AT = "coalesce(try_cast(generated_at AS TIMESTAMP), created_at)"
_CHECKS = Fact(
    name="freshness_checks",
    columns={
        "level": pa.string(),
        "age": pa.float64(),
        "source_age_of_warning": pa.float64(),
        "source_age_of_error": pa.float64(),
    },
    happened={"dbt_source_freshness_results": _CHECKED_AT},
    reads={"dbt_source_freshness_results": (*_AGE_COLUMNS, "status", "warn_after", "error_after")},
    query=f"""
WITH acted AS (SELECT DISTINCT unique_id, invocation_id FROM dbt_source_freshness_results),
{places_sql(("dbt_sources",))}
SELECT
    coalesce(
        nullif(trim(source_freshness_execution_id), ''), concat_ws('|', c.unique_id, c.invocation_id, happened_at)
    ) AS key,
    full_table_name,
    date_trunc('day', happened_at) AS day,
    happened_at,
    created_at,
    {level_sql(status_sql("status"))} AS level,
    max_loaded_at_time_ago_in_s AS age,
    100 * age / nullif({_THRESHOLD.format(column="warn_after")}, 0) AS source_age_of_warning,
    100 * age / nullif({_THRESHOLD.format(column="error_after")}, 0) AS source_age_of_error
FROM (SELECT *, {_CHECKED_AT} AS happened_at FROM dbt_source_freshness_results) AS c
SEMI JOIN dbt_sources USING (unique_id)
JOIN places AS p ON p.unique_id = c.unique_id AND p.invocation_id IS NOT DISTINCT FROM c.invocation_id
WHERE isfinite(happened_at)
""",  # noqa: S608 - constants
)

_AGE = """
SELECT
    full_table_name,
    'source_age' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    max(age) AS metric_value,
    max(happened_at) AS updated_at
FROM freshness_checks
-- Of a check that broke off there is no age.
WHERE age IS NOT NULL
GROUP BY full_table_name, day
"""

_CHECKS_PASSED = """
SELECT
    full_table_name,
    'freshness_pass_rate' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    100.0 * count(*) FILTER (WHERE level = 'good') / count(*) AS metric_value,
    max(happened_at) AS updated_at
FROM freshness_checks
WHERE level <> 'skipped'
GROUP BY full_table_name, day
"""

_AGE_OF_THRESHOLD = """
WITH daily AS (
    SELECT
        full_table_name,
        day,
        max(happened_at) AS updated_at,
        max(source_age_of_warning) AS source_age_of_warning,
        max(source_age_of_error) AS source_age_of_error
    FROM freshness_checks WHERE age IS NOT NULL GROUP BY ALL
)
SELECT full_table_name, metric_name, NULL AS dimension, NULL AS dimension_value, day, metric_value, updated_at
FROM (UNPIVOT daily ON source_age_of_warning, source_age_of_error INTO NAME metric_name VALUE metric_value)
"""

# The package writes all columns of a monitored table each time that it looks: one look is one state.
_SEEN_AT = "coalesce(detected_at, created_at)"
_SEEN = Fact(
    name="seen_columns",
    columns={"column_name": pa.string(), "data_type": pa.string()},
    happened={"schema_columns_snapshot": _SEEN_AT},
    reads={"schema_columns_snapshot": _SHAPE_COLUMNS},
    query=f"""
SELECT DISTINCT
    {_SEEN_AT} AS happened_at,
    date_trunc('day', happened_at) AS day,
    concat_ws('|', full_table_name, happened_at, lower(column_name), coalesce(data_type, '')) AS key,
    full_table_name,
    happened_at AS created_at,
    lower(column_name) AS column_name,
    data_type
FROM schema_columns_snapshot
WHERE nullif(trim(full_table_name), '') IS NOT NULL AND column_name IS NOT NULL AND isfinite(happened_at)
""",  # noqa: S608 - constants
)

_STATES = f"""
WITH seen AS (
    SELECT full_table_name, happened_at AS seen_at, column_name, data_type FROM seen_columns
),
states AS (
    SELECT
        full_table_name,
        seen_at,
        date_trunc('day', seen_at) AS day,
        lag(seen_at) OVER (PARTITION BY full_table_name ORDER BY seen_at) AS last_seen,
        CASE WHEN last_seen >= day - INTERVAL {DAYS_BACK} DAYS THEN last_seen END AS seen_before,
        columns
    FROM (SELECT full_table_name, seen_at, count(DISTINCT column_name) AS columns FROM seen GROUP BY ALL)
)
"""  # noqa: S608 - a constant

_COLUMN_COUNT = f"""
{_STATES}
SELECT
    full_table_name,
    'column_count' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    columns::DOUBLE AS metric_value,
    seen_at AS updated_at
FROM states
QUALIFY row_number() OVER (PARTITION BY full_table_name, day ORDER BY seen_at DESC) = 1
"""  # noqa: S608 - constants

_SCHEMA_CHANGES = f"""
{_STATES},
compared AS (
    SELECT
        s.full_table_name,
        s.seen_at,
        now.column_name AS present,
        NULL AS gone,
        now.data_type IS DISTINCT FROM before.data_type AS differs
    FROM states AS s
    JOIN seen AS now ON now.full_table_name = s.full_table_name AND now.seen_at = s.seen_at
    LEFT JOIN seen AS before
        ON before.full_table_name = s.full_table_name
        AND before.seen_at = s.seen_before
        AND before.column_name = now.column_name
    WHERE s.seen_before IS NOT NULL
    UNION ALL BY NAME
    SELECT s.full_table_name, s.seen_at, before.column_name AS gone, TRUE AS differs
    FROM states AS s
    JOIN seen AS before ON before.full_table_name = s.full_table_name AND before.seen_at = s.seen_before
    ANTI JOIN seen AS now
        ON now.full_table_name = s.full_table_name
        AND now.seen_at = s.seen_at
        AND now.column_name = before.column_name
)
SELECT
    full_table_name,
    'schema_changes' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    date_trunc('day', seen_at) AS day,
    count(*) FILTER (WHERE differs)::DOUBLE AS metric_value,
    max(seen_at) AS updated_at
FROM compared
GROUP BY full_table_name, date_trunc('day', seen_at)
"""  # noqa: S608 - constants

#: What all metrics of freshness checks are computed from.
_of_checks = partial(
    Definition,
    places=_PLACES,
    facts=(_CHECKS, INVOCATIONS, CLAIMS),
)

SOURCE_DEFINITIONS = (
    _of_checks(
        metrics=(Metric("source_age", "s", "age of the newest row, the greatest of the day's freshness checks"),),
        grain="one source table, one day (UTC) with a freshness check",
        needs={"dbt_sources": _SOURCE_COLUMNS, "dbt_source_freshness_results": _AGE_COLUMNS},
        query=_AGE,
    ),
    _of_checks(
        metrics=(Metric("freshness_pass_rate", "%", "freshness checks of the day that passed", is_scored=False),),
        grain="one source table, one day (UTC) with a freshness check",
        needs={"dbt_sources": _SOURCE_COLUMNS, "dbt_source_freshness_results": (*_CHECK_COLUMNS, "status")},
        query=_CHECKS_PASSED,
    ),
    _of_checks(
        metrics=(
            Metric("source_age_of_warning", "%", "source_age relative to warn_after as it was then", is_scored=False),
            Metric("source_age_of_error", "%", "source_age relative to error_after as it was then", is_scored=False),
        ),
        grain="one source table with such a threshold, one day (UTC) with a freshness check",
        needs={
            "dbt_sources": _SOURCE_COLUMNS,
            "dbt_source_freshness_results": (*_AGE_COLUMNS, "warn_after", "error_after"),
        },
        query=_AGE_OF_THRESHOLD,
    ),
    Definition(
        metrics=(Metric("column_count", "columns", "columns when last seen that day", is_scored=False),),
        grain="one table with a schema test, one day (UTC) on which it ran",
        needs={"schema_columns_snapshot": _SHAPE_COLUMNS},
        facts=(_SEEN,),
        query=_COLUMN_COUNT,
    ),
    Definition(
        metrics=(
            Metric(
                "schema_changes",
                "columns",
                "columns added, removed or of another type than when last seen, at most 35 days before",
            ),
        ),
        grain="one table with a schema test, one day (UTC) on which it ran, from its second time on",
        needs={"schema_columns_snapshot": _SHAPE_COLUMNS},
        facts=(_SEEN,),
        query=_SCHEMA_CHANGES,
    ),
)
