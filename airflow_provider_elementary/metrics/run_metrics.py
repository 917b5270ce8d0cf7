"""Declares the metrics of dbt runs: duration, rows, failures, recovery, invocations."""

from __future__ import annotations

from functools import partial

import pyarrow as pa

from airflow_provider_elementary.elementary_schema.nodes import places_sql
from airflow_provider_elementary.elementary_schema.statuses import level_sql, ran_sql, status_sql
from airflow_provider_elementary.metrics.definitions import (
    MODEL_COLUMNS,
    Definition,
    Metric,
    place_columns,
    together,
)
from airflow_provider_elementary.metrics.facts import DAYS_BACK, Fact
from airflow_provider_elementary.metrics.place_facts import CLAIMS, INVOCATIONS

_RUN_COLUMNS = ("model_execution_id", "unique_id", "generated_at", "created_at", "status")
_PLACES = together(place_columns("dbt_models"), {"dbt_run_results": ("invocation_id",)})

# generated_at is UTC; created_at is in the time zone of the session that wrote it, and only stands in for it.
_FINISHED_AT = "coalesce(try_cast(generated_at AS TIMESTAMP), created_at)"
_RUNS = Fact(
    name="run_executions",
    columns={
        "level": pa.string(),
        "succeeded": pa.bool_(),
        "execution_time": pa.float64(),
        "rows_affected": pa.float64(),
    },
    happened={"dbt_run_results": _FINISHED_AT},
    reads={"dbt_run_results": (*_RUN_COLUMNS, "execution_time", "rows_affected")},
    query=f"""
WITH acted AS (
    SELECT DISTINCT unique_id, invocation_id FROM dbt_run_results SEMI JOIN dbt_models USING (unique_id)
),
{places_sql(("dbt_models",))}
SELECT
    coalesce(nullif(trim(model_execution_id), ''), concat_ws('|', r.unique_id, r.invocation_id, happened_at)) AS key,
    full_table_name,
    date_trunc('day', happened_at) AS day,
    happened_at,
    created_at,
    {level_sql("status_name")} AS level,
    {ran_sql("status_name")} AND level = 'good' AS succeeded,
    execution_time,
    rows_affected
FROM (SELECT *, {status_sql("status")} AS status_name, {_FINISHED_AT} AS happened_at FROM dbt_run_results) AS r
JOIN places AS p ON p.unique_id = r.unique_id AND p.invocation_id IS NOT DISTINCT FROM r.invocation_id
WHERE level <> 'skipped' AND isfinite(happened_at)
""",  # noqa: S608 - constants
)

# The median is of the days before, and only of as many as make one: the day itself is not in it.
_EXECUTION_TIME = f"""
WITH daily AS (
    SELECT full_table_name, day, max(happened_at) AS updated_at, avg(execution_time) AS execution_time
    FROM run_executions WHERE succeeded GROUP BY ALL
),
compared AS (
    SELECT
        *,
        CASE WHEN count(execution_time) OVER past >= 5 THEN execution_time / nullif(median(execution_time) OVER past, 0)
        END AS execution_time_ratio
    FROM daily
    WINDOW past AS (
        PARTITION BY full_table_name ORDER BY day
        RANGE BETWEEN INTERVAL {DAYS_BACK} DAYS PRECEDING AND INTERVAL 1 DAY PRECEDING
    )
)
SELECT full_table_name, metric_name, NULL AS dimension, NULL AS dimension_value, day, metric_value, updated_at
FROM (UNPIVOT compared ON execution_time, execution_time_ratio INTO NAME metric_name VALUE metric_value)
"""  # noqa: S608 - constants

# A day of which dbt has not seen the end may still gain rows, and would look like a drop.
_ROWS_AFFECTED = f"""
WITH days AS (
    SELECT day, lead(day) OVER (ORDER BY day) AS next_day FROM (SELECT DISTINCT day FROM run_executions)
)
SELECT
    full_table_name,
    'rows_affected' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    sum(rows_affected) AS metric_value,
    max(happened_at) AS updated_at
FROM run_executions JOIN days USING (day)
WHERE next_day <= day + INTERVAL {DAYS_BACK} DAYS
GROUP BY full_table_name, day
HAVING metric_value IS NOT NULL
"""  # noqa: S608 - constants

_SUCCESSES = """
WITH daily AS (
    SELECT
        full_table_name,
        day,
        max(happened_at) AS updated_at,
        100.0 * count(*) FILTER (WHERE level = 'good') / count(*) AS success_rate,
        count(*) FILTER (WHERE level = 'failing')::DOUBLE AS failed_runs
    FROM run_executions GROUP BY ALL
)
SELECT full_table_name, metric_name, NULL AS dimension, NULL AS dimension_value, day, metric_value, updated_at
FROM (UNPIVOT daily ON success_rate, failed_runs INTO NAME metric_name VALUE metric_value)
"""

