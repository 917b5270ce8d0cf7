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
