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

-- > refused:
SELECT * FROM `analytics`.`raw`.`users`

-- > refused:
SELECT * FROM elementary.INFORMATION_SCHEMA.COLUMNS

-- > refused:
SELECT * FROM `elementary.dbt_models$20240101`

-- > refused:
SELECT AS VALUE u FROM raw.users u

-- > refused:
SELECT NEW raw.Msg(1 AS a) FROM dbt_models

-- > refused:
SELECT `analytics.raw.evil`(name) FROM dbt_models

-- > refused:
SELECT @p FROM dbt_models

-- > refused:
SELECT AEAD.DECRYPT_STRING(KEYS.NEW_KEYSET('x'), b'', '') FROM dbt_models

-- > refused:
SELECT * FROM ML.PREDICT(MODEL raw.m, (SELECT 1))

-- > refused:
SELECT SEARCH(m, 'x') FROM raw.users m

-- > refused:
SELECT * FROM EXTERNAL_QUERY('c', 'SELECT 1')

-- > refused:
SELECT * FROM raw.tvf(1)

-- > refused:
SELECT * FROM dbt_models |> JOIN raw.users ON true

-- > refused:
SELECT * FROM dbt_models m, raw.users.tags

-- > refused:
SELECT REPEAT(name, 1000000) FROM dbt_models

-- > refused:
SELECT r'\' , * FROM raw.users --'

-- > refused:
SELECT b'a', rb"x" FROM raw.users

-- > refused:
SELECT CAST(name AS raw.T) FROM dbt_models

-- > refused:
DECLARE x INT64; SELECT 1

-- > refused:
WITH DIFFERENTIAL_PRIVACY AS (SELECT 1) SELECT * FROM raw.users

-- > refused:
SELECT name FROM dbt_models WHERE name LIKE ANY (SELECT email FROM raw.users)

-- > refused:
SELECT * FROM dbt_models UNPIVOT(v FOR n IN (raw))
