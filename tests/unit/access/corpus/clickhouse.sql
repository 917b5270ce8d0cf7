-- The corpus of the SQL guard for clickhouse; postgres.sql says how to read it.

-- > allowed: dbt_models
SELECT * FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM elementary.dbt_models;

-- > allowed: dbt_models
SELECT name FROM `elementary`."dbt_models" AS m

-- > allowed: elementary_test_results
SELECT status, count() AS n, countIf(severity = 'ERROR'), uniqExact(test_name)
FROM elementary_test_results WHERE detected_at >= now() - INTERVAL 7 DAY
GROUP BY status ORDER BY n DESC LIMIT 10

-- > allowed: dbt_run_results
SELECT unique_id, argMax(status, created_at), quantile(0.95)(execution_time), avgIf(execution_time, status = 'success')
FROM dbt_run_results GROUP BY unique_id

-- > allowed: dbt_run_results
SELECT unique_id, status FROM dbt_run_results FINAL ORDER BY created_at DESC LIMIT 1 BY unique_id

-- > allowed: dbt_run_results
SELECT name FROM dbt_run_results PREWHERE status = 'error' WHERE failures > 0

-- > allowed: dbt_models
SELECT JSONExtractString(meta, 'owner'), JSONExtractRaw(meta, 'a', 'b'), splitByChar('/', path)[1], arrayStringConcat([name], ',')
FROM dbt_models

-- > allowed: dbt_invocations
SELECT toDate(created_at), toStartOfHour(created_at), dateDiff('minute', toDateTime(run_started_at), created_at),
       formatDateTime(created_at, '%Y-%m-%d'), toYYYYMM(created_at), parseDateTimeBestEffort(generated_at)
FROM dbt_invocations

-- > allowed: dbt_models
SELECT if(name = 'x', 1, 0), multiIf(name = 'a', 1, name = 'b', 2, 3), ifNull(name, ''), CAST(name AS Nullable(String)),
       toInt32OrNull(name), name::String, arrayMap(x -> upper(x), splitByChar('/', path))
FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name IN ('a', 'b') AND name NOT IN (SELECT alias FROM dbt_models) AND name LIKE 'a%'

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE match(name, '^stg_') AND description = 'it\'s' AND path != 'it''s'

-- > allowed: dbt_models, dbt_tests
SELECT m.name FROM dbt_models AS m ANY LEFT JOIN dbt_tests AS t ON t.parent_model_unique_id = m.unique_id

-- > allowed: dbt_models
WITH 'stg' AS prefix SELECT name FROM dbt_models WHERE startsWith(name, prefix)

-- > allowed: dbt_models
WITH recent AS (SELECT name FROM dbt_models) SELECT count() FROM recent

-- > allowed: dbt_run_results
SELECT name, row_number() OVER (PARTITION BY unique_id ORDER BY created_at) FROM dbt_run_results

-- > allowed: dbt_models, dbt_seeds
SELECT name FROM dbt_models UNION ALL SELECT name FROM dbt_seeds

-- > refused: is not a table of the Elementary schema
SELECT * FROM users

-- > refused: not of the schema 'raw'
SELECT * FROM raw.users

-- > refused: not of the schema 'system'
SELECT * FROM system.tables

-- > refused: not of the schema 'INFORMATION_SCHEMA'
SELECT * FROM INFORMATION_SCHEMA.TABLES

-- > refused: in this spelling
SELECT * FROM DBT_MODELS

-- > refused: not of the schema 'Elementary'
SELECT * FROM Elementary.dbt_models

-- > refused: not of the schema 'raw'
WITH dbt_models AS (SELECT * FROM raw.users) SELECT * FROM dbt_models

-- > refused: 'x' is not a table of the Elementary schema
WITH (SELECT 1) AS x SELECT * FROM x

-- > refused: IN takes a list or a query
SELECT name FROM dbt_models WHERE name IN raw.users

-- > refused: IN takes a list or a query
SELECT name FROM dbt_models WHERE name IN (raw.users)

-- > refused: IN takes a list or a query
SELECT name FROM dbt_models WHERE name IN ((raw.users))

-- > refused: IN takes a list or a query
SELECT name FROM dbt_models WHERE name IN users

-- > refused: IN takes a list or a query
SELECT name FROM dbt_models WHERE name NOT IN (users)

-- > refused: IS GLOBAL
SELECT name FROM dbt_models WHERE name GLOBAL IN (SELECT name FROM dbt_models)

-- > refused: 'url'
SELECT * FROM url('http://evil.example/', CSV)

-- > refused: 'file'
SELECT * FROM file('/etc/passwd', 'LineAsString')

-- > refused: 'file'
SELECT file('/etc/passwd')

-- > refused: 'remote'
SELECT * FROM remote('host', raw.users)

