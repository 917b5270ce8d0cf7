-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT _PARTITIONTIME FROM dbt_models

-- > refused:
SELECT _FILE_NAME FROM dbt_models

-- > refused:
SELECT `_PARTITIONTIME` FROM dbt_models

-- > refused:
SELECT LPAD(name, 100000000) FROM dbt_models

-- > refused:
SELECT FORMAT('%1000000000d', 1)

-- > refused:
SELECT FORMAT('%*d', 1000000000, 1)

-- > refused:
SELECT x FROM UNNEST(GENERATE_ARRAY(1, 1000000000)) x

-- > refused:
SELECT x FROM UNNEST((SELECT ARRAY_AGG(email) FROM raw.users)) x

-- > refused:
SELECT x FROM dbt_models, UNNEST(ARRAY(SELECT email FROM raw.users)) x

-- > refused:
SELECT * FROM elementary.dbt_models m, raw.users

-- > refused:
WITH `stoc<U+212A>s` AS (SELECT 1) SELECT * FROM stocks

-- > refused:
SELECT REPLACE(description, 'a', description) FROM dbt_models

-- > refused:
SELECT * FROM APPENDS(TABLE raw.users)

-- > refused:
SELECT @@session_id

-- > refused:
SELECT * FROM EXTERNAL_QUERY('c', 'select 1'), dbt_models

-- > refused:
SELECT * FROM `region-us`.INFORMATION_SCHEMA.JOBS, dbt_models

-- > refused:
SELECT * FROM dbt_models FOR SYSTEM_TIME AS OF TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)

-- > refused:
SELECT _TABLE_SUFFIX FROM `elementary.dbt_*`

-- > refused:
SELECT ML.PREDICT(MODEL m, TABLE raw.users) FROM dbt_models

-- > refused:
SELECT @@project_id, name FROM dbt_models

-- > refused:
SELECT KEYS.NEW_KEYSET('AES_SIV_512'), SESSION_USER() FROM dbt_models

-- > refused:
SELECT * FROM APPENDS(TABLE raw.users), dbt_models

-- > refused:
CREATE TEMP FUNCTION f(x STRING) AS (x); SELECT f(name) FROM dbt_models

-- > refused:
SELECT * FROM (SELECT status FROM dbt_models) PIVOT(COUNT(*) FOR (SELECT email FROM raw.users) IN ('a'))

-- > refused:
SELECT * FROM (SELECT status FROM dbt_models) PIVOT(ds.f(status) FOR status IN ('a'))
