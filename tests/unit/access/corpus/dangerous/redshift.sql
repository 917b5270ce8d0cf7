-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT "$path" FROM dbt_models

-- > refused:
SELECT "$size", "$path" FROM dbt_models m

-- > refused:
SELECT * FROM raw.users u, u.tags AS t

-- > refused:
SELECT * FROM dbt_models m, raw.tags AS t

-- > refused:
SELECT m."insertxid" FROM dbt_models m

-- > refused:
SELECT f_evil(name) FROM dbt_models

-- > refused:
SELECT LPAD(name, 1000000000) FROM dbt_models

-- > refused:
SELECT current_user

-- > refused:
SELECT REPEAT('x', 1000000)

-- > refused:
UNLOAD ('SELECT name FROM dbt_models') TO 's3://x'

-- > refused:
SELECT * FROM stl_query, dbt_models

-- > refused:
SELECT f_external(name), has_table_privilege('x', 'select') FROM dbt_models

-- > refused:
SELECT name INTO x FROM dbt_models

-- > refused:
SELECT pg_terminate_backend(pg_backend_pid()) FROM dbt_models

-- > refused:
SELECT * FROM spectrum.users

-- > refused:
SELECT * FROM raw.users AS u AT x

-- > refused:
SELECT raw.f(name) FROM dbt_models

-- > refused:
SELECT current_user_id, current_namespace FROM dbt_models

-- > refused:
SELECT object_transform(x) FROM raw.users

-- > refused:
SELECT * FROM raw.users UNPIVOT (v FOR n IN (a))

-- > refused:
SELECT name FROM dbt_models CONNECT BY PRIOR name = (SELECT max(email) FROM raw.users)

-- > refused:
SELECT name FROM dev.raw.users

-- > refused:
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT id FROM raw.users) SELECT * FROM t

-- > refused:
SELECT name FROM dbt_models WHERE name ~ (SELECT max(email) FROM raw.users)
