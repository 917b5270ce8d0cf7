-- name: configured
-- The arguments of each test. Of a passing dimension test Elementary keeps only these: the rest comes from the run's
-- variables.
SELECT DISTINCT test_params, is_generic, vars FROM results

-- name: lacking
-- How many tests need the variables of a command that is not there: those of new rows, and all.
SELECT count(*) FILTER (WHERE is_new), count(*)
FROM (
    SELECT invocation_id, TRUE AS is_new FROM new_results
    WHERE test_type = 'anomaly_detection' AND test_sub_type = 'generic'
    UNION ALL SELECT invocation_id, FALSE FROM before WHERE unresolved IS NOT NULL
)
WHERE invocation_id NOT IN (SELECT invocation_id FROM dbt_invocations WHERE invocation_id IS NOT NULL)

-- name: results
-- What watched a series when it ran last, and what is known of its configuration; also tests whose variables were not
-- known before.
CREATE OR REPLACE TEMP TABLE results AS
WITH watched AS (
    SELECT
        upper(concat_ws('.', nullif(database_name, ''), schema_name, table_name)) AS full_table_name,
        upper(nullif(column_name, '')) AS column_name,
        CASE WHEN test_sub_type = 'generic' THEN 'dimension' ELSE test_sub_type END AS metric_name,
        test_short_name AS test_name,
        test_unique_id AS test_id,
        invocation_id,
        coalesce(detected_at, created_at) AS ran_at,
        created_at,
        test_params,
        test_sub_type = 'generic' AS is_generic
    FROM new_results
    WHERE test_type = 'anomaly_detection'
        AND table_name IS NOT NULL
        AND test_sub_type IS NOT NULL
        AND (test_sub_type <> 'generic' OR test_short_name = 'dimension_anomalies')
    UNION ALL BY NAME
    SELECT
        full_table_name, column_name, metric_name, test_name, test_id, invocation_id, ran_at, created_at,
        unresolved AS test_params, true AS is_generic
    FROM before WHERE unresolved IS NOT NULL
),
runs AS (SELECT invocation_id, max(vars) AS vars FROM dbt_invocations WHERE invocation_id IS NOT NULL GROUP BY ALL)
SELECT
    w.*,
    CASE WHEN is_generic THEN r.vars END AS vars,
    CASE WHEN is_generic AND r.invocation_id IS NULL AND w.invocation_id IS NOT NULL AND {has_commands}
        THEN test_params END AS unresolved
FROM watched AS w LEFT JOIN runs AS r USING (invocation_id)
QUALIFY row_number() OVER (
    PARTITION BY
        full_table_name, column_name, metric_name, test_name, test_id, test_params, is_generic, vars,
        CASE WHEN unresolved IS NOT NULL THEN w.invocation_id END
    ORDER BY ran_at DESC NULLS LAST, w.invocation_id DESC, created_at DESC
) = 1

-- name: newest
-- Of each test of each series the newest result, and those of runs whose variables may come later.
SELECT * FROM (
    SELECT
        r.full_table_name, r.column_name, r.metric_name, c.metric_properties, r.test_name, p.* EXCLUDE (configuration),
        r.test_id, r.invocation_id, r.ran_at, r.created_at, r.unresolved
    FROM results AS r
    JOIN configurations AS c
        ON c.test_params IS NOT DISTINCT FROM r.test_params
        AND c.is_generic = r.is_generic
        AND c.vars IS NOT DISTINCT FROM r.vars
    JOIN parameters AS p USING (configuration)
    UNION ALL BY NAME FROM before WHERE unresolved IS NULL
) AS found
QUALIFY row_number() OVER (
    PARTITION BY
        full_table_name, column_name, metric_name, metric_properties, test_name, test_id,
        CASE WHEN unresolved IS NOT NULL THEN invocation_id END
    ORDER BY ran_at DESC NULLS LAST, invocation_id DESC, anomaly_sensitivity, created_at DESC, found
) = 1
ORDER BY ALL

-- name: of_newest_run
-- Of each series, the tests of its newest run: the strictest of them counts.
WITH runs AS (
    SELECT *, first_value(invocation_id) OVER (
        PARTITION BY full_table_name, column_name, metric_name, metric_properties
        ORDER BY ran_at DESC NULLS LAST, invocation_id DESC
    ) AS newest FROM tests
)
SELECT * REPLACE (
    {period: time_bucket, count: time_bucket_count} AS time_bucket,
    {period: 'hour', count: detection_delay} AS detection_delay
)
FROM runs WHERE invocation_id IS NOT DISTINCT FROM newest
QUALIFY row_number() OVER (
    PARTITION BY full_table_name, column_name, metric_name, metric_properties
    ORDER BY anomaly_sensitivity, test_name, test_id
) = 1
ORDER BY full_table_name, column_name, metric_name, metric_properties
