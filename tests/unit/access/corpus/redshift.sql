-- The corpus of the SQL guard for redshift; postgres.sql says how to read it.

-- > allowed: dbt_models
SELECT * FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM analytics.elementary.dbt_models;

-- > allowed: elementary_test_results
SELECT status, COUNT(*) AS n FROM elementary.elementary_test_results
WHERE detected_at >= DATEADD(day, -7, GETDATE()) GROUP BY status ORDER BY n DESC LIMIT 10

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results
QUALIFY ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY created_at DESC) = 1

-- > allowed: dbt_models
SELECT JSON_EXTRACT_PATH_TEXT(meta, 'owner'), NVL(name, ''), DECODE(name, 'x', 1, 0), LEN(name), SPLIT_PART(path, '/', 1)
FROM dbt_models

-- > allowed: dbt_models, dbt_tests
SELECT m.name, LISTAGG(t.short_name, ', ') WITHIN GROUP (ORDER BY t.short_name)
FROM dbt_models m JOIN dbt_tests t ON t.parent_model_unique_id = m.unique_id GROUP BY m.name

-- > allowed: dbt_invocations
SELECT DATEDIFF(minute, run_started_at::timestamp, created_at), DATE_TRUNC('day', created_at), CONVERT_TIMEZONE('UTC', created_at),
       DATE_PART(hour, created_at), LAST_DAY(created_at), TO_CHAR(created_at, 'YYYY-MM-DD')
FROM dbt_invocations

-- > allowed: dbt_models
SELECT TOP 10 name FROM dbt_models ORDER BY name

-- > allowed: dbt_run_results
SELECT MEDIAN(execution_time), PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY execution_time), APPROXIMATE COUNT(DISTINCT name)
FROM dbt_run_results

-- > allowed: dbt_models
WITH m AS (SELECT name, path FROM dbt_models) SELECT m.name, "m"."path" FROM m

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models MINUS SELECT name FROM dbt_seeds

-- > refused: is not a table of the Elementary schema
SELECT * FROM stl_query

-- > refused: is not a table of the Elementary schema
SELECT * FROM svv_tables

-- > refused: is not a table of the Elementary schema
SELECT * FROM pg_user

-- > refused: not of the schema 'raw'
SELECT * FROM raw.users

-- > refused: not of the schema 'spectrum'
SELECT * FROM spectrum.dbt_models

-- > refused: not of the database 'dev'
SELECT * FROM dev.elementary.dbt_models

-- > refused: in this spelling
SELECT * FROM "DBT_MODELS"

-- > refused: not of the schema 'raw'
WITH dbt_models AS (SELECT * FROM raw.users) SELECT * FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT name FROM dbt_models WHERE EXISTS (SELECT 1 FROM raw.users)

-- > refused: only -- and /* */
SELECT * INTO #tmp FROM dbt_models

-- > refused: INTO is not allowed
SELECT name INTO x FROM dbt_models

-- > refused: SELECT or WITH
UNLOAD ('SELECT * FROM dbt_models') TO 's3://bucket/x' IAM_ROLE default

-- > refused: SELECT or WITH
COPY dbt_models FROM 's3://bucket/x'

-- > refused: SELECT or WITH
CALL elementary.p()

-- > refused: SELECT or WITH
SET search_path TO raw

-- > refused: SELECT or WITH
VACUUM

-- > refused: SELECT or WITH
ALTER TABLE dbt_models APPEND FROM raw.users

-- > refused: 'pg_last_query_id'
SELECT pg_last_query_id()

-- > refused: 'f_udf'
SELECT f_udf(name) FROM dbt_models

-- > refused: 'f_udf'
SELECT raw.f_udf(name) FROM dbt_models

-- > refused: 'generate_series'
SELECT generate_series(1, 10)

-- > refused: 'current_setting'
SELECT current_setting('x')

-- > refused: 'explain_model'
SELECT explain_model('x')

-- > refused: disagree about which tables
SELECT * FROM dbt_models a, a.tags t

-- > refused: a field of an expression
SELECT a.meta[0].evil FROM dbt_models a

-- > refused: a dot could call
SELECT m.evil FROM dbt_models m

-- > refused: PIVOT is not allowed
SELECT * FROM dbt_run_results PIVOT (COUNT(name) FOR status IN ('a'))

-- > refused: CONNECT BY
SELECT name FROM dbt_models START WITH name = 'x' CONNECT BY PRIOR name = alias

-- > refused: backslash before a quote
SELECT 'it\'s' FROM dbt_models

-- > refused: backslash before a quote
SELECT '\' || (SELECT email FROM raw.users) --'

-- > refused: dollar quotes
SELECT $$ $$ FROM dbt_models

-- > refused: row locks
SELECT * FROM dbt_models FOR SHARE

-- > refused: object name
SELECT 'x'::regclass

-- > refused: INSERT is not allowed
WITH x AS (SELECT 1) INSERT INTO dbt_models SELECT * FROM x

-- > allowed: dbt_models
SELECT LISTAGG(name, ',') WITHIN GROUP (ORDER BY name) OVER (PARTITION BY package_name), IS_VALID_JSON(meta) FROM dbt_models

-- > allowed: dbt_invocations
SELECT GETDATE() - INTERVAL '1 day', EXTRACT(epoch FROM created_at), TO_CHAR(created_at, 'YYYY') FROM dbt_invocations

-- > allowed: dbt_run_results
SELECT unique_id, MEDIAN(execution_time) OVER (PARTITION BY name) FROM elementary.dbt_run_results r WHERE r.status SIMILAR TO '(a|b)%'
