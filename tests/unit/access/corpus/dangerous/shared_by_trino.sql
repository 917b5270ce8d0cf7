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
