-- The comparison with Elementary's stored verdicts, one statement per section. parity.py replaces names in braces.

-- name: tested_tables
-- The tables that have anomaly tests: metrics of other tables are not read.
CREATE TEMP TABLE tested_tables AS
SELECT DISTINCT upper(concat_ws('.', nullif(database_name, ''), schema_name, table_name)) AS full_table_name
FROM elementary_test_results

-- name: configured
-- The arguments of each test. Of a passing dimension test Elementary keeps only these: the rest comes from the run's
-- variables.
SELECT DISTINCT r.test_params, r.test_sub_type = 'generic' AS is_generic, CASE WHEN is_generic THEN i.vars END AS vars
FROM elementary_test_results AS r LEFT JOIN dbt_invocations AS i USING (invocation_id)

-- name: test_results
-- The stored verdicts, each with its run, its configuration, and the reason why it cannot be recomputed.
CREATE TEMP TABLE test_results AS
WITH results AS (
    SELECT
        * REPLACE ({status} AS status, trim(severity) AS severity),
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
    date_trunc('second', r.detected_at) + INTERVAL 1 SECOND AS stored_from,
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
    -- For a column that the test leaves out, the run scored what other tests had measured before.
    coalesce(r.test_short_name = 'all_columns_anomalies', FALSE) AND (
        coalesce(TRY(regexp_matches(r.column_name, '^(' || nullif(r.test_params ->> 'exclude_regexp', '') || ')', 'i')),
            FALSE)
        OR coalesce(TRY(regexp_matches(r.column_name, '^' || nullif(r.test_params ->> 'exclude_prefix', ''), 'i')),
            FALSE)
    ) AS is_left_out,
    CASE
        WHEN {lacking} IS NOT NULL THEN {lacking}
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

-- name: seen
-- The metrics that each test's run read. A run reads what earlier runs stored, if it is within its window and on its
-- bucket grid, and the newest value of each bucket. Its own metrics are stored only after its tests, so they count by the
-- time at which they were computed; they are scored as they are (without an end, with an end in the future as for weeks on
-- a Sunday, or off the grid), unless its model is rebuilt every time: then metrics off the grid belong to another test.
-- Where several tests of a run measured one bucket, only the row of the last of them is stored, right before the verdicts.
CREATE TEMP VIEW seen AS
WITH stored AS (
    SELECT j.id, max(m.created_at) AS stored_at
    FROM (SELECT * FROM test_results WHERE problem IS NULL) AS j
    JOIN (SELECT DISTINCT created_at FROM data_monitoring_metrics) AS m ON m.created_at <= j.created_at
    GROUP BY j.id
),
-- The metrics of each test's series that were stored by then, or that its own run measured.
candidates AS (
    SELECT
        j.*,
        p.period,
        m.id AS metric_id,
        m.full_table_name AS measured_table,
        m.column_name AS measured_column,
        m.metric_value,
        m.bucket_start,
        m.bucket_end,
        epoch_us(m.bucket_start) AS starts,
        epoch_us(m.bucket_end) AS ends,
        m.dimension,
        m.dimension_value,
        m.updated_at,
        coalesce(epoch_us(m.updated_at) >= j.run_starts, FALSE) AS is_of_run,
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
    FROM test_results AS j
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
            m.updated_at < j.stored_from
            OR (m.created_at = stored_at AND is_of_run AND m.updated_at <= j.completed_at)
        )
),
of_run AS (
    SELECT * FROM candidates
    WHERE is_of_run
        AND NOT is_left_out
        AND (bucket_end IS NULL OR ends > run_opens)
        AND (
            bucket_end IS NULL
            OR NOT has_timestamp
            OR ((period = 'week' OR ends <= run_ends) AND (is_on_grid OR NOT is_rebuilt))
        )
),
of_earlier_runs AS (
    SELECT * FROM candidates
    WHERE NOT is_of_run
        AND ends > run_opens
        AND (refreshed_at IS NULL OR updated_at > refreshed_at)
        AND (NOT has_timestamp OR (starts >= run_opens AND ends <= run_ends AND is_on_grid))
)
SELECT
    id AS elementary_test_results_id,
    test_execution_id,
    configuration,
    run_opens,
    run_ends,
    metric_id,
    measured_table AS full_table_name,
    measured_column AS column_name,
    metric_name,
    metric_value,
    bucket_start,
    bucket_end,
    dimension,
    dimension_value,
    coalesce(bucket_start, bucket_end) AS metric_time_bucket,
    metric_time_bucket::DATE AS metric_date,
    updated_at >= stored_from AS is_replaced,
    is_on_grid
