"""What each stored verdict's run saw of the metrics: its window, its buckets, its history, in DuckDB's SQL."""

from __future__ import annotations

from airflow_provider_elementary.anomalies.elementary.rule import SEASON, SIGNED_METRICS, SPIKES_ONLY_METRICS
from airflow_provider_elementary.elementary_schema.statuses import status_sql

TESTED_TABLES = """
CREATE TEMP TABLE judged_tables AS
SELECT DISTINCT upper(concat_ws('.', nullif(database_name, ''), schema_name, table_name)) AS full_table_name
FROM elementary_test_results
"""

# Of a passing dimension test Elementary keeps only the arguments: the rest comes from the run's variables.
CONFIGURED = """
SELECT DISTINCT r.test_params, r.test_sub_type = 'generic' AS is_generic, CASE WHEN is_generic THEN i.vars END AS vars
FROM elementary_test_results AS r LEFT JOIN dbt_invocations AS i USING (invocation_id)
"""

JUDGED = f"""
CREATE TEMP TABLE judged AS
WITH results AS (
    SELECT
        * REPLACE ({status_sql("status")} AS status, trim(severity) AS severity),
        test_sub_type = 'generic' AS is_generic,
        upper(concat_ws('.', nullif(database_name, ''), schema_name, table_name)) AS full_table_name
    FROM elementary_test_results
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY created_at DESC) = 1
),
runs AS (
    SELECT
        invocation_id,
        TRY_CAST(run_started_at AS TIMESTAMP) AS started_at,
        TRY_CAST(run_completed_at AS TIMESTAMP) AS completed_at,
        vars
    FROM dbt_invocations
    QUALIFY row_number() OVER (PARTITION BY invocation_id ORDER BY run_started_at DESC) = 1
),
-- What a run's own results say of full refreshes is written after its tests.
refreshes AS (
    SELECT r.id, max(TRY_CAST(b.generated_at AS TIMESTAMP)) AS refreshed_at
    FROM results AS r
    JOIN dbt_run_results AS b
        ON b.full_refresh
        AND b.unique_id = r.model_unique_id
        AND b.invocation_id <> r.invocation_id
        AND b.created_at < r.created_at
    GROUP BY r.id
),
materializations AS (
    SELECT r.id, b.materialization
    FROM results AS r
    ASOF JOIN (FROM dbt_run_results WHERE materialization IS NOT NULL) AS b
        ON b.unique_id = r.model_unique_id AND b.created_at < r.created_at
)
SELECT
    r.id,
    r.test_execution_id,
    r.test_unique_id,
    r.status,
    r.severity,
    r.failures,
    r.detected_at,
    date_trunc('second', r.detected_at) + INTERVAL 1 SECOND AS told_at,
    r.created_at,
    r.full_table_name,
    upper(r.column_name) AS column_name,
    CASE WHEN r.is_generic THEN 'dimension' ELSE r.test_sub_type END AS metric_name,
    c.configuration,
    c.metric_properties,
    c.has_timestamp,
    c.assumption,
    n.completed_at,
    epoch_us(n.started_at) AS run_starts,
    epoch_us(n.started_at) // 1000000 * 1000000 - p.delay_microseconds AS run_ends,
    epoch_us(
        date_trunc(
            p.period,
            date_trunc('day', make_timestamp(run_ends) - to_days(p.days_back::INTEGER)) + to_days(p.week_shift)
        ) - to_days(p.week_shift)
    ) AS run_opens,
    coalesce(k.materialization, m.materialization) AS built_as,
    CASE WHEN built_as = 'incremental' THEN f.refreshed_at END AS refreshed_at,
    coalesce(starts_with(r.model_unique_id, 'model.') AND built_as <> 'incremental', FALSE) AS is_rebuilt,
    -- Of a column that the test leaves out it judges what other tests measured before.
    coalesce(r.test_short_name = 'all_columns_anomalies', FALSE) AND (
        coalesce(TRY(regexp_matches(r.column_name, '^(' || nullif(r.test_params ->> 'exclude_regexp', '') || ')', 'i')),
            FALSE)
        OR coalesce(TRY(regexp_matches(r.column_name, '^' || nullif(r.test_params ->> 'exclude_prefix', ''), 'i')),
            FALSE)
    ) AS is_left_out,
    CASE
        WHEN {{lacking}} IS NOT NULL THEN {{lacking}}
        WHEN r.status NOT IN ('pass', 'warn', 'fail') THEN 'the test was not completed: its status is ' || r.status
        WHEN r.is_generic AND (r.test_short_name IS DISTINCT FROM 'dimension_anomalies' OR r.status <> 'pass')
            THEN 'no bucket was scored: the verdict is that of dbt alone'
        WHEN c.problem IS NOT NULL THEN c.problem
        WHEN n.invocation_id IS NULL THEN 'when its run started is not known: dbt_invocations has no row of it'
        WHEN n.started_at IS NULL THEN 'when its run started is not known: its run_started_at is no time'
    END AS problem
FROM results AS r
LEFT JOIN runs AS n USING (invocation_id)
LEFT JOIN refreshes AS f USING (id)
LEFT JOIN materializations AS k USING (id)
LEFT JOIN (SELECT unique_id, any_value(materialization) AS materialization FROM dbt_models GROUP BY ALL) AS m
    ON m.unique_id = r.model_unique_id
LEFT JOIN configurations AS c
    ON c.test_params IS NOT DISTINCT FROM r.test_params
    AND c.is_generic = r.is_generic
    AND c.vars IS NOT DISTINCT FROM CASE WHEN r.is_generic THEN n.vars END
LEFT JOIN parameters AS p ON p.configuration = c.configuration
"""  # noqa: S608 - only constants of this package are put in

