-- Statements that would read or do something outside; none may pass.

-- > refused:
SELECT name OPERATOR(elementary.+) 1 FROM dbt_models

-- > refused:
SELECT name OPERATOR(raw.@@) 'x' FROM dbt_models

-- > refused:
SELECT elementary.evil(name) FROM dbt_models

-- > refused:
SELECT * FROM elementary.leak()

-- > refused:
SELECT * FROM leak() AS t

-- > refused:
SELECT * FROM dbt_models, LATERAL raw.leak(name) x

-- > refused:
SELECT * FROM ROWS FROM (unnest(ARRAY[1]), leak()) x

-- > refused:
SELECT m.evil FROM dbt_models m

-- > refused:
SELECT ctid, "ctid" FROM dbt_models

-- > refused:
SELECT "tableoid" FROM dbt_models

-- > refused:
SELECT current_user

-- > refused:
SELECT session_user FROM dbt_models

-- > refused:
SELECT current_catalog

-- > refused:
SELECT lpad('x', 1000000000)

-- > refused:
SELECT rpad(name, (SELECT 1000000000)) FROM dbt_models

-- > refused:
SELECT format('%1000000000s', name) FROM dbt_models

-- > refused:
SELECT format('%1$*2$s', name, 1000000000) FROM dbt_models

-- > refused:
SELECT regexp_replace(description, '.', description, 'g') FROM dbt_models

-- > refused:
SELECT name::char(10000000) FROM dbt_models

-- > refused:
SELECT CAST(name AS bit(80000000)) FROM dbt_models

-- > refused:
SELECT CAST(name AS character(10485760)) FROM dbt_models

-- > refused:
SELECT factorial(30000)

-- > refused:
SELECT * FROM generate_series(1, 1000000000)

-- > refused:
SELECT * FROM dbt_models, unnest((SELECT array_agg(email) FROM raw.users)) u

-- > refused:
SELECT * FROM jsonb_array_elements((SELECT jsonb_agg(u) FROM users u)) x

-- > refused:
SELECT * FROM pg_catalog.pg_class

-- > refused:
SELECT * FROM jsonb_populate_recordset(null::raw.users, '[]')

-- > refused:
SELECT * FROM json_to_recordset('[]') AS x(a raw.users)

-- > refused:
SELECT * FROM xmltable('/a' PASSING '<a/>' COLUMNS b text)

-- > refused:
SELECT * FROM public.dbt_models

-- > refused:
WITH "DBT_MODEL<U+017F>" AS (SELECT 1) SELECT * FROM dbt_model<U+017F>

-- > refused:
SELECT pg_read_file('/etc/passwd'), pg_sleep(100)

-- > refused:
SELECT name COLLATE raw.evil FROM dbt_models

-- > refused:
SELECT 'x'::elementary.evil_domain
