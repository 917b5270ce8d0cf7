-- The corpus of the SQL guard for duckdb; postgres.sql says how to read it.

-- > allowed: dbt_models
SELECT * FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM elementary.dbt_models;

-- > allowed: dbt_models
SELECT name FROM analytics.elementary.dbt_models

-- > allowed: dbt_models
SELECT "Name" FROM "Elementary"."DBT_MODELS"

-- > allowed: dbt_run_results
SELECT status, count(*), median(execution_time), quantile_cont(execution_time, 0.95), arg_max(name, execution_time)
FROM dbt_run_results GROUP BY ALL ORDER BY ALL

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results
QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY created_at DESC) = 1

-- > allowed: dbt_models
SELECT * EXCLUDE (meta) REPLACE (upper(name) AS name) FROM dbt_models

-- > allowed: dbt_models
SELECT json_extract_string(meta, '$.owner'), meta::json ->> '$.a', meta::json -> 'b', json_array_length(tags)
FROM dbt_models

-- > allowed: dbt_invocations
SELECT date_trunc('day', created_at), date_diff('minute', run_started_at::timestamp, created_at),
       strftime(created_at, '%Y-%m'), created_at - INTERVAL 7 DAY, epoch(created_at), extract(hour FROM created_at)
FROM dbt_invocations

-- > allowed: dbt_models
SELECT length(name) // 2, name[1:3], string_split(path, '/')[1], list_contains(string_split(path, '/'), 'x')
FROM dbt_models

-- > allowed: dbt_models
SELECT list_transform(string_split(path, '/'), x -> upper(x)), list_filter([1, 2], x -> x > 1) FROM dbt_models

-- > allowed: dbt_models
SELECT TRY_CAST(name AS INTEGER), CAST(name AS DECIMAL(10, 2)), name::VARCHAR, NULL::INTEGER[] FROM dbt_models

-- > allowed: dbt_models, dbt_tests
SELECT m.name FROM dbt_models m SEMI JOIN dbt_tests t ON t.parent_model_unique_id = m.unique_id

-- > allowed: dbt_models, dbt_tests
SELECT m.name FROM dbt_models m ANTI JOIN dbt_tests t ON t.parent_model_unique_id = m.unique_id

-- > allowed: dbt_run_results, elementary_test_results
SELECT * FROM dbt_run_results r ASOF JOIN elementary_test_results e ON r.created_at >= e.created_at

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models UNION ALL BY NAME SELECT name FROM dbt_seeds

-- > allowed: dbt_models
WITH Users AS (SELECT name FROM dbt_models) SELECT * FROM "users"

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, (SELECT max(created_at) FROM dbt_run_results r WHERE r.unique_id = m.unique_id) FROM dbt_models m

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, l.status FROM dbt_models m, LATERAL (SELECT status FROM dbt_run_results r WHERE r.unique_id = m.unique_id) l

-- > allowed: elementary_test_results
SELECT string_agg(test_name, ',' ORDER BY test_name) FILTER (WHERE status = 'fail') FROM elementary_test_results

-- > allowed: data_monitoring_metrics
SELECT time_bucket(INTERVAL '1 day', bucket_end), regr_slope(metric_value, epoch(bucket_end)) FROM data_monitoring_metrics
GROUP BY 1

-- > allowed: dbt_models
SELECT if(name = 'x', 1, 2), ifnull(name, ''), greatest(1, 2), regexp_matches(name, '^a\d') FROM dbt_models

-- > allowed: dbt_models
SELECT v.x FROM (VALUES (1), (2)) v(x), dbt_models

-- > allowed: dbt_models
SELECT count(*) FROM dbt_models WHERE description = 'FROM raw.users; DROP'

-- > allowed: metadata
SELECT 1 FROM metadata /* x */ -- y

-- > refused: is not a table of the Elementary schema
SELECT * FROM users

-- > refused: not of the schema 'raw'
SELECT * FROM raw.users

-- > refused: not of the schema 'main'
SELECT * FROM main.dbt_models

