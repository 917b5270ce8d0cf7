"""Declares the metrics of dbt runs: duration, rows, failures, recovery, invocations."""

from __future__ import annotations

from airflow_provider_elementary.elementary_schema.nodes import places_sql
from airflow_provider_elementary.elementary_schema.statuses import level_sql, ran_sql, status_sql
from airflow_provider_elementary.metrics.definitions import (
    MODEL_COLUMNS,
    Definition,
    Metric,
    place_columns,
    together,
)

_RUN_COLUMNS = ("model_execution_id", "unique_id", "generated_at", "created_at", "status")
_PLACES = together(place_columns("dbt_models"), {"dbt_run_results": ("invocation_id",)})

# generated_at is UTC; created_at is in the time zone of the session that wrote it, and only stands in for it.
_EXECUTIONS = f"""
WITH acted AS (
    SELECT DISTINCT unique_id, invocation_id FROM dbt_run_results SEMI JOIN dbt_models USING (unique_id)
),
{places_sql(("dbt_models",))},
executions AS (
    SELECT
        r.*,
        full_table_name,
        {level_sql("status_name")} AS level,
        {ran_sql("status_name")} AND level = 'good' AS succeeded,
        coalesce(try_cast(r.generated_at AS TIMESTAMP), r.created_at) AS finished_at,
        date_trunc('day', finished_at) AS day
    FROM (SELECT *, {status_sql("status")} AS status_name FROM dbt_run_results) AS r
    JOIN places AS p ON p.unique_id = r.unique_id AND p.invocation_id IS NOT DISTINCT FROM r.invocation_id
    WHERE level <> 'skipped' AND isfinite(finished_at)
    QUALIFY row_number() OVER (
        PARTITION BY coalesce(
            nullif(trim(model_execution_id), ''), concat_ws('|', r.unique_id, r.invocation_id, finished_at)
        )
        ORDER BY r.created_at DESC NULLS LAST
    ) = 1
)
"""  # noqa: S608 - constants

# The median is of the 28 days with a run before, and only of as many as make one: the day itself is not in it.
_EXECUTION_TIME = f"""
{_EXECUTIONS},
daily AS (
    SELECT full_table_name, day, max(finished_at) AS updated_at, avg(execution_time) AS execution_time
    FROM executions WHERE succeeded GROUP BY ALL
),
compared AS (
    SELECT
        *,
        CASE WHEN count(execution_time) OVER past >= 5 THEN execution_time / nullif(median(execution_time) OVER past, 0)
        END AS execution_time_ratio
    FROM daily
    WINDOW past AS (PARTITION BY full_table_name ORDER BY day ROWS BETWEEN 28 PRECEDING AND 1 PRECEDING)
)
SELECT full_table_name, metric_name, NULL AS dimension, NULL AS dimension_value, day, metric_value, updated_at
FROM (UNPIVOT compared ON execution_time, execution_time_ratio INTO NAME metric_name VALUE metric_value)
"""  # noqa: S608 - constants

# A day of which dbt has not seen the end may still gain rows, and would look like a drop.
_ROWS_AFFECTED = f"""
{_EXECUTIONS}
SELECT
    full_table_name,
    'rows_affected' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    sum(rows_affected) AS metric_value,
    max(finished_at) AS updated_at
FROM executions
WHERE day < (SELECT max(day) FROM executions)
GROUP BY full_table_name, day
HAVING metric_value IS NOT NULL
"""  # noqa: S608 - constants

_SUCCESSES = f"""
{_EXECUTIONS},
daily AS (
    SELECT
        full_table_name,
        day,
        max(finished_at) AS updated_at,
        100.0 * count(*) FILTER (WHERE level = 'good') / count(*) AS success_rate,
        count(*) FILTER (WHERE level = 'failing')::DOUBLE AS failed_runs
    FROM executions GROUP BY ALL
)
SELECT full_table_name, metric_name, NULL AS dimension, NULL AS dimension_value, day, metric_value, updated_at
FROM (UNPIVOT daily ON success_rate, failed_runs INTO NAME metric_name VALUE metric_value)
"""  # noqa: S608 - constants

