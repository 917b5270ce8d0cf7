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

-- > refused:
SELECT nextval('elementary.s') FROM dbt_models

-- > refused:
SELECT setval('s', 1), name FROM dbt_models

-- > refused:
SELECT pg_notify('c', name) FROM dbt_models

-- > refused:
SELECT pg_sleep(100) FROM dbt_models

-- > refused:
SELECT lo_from_bytea(0, name::bytea) FROM dbt_models

-- > refused:
SELECT lo_import('/etc/passwd') FROM dbt_models

-- > refused:
SELECT name FROM dbt_models FOR UPDATE

-- > refused:
SELECT name FROM dbt_models FOR NO KEY UPDATE SKIP LOCKED

-- > refused:
SELECT name INTO TEMP x FROM dbt_models

-- > refused:
PREPARE p AS SELECT name FROM dbt_models; EXECUTE p

-- > refused:
COPY (SELECT name FROM dbt_models) TO PROGRAM 'cat'

-- > refused:
SELECT name FROM dbt_models WHERE name = $$x$$ UNION SELECT passwd FROM pg_shadow

-- > refused:
SELECT query_to_xml('select * from pg_authid', true, false, '') FROM dbt_models

-- > refused:
SELECT current_setting('data_directory') FROM dbt_models

-- > refused:
SELECT set_config('search_path', 'raw', false) FROM dbt_models

-- > refused:
SELECT pg_read_file('/etc/passwd') FROM dbt_models

-- > refused:
SELECT * FROM dbt_models TABLESAMPLE custom (1)

-- > refused:
SELECT 'pg_authid'::regclass::oid, (SELECT 1) FROM dbt_models

-- > refused:
SELECT pg_advisory_lock(1) FROM dbt_models

-- > refused:
SELECT dbms.x(name) FROM dbt_models

-- > refused:
SELECT ts_stat.* FROM dbt_models, ts_stat('SELECT passwd::tsvector FROM pg_shadow') ts_stat

-- > refused:
SELECT U&'\0061' UESCAPE '!' FROM dbt_models, U&"p\0067_authid"

-- > refused:
SELECT name OPERATOR(public.+) 1 FROM dbt_models

-- > refused:
SELECT (dbt_models.*).leak FROM dbt_models

-- > refused:
SELECT leak(dbt_models) FROM dbt_models

-- > refused:
SELECT dbt_models.leak FROM dbt_models, raw.users

-- > refused:
SELECT /*+ x */ name FROM /* dbt_models */ raw.users --

-- > refused:
SELECT name::elementary.guess FROM dbt_models

-- > refused:
SELECT CAST(name AS raw.users) FROM dbt_models

-- > refused:
SELECT xmlparse(document '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>') FROM dbt_models

-- > refused:
SELECT * FROM ROWS FROM (generate_series(1, 10), pg_ls_dir('.')) AS t, dbt_models

-- > refused:
SELECT repeat(repeat('x', 1000000), 1000) FROM dbt_models

-- > refused:
SELECT pivot(name) FROM dbt_models

-- > refused:
SELECT * FROM pivot('x'), dbt_models

-- > refused:
SELECT apply(name) FROM dbt_models

-- > refused:
SELECT * FROM (SELECT status FROM dbt_run_results) PIVOT(count(status) FOR status IN ('a'))

-- > refused:
SELECT * FROM dbt_models, LATERAL apply(name) x

-- > refused:
FROM raw.users SELECT *

-- > refused:
SELECT * FROM ONLY raw.users

-- > refused:
SELECT * FROM elementary.dbt_models, ONLY (raw.users)

-- > refused:
SELECT xmlforest(name) FROM dbt_models

-- > refused:
SELECT XMLELEMENT(NAME a, (SELECT max(email) FROM raw.users)) FROM dbt_models

-- > refused:
SELECT CAST('raw.users' AS regclass)::oid

-- > refused:
SELECT CAST(name AS evil_domain) FROM dbt_models

-- > refused:
SELECT name::"evil" FROM dbt_models

-- > refused:
SELECT B'1', X'1F', N'x' FROM raw.users

-- > refused:
WITH d AS (MERGE INTO dbt_models USING raw.users ON true WHEN MATCHED THEN DELETE) SELECT 1

-- > refused:
PREPARE x AS SELECT * FROM raw.users

-- > refused:
SELECT (m).* FROM raw.users m

-- > refused:
SELECT (name).lower FROM dbt_models

-- > refused:
SELECT pg_catalog.lower(name) FROM dbt_models

-- > refused:
SELECT current_setting('x'), set_config('a', 'b', false)

-- > refused:
SELECT dblink('a', 'b') FROM dbt_models

-- > refused:
SELECT generate_series(1, 1000000000)

-- > refused:
SELECT array_fill(1, ARRAY[1000000000])

-- > refused:
SELECT * FROM json_populate_recordset(NULL::raw.users, '[]')

-- > refused:
SELECT * FROM json_to_recordset('[]') AS x(a evil)

-- > refused:
SELECT * FROM dbt_models NATURAL JOIN raw.users

-- > refused:
SELECT name OPERATOR(pg_catalog.+) 1 FROM dbt_models

-- > refused:
SELECT name <<<< 'x' FROM dbt_models

-- > refused:
SELECT name ?| ARRAY['a'] FROM dbt_models

-- > refused:
SELECT substring(name FROM (SELECT 1 FROM raw.users)) FROM dbt_models

-- > refused:
SELECT trim(both (SELECT 'x' FROM raw.users) FROM name) FROM dbt_models

-- > refused:
SELECT CASE WHEN true THEN (SELECT email FROM raw.users LIMIT 1) END FROM dbt_models

-- > refused:
SELECT count(*) OVER (PARTITION BY (SELECT 1 FROM raw.users)) FROM dbt_models

-- > refused:
SELECT name FROM dbt_models FETCH FIRST (SELECT count(*) FROM raw.users) ROWS ONLY

-- > refused:
SELECT JSON_VALUE('{}', '$.a' DEFAULT (SELECT max(email) FROM raw.users) ON EMPTY) FROM dbt_models

-- > refused:
SELECT JSON_OBJECTAGG(email: email) FROM raw.users

-- > refused:
SELECT * FROM dbt_models WHERE CURRENT OF c

-- > refused:
SELECT * FROM elementary.dbt_models, "raw"."users"

-- > refused:
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT id FROM raw.users) SELECT * FROM t

-- > refused:
WITH users AS (SELECT 1), t AS (SELECT * FROM raw.users) SELECT * FROM t

-- > refused:
SELECT * FROM ((dbt_models CROSS JOIN (raw.users)))

-- > refused:
SELECT current_role, current_schema

-- > refused:
SELECT pg_typeof(name) FROM dbt_models

-- > refused:
SELECT inet_server_addr()

-- > refused:
SELECT format('%s', pg_read_file('x'))
