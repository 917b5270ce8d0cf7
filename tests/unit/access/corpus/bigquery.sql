-- The corpus of the SQL guard for bigquery; postgres.sql says how to read it.

-- > allowed: dbt_models
SELECT * FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM elementary.dbt_models;

-- > allowed: dbt_models
SELECT name FROM `elementary.dbt_models`

-- > allowed: dbt_models
SELECT name FROM `elementary`.`dbt_models` AS m

-- > allowed: dbt_models [database=my-project-1]
SELECT name FROM `my-project-1.elementary.dbt_models`

-- > allowed: dbt_models [database=my-project-1]
SELECT name FROM my-project-1.elementary.dbt_models m

-- > allowed: dbt_models, dbt_tests [database=my-project]
SELECT m.name FROM my-project.elementary.dbt_models m JOIN `my-project`.elementary.dbt_tests t ON t.name = m.name

-- > allowed: elementary_test_results
SELECT status, COUNT(*) AS n, COUNTIF(severity = "ERROR"), APPROX_COUNT_DISTINCT(test_name)
FROM elementary_test_results
WHERE created_at >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY)
GROUP BY status HAVING n > 1 ORDER BY n DESC LIMIT 10

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY unique_id ORDER BY created_at DESC) = 1

-- > allowed: dbt_models
SELECT JSON_VALUE(meta, '$.owner'), JSON_EXTRACT_SCALAR(meta, '$.a'), JSON_QUERY_ARRAY(tags), PARSE_JSON(meta).a.b
FROM dbt_models

-- > allowed: dbt_models
SELECT SAFE.PARSE_JSON(meta), SAFE_CAST(name AS INT64), CAST(name AS STRING), SAFE_DIVIDE(1, 0) FROM dbt_models

-- > allowed: dbt_invocations
SELECT TIMESTAMP_TRUNC(created_at, HOUR), DATE(created_at), DATE_DIFF(CURRENT_DATE(), DATE(created_at), DAY),
       FORMAT_TIMESTAMP('%F', created_at), EXTRACT(DAYOFWEEK FROM created_at), DATE_ADD(DATE '2026-01-01', INTERVAL 1 MONTH)
FROM dbt_invocations

-- > allowed: dbt_models
SELECT REGEXP_EXTRACT(path, r'models/(\w+)/'), REGEXP_CONTAINS(name, r"^stg_"), SPLIT(path, '/')[SAFE_OFFSET(0)]
FROM dbt_models

-- > allowed: dbt_models
SELECT * EXCEPT (meta, owner) REPLACE (UPPER(name) AS name) FROM dbt_models

-- > allowed: dbt_models
SELECT AS STRUCT name, path FROM dbt_models

-- > allowed: dbt_models
SELECT STRUCT(name AS a, path AS b), ARRAY_AGG(name IGNORE NULLS ORDER BY name LIMIT 3), [1, 2, 3] FROM dbt_models
GROUP BY name, path

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name IN UNNEST(['a', 'b']) OR name IN ('c')

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models UNION DISTINCT SELECT name FROM dbt_seeds

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models EXCEPT DISTINCT SELECT name FROM dbt_seeds

-- > allowed: dbt_models
WITH Recent AS (SELECT name FROM dbt_models) SELECT * FROM recent

-- > allowed: dbt_models
SELECT IF(name = 'x', 1, 0), IFNULL(name, ''), 'it\'s', "say \"hi\"" FROM dbt_models

-- > allowed: data_monitoring_metrics
SELECT APPROX_QUANTILES(metric_value, 100)[OFFSET(95)], PERCENTILE_CONT(metric_value, 0.5) OVER (PARTITION BY metric_name)
FROM data_monitoring_metrics

-- > allowed: dbt_models
SELECT (SELECT AS STRUCT m.name, m.path) FROM dbt_models m

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE description = '-- not a comment' /* but this */

-- > refused: is not a table of the Elementary schema
SELECT * FROM users

-- > refused: not of the schema 'raw'
SELECT * FROM raw.users

-- > refused: not of the schema 'raw'
SELECT * FROM `raw.users`

-- > refused: not of the schema 'Elementary'
SELECT * FROM Elementary.dbt_models

-- > refused: in this spelling
SELECT * FROM elementary.DBT_MODELS

-- > refused: not of the database 'other'
SELECT * FROM `other.elementary.dbt_models`

-- > refused: not of the database 'my-project' [database=none]
SELECT * FROM my-project.elementary.dbt_models

-- > refused: is not a table of the Elementary schema
SELECT * FROM `elementary.dbt_*`

-- > refused: _table_suffix is not allowed
SELECT * FROM elementary.`dbt_models*` WHERE _TABLE_SUFFIX = 's'

-- > refused: is not a table of the Elementary schema
SELECT * FROM `dbt_models$20260101`

-- > refused: is not a table of the Elementary schema
SELECT * FROM elementary.INFORMATION_SCHEMA.TABLES

-- > refused: not of the schema 'region-us'
SELECT * FROM `region-us`.INFORMATION_SCHEMA.JOBS