-- > refused: 's3'
SELECT * FROM s3('https://bucket/x.csv')

-- > refused: 'mysql'
SELECT * FROM mysql('h:3306', 'd', 't', 'u', 'p')

-- > refused: 'merge'
SELECT * FROM merge('raw', '.*')

-- > refused: 'numbers'
SELECT * FROM numbers(1000000000)

-- > refused: 'cluster'
SELECT * FROM cluster('c', raw.users)

-- > refused: 'executable'
SELECT * FROM executable('x.sh', 'TSV', 'a String')

-- > refused: 'view'
SELECT * FROM view(SELECT * FROM raw.users)

-- > refused: 'dictionary'
SELECT * FROM dictionary('raw.d')

-- > refused: 'dictget'
SELECT dictGet('raw.d', 'email', toUInt64(1))

-- > refused: 'joinget'
SELECT joinGet('raw.j', 'x', 1) FROM dbt_models

-- > refused: 'hascolumnintable'
SELECT hasColumnInTable('raw', 'users', 'email')

-- > refused: 'getsetting'
SELECT getSetting('max_threads')

-- > refused: 'hostname'
SELECT hostName()

-- > refused: 'currentuser'
SELECT currentUser()

-- > refused: 'sleep'
SELECT sleep(3)

-- > allowed: dbt_models
SELECT arrayJoin(splitByChar(',', tags)) FROM dbt_models

-- > allowed: dbt_models
SELECT name, t FROM dbt_models ARRAY JOIN tags AS t

-- > refused: not valid clickhouse
SELECT in(name, raw.users) FROM dbt_models

-- > refused: 'globalin'
SELECT globalIn(name, raw.users) FROM dbt_models

-- > refused: SETTINGS
SELECT * FROM dbt_models SETTINGS max_memory_usage = 0

-- > refused: FORMAT
SELECT * FROM dbt_models FORMAT JSON

-- > refused: INTO is not allowed
SELECT * FROM dbt_models INTO OUTFILE '/tmp/x'

-- > refused: sampling
SELECT * FROM dbt_models SAMPLE 0.1

-- > refused: 'columns'
SELECT COLUMNS('a') APPLY(sum) FROM dbt_models

-- > refused: braces
SELECT {x:UInt8}

-- > refused: bind placeholders
SELECT name = 'a' ? 1 : 2 FROM dbt_models

-- > refused: only -- and /* */
SELECT name FROM dbt_models # comment

-- > refused: only -- and /* */
SELECT 1 #! comment

-- > refused: dollar quotes
SELECT $$it's$$ FROM dbt_models

-- > refused: comment inside
SELECT 1 /* a /* b */ FROM dbt_models -- */

-- > refused: outside ASCII
SELECT ‘x’ FROM dbt_models

-- > refused: backslash before a quote
SELECT "a\" FROM raw.users" FROM dbt_models

-- > refused: SELECT or WITH
SYSTEM RELOAD DICTIONARIES

-- > refused: SELECT or WITH
KILL QUERY WHERE 1

-- > refused: SELECT or WITH
EXPLAIN SELECT * FROM raw.users

-- > refused: not valid clickhouse
SELECT * FROM (EXPLAIN SELECT * FROM raw.users)

-- > refused: SELECT or WITH
EXISTS TABLE raw.users

-- > refused: only tables of the Elementary schema are allowed, not of the schema 'raw'
FROM raw.users SELECT email

-- > refused: SELECT or WITH
INSERT INTO FUNCTION url('x') SELECT * FROM dbt_models

-- > refused: INSERT is not allowed
WITH x AS (SELECT 1) INSERT INTO dbt_models SELECT * FROM x

-- > refused: not valid clickhouse
SELECT name FROM dbt_models WHERE name IN (users AS u)

-- > refused: IN takes a list or a query
SELECT name FROM dbt_models WHERE name IN (('a'), users)

-- > refused: IN takes a list or a query
SELECT name FROM dbt_models WHERE name IN tuple(users)

-- > refused: WITH FILL
SELECT name FROM dbt_models ORDER BY failures WITH FILL FROM 1 TO 1000000000

-- > allowed: dbt_invocations, dbt_run_results
SELECT r.name FROM dbt_run_results r ASOF JOIN dbt_invocations i ON r.invocation_id = i.invocation_id AND r.created_at >= i.created_at

-- > allowed: dbt_run_results
SELECT status, count() FROM dbt_run_results GROUP BY status WITH TOTALS

-- > allowed: dbt_models
SELECT * EXCEPT (meta) REPLACE (upper(name) AS name) FROM dbt_models

-- > allowed: dbt_run_results
SELECT quantiles(0.5, 0.9)(execution_time), topK(3)(name), groupArray(10)(name) FROM dbt_run_results
