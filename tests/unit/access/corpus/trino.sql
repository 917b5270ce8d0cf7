-- The corpus of the SQL guard for trino; postgres.sql says how to read it.

-- > allowed: dbt_models
SELECT * FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM Analytics.Elementary."DBT_MODELS"

-- > allowed: elementary_test_results
SELECT status, count(*) AS n, count_if(severity = 'ERROR'), approx_distinct(test_name), approx_percentile(failures, 0.9)
FROM elementary_test_results WHERE detected_at >= current_timestamp - INTERVAL '7' DAY
GROUP BY status HAVING count(*) > 1 ORDER BY n DESC LIMIT 10

-- > allowed: dbt_run_results
SELECT * FROM (
    SELECT unique_id, status, row_number() OVER (PARTITION BY unique_id ORDER BY created_at DESC) AS nth FROM dbt_run_results
) r WHERE r.nth = 1

-- > allowed: dbt_models
SELECT json_extract_scalar(meta, '$.owner'), json_format(json_parse(tags)), json_value(meta, 'lax $.a'), split(path, '/')[1]
FROM dbt_models

-- > allowed: dbt_invocations
SELECT date_trunc('day', created_at), date_diff('minute', from_iso8601_timestamp(run_started_at), created_at),
       date_format(created_at, '%Y-%m-%d'), date_add('day', 1, created_at), extract(DOW FROM created_at), TIMESTAMP '2026-01-01 00:00:00'
FROM dbt_invocations

-- > allowed: dbt_models
SELECT try_cast(name AS bigint), try(cast(name AS double)), coalesce(name, ''), if(name = 'x', 1, 0),
       element_at(split(path, '/'), 1), transform(ARRAY[1, 2], x -> x + 1), filter(split(path, '/'), x -> x <> '')
FROM dbt_models

-- > allowed: dbt_models
SELECT max_by(name, generated_at), array_join(array_agg(name ORDER BY name), ','), listagg(name, ',') WITHIN GROUP (ORDER BY name)
FROM dbt_models

-- > allowed: dbt_models, dbt_tests
WITH t AS (SELECT parent_model_unique_id AS id, count(*) AS n FROM dbt_tests GROUP BY 1)
SELECT m.name, t.n FROM dbt_models m LEFT JOIN t ON t.id = m.unique_id OFFSET 2 LIMIT 5

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE regexp_like(name, '^stg_\d+') AND description = 'it''s'

-- > allowed: dbt_models
SELECT CAST(ROW(1, 'a') AS ROW(x bigint, y varchar)) FROM dbt_models

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models EXCEPT SELECT name FROM dbt_seeds

-- > refused: is not a table of the Elementary schema
SELECT * FROM users

-- > refused: not of the schema 'raw'
SELECT * FROM raw.users

-- > refused: not of the database 'hive'
SELECT * FROM hive.elementary.dbt_models

-- > refused: not of the schema 'runtime'
SELECT * FROM system.runtime.queries

-- > refused: not of the schema 'information_schema'
SELECT * FROM information_schema.tables

-- > refused: is not a table of the Elementary schema
SELECT * FROM "dbt_models$files"

-- > refused: is not a table of the Elementary schema
SELECT * FROM analytics.elementary."dbt_models$history"

-- > refused: not of the schema 'raw'
WITH dbt_models AS (SELECT * FROM raw.users) SELECT * FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT transform(ARRAY[1], x -> (SELECT max(email) FROM raw.users))

-- > refused: not of the schema 'raw'
SELECT name FROM dbt_models WHERE name = ALL (SELECT email FROM raw.users)

-- > refused: function
SELECT * FROM TABLE(postgres.system.query(query => 'select * from raw.users'))

-- > refused: function
SELECT * FROM TABLE(system.query('x'))

-- > refused: function
SELECT * FROM TABLE(exclude_columns(input => TABLE(raw.users), columns => DESCRIPTOR(a)))

-- > allowed:
SELECT * FROM UNNEST(ARRAY[1, 2]) AS t(x)

-- > allowed: dbt_models
SELECT * FROM dbt_models CROSS JOIN UNNEST(split(tags, ',')) AS t(x)

-- > refused: 'sequence'
SELECT sequence(1, 1000000)

-- > refused: time travel
SELECT * FROM dbt_models FOR VERSION AS OF 1

-- > refused: time travel
SELECT * FROM dbt_models FOR TIMESTAMP AS OF TIMESTAMP '2026-01-01 00:00:00'

-- > refused: function
WITH FUNCTION f() RETURNS int RETURN 1 SELECT f()

-- > refused: 'my_udf'
SELECT analytics.elementary.my_udf(name) FROM dbt_models

-- > refused: Current User
SELECT current_user

-- > refused: 'current_groups'
SELECT current_groups()

-- > refused: 'ai_gen'
SELECT ai_gen('x')

-- > refused: 'match_recognize'
SELECT * FROM dbt_run_results MATCH_RECOGNIZE (PATTERN (a) DEFINE a AS true)

-- > refused: 'bernoulli'
SELECT * FROM dbt_models TABLESAMPLE BERNOULLI (10)

-- > refused: SELECT or WITH
TABLE dbt_models

-- > refused: SELECT or WITH
VALUES 1, 2

-- > refused: SELECT or WITH
SHOW SCHEMAS

-- > refused: SELECT or WITH
EXPLAIN ANALYZE SELECT 1

-- > refused: SELECT or WITH
EXECUTE IMMEDIATE 'drop table x'

-- > refused: SELECT or WITH
CALL system.sync_partition_metadata('a', 'b', 'FULL')

-- > refused: SELECT or WITH
SET SESSION x = 1

-- > refused: bind placeholders
SELECT ? FROM dbt_models

-- > refused: prefix that touches a quote
SELECT U&'\0061' FROM dbt_models

-- > refused: backslash before a quote
SELECT '\' FROM raw.users --' FROM dbt_models

-- > refused: INSERT is not allowed
WITH x AS (SELECT 1) INSERT INTO dbt_models SELECT * FROM x

-- > allowed: data_monitoring_metrics
SELECT full_table_name, approx_percentile(metric_value, ARRAY[0.5, 0.9]), GROUPING(full_table_name) FROM data_monitoring_metrics GROUP BY GROUPING SETS ((full_table_name), ())

-- > allowed: dbt_models
SELECT reduce(ARRAY[1, 2], 0, (s, x) -> s + x, s -> s), zip_with(ARRAY[1], ARRAY[2], (a, b) -> a + b) FROM dbt_models

-- > allowed: dbt_invocations
SELECT created_at AT TIME ZONE 'UTC', day_of_week(created_at), current_date - INTERVAL '1' DAY FROM dbt_invocations

-- > allowed: dbt_run_results
SELECT name FROM dbt_run_results ORDER BY execution_time DESC FETCH FIRST 3 ROWS WITH TIES