-- > refused: is not a table of the Elementary schema
SELECT * FROM INFORMATION_SCHEMA.SCHEMATA

-- > refused: is not a table of the Elementary schema
SELECT * FROM elementary.__TABLES__

-- > refused: a table function
SELECT * FROM `elementary.dbt_models.extra`.x

-- > refused: not of the schema 'raw'
WITH dbt_models AS (SELECT * FROM raw.users) SELECT * FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT ARRAY(SELECT email FROM raw.users) FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT * FROM dbt_models WHERE name IN UNNEST(ARRAY(SELECT email FROM raw.users))

-- > refused: not of the schema 'raw'
SELECT * EXCEPT (meta) REPLACE ((SELECT MAX(email) FROM raw.users) AS name) FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT IF(EXISTS (SELECT 1 FROM raw.users), 1, 0)

-- > refused: not of the schema 'raw'
SELECT STRUCT((SELECT email FROM `raw`.`users`) AS a)

-- > allowed: dbt_models
SELECT * FROM dbt_models, UNNEST(SPLIT(tags, ','))

-- > refused: disagree about which tables
SELECT * FROM dbt_models d, d.tags

-- > refused: 'external_query'
SELECT * FROM EXTERNAL_QUERY('conn', 'select * from raw.users')

-- > refused: TABLE is not allowed
SELECT * FROM ML.PREDICT(MODEL raw.m, TABLE raw.users)

-- > refused: TABLE is not allowed
SELECT * FROM VECTOR_SEARCH(TABLE raw.t, 'c', TABLE raw.q)

-- > refused: 'my_tvf'
SELECT * FROM elementary.my_tvf(1)

-- > refused: 'my_udf'
SELECT elementary.my_udf(name) FROM dbt_models

-- > refused: my_udf' is not on
SELECT `my-project.raw.my_udf`(name) FROM dbt_models

-- > refused: 'host'
SELECT NET.HOST(path) FROM dbt_models

-- > refused: not valid bigquery
SELECT raw.SAFE.PARSE_JSON(meta) FROM dbt_models

-- > refused: 'session_user'
SELECT SESSION_USER()

-- > refused: 'generate_array'
SELECT GENERATE_ARRAY(1, 1000000000)

-- > refused: 'error'
SELECT ERROR(name) FROM dbt_models

-- > refused: 'nextval'
SELECT NEXTVAL('x')

-- > refused: time travel
SELECT * FROM dbt_models FOR SYSTEM_TIME AS OF TIMESTAMP '2026-01-01 00:00:00'

-- > refused: 'system'
SELECT * FROM dbt_models TABLESAMPLE SYSTEM (10 PERCENT)

-- > refused: PIVOT is not allowed
SELECT * FROM dbt_run_results PIVOT (COUNT(name) FOR status IN ('a'))

-- > refused: pipe syntax
SELECT * FROM dbt_models |> JOIN raw.users USING (id)

-- > refused: SELECT or WITH
FROM dbt_models

-- > refused: stages, variables
SELECT @x

-- > refused: stages, variables
SELECT @@project_id

-- > refused: only -- and /* */
SELECT name FROM dbt_models # comment

-- > refused: only -- and /* */
#standardSQL
SELECT 1

-- > refused: triple quotes
SELECT '''it's''' FROM dbt_models

-- > refused: triple quotes
SELECT """ " FROM raw.users -- """

-- > refused: backslash before a quote
SELECT r'\' FROM raw.users --' FROM dbt_models

-- > refused: prefix that touches a quote
SELECT b'x', rb'y' FROM dbt_models

-- > refused: not valid bigquery
SELECT 'a''b' FROM dbt_models

-- > refused: SELECT or WITH
DECLARE x INT64

-- > refused: SELECT or WITH
EXECUTE IMMEDIATE 'select 1'

-- > refused: SELECT or WITH
EXPORT DATA OPTIONS (uri = 'gs://x/*') AS SELECT 1

-- > refused: SELECT or WITH
CREATE TEMP FUNCTION f() AS (1)

-- > refused: more than one
CREATE TEMP FUNCTION f() AS ((SELECT 1)); SELECT f()

-- > refused: SELECT or WITH
ASSERT TRUE

-- > refused: SELECT or WITH
CALL elementary.p()

-- > refused: SELECT or WITH
LOAD DATA INTO elementary.x FROM FILES (uris = ['gs://x'])

-- > refused: not a plain one
SELECT CAST(name AS GEOGRAPHY) FROM dbt_models

-- > refused: not valid bigquery
SELECT * FROM GRAPH_TABLE(raw.g MATCH (n) RETURN n.id)

-- > allowed: dbt_invocations
SELECT DATE_TRUNC(DATE(created_at), WEEK(MONDAY)), COUNT(DISTINCT invocation_id) FROM dbt_invocations GROUP BY 1

-- > allowed: dbt_models
SELECT ARRAY_AGG(STRUCT(name, path) ORDER BY name LIMIT 1)[OFFSET(0)].name FROM dbt_models

-- > allowed: dbt_models
SELECT TO_JSON_STRING(t), name AS `full name` FROM dbt_models t ORDER BY `full name`