# A run sees what earlier ones stored, if its window and its bucket grid admit it, and of each bucket the newest value.
# Its own metrics are stored only after its tests, so they count by when they were computed; they are scored as they
# are: without an end, with an end in the future (weeks, on a Sunday), or off the grid, unless its model is built anew
# every time, whose metrics begin where the window does: those belong to another test. Where several tests of a run
# measured one bucket, only the row of the last of them is stored, right before the verdicts: it stands for all.
SEEN = """
CREATE TEMP VIEW seen AS
WITH stored AS (
    SELECT j.id, max(m.created_at) AS stored_at
    FROM (SELECT * FROM judged WHERE problem IS NULL) AS j
    JOIN (SELECT DISTINCT created_at FROM data_monitoring_metrics) AS m ON m.created_at <= j.created_at
    GROUP BY j.id
)
SELECT
    j.id AS elementary_test_results_id,
    j.test_execution_id,
    j.configuration,
    j.run_opens,
    j.run_ends,
    m.id AS metric_id,
    m.full_table_name,
    m.column_name,
    m.metric_name,
    m.metric_value,
    m.bucket_start,
    m.bucket_end,
    m.dimension,
    m.dimension_value,
    coalesce(m.bucket_start, m.bucket_end) AS metric_time_bucket,
    metric_time_bucket::DATE AS metric_date,
    m.updated_at >= j.told_at AS is_replaced,
    CASE
        WHEN p.period = 'month' THEN
            m.bucket_end = m.bucket_start + to_months(p.period_count::INTEGER)
            AND make_timestamp(j.run_opens) + to_months(
                datediff('month', make_timestamp(j.run_opens), m.bucket_start)::INTEGER
            ) = m.bucket_start
            AND datediff('month', make_timestamp(j.run_opens), m.bucket_start) % p.period_count = 0
        ELSE
            epoch_us(m.bucket_end) - epoch_us(m.bucket_start) = p.bucket_microseconds
            AND (epoch_us(m.bucket_start) - j.run_opens) % p.bucket_microseconds = 0
    END AS is_on_grid
FROM judged AS j
JOIN parameters AS p USING (configuration)
LEFT JOIN stored USING (id)
JOIN data_monitoring_metrics AS m
    ON upper(m.full_table_name) = j.full_table_name
    AND m.metric_name = j.metric_name
    AND m.metric_properties = j.metric_properties
    AND upper(m.column_name) IS NOT DISTINCT FROM j.column_name
WHERE j.problem IS NULL
    AND (m.created_at IS NULL OR m.created_at <= j.created_at)
    AND (
        m.updated_at < j.told_at
        OR (
            m.created_at = stored_at
            AND epoch_us(m.updated_at) >= j.run_starts
            AND m.updated_at <= j.completed_at
        )
    )
    AND CASE
        WHEN epoch_us(m.updated_at) >= j.run_starts THEN
            NOT j.is_left_out
            AND (
                m.bucket_end IS NULL
                OR (
                    epoch_us(m.bucket_end) > j.run_opens
                    AND (
                        NOT j.has_timestamp
                        OR (
                            (p.period = 'week' OR epoch_us(m.bucket_end) <= j.run_ends)
                            AND (is_on_grid OR NOT j.is_rebuilt)
                        )
                    )
                )
            )
        ELSE
            epoch_us(m.bucket_end) > j.run_opens
            AND (j.refreshed_at IS NULL OR m.updated_at > j.refreshed_at)
            AND (
                NOT j.has_timestamp
                OR (
                    epoch_us(m.bucket_start) >= j.run_opens AND epoch_us(m.bucket_end) <= j.run_ends AND is_on_grid
                )
            )
    END
QUALIFY row_number() OVER (PARTITION BY j.id, m.id ORDER BY m.updated_at DESC) = 1
"""

POINTS = f"""
CREATE TEMP TABLE points AS
SELECT
    s.* EXCLUDE (run_opens, run_ends, season, excludes_detection_period, backfill_microseconds),
    row_number() OVER () AS point,
    test_execution_id AS test,
    hash(elementary_test_results_id, dimension, dimension_value, season) AS series_a,
    hash(season, dimension_value, dimension, elementary_test_results_id) AS series_b,
    CASE WHEN abs(metric_value) < 1e150 THEN metric_value END AS value,
    metric_name IN {SIGNED_METRICS} AS signed,
    metric_name IN {SPIKES_ONLY_METRICS} AS spikes_only,
    -- A bucket without an end is never in the detection period, and so never anomalous and always trained on.
    epoch_us(bucket_end) AS ends,
    CASE WHEN excludes_detection_period AND ends > run_ends - backfill_microseconds THEN NULL ELSE value END AS trained
FROM (
    SELECT
        seen.*,
        excludes_detection_period,
        backfill_microseconds,
        {SEASON} AS season
    FROM seen JOIN parameters USING (configuration)
) AS s
WHERE NOT coalesce({{is_excluded}}, FALSE)
"""  # noqa: S608 - only constants of this package are put in
