-- Statements that would read or do something outside; none may pass.

-- > refused:
WITH "stoc<U+212A>s" AS (SELECT 1) SELECT * FROM stocks

-- > refused:
WITH "STOC<U+212A>S" AS (SELECT 1) SELECT * FROM "stocks"

-- > refused:
WITH "user<U+017F>" AS (SELECT 1) SELECT * FROM users

-- > refused:
WITH show AS (SELECT 1) SELECT * FROM (show users)

-- > refused:
SELECT * FROM (show users)

-- > refused:
SELECT * FROM (desc users)

-- > refused:
SELECT * FROM (describe users)

-- > refused:
SELECT * FROM (summarize users)

-- > refused:
SELECT * FROM (from users)

-- > refused:
SELECT * FROM (table users)

-- > refused:
SELECT * FROM (show all tables)

-- > refused:
SELECT * FROM (pragma version)

-- > refused:
SELECT * FROM (explain select 1)

-- > refused:
SELECT * FROM (call pragma_version())

-- > refused:
SELECT * FROM (show tables)

-- > refused:
SELECT rowid, "rowid" FROM dbt_models

-- > refused:
SELECT lpad(name, 1000000000, 'x') FROM dbt_models

-- > refused:
SELECT rpad('x', length(name) * 100000000, 'x') FROM dbt_models

-- > refused:
SELECT format('{:>1000000000}', name) FROM dbt_models

-- > refused:
SELECT format('{:>{}}', name, 1000000000) FROM dbt_models

-- > refused:
SELECT format(name, 1) FROM dbt_models

-- > refused:
SELECT printf('%1000000000d', 1)

-- > refused:
SELECT printf('%*d', 1000000000, 1)

-- > refused:
SELECT bar(1, 0, 1, 1000000000)

-- > refused:
SELECT repeat('x', 10)

-- > refused:
SELECT replace(description, 'a', description) FROM dbt_models

-- > refused:
SELECT * FROM unnest(range(1000000000))

-- > refused:
SELECT * FROM dbt_models, read_csv('/etc/passwd')

-- > refused:
SELECT * FROM dbt_models, unnest(glob('/etc/*'))

-- > refused:
SELECT * FROM dbt_models, json_each((SELECT max(email) FROM raw.users))

-- > refused:
SELECT * FROM json_execute_serialized_sql('{}')

-- > refused:
SELECT * FROM query('select 1')

-- > refused:
SELECT * FROM query_table('users')

-- > refused:
SELECT * FROM duckdb_tables()

-- > refused:
SELECT * FROM main.dbt_models

-- > refused:
SELECT getvariable('x')

-- > refused:
PIVOT users ON name

-- > refused:
SELECT * FROM dbt_models POSITIONAL JOIN users

-- > refused:
SELECT * FROM dbt_models ASOF JOIN users USING (name)

-- > refused:
SELECT COLUMNS(c -> c LIKE 'a%') FROM raw.users

-- > refused:
SELECT COLUMNS('.*') FROM raw.users

-- > refused:
SELECT COLUMNS('.*') FROM read_csv('/etc/passwd')

-- > refused:
SELECT COLUMNS((SELECT max(email) FROM raw.users)) FROM dbt_models

-- > refused:
SELECT COLUMNS(getenv('HOME')) FROM dbt_models

-- > refused:
SELECT COLUMNS(c -> getenv('HOME') = c) FROM dbt_models

-- > refused:
SELECT columns FROM duckdb_columns()

-- > refused:
SELECT COLUMNS('.*') FROM dbt_models, glob('/etc/*')

-- > refused:
SELECT "COLUMNS"('.*') FROM raw.users

-- > refused:
SELECT COLUMNS(COLUMNS((SELECT 'x' FROM raw.users))) FROM dbt_models

-- > refused:
SELECT min(COLUMNS('.*')) FROM 'users.parquet'

-- > refused:
SELECT *COLUMNS((SELECT 'a' FROM users)) FROM dbt_models

-- > refused:
SELECT * FROM 'secret.parquet', dbt_models

-- > refused:
SELECT * FROM read_text('/etc/passwd'), dbt_models

-- > refused:
SELECT * FROM glob('/*'), dbt_models

-- > refused:
SELECT getenv('HOME') FROM dbt_models

-- > refused:
SELECT * FROM query('select * from raw.users'), dbt_models

-- > refused:
SELECT * FROM query_table('raw.users'), dbt_models

-- > refused:
SELECT * FROM sqlite_scan('/x', 't'), dbt_models

-- > refused:
FROM duckdb_secrets() SELECT *

-- > refused:
SELECT nextval('s') FROM dbt_models

-- > refused:
SELECT getvariable('x'), current_setting('home_directory') FROM dbt_models