# A failure lasts from the first failed run to the next one that succeeds; it counts on the day on which it ends.
_RECOVERIES = f"""
WITH failures AS (
    SELECT
        *,
        level <> 'failing' AS succeeds,
        max(CASE WHEN level <> 'failing' THEN happened_at END) OVER earlier AS last_success
    FROM run_executions
    WINDOW earlier AS (
        PARTITION BY full_table_name ORDER BY happened_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
recoveries AS (
    SELECT
        s.full_table_name,
        s.day,
        s.happened_at,
        epoch(s.happened_at) - epoch(min(f.happened_at)) AS seconds
    FROM failures AS s
    JOIN failures AS f
        ON f.full_table_name = s.full_table_name
        AND NOT f.succeeds
        AND f.day >= s.day - INTERVAL {DAYS_BACK} DAYS
        AND f.happened_at < s.happened_at
        AND f.happened_at > coalesce(s.last_success, TIMESTAMP '1970-01-01')
    WHERE s.succeeds
    GROUP BY s.full_table_name, s.day, s.happened_at
)
SELECT
    full_table_name,
    'run_time_to_recover' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    day,
    avg(seconds) AS metric_value,
    max(happened_at) AS updated_at
FROM recoveries
GROUP BY full_table_name, day
"""  # noqa: S608 - constants

# A day without an invocation leaves no row behind: only counting from one day to the next shows it.
_INVOCATIONS = f"""
WITH counted AS (
    SELECT
        full_table_name,
        day,
        count(*) AS invocations,
        max(happened_at) AS updated_at,
        lead(day) OVER (PARTITION BY full_table_name ORDER BY day) AS next_day
    FROM invocations GROUP BY full_table_name, day
),
days AS (
    SELECT full_table_name, unnest(generate_series(day, next_day - INTERVAL 1 DAY, INTERVAL 1 DAY)) AS day
    FROM counted WHERE next_day <= day + INTERVAL {DAYS_BACK} DAYS
)
SELECT
    full_table_name,
    'invocations' AS metric_name,
    NULL AS dimension,
    NULL AS dimension_value,
    d.day,
    coalesce(invocations, 0)::DOUBLE AS metric_value,
    coalesce(updated_at, d.day + INTERVAL 1 DAY) AS updated_at
FROM days AS d LEFT JOIN counted USING (full_table_name, day)
"""  # noqa: S608 - constants

_MODEL_DAY = "one model, one day (UTC) with a run"

#: What all metrics of runs of models are computed from.
_of_models = partial(
    Definition,
    places=_PLACES,
    facts=(_RUNS, INVOCATIONS, CLAIMS),
)

RUN_DEFINITIONS = (
    _of_models(
        metrics=(
            Metric("execution_time", "s", "mean duration of the day's successful runs"),
            Metric(
                "execution_time_ratio",
                "ratio",
                "execution_time divided by its median over the 35 days before, from 5 days with a run on",
                is_scored=False,
            ),
        ),
        grain=_MODEL_DAY,
        needs={"dbt_models": MODEL_COLUMNS, "dbt_run_results": (*_RUN_COLUMNS, "execution_time")},
        query=_EXECUTION_TIME,
    ),
    _of_models(
        metrics=(Metric("rows_affected", "rows", "rows that the day's runs wrote, summed; complete days only"),),
        grain=_MODEL_DAY,
        needs={"dbt_models": MODEL_COLUMNS, "dbt_run_results": (*_RUN_COLUMNS, "rows_affected")},
        query=_ROWS_AFFECTED,
    ),
    _of_models(
        metrics=(
            Metric(
                "success_rate", "%", "runs of the day that ended well; skipped ones are not among them", is_scored=False
            ),
            Metric("failed_runs", "runs", "runs of the day that failed, in part or with an unknown status too"),
        ),
        grain=_MODEL_DAY,
        needs={"dbt_models": MODEL_COLUMNS, "dbt_run_results": _RUN_COLUMNS},
        query=_SUCCESSES,
    ),
    _of_models(
        metrics=(
            Metric(
                "run_time_to_recover",
                "s",
                "mean time from the first failed run to the next successful one, of the failures that ended that day; "
                "at most 35 days",
                is_scored=False,
            ),
        ),
        grain="one model, one day (UTC) on which a failure ended",
        needs={"dbt_models": MODEL_COLUMNS, "dbt_run_results": _RUN_COLUMNS},
        query=_RECOVERIES,
    ),
    Definition(
        metrics=(
            Metric(
                "invocations",
                "dbt commands",
                "dbt commands started that day, 0 where there were none for at most 35 days; complete days",
            ),
        ),
        grain="one dbt project, whose name stands in full_table_name, one day (UTC) from the first to the last",
        needs={"dbt_invocations": ("invocation_id", "created_at", "generated_at", "run_started_at")},
        useful={"dbt_invocations": ("project_name",)},
        facts=(INVOCATIONS,),
        query=_INVOCATIONS,
    ),
)