# A failure lasts from the first failed run to the next one that succeeds; it counts on the day on which it ends.
_RECOVERIES = f"""
{_EXECUTIONS},
failures AS (
    SELECT
        *,
        level <> 'failing' AS succeeds,
        max(CASE WHEN level <> 'failing' THEN finished_at END) OVER earlier AS last_success
    FROM executions
    WINDOW earlier AS (
        PARTITION BY full_table_name ORDER BY finished_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
recoveries AS (
    SELECT
        s.full_table_name,
        s.day,
        s.finished_at,
        epoch(s.finished_at) - epoch(min(f.finished_at)) AS seconds
    FROM failures AS s
    JOIN failures AS f
        ON f.full_table_name = s.full_table_name
        AND NOT f.succeeds
        AND f.finished_at < s.finished_at
        AND f.finished_at > coalesce(s.last_success, TIMESTAMP '1970-01-01')
    WHERE s.succeeds
    GROUP BY s.full_table_name, s.day, s.finished_at
)
SELECT
    full_table_name,
    'run_time_to_recover' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    avg(seconds) AS metric_value,
    max(finished_at) AS updated_at
FROM recoveries
GROUP BY full_table_name, day
"""  # noqa: S608 - constants

# A day without an invocation leaves no row behind: only counting from the first day to the last shows it.
_INVOCATIONS = """
WITH invocations AS (
    SELECT
        upper(coalesce(nullif(trim(project_name), ''), 'dbt')) AS full_table_name,
        coalesce(try_cast(run_started_at AS TIMESTAMP), try_cast(generated_at AS TIMESTAMP), created_at) AS started_at,
        date_trunc('day', started_at) AS day
    FROM dbt_invocations
    WHERE isfinite(started_at)
    QUALIFY row_number() OVER (
        PARTITION BY coalesce(nullif(trim(invocation_id), ''), started_at::VARCHAR) ORDER BY created_at DESC NULLS LAST
    ) = 1
),
days AS (
    SELECT full_table_name, unnest(generate_series(min(day), max(day) - INTERVAL 1 DAY, INTERVAL 1 DAY)) AS day
    FROM invocations GROUP BY full_table_name
)
SELECT
    full_table_name,
    'invocations' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    d.day,
    count(i.started_at)::DOUBLE AS metric_value,
    coalesce(max(i.started_at), d.day + INTERVAL 1 DAY) AS updated_at
FROM days AS d LEFT JOIN invocations AS i USING (full_table_name, day)
GROUP BY full_table_name, d.day
"""

_MODEL_DAY = "one model, one day (UTC) with a run"

RUN_DEFINITIONS = (
    Definition(
        metrics=(
            Metric("execution_time", "s", "mean duration of the day's successful runs"),
            Metric(
                "execution_time_ratio",
                "ratio",
                "execution_time divided by its median over the 28 days with a run before, from 5 such days on",
                is_scored=False,
            ),
        ),
        grain=_MODEL_DAY,
        needs={"dbt_models": MODEL_COLUMNS, "dbt_run_results": (*_RUN_COLUMNS, "execution_time")},
        places=_PLACES,
        query=_EXECUTION_TIME,
    ),
    Definition(
        metrics=(Metric("rows_affected", "rows", "rows that the day's runs wrote, summed; complete days only"),),
        grain=_MODEL_DAY,
        needs={"dbt_models": MODEL_COLUMNS, "dbt_run_results": (*_RUN_COLUMNS, "rows_affected")},
        places=_PLACES,
        query=_ROWS_AFFECTED,
    ),
    Definition(
        metrics=(
            Metric(
                "success_rate", "%", "runs of the day that ended well; skipped ones are not among them", is_scored=False
            ),
            Metric("failed_runs", "runs", "runs of the day that failed, in part or with an unknown status too"),
        ),
        grain=_MODEL_DAY,
        needs={"dbt_models": MODEL_COLUMNS, "dbt_run_results": _RUN_COLUMNS},
        places=_PLACES,
        query=_SUCCESSES,
    ),
    Definition(
        metrics=(
            Metric(
                "run_time_to_recover",
                "s",
                "mean time from the first failed run to the next successful one, of the failures that ended that day",
                is_scored=False,
            ),
        ),
        grain="one model, one day (UTC) on which a failure ended",
        needs={"dbt_models": MODEL_COLUMNS, "dbt_run_results": _RUN_COLUMNS},
        places=_PLACES,
        query=_RECOVERIES,
    ),
    Definition(
        metrics=(
            Metric(
                "invocations", "dbt commands", "dbt commands started that day, 0 where there were none; complete days"
            ),
        ),
        grain="one dbt project, whose name stands in full_table_name, one day (UTC) from the first to the last",
        needs={"dbt_invocations": ("invocation_id", "created_at", "generated_at", "run_started_at")},
        useful={"dbt_invocations": ("project_name",)},
        query=_INVOCATIONS,
    ),
)
