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
