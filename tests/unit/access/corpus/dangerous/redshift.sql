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
