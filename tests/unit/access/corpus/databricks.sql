-- The corpus of the SQL guard for databricks; postgres.sql says how to read it.

-- > allowed: dbt_models
SELECT * FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM Elementary.DBT_Models;

-- > allowed: dbt_models
SELECT name FROM `analytics`.`elementary`.`dbt_models` m

-- > allowed: elementary_test_results
SELECT status, count(*) AS n, count_if(severity = "ERROR"), approx_count_distinct(test_name)
FROM elementary_test_results WHERE detected_at >= current_timestamp() - INTERVAL 7 DAYS
GROUP BY ALL ORDER BY n DESC LIMIT 5

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results
QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY created_at DESC) = 1

-- > allowed: dbt_models
SELECT get_json_object(meta, '$.owner'), meta:owner.email, from_json(tags, 'array<string>')[0], size(split(path, '/'))
FROM dbt_models

-- > allowed: dbt_invocations
SELECT date_trunc('DAY', created_at), datediff(DAY, to_timestamp(run_started_at), created_at),
       date_format(created_at, 'yyyy-MM-dd'), to_date(generated_at), date_add(current_date(), 1), year(created_at)
FROM dbt_invocations

-- > allowed: dbt_models
SELECT nvl(name, ''), if(name = 'x', 1, 0), try_cast(name AS INT), name::double, concat_ws('-', name, alias),
       regexp_extract(path, r'models/(\w+)', 1), element_at(split(path, '/'), 1)
FROM dbt_models

-- > allowed: dbt_models
SELECT collect_list(name), percentile_approx(length(name), 0.5), transform(split(path, '/'), x -> upper(x)) FROM dbt_models
GROUP BY package_name, path

-- > allowed: dbt_models
SELECT * EXCEPT (meta) FROM dbt_models

-- > allowed: dbt_models, dbt_tests
SELECT m.name FROM dbt_models m LEFT SEMI JOIN dbt_tests t ON t.parent_model_unique_id = m.unique_id

-- > allowed: dbt_models, dbt_tests
SELECT m.name FROM dbt_models m LEFT ANTI JOIN dbt_tests t ON t.parent_model_unique_id = m.unique_id

-- > allowed: dbt_models
WITH recent AS (SELECT name FROM dbt_models) SELECT * FROM RECENT

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name RLIKE '^stg_' AND name <=> alias AND description = 'it\'s'

-- > allowed: dbt_models
SELECT named_struct('a', name).a, map('k', name)['k'], array(1, 2)[0] FROM dbt_models

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models UNION ALL SELECT name FROM dbt_seeds

-- > allowed: data_monitoring_metrics
SELECT full_table_name, avg(metric_value) FILTER (WHERE metric_name = 'row_count') FROM data_monitoring_metrics
GROUP BY full_table_name WITH ROLLUP

-- > refused: is not a table of the Elementary schema
SELECT * FROM users

-- > refused: not of the schema 'raw'
SELECT * FROM raw.users

-- > refused: not of the database 'main'
SELECT * FROM main.elementary.dbt_models

-- > refused: not of the schema 'parquet'
SELECT * FROM parquet.`/mnt/raw/users`

-- > refused: not of the schema 'delta'
SELECT * FROM delta.`s3://bucket/raw`

-- > refused: not of the schema 'csv'
SELECT * FROM csv.`/etc/passwd`

-- > refused: is not a table of the Elementary schema
SELECT * FROM `elementary.dbt_models`

-- > refused: is not a table of the Elementary schema
SELECT * FROM `/mnt/x`

-- > refused: not of the schema 'information_schema'
SELECT * FROM system.information_schema.tables

-- > refused: not of the schema 'raw'
WITH dbt_models AS (SELECT * FROM raw.users) SELECT * FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT transform(array(1), x -> (SELECT max(email) FROM raw.users)) FROM dbt_models

