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