FROM (FROM of_run UNION ALL FROM of_earlier_runs)
QUALIFY row_number() OVER (PARTITION BY id, metric_id ORDER BY updated_at DESC) = 1

-- name: points
-- What the rule reads, see rule.py: one row per test and bucket.
CREATE TEMP TABLE points AS
SELECT
    s.* EXCLUDE (run_opens, run_ends, season, excludes_detection_period, backfill_microseconds),
    row_number() OVER () AS point,
    test_execution_id AS test,
    hash(elementary_test_results_id, dimension, dimension_value, season) AS series_a,
    hash(season, dimension_value, dimension, elementary_test_results_id) AS series_b,
    CASE WHEN abs(metric_value) < 1e150 THEN metric_value END AS value,
    metric_name IN {signed_metrics} AS signed,
    metric_name IN {spikes_only_metrics} AS spikes_only,
    -- A bucket without an end is never in the detection period, and so never anomalous and always trained on.
    epoch_us(bucket_end) AS ends,
    CASE WHEN excludes_detection_period AND ends > run_ends - backfill_microseconds THEN NULL ELSE value END AS trained
FROM (
    SELECT
        seen.*,
        excludes_detection_period,
        backfill_microseconds,
        {season} AS season
    FROM seen JOIN parameters USING (configuration)
) AS s
WHERE NOT coalesce({is_excluded}, FALSE)

-- name: scored
-- The buckets that have a score; only those that Elementary would store are kept.
CREATE TEMP VIEW scored AS
SELECT *, coalesce({is_kept}, FALSE) AS is_kept
FROM (
    SELECT
        *,
        average AS training_avg,
        deviation AS training_stddev,
        training_size AS training_set_size,
        score AS anomaly_score
    FROM verdicts
    WHERE value IS NOT NULL AND average IS NOT NULL
)

-- name: answers
-- Elementary counts the anomalies of each metric, and dbt those of the whole test. A metric without any passes; to the
-- others goes the status of the test. A warning is a failure where dbt runs with --warn-error.
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
    FROM test_results AS j
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

-- name: comparison
-- The stored verdicts beside the recomputed ones.
WITH explained AS (
    SELECT
        *,
        coalesce(failures, CASE WHEN status = answer THEN anomalies WHEN status = 'pass' THEN 0 ELSE anomalies END)
            AS stored_anomalies,
        anomalies = stored_anomalies AND answer = status AS is_same,
        CASE
            WHEN problem IS NOT NULL THEN problem
            WHEN buckets IS NULL THEN 'no metrics of this test are left as its run saw them'
            WHEN ended = 0 THEN 'no bucket that its run scored has an end, so their order is not known'
            WHEN NOT is_same AND assumption IS NOT NULL THEN assumption || ', under which it would not pass'
            WHEN NOT is_same AND replaced > 0 THEN format(
                'the values of {} of its {} buckets are those that a later test of its run measured',
                replaced, buckets
            )
            WHEN NOT is_same AND anomalies = stored_anomalies AND NOT coalesce(is_declared, FALSE)
                THEN 'its anomalies are as stored, but what warn_if and error_if its run went by is not known'
        END AS doubt,
        format('{} of {} buckets anomalous', anomalies, buckets)
            || coalesce(format(', largest score {:.3f}', largest), ', none with enough history') AS found
    FROM answers
)
SELECT
    id AS elementary_test_results_id,
    status AS stored,
    CASE WHEN doubt IS NULL THEN answer END AS recomputed,
    CASE WHEN doubt IS NOT NULL THEN 'cannot tell' WHEN is_same THEN 'agree' ELSE 'disagree' END AS agreement,
    CASE
        WHEN doubt IS NOT NULL THEN doubt
        WHEN is_same THEN found || coalesce('; ' || assumption, '')
        ELSE format('{}; Elementary stored {}', found, stored_anomalies)
    END AS reason
FROM explained
ORDER BY detected_at, id
