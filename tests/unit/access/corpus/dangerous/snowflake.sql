-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT * FROM PUBLIC.DBT_MODELS

-- > refused:
SELECT METADATA$FILENAME FROM dbt_models

-- > refused:
SELECT "METADATA$FILENAME" FROM dbt_models

-- > refused:
SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))

-- > refused:
SELECT * FROM TABLE(GENERATOR(ROWCOUNT => 1000000000))

-- > refused:
SELECT * FROM TABLE(my_udtf(1))

-- > refused:
SELECT * FROM TABLE(raw.my_udtf(1))

-- > refused:
SELECT * FROM TABLE('raw.users')

-- > refused:
SELECT * FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY())

-- > refused:
SELECT f.value FROM LATERAL FLATTEN(input => (SELECT ARRAY_AGG(email) FROM raw.users)) f

-- > refused:
SELECT * FROM dbt_models, LATERAL raw.flatten(tags) f

-- > refused:
SELECT LPAD(name, 100000000, 'x') FROM dbt_models

-- > refused:
SELECT REPEAT('x', 100000000)

-- > refused:
SELECT current_user

-- > refused:
SELECT SYSTEM$WHITELIST()

-- > refused:
SELECT * FROM (show users)

-- > refused:
SELECT * FROM dbt_models AT (OFFSET => -60)

-- > refused:
SELECT seq.nextval, 1 AS nextval FROM dbt_models

-- > refused:
SELECT GET_DDL('table', 'raw.users')

-- > refused:
WITH "STOC<U+212A>S" AS (SELECT 1) SELECT * FROM stocks

-- > refused:
SELECT SYSTEM$TYPEOF(name), SYSTEM$WHITELIST() FROM dbt_models

-- > refused:
SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) , dbt_models

-- > refused:
SELECT $1 FROM @mystage/file.csv, dbt_models

-- > refused:
SELECT * FROM dbt_models AT(OFFSET => -60*60*24*80)

-- > refused:
SELECT GET_DDL('table', 'raw.users') FROM dbt_models

-- > refused:
SELECT s.nextval FROM dbt_models, TABLE(GETNEXTVAL(seq)) s

-- > refused:
SELECT BUILD_SCOPED_FILE_URL(@st, 'x') FROM dbt_models

-- > refused:
SELECT * FROM IDENTIFIER('RAW.USERS')

-- > refused:
SELECT * FROM TABLE('RAW.USERS')

-- > refused:
SELECT $x FROM dbt_models

-- > refused:
SELECT * FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY()), dbt_models

-- > refused:
SELECT SNOWFLAKE.CORTEX.COMPLETE('m', name) FROM dbt_models

-- > refused:
SELECT CURRENT_SESSION(), name FROM dbt_models CHANGES(INFORMATION => DEFAULT) AT(OFFSET => 0)

-- > refused:
SELECT name FROM dbt_models ->> SELECT * FROM $1

-- > refused:
SELECT * FROM (SELECT status FROM dbt_run_results) PIVOT(count(status) FOR status IN (SELECT email FROM raw.users))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_run_results) PIVOT(count(status) FOR status IN (SELECT name FROM dbt_models))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_run_results) PIVOT(count(status) FOR status IN (ANY ORDER BY status))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_run_results) PIVOT(raw.leak(status) FOR status IN ('a'))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_run_results) PIVOT(leak(status) FOR status IN ('a'))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_run_results) PIVOT(count(status) FOR status IN (leak('a')))

-- > refused:
SELECT * FROM raw.users PIVOT(count(email) FOR email IN ('a'))

-- > refused:
SELECT * FROM (raw.users) PIVOT(count(email) FOR email IN ('a'))

-- > refused:
SELECT * FROM (SELECT email FROM raw.users) PIVOT(count(email) FOR email IN ('a'))

-- > refused:
SELECT pivot(status) FROM dbt_run_results

-- > refused:
SELECT apply(status) FROM dbt_run_results

-- > refused:
SELECT * FROM pivot('raw.users')

-- > refused:
SELECT * FROM dbt_models, TABLE(pivot('x'))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_run_results) PIVOT(count(status) FOR status IN ((SELECT email FROM raw.users)))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_run_results) PIVOT(count(status) FOR status IN ('a')), raw.users

-- > refused:
SELECT * FROM dbt_models AT (TIMESTAMP => CURRENT_TIMESTAMP)

-- > refused:
SELECT $1 FROM @~/x

-- > refused:
SELECT * FROM IDENTIFIER($t)

-- > refused:
SELECT * FROM TABLE(IDENTIFIER('raw.users'))

-- > refused:
SELECT * FROM TABLE(INFER_SCHEMA(LOCATION=>'@s'))

-- > refused:
SELECT * FROM LATERAL (SELECT * FROM RAW.USERS)

-- > refused:
SELECT meta['x'] , SYSTEM$TYPEOF(meta) FROM dbt_models

-- > refused:
SELECT * ILIKE '%x%' REPLACE ((SELECT MAX(EMAIL) FROM RAW.USERS) AS NAME) FROM dbt_models

-- > refused:
SELECT * FROM dbt_models START WITH name = 'x' CONNECT BY PRIOR name = (SELECT MAX(EMAIL) FROM RAW.USERS)

-- > refused:
SELECT s.NEXTVAL FROM dbt_models, TABLE(GETNEXTVAL(s)) s

-- > refused:
SELECT BUILD_SCOPED_FILE_URL(@s, 'x') FROM dbt_models

-- > refused:
SELECT ARRAY_GENERATE_RANGE(1, 1000000000) FROM dbt_models

-- > refused:
SELECT * FROM dbt_models PIVOT (MAX(name) FOR status IN (SELECT email FROM RAW.USERS))

-- > refused:
SELECT * FROM dbt_models, RAW.USERS@x

-- > refused:
SHOW TABLES ->> SELECT * FROM $1

-- > refused:
CALL p()

-- > refused:
SELECT :x FROM dbt_models

-- > refused:
SELECT * FROM TABLE(TO_QUERY(SQL => 'SELECT * FROM RAW.USERS'))

-- > refused:
SELECT * FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY

-- > refused:
SELECT TRY_CAST(name AS RAW.T) FROM dbt_models

-- > refused:
SELECT * FROM dbt_models RESAMPLE (USING x)
