-- Statements that would read or do something outside; none may pass.
-- dialects: athena presto trino

-- > refused:
SELECT "$path" FROM dbt_models

-- > refused:
SELECT m."$file_modified_time" FROM dbt_models m

-- > refused:
SELECT current_path

-- > refused:
SELECT current_catalog

-- > refused:
SELECT * FROM "dbt_models$files"

-- > refused:
SELECT * FROM elementary."dbt_models$partitions"

-- > refused:
SELECT lpad(name, 2147483647, 'x') FROM dbt_models

-- > refused:
SELECT format('%1000000000s', name) FROM dbt_models

-- > refused:
SELECT * FROM UNNEST(sequence(1, 1000000))

-- > refused:
SELECT * FROM UNNEST((SELECT array_agg(email) FROM raw.users)) AS t(x)

-- > refused:
SELECT * FROM TABLE(postgresql.system.query(query => 'select 1'))

-- > refused:
WITH FUNCTION f() RETURNS int RETURN 1 SELECT f()

-- > refused:
SELECT CAST(name AS char(100000000)) FROM dbt_models

-- > refused:
SELECT * FROM hive.raw.users

-- > refused:
SELECT * FROM dbt_models FOR TIMESTAMP AS OF current_timestamp

-- > refused:
SELECT * FROM (TABLE raw.users)

-- > refused:
SELECT * FROM TABLE(query(query => 'x'))

-- > refused:
SELECT reduce(ARRAY[1], 0, (s, x) -> (SELECT count(*) FROM raw.users), s -> s) FROM dbt_models

-- > refused:
SELECT rpad(name, 1000000000, 'x') FROM dbt_models

-- > refused:
SELECT json_value((SELECT max(email) FROM raw.users), 'lax $') FROM dbt_models

-- > refused:
SELECT current_user, current_groups() FROM dbt_models

-- > refused:
SELECT raw.default.evil(name) FROM dbt_models

-- > refused:
SELECT approx_set(name), uuid(), fail('x') FROM raw.users

-- > refused:
SELECT CAST(name AS raw.t) FROM dbt_models

-- > refused:
SELECT at_timezone(now(), (SELECT max(email) FROM raw.users)) FROM dbt_models

-- > refused:
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT id FROM raw.users) SELECT * FROM t

-- > refused:
EXECUTE IMMEDIATE 'SELECT 1'

-- > refused:
SHOW STATS FOR (SELECT * FROM raw.users)

-- > refused:
VALUES ((SELECT max(email) FROM raw.users))

-- > refused:
SELECT * FROM dbt_models CROSS JOIN LATERAL (SELECT * FROM raw.users)

-- > refused:
SELECT CAST(ROW((SELECT max(email) FROM raw.users)) AS ROW(a varchar)) FROM dbt_models