-- > refused:
SUMMARIZE raw.users

-- > refused:
SELECT * FROM dbt_models POSITIONAL JOIN duckdb_settings()

-- > refused:
SELECT write_log('x') FROM dbt_models

-- > refused:
SELECT * FROM dbt_mode<U+FF4C>s

-- > refused:
SELECT * FROM (SELECT 1 FROM dbt_models) PIVOT (read_text('/etc/passwd') FOR name IN ('a'))

-- > refused:
SELECT * FROM pivot('x')

-- > refused:
SELECT * FROM (FROM raw.users) PIVOT (count(*) FOR email IN ('a'))

-- > refused:
SELECT * FROM (SELECT status, name FROM dbt_run_results) PIVOT (count((SELECT max(email) FROM raw.users)) FOR status IN ('a'))

-- > refused:
FROM raw.users

-- > refused:
FROM raw.users SELECT *

-- > refused:
FROM 'x.parquet' SELECT *

-- > refused:
FROM read_text('/etc/passwd') SELECT *

-- > refused:
FROM dbt_models, raw.users SELECT *

-- > refused:
FROM dbt_models SELECT (SELECT max(email) FROM raw.users)

-- > refused:
FROM dbt_models INSERT INTO x SELECT *

-- > refused:
FROM (FROM raw.users) SELECT *

-- > refused:
FROM dbt_models SELECT * UNION FROM raw.users

-- > refused:
FROM dbt_models WHERE name IN (FROM raw.users)

-- > refused:
FROM raw.users WHERE name IN (FROM dbt_models)

-- > refused:
FROM duckdb_settings()

-- > refused:
FROM (raw.users) SELECT *

-- > refused:
FROM (dbt_models JOIN raw.users ON true) SELECT *

-- > refused:
FROM dbt_models SELECT * FROM raw.users

-- > refused:
FROM "/etc/passwd"

-- > refused:
SELECT * FROM glob('/etc/*')

-- > refused:
FROM query('SELECT * FROM raw.users')

-- > refused:
SELECT current_setting('temp_directory') FROM dbt_models

-- > refused:
SELECT * FROM duckdb_tables

-- > refused:
PIVOT raw.users ON email

-- > refused:
WITH RECURSIVE dbt_models AS (SELECT 1 AS a UNION ALL SELECT id FROM raw.users) SELECT * FROM dbt_models

-- > refused:
WITH a AS (WITH users AS (SELECT 1) SELECT 1) SELECT * FROM users

-- > refused:
SELECT * FROM dbt_models TABLESAMPLE 10%

-- > refused:
SELECT MAP {'a': (SELECT max(email) FROM raw.users)} FROM dbt_models

-- > refused:
SELECT name FROM dbt_models LIMIT (SELECT count(*) FROM raw.users)

-- > refused:
SELECT sum(1) FILTER (WHERE EXISTS (FROM raw.users)) FROM dbt_models

-- > refused:
SELECT * FROM dbt_models UNION BY NAME SELECT * FROM raw.users

-- > refused:
VALUES ((SELECT max(email) FROM raw.users))

-- > refused:
SELECT /* /* */ */ name FROM raw.users

-- > refused:
SELECT name FROM dbt_models WHERE name = $$' OR (SELECT 1 FROM raw.users) --$$

-- > refused:
COPY (SELECT * FROM dbt_models) TO '/tmp/x'

-- > refused:
EXPORT DATABASE '/tmp/x'

-- > refused:
SELECT txid_current() FROM dbt_models

-- > refused:
SELECT u.* FROM dbt_models m, LATERAL (SELECT * FROM raw.users) u

-- > refused:
SELECT * FROM parquet_metadata('/x')

-- > refused:
SELECT * FROM test_all_types()

-- > refused:
SELECT repeat(name, 100000) FROM dbt_models

-- > refused:
SELECT array_resize(tags, 1000000000) FROM dbt_models

-- > refused:
SELECT ('/etc/passwd').read_text() FROM dbt_models

-- > refused:
SELECT raw.evil(name) FROM dbt_models

-- > refused:
SELECT CAST(name AS raw.mytype) FROM dbt_models

-- > refused:
SELECT * FROM "dbt_models.csv"

-- > refused:
SELECT * FROM elementary.main.users

-- > refused:
SELECT #1 FROM raw.users

-- > refused:
SELECT bar(1,0,1,100000000) FROM dbt_models

-- > refused:
SELECT * FROM unnest((SELECT list(email) FROM users))

-- > refused:
SELECT name FROM dbt_models WHERE name IN (FROM users)

-- > refused:
SELECT EXISTS (TABLE users) FROM dbt_models

-- > refused:
SELECT (TABLE users) FROM dbt_models