-- > refused: SELECT or WITH
FROM raw.users SELECT email

-- > refused: not of the schema 'raw'
SELECT 1 UNION FROM raw.users SELECT email

-- > refused: 'read_files'
SELECT * FROM read_files('/mnt/raw')

-- > refused: 'table_changes'
SELECT * FROM table_changes('raw.users', 1)

-- > refused: 'identifier'
SELECT * FROM IDENTIFIER('raw.users')

-- > refused: 'identifier'
SELECT * FROM IDENTIFIER('raw' || '.users')

-- > refused: 'range'
SELECT * FROM range(1000000000)

-- > allowed: dbt_models
SELECT * FROM dbt_models LATERAL VIEW posexplode(split(tags, ',')) t AS p, x

-- > allowed: dbt_models
SELECT explode(split(tags, ',')) FROM dbt_models

-- > refused: 'java_method'
SELECT java_method('java.lang.Runtime', 'getRuntime')

-- > refused: 'reflect'
SELECT reflect('java.lang.System', 'getenv')

-- > refused: 'ai_query'
SELECT ai_query('m', name) FROM dbt_models

-- > refused: 'secret'
SELECT secret('scope', 'key')

-- > refused: 'http_request'
SELECT http_request(conn => 'x', method => 'GET', path => '/')

-- > refused: 'sequence'
SELECT sequence(1, 1000000000)

-- > refused: 'my_udf'
SELECT elementary.my_udf(name) FROM dbt_models

-- > refused: 'lower'
SELECT `lower`(name) FROM dbt_models

-- > refused: 'current_user'
SELECT current_user()

-- > refused: Query Transform
SELECT TRANSFORM (name) USING 'cat' FROM dbt_models

-- > refused: time travel
SELECT * FROM dbt_models VERSION AS OF 1

-- > refused: time travel
SELECT * FROM dbt_models TIMESTAMP AS OF '2026-01-01'

-- > refused: stages, variables and versions
SELECT * FROM dbt_models@v1

-- > refused: that some warehouses execute
SELECT /*+ BROADCAST(m) */ name FROM dbt_models m

-- > refused: sampl
SELECT * FROM dbt_models TABLESAMPLE (10 PERCENT)

-- > refused: PIVOT
SELECT * FROM dbt_run_results PIVOT (count(name) FOR status IN ('a'))

-- > refused: only tables
SELECT * FROM STREAM dbt_models

-- > refused: dollar quotes
SELECT ${x} FROM dbt_models

-- > refused: bind placeholders
SELECT * FROM dbt_models WHERE name = :name

-- > refused: backslash before a quote
SELECT r'\' FROM raw.users --' FROM dbt_models

-- > refused: triple quotes
SELECT """x""" FROM dbt_models

-- > refused: stages and files
SELECT * FROM "dbt_models"

-- > refused: SELECT or WITH
DESCRIBE EXTENDED dbt_models

-- > refused: SELECT or WITH
SHOW TABLES

-- > refused: SELECT or WITH
OPTIMIZE dbt_models

-- > refused: SELECT or WITH
CACHE TABLE raw.users

-- > refused: SELECT or WITH
ADD JAR '/x.jar'

-- > refused: SELECT or WITH
EXPLAIN SELECT 1

-- > refused: INSERT is not allowed
WITH x AS (SELECT 1) INSERT INTO dbt_models SELECT * FROM x

-- > refused: more than one
SET x = 1; SELECT 1

-- > allowed: dbt_models
SELECT exists(split(tags, ','), x -> x = 'a'), filter(split(tags, ','), x -> x <> '') FROM dbt_models

-- > allowed: dbt_invocations
SELECT date_sub(current_date(), 7), months_between(current_date(), created_at), DATE '2026-01-01' + INTERVAL 1 DAY FROM dbt_invocations

-- > refused: EXISTS takes a query
SELECT exists(split(tags, ','), raw.f) FROM dbt_models