-- > refused: not of the database 'other'
SELECT * FROM other.elementary.dbt_models

-- > refused: is not a table of the Elementary schema
SELECT * FROM sqlite_master

-- > refused: not of the schema 'information_schema'
SELECT * FROM information_schema.tables

-- > refused: 'duckdb_tables'
SELECT * FROM duckdb_tables()

-- > refused: is not a table of the Elementary schema
SELECT * FROM duckdb_secrets

-- > refused: stages and files
SELECT * FROM 'file.csv'

-- > refused: is not a table of the Elementary schema
SELECT * FROM "file.parquet"

-- > refused: stages and files
SELECT * FROM '/etc/passwd'

-- > refused: stages and files
SELECT * FROM 's3://bucket/*.parquet'

-- > refused: is not a table of the Elementary schema
SELECT * FROM "/etc/dbt_models"

-- > refused: stages and files
SELECT * FROM 'https://evil.example/x.json' AS dbt_models

-- > refused: 'read_csv'
SELECT * FROM read_csv('/etc/passwd')

-- > refused: 'read_parquet'
SELECT * FROM read_parquet(['a', 'b'])

-- > refused: 'read_text'
SELECT content FROM read_text('/etc/passwd')

-- > refused: 'read_blob'
SELECT read_blob('/etc/passwd')

-- > refused: 'glob'
SELECT * FROM glob('/*')

-- > refused: 'getenv'
SELECT getenv('AWS_SECRET_ACCESS_KEY')

-- > refused: 'query'
SELECT * FROM query('SELECT * FROM raw.users')

-- > refused: 'query_table'
SELECT * FROM query_table('raw.users')

-- > refused: 'range'
SELECT * FROM range(1000000000000)

-- > refused: 'generate_series'
SELECT * FROM generate_series(1, 10)

-- > allowed:
SELECT * FROM unnest([1, 2])

-- > allowed: dbt_models
SELECT unnest(string_split(path, '/')) FROM dbt_models

-- > refused: 'current_setting'
SELECT current_setting('memory_limit')

-- > refused: 'nextval'
SELECT nextval('s')

-- > refused: 'version'
SELECT version()

-- > refused: 'postgres_scan'
SELECT * FROM postgres_scan('host=x', 'raw', 'users')

-- > refused: 'sqlite_scan'
SELECT * FROM sqlite_scan('x.db', 't')

-- > refused: 'parquet_metadata'
SELECT * FROM parquet_metadata('x')

-- > allowed: dbt_models
SELECT COLUMNS('a.*') FROM dbt_models

-- > refused: 'my_macro'
SELECT my_macro(name) FROM dbt_models

-- > refused: 'getenv'
SELECT name.getenv() FROM dbt_models

-- > refused: 'read_text'
SELECT ('/etc/passwd').read_text()

-- > refused: 'lower'
SELECT main.lower(name) FROM dbt_models

-- > allowed: dbt_models
FROM dbt_models

-- > refused: only tables of the Elementary schema are allowed, not of the schema 'raw'
FROM raw.users SELECT email

-- > refused: disagree
SELECT * FROM (FROM dbt_models)

-- > refused: not of the schema 'raw'
SELECT * FROM (FROM raw.users)

-- > refused: SELECT or WITH
PIVOT dbt_run_results ON status

-- > refused: PIVOT
SELECT * FROM (PIVOT raw.users ON email)

-- > refused: SELECT or WITH
SUMMARIZE raw.users

-- > refused: Summarize
SELECT * FROM (SUMMARIZE raw.users)

-- > refused: Describe
SELECT * FROM (DESCRIBE raw.users)

-- > refused: 'SHOW'
SELECT * FROM (SHOW TABLES)

-- > refused: SELECT or WITH
DESCRIBE dbt_models

-- > refused: SELECT or WITH
PRAGMA database_list

-- > refused: SELECT or WITH
ATTACH '/tmp/x.db' AS x

-- > refused: SELECT or WITH
INSTALL httpfs

-- > refused: SELECT or WITH
COPY dbt_models TO 'x.csv'

-- > refused: SELECT or WITH
EXPORT DATABASE 'x'

-- > refused: SELECT or WITH
SET search_path = 'raw'

-- > refused: SELECT or WITH
USE raw

-- > refused: SELECT or WITH
CALL pragma_version()

-- > refused: SELECT or WITH
CHECKPOINT

-- > refused: SELECT or WITH
EXPLAIN SELECT * FROM dbt_models

-- > refused: more than one
SELECT 1; ATTACH 'x'

-- > refused: POSITIONAL JOIN
SELECT * FROM dbt_models POSITIONAL JOIN metadata

-- > refused: sampling
SELECT * FROM dbt_models USING SAMPLE 10

-- > refused: IN takes a list or a query
SELECT name IN raw.users FROM dbt_models

-- > refused: only -- and /* */
SELECT #1 FROM dbt_models

-- > refused: dollar quotes
SELECT $$a$$

-- > refused: dollar quotes
SELECT $x FROM dbt_models

-- > refused: stages
SELECT * FROM dbt_models WHERE name = @x

-- > refused: braces
SELECT {'a': (SELECT email FROM raw.users)} FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT list_transform([1], x -> (SELECT max(email) FROM raw.users)) FROM dbt_models

-- > refused: Comprehension
SELECT [x FOR x IN (SELECT email FROM raw.users)] FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT * REPLACE ((SELECT max(email) FROM raw.users) AS name) FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT ARRAY(SELECT email FROM raw.users) FROM dbt_models

-- > refused: not a plain one
SELECT name::my_enum FROM dbt_models

-- > refused: 'at'
SELECT * FROM dbt_models AT (VERSION => 3)

-- > refused: backslash before a quote
SELECT 'a\' FROM raw.users --' FROM dbt_models

-- > refused: prefix that touches a quote
SELECT x'41' FROM dbt_models

-- > refused: INTO is not allowed
SELECT * INTO x FROM dbt_models

-- > refused: stages and files
SELECT * FROM 'dbt_models'

-- > refused: stages and files
SELECT * FROM elementary.'dbt_models'

-- > refused: 'users' is not a table of the Elementary schema
WITH RECURSIVE users AS (SELECT * FROM users) SELECT * FROM users

-- > refused: 'users' is not a table of the Elementary schema
WITH RECURSIVE users AS (SELECT email FROM users UNION ALL SELECT email FROM users) SELECT * FROM users

-- > allowed: dbt_models
WITH RECURSIVE up AS (SELECT name FROM dbt_models UNION SELECT name FROM up) SELECT * FROM up

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name GLOB 'stg_*' AND name SIMILAR TO '.*'

-- > allowed: dbt_run_results
SELECT sum(rows_affected) OVER (ORDER BY created_at RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW) FROM dbt_run_results

-- > allowed: dbt_models
SELECT list(name ORDER BY name), mode(package_name) FROM dbt_models GROUP BY ROLLUP (package_name)

-- > refused: disagree
SELECT * FROM VALUES dbt_models

-- > refused: disagree
SELECT * FROM VALUES v

-- > refused: not valid duckdb
SELECT list_filter([1], => x) FROM dbt_models

-- > refused: is not a table of the Elementary schema
SELECT * FROM "values" v

-- > refused: TABLE is not allowed
SELECT (TABLE users)

-- > refused: TABLE is not allowed
SELECT name FROM dbt_models WHERE name IN (TABLE users)

-- > refused: TABLE is not allowed
SELECT ARRAY(TABLE users) FROM dbt_models

-- > refused: TABLE is not allowed
SELECT 1 FROM dbt_models WHERE EXISTS (TABLE users)

-- > refused: an alias inside
SELECT (SHOW users), coalesce(name) FROM dbt_models

-- > refused: Summarize
SELECT (SUMMARIZE users) FROM dbt_models

-- > refused: not valid
SELECT coalesce(name users) FROM dbt_models

-- > refused: not valid
SELECT name FROM dbt_models WHERE name IN (DESCRIBE users)
