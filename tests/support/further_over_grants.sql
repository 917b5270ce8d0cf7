-- What gives a reader on PostgreSQL more than the Elementary schema; names in braces are a warehouse's.

-- over-grant: aggregate whose final function is pg_read_file
CREATE AGGREGATE elementary.slurp(text) (SFUNC = textcat, STYPE = text, FINALFUNC = pg_read_file)

-- over-grant: aggregate whose state function is pg_read_file
CREATE AGGREGATE public.slurp(bigint, bigint) (SFUNC = pg_read_file, STYPE = text, INITCOND = 'PG_VERSION')

-- over-grant: an aggregate whose moving final function is pg_read_file
CREATE AGGREGATE elementary.slurp(text) (SFUNC = textcat, STYPE = text, MSFUNC=textcat, MINVFUNC=textcat,
MSTYPE=text, MFINALFUNC = pg_read_file)

-- over-grant: aggregate whose final is lo_import
CREATE AGGREGATE elementary.slurp(text) (SFUNC = textcat, STYPE = text, FINALFUNC = lo_import)

-- over-grant: a materialized view over pg_read_file
CREATE MATERIALIZED VIEW elementary.m AS SELECT pg_read_file('PG_VERSION') AS t;  GRANT SELECT ON ALL TABLES IN
SCHEMA elementary TO {role}

-- over-grant: a materialized view over pg_stats
ANALYZE raw.users;  CREATE MATERIALIZED VIEW elementary.m AS SELECT tablename, attname, most_common_vals::text,
histogram_bounds::text FROM pg_stats WHERE schemaname='raw';  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO
{role}

-- over-grant: a materialized view over pg_stat_activity
CREATE MATERIALIZED VIEW elementary.m AS SELECT query FROM pg_stat_activity;  GRANT SELECT ON ALL TABLES IN SCHEMA
elementary TO {role}

-- over-grant: a materialized view over pg_stat_statements
CREATE EXTENSION pg_stat_statements;  CREATE MATERIALIZED VIEW elementary.m AS SELECT query FROM pg_stat_statements;
GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over an invoker function outside
CREATE FUNCTION closed.f() RETURNS SETOF text LANGUAGE sql AS 'SELECT email FROM raw.users';  CREATE MATERIALIZED
VIEW elementary.m AS SELECT * FROM closed.f();  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over an invoker plpgsql function inside
CREATE FUNCTION elementary.f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT email FROM raw.users);  END
$$;  CREATE MATERIALIZED VIEW elementary.m AS SELECT elementary.f();  GRANT SELECT ON ALL TABLES IN SCHEMA
elementary TO {role}

-- over-grant: a materialized view over query_to_xml
CREATE MATERIALIZED VIEW elementary.m AS SELECT query_to_xml('select * from raw.users', true, true, '')::text;
GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over table_to_xml
CREATE MATERIALIZED VIEW elementary.m AS SELECT table_to_xml('raw.users', true, true, '')::text;  GRANT SELECT ON
ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over lo_get
SELECT lo_from_bytea(4720,'secret');  CREATE MATERIALIZED VIEW elementary.m AS SELECT lo_get(4720);  GRANT SELECT ON
ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over crosstab
CREATE EXTENSION tablefunc;  CREATE MATERIALIZED VIEW elementary.m AS SELECT * FROM crosstab('select id::text,
email, email from raw.users') AS t(a text, b text);  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over ts_stat
CREATE MATERIALIZED VIEW elementary.m AS SELECT word FROM ts_stat('select to_tsvector(email) from raw.users');
GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over an invoker aggregate
CREATE FUNCTION closed.f(text,text) RETURNS text LANGUAGE sql AS 'SELECT max(email) FROM raw.users';  CREATE
AGGREGATE closed.g(text) (SFUNC=closed.f, STYPE=text);  CREATE MATERIALIZED VIEW elementary.m AS SELECT
closed.g('x');  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over an invoker operator
CREATE FUNCTION closed.f(text) RETURNS text LANGUAGE sql AS 'SELECT max(email) FROM raw.users';  CREATE OPERATOR
closed.!!! (RIGHTARG=text, FUNCTION=closed.f);  CREATE MATERIALIZED VIEW elementary.m AS SELECT OPERATOR(closed.!!!)
'x'::text;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over information_schema view
CREATE MATERIALIZED VIEW elementary.m AS SELECT * FROM information_schema.user_mapping_options;  GRANT SELECT ON ALL
TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over pg_user_mappings
CREATE EXTENSION postgres_fdw;  CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;  CREATE USER MAPPING FOR {dbt}
SERVER s OPTIONS (password 'hunter2');  CREATE MATERIALIZED VIEW elementary.m AS SELECT umoptions FROM
pg_user_mappings;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over current_setting of superuser
CREATE MATERIALIZED VIEW elementary.m AS SELECT name, setting FROM pg_settings WHERE name = 'hba_file';  GRANT
SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: equality operator of an operator class
CREATE TYPE elementary.ticket AS (id int);  CREATE FUNCTION closed.eq(elementary.ticket, elementary.ticket) RETURNS
boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT EXISTS (SELECT FROM raw.users WHERE id = ($1).id)';  CREATE
FUNCTION closed.h(elementary.ticket) RETURNS int LANGUAGE sql AS 'SELECT 1';  CREATE OPERATOR closed.===
(LEFTARG=elementary.ticket, RIGHTARG=elementary.ticket, FUNCTION=closed.eq);  CREATE OPERATOR CLASS closed.o DEFAULT
FOR TYPE elementary.ticket USING hash AS OPERATOR 1 closed.===, FUNCTION 1 closed.h(elementary.ticket)

-- over-grant: support function lo_export in an operator family
CREATE OPERATOR FAMILY closed.f USING btree;  ALTER OPERATOR FAMILY closed.f USING btree ADD FUNCTION 1 (oid, text)
pg_catalog.lo_export(oid, text)

-- over-grant: a function of the server over pg_read_file
CREATE OR REPLACE FUNCTION pg_catalog.unistr(text) RETURNS text LANGUAGE internal STRICT AS 'pg_read_file_all'

-- over-grant: dblink renamed
CREATE EXTENSION dblink;  ALTER FUNCTION dblink_connect(text) RENAME TO a1;  ALTER FUNCTION
dblink_connect(text,text) RENAME TO a2;  ALTER FUNCTION dblink(text,text) RENAME TO a3;  ALTER FUNCTION
dblink(text,text,boolean) RENAME TO a4;  ALTER FUNCTION dblink(text) RENAME TO a5;  ALTER FUNCTION
dblink(text,boolean) RENAME TO a6;  ALTER FUNCTION dblink_exec(text,text) RENAME TO a7;  ALTER FUNCTION
dblink_exec(text,text,boolean) RENAME TO a8;  ALTER FUNCTION dblink_exec(text) RENAME TO a9;  ALTER FUNCTION
dblink_exec(text,boolean) RENAME TO a10;  ALTER FUNCTION dblink_open(text,text) RENAME TO a11;  ALTER FUNCTION
dblink_open(text,text,boolean) RENAME TO a12;  ALTER FUNCTION dblink_open(text,text,text) RENAME TO a13;  ALTER
FUNCTION dblink_open(text,text,text,boolean) RENAME TO a14;  ALTER FUNCTION dblink_send_query RENAME TO a15

-- over-grant: another extension's C function in hstore
CREATE EXTENSION hstore;  CREATE FUNCTION public.harmless(text) RETURNS text LANGUAGE c STRICT AS '$libdir/dblink',
'dblink_connect';  ALTER EXTENSION hstore ADD FUNCTION public.harmless(text)

-- over-grant: adminpack's C function in hstore
CREATE EXTENSION hstore;  CREATE FUNCTION public.harmless() RETURNS SETOF record LANGUAGE c STRICT AS
'$libdir/adminpack', 'pg_logdir_ls';  ALTER EXTENSION hstore ADD FUNCTION public.harmless()

-- over-grant: information_schema view replaced by a definer function
CREATE FUNCTION closed.leak() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT max(email) FROM raw.users';
CREATE OR REPLACE VIEW information_schema.information_schema_catalog_name AS SELECT
closed.leak()::information_schema.sql_identifier AS catalog_name

-- over-grant: pg_catalog view replaced by a definer function
CREATE FUNCTION closed.leak() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT max(email) FROM raw.users';  SET
LOCAL allow_system_table_mods = on;  CREATE OR REPLACE VIEW pg_catalog.pg_rules AS SELECT n.nspname AS schemaname,
c.relname AS tablename, NULL::name AS rulename, closed.leak() AS definition FROM pg_class c, pg_namespace n

-- over-grant: a view in an extension over a definer function
CREATE FUNCTION closed.leak() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT max(email) FROM raw.users';
CREATE EXTENSION hstore SCHEMA public;  CREATE VIEW public.v AS SELECT closed.leak();  GRANT SELECT ON public.v TO
PUBLIC;  ALTER EXTENSION hstore ADD VIEW public.v

-- over-grant: a view in an extension over pg_authid
CREATE EXTENSION hstore SCHEMA public;  CREATE VIEW public.v AS SELECT rolpassword FROM pg_authid;  GRANT SELECT ON
public.v TO PUBLIC;  ALTER EXTENSION hstore ADD VIEW public.v

-- over-grant: a view in an extension over pg_statistic
ANALYZE raw.users;  CREATE EXTENSION hstore SCHEMA public;  CREATE VIEW public.v AS SELECT stavalues1::text FROM
pg_statistic s WHERE starelid='raw.users'::regclass;  GRANT SELECT ON public.v TO PUBLIC;  ALTER EXTENSION hstore
ADD VIEW public.v

-- over-grant: a materialized view in an extension
CREATE EXTENSION hstore SCHEMA public;  CREATE MATERIALIZED VIEW public.v AS SELECT * FROM raw.users;  GRANT SELECT
ON public.v TO PUBLIC;  ALTER EXTENSION hstore ADD MATERIALIZED VIEW public.v

-- over-grant: grant option of another schema
GRANT USAGE ON SCHEMA raw TO {user} WITH GRANT OPTION

-- over-grant: grant option of public
GRANT USAGE ON SCHEMA public TO {role} WITH GRANT OPTION

-- over-grant: grant option of template1
GRANT CONNECT ON DATABASE template1 TO {user} WITH GRANT OPTION

-- over-grant: CREATE on template1
GRANT CREATE ON DATABASE template1 TO {user}

-- over-grant: CREATE on another database
REVOKE ALL ON DATABASE {other_database} FROM PUBLIC;  GRANT CREATE ON DATABASE {other_database} TO {user}

-- over-grant: grant option of a type outside
CREATE TYPE raw.e AS ENUM ();  GRANT USAGE ON TYPE raw.e TO {role} WITH GRANT OPTION

-- over-grant: grant option of a sequence outside, USAGE
CREATE SEQUENCE raw.n;  GRANT USAGE ON SEQUENCE raw.n TO {role} WITH GRANT OPTION

-- over-grant: grant option of a system catalog
GRANT SELECT ON pg_catalog.pg_class TO {role} WITH GRANT OPTION

-- over-grant: grant option of information_schema view
GRANT SELECT ON information_schema.tables TO {role} WITH GRANT OPTION

-- over-grant: grant option of pg_catalog schema
GRANT USAGE ON SCHEMA pg_catalog TO {role} WITH GRANT OPTION

-- over-grant: grant option of one column of pg_class
GRANT SELECT (relname) ON pg_class TO {role} WITH GRANT OPTION

-- over-grant: row policy reading outside, owner view
ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;  ALTER TABLE elementary.dbt_models FORCE ROW LEVEL
SECURITY;  CREATE POLICY p ON elementary.dbt_models USING (EXISTS (SELECT FROM raw.users WHERE email ~ '^some'));
GRANT USAGE ON SCHEMA raw TO {dbt};  GRANT SELECT ON raw.users TO {dbt};  GRANT SELECT ON ALL TABLES IN SCHEMA
elementary TO {role}

-- over-grant: pg_stats_ext_exprs as before CVE-2024-4317
CREATE TABLE raw.p AS SELECT email FROM raw.users, generate_series(1,50);
CREATE STATISTICS raw.st ON (lower(email)) FROM raw.p; ANALYZE raw.p; SET LOCAL allow_system_table_mods = on;
DO $$ BEGIN
  EXECUTE 'CREATE OR REPLACE VIEW pg_catalog.pg_stats_ext_exprs AS ' || replace(
    pg_get_viewdef('pg_stats_ext_exprs'::regclass), 'pg_has_role(c.relowner, ''USAGE''::text)', 'true');
END $$

-- over-grant: INSERT into a view with a rule
CREATE VIEW elementary.w AS SELECT 1 AS x;  CREATE RULE r AS ON INSERT TO elementary.w DO INSTEAD INSERT INTO
raw.users VALUES (9,'x');  GRANT INSERT ON elementary.w TO {user}

-- over-grant: INSTEAD OF trigger
CREATE VIEW elementary.w AS SELECT 1 AS x;  CREATE FUNCTION closed.t() RETURNS trigger LANGUAGE plpgsql SECURITY
DEFINER AS $$ BEGIN INSERT INTO raw.users VALUES (9,'x');  RETURN NEW;  END $$;  CREATE TRIGGER t INSTEAD OF INSERT
ON elementary.w FOR EACH ROW EXECUTE FUNCTION closed.t();  GRANT INSERT ON elementary.w TO {user}

-- over-grant: a conversion over a C function
CREATE FUNCTION public.conv(int,int,cstring,internal,int,boolean) RETURNS int LANGUAGE c STRICT AS
'$libdir/latin2_and_win1250', 'latin2_to_win1250';  CREATE CONVERSION public.c FOR 'LATIN2' TO 'WIN1250' FROM
public.conv

-- over-grant: a large object owned by group
SELECT lo_create(4730);  ALTER LARGE OBJECT 4730 OWNER TO {role}

-- over-grant: a large object through PUBLIC SELECT
SELECT lo_from_bytea(4731,'secret');  GRANT SELECT ON LARGE OBJECT 4731 TO PUBLIC

-- over-grant: pg_largeobject table
SELECT lo_from_bytea(4731,'secret');  GRANT SELECT ON pg_largeobject TO {role}

-- over-grant: view calling lo_get of a superuser
SELECT lo_from_bytea(4731,'secret');  CREATE VIEW elementary.v AS SELECT data FROM pg_largeobject;  GRANT SELECT ON
ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: user mapping for PUBLIC with password
CREATE EXTENSION postgres_fdw;  CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;  GRANT USAGE ON FOREIGN SERVER s
TO {role};  CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (user 'x', password 'hunter2')

-- over-grant: foreign table as child outside via file_fdw
CREATE EXTENSION file_fdw;  CREATE SERVER f FOREIGN DATA WRAPPER file_fdw;  CREATE TABLE elementary.p (line text);
CREATE FOREIGN TABLE raw.hosts () INHERITS (elementary.p) SERVER f OPTIONS (filename '/etc/hosts');  GRANT SELECT ON
ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: invoker view over foreign table outside with SELECT
CREATE EXTENSION file_fdw;  CREATE SERVER f FOREIGN DATA WRAPPER file_fdw;  CREATE FOREIGN TABLE raw.hosts (line
text) SERVER f OPTIONS (filename '/etc/hosts');  CREATE VIEW elementary.v AS SELECT * FROM raw.hosts;  GRANT SELECT
ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over a foreign table
CREATE EXTENSION file_fdw;  CREATE SERVER f FOREIGN DATA WRAPPER file_fdw;  CREATE FOREIGN TABLE raw.hosts (line
text) SERVER f OPTIONS (filename '/etc/hosts');  CREATE MATERIALIZED VIEW elementary.v AS SELECT * FROM raw.hosts;
GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: ownership of a foreign server by group
CREATE EXTENSION postgres_fdw;  CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;  ALTER SERVER s OWNER TO {role}

-- over-grant: ownership of a conversion
CREATE CONVERSION public.c FOR 'LATIN2' TO 'WIN1250' FROM pg_catalog.latin2_to_win1250;  ALTER CONVERSION public.c
OWNER TO {role}

-- over-grant: ownership of operator class
CREATE TYPE elementary.ticket AS (id int);  CREATE OPERATOR FAMILY public.f USING btree;  ALTER OPERATOR FAMILY
public.f USING btree OWNER TO {role}

-- over-grant: ownership of a text search dictionary
CREATE TEXT SEARCH DICTIONARY public.d (TEMPLATE = simple);  ALTER TEXT SEARCH DICTIONARY public.d OWNER TO {role}

-- over-grant: ownership of an aggregate
CREATE AGGREGATE public.a(int) (SFUNC=int4pl, STYPE=int);  ALTER AGGREGATE public.a(int) OWNER TO {role}

-- over-grant: ownership of an operator
CREATE OPERATOR public.@@@ (LEFTARG=int, RIGHTARG=int, FUNCTION=int4pl);  ALTER OPERATOR public.@@@ (int,int) OWNER
TO {role}

-- over-grant: ownership of a procedure
CREATE PROCEDURE public.p() LANGUAGE sql AS '';  ALTER PROCEDURE public.p() OWNER TO {user}

-- over-grant: ownership of plpgsql language
ALTER LANGUAGE plpgsql OWNER TO {role}

-- over-grant: ownership of an event trigger function
CREATE FUNCTION public.e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;  ALTER FUNCTION public.e()
OWNER TO {user}

-- over-grant: ownership of other database
ALTER DATABASE {other_database} OWNER TO {role}

-- over-grant: ownership of the elementary schema by group of group
CREATE ROLE gg_{role};  GRANT gg_{role} TO {role};  ALTER SCHEMA elementary OWNER TO gg_{role}

-- over-grant: admin option of a role through a group only
CREATE ROLE g1_{role};  CREATE ROLE g2_{role};  GRANT g1_{role} TO {role};  GRANT g2_{role} TO g1_{role} WITH ADMIN OPTION

-- over-grant: member of pg_monitor through two roles
CREATE ROLE g1_{role} NOINHERIT;  GRANT pg_monitor TO g1_{role};  GRANT g1_{role} TO {role}

-- over-grant: member of alloydbsuperuser
CREATE ROLE alloydbsuperuser;  GRANT alloydbsuperuser TO {role}

-- over-grant: member of neon_superuser
CREATE ROLE neon_superuser;  GRANT neon_superuser TO {role}

-- over-grant: member of supabase service_role
CREATE ROLE service_role BYPASSRLS;  GRANT service_role TO {role}

-- over-grant: default privileges of schema usage with options
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {role} WITH GRANT OPTION

-- over-grant: default privileges of another user in elementary INSERT
ALTER DEFAULT PRIVILEGES FOR ROLE {wide} IN SCHEMA elementary GRANT INSERT ON TABLES TO PUBLIC

-- over-grant: default privileges global SELECT of dbt
ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} GRANT SELECT ON TABLES TO {role}

-- over-grant: default sequence usage
ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA elementary GRANT USAGE ON SEQUENCES TO {role}

-- over-grant: definer with a polymorphic arg in an operator of pg_catalog
CREATE FUNCTION closed.l(anyelement) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT max(email) FROM
raw.users';  CREATE OPERATOR pg_catalog.!!! (RIGHTARG=anyelement, FUNCTION=closed.l)

-- over-grant: cast between builtin types by definer
CREATE FUNCTION closed.l(point) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT max(email) FROM raw.users';
CREATE CAST (point AS text) WITH FUNCTION closed.l(point) AS IMPLICIT

-- over-grant: cast as assignment in a domain
CREATE FUNCTION closed.l(point) RETURNS macaddr LANGUAGE sql SECURITY DEFINER AS 'SELECT NULL::macaddr FROM
raw.users';  CREATE CAST (point AS macaddr) WITH FUNCTION closed.l(point)

-- over-grant: definer function reachable by variadic in public
CREATE FUNCTION public.v(VARIADIC int[]) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT max(email) FROM
raw.users'

-- over-grant: definer table function
CREATE FUNCTION public.v() RETURNS SETOF raw.users LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM raw.users'

-- over-grant: definer in a range subtype opclass
CREATE TYPE elementary.ticket AS (id int);  CREATE FUNCTION closed.cmp(elementary.ticket, elementary.ticket) RETURNS
int LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*)::int FROM raw.users';  CREATE OPERATOR CLASS closed.o FOR TYPE
elementary.ticket USING btree AS FUNCTION 1 closed.cmp(elementary.ticket, elementary.ticket);  CREATE TYPE
elementary.r AS RANGE (SUBTYPE=elementary.ticket, SUBTYPE_OPCLASS=closed.o)

-- over-grant: definer by an array of a closed domain
CREATE FUNCTION closed.k(text) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT EXISTS (SELECT FROM
raw.users WHERE email ~ $1)';  CREATE DOMAIN closed.d AS text CHECK (closed.k(VALUE));  CREATE TABLE elementary.t (g
closed.d[]);  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: definer by a multirange domain
CREATE FUNCTION closed.k(int4multirange) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT EXISTS (SELECT
FROM raw.users WHERE id <@ $1)';  CREATE DOMAIN elementary.d AS int4multirange CHECK (closed.k(VALUE))

-- over-grant: partition of elementary parent in another schema via view
CREATE TABLE elementary.p (id int, email text);  CREATE VIEW elementary.v AS SELECT * FROM ONLY elementary.p;  ALTER
TABLE raw.users INHERIT elementary.p;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: TOAST table through group
GRANT USAGE ON SCHEMA pg_toast TO {role};  DO $$ BEGIN EXECUTE format('GRANT SELECT ON %s TO {role}', (SELECT
reltoastrelid::regclass FROM pg_class WHERE oid = 'raw.users'::regclass));  END $$

-- over-grant: column of TOAST table
GRANT USAGE ON SCHEMA pg_toast TO {role};  DO $$ BEGIN EXECUTE format('GRANT SELECT (chunk_data) ON %s TO {role}',
(SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'raw.users'::regclass));  END $$

-- over-grant: session_preload through parameter
GRANT SET ON PARAMETER session_preload_libraries TO PUBLIC

-- over-grant: create in pg_catalog
GRANT CREATE ON SCHEMA pg_catalog TO {role}

-- over-grant: create in information_schema
GRANT CREATE ON SCHEMA information_schema TO PUBLIC

-- over-grant: execute of pg_logical functions
GRANT EXECUTE ON FUNCTION pg_replication_origin_create(text) TO {role}

-- over-grant: execute of pg_log_backend_memory_contexts
GRANT EXECUTE ON FUNCTION pg_log_backend_memory_contexts(int) TO PUBLIC

-- over-grant: view pg_config granted
GRANT SELECT ON pg_config TO {role}

-- over-grant: pg_backend_memory_contexts
GRANT SELECT ON pg_backend_memory_contexts TO {role}

-- over-grant: pg_shmem_allocations
GRANT SELECT ON pg_shmem_allocations TO PUBLIC

-- over-grant: pg_statistic_ext_data
GRANT SELECT ON pg_statistic_ext_data TO PUBLIC

-- over-grant: pg_replication_origin_status
GRANT SELECT ON pg_replication_origin_status TO {role}

-- over-grant: pageinspect get_raw_page for definer
CREATE EXTENSION pageinspect;  CREATE FUNCTION public.page() RETURNS bytea LANGUAGE sql SECURITY DEFINER AS $$
SELECT get_raw_page('raw.users',0) $$

-- over-grant: pageinspect made definer
CREATE EXTENSION pageinspect;  ALTER FUNCTION get_raw_page(text, int8) SECURITY DEFINER

-- over-grant: pg_prewarm made definer
CREATE EXTENSION pg_prewarm;  ALTER FUNCTION pg_prewarm SECURITY DEFINER

-- over-grant: pg_freespacemap
CREATE EXTENSION pg_freespacemap;  GRANT EXECUTE ON FUNCTION pg_freespace(regclass, bigint) TO {role}

-- over-grant: pg_surgery
CREATE EXTENSION pg_surgery;  GRANT EXECUTE ON FUNCTION heap_force_kill(regclass, tid[]) TO {role}

-- over-grant: amcheck
CREATE EXTENSION amcheck;  GRANT EXECUTE ON FUNCTION bt_index_check(regclass) TO {role}

-- over-grant: pg_stat_statements_reset
CREATE EXTENSION pg_stat_statements;  GRANT EXECUTE ON FUNCTION pg_stat_statements_reset(oid,oid,bigint) TO PUBLIC

-- over-grant: lo_manage trigger ext owned
CREATE EXTENSION lo;  ALTER FUNCTION lo_oid(lo) SECURITY DEFINER

-- over-grant: xml2 xpath_table definer
CREATE EXTENSION xml2;  ALTER FUNCTION xpath_table(text,text,text,text,text) SECURITY DEFINER

-- over-grant: a materialized view over an invoker view inside
CREATE VIEW elementary.i WITH (security_invoker) AS SELECT * FROM raw.users;  CREATE MATERIALIZED VIEW elementary.m
AS SELECT * FROM elementary.i;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over a view of statistics inside
ANALYZE raw.users;  CREATE VIEW elementary.i AS SELECT tablename, most_common_vals::text FROM pg_stats;  CREATE
MATERIALIZED VIEW elementary.m AS SELECT * FROM elementary.i;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO
{role}

-- over-grant: a materialized view over a view over a view that calls an invoker function
CREATE FUNCTION closed.f() RETURNS text LANGUAGE sql AS 'SELECT max(email) FROM raw.users';  CREATE VIEW
elementary.i AS SELECT closed.f();  CREATE VIEW elementary.j AS SELECT * FROM elementary.i;  CREATE MATERIALIZED
VIEW elementary.m AS SELECT * FROM elementary.j;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over a materialized view outside
CREATE MATERIALIZED VIEW raw.m AS SELECT * FROM raw.users;  CREATE MATERIALIZED VIEW elementary.m AS SELECT * FROM
raw.m;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over backend activity by number
CREATE MATERIALIZED VIEW elementary.m AS SELECT pg_stat_get_backend_activity(g) AS q FROM generate_series(1,20) g;
GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view in a subquery with exists of query_to_xml
CREATE MATERIALIZED VIEW elementary.m AS SELECT 1 WHERE EXISTS (SELECT FROM (SELECT query_to_xml('select * from
raw.users',true,true,'')::text AS t) s WHERE t ~ 'some');  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over pg_sequences
CREATE SEQUENCE raw.n;  SELECT nextval('raw.n');  CREATE MATERIALIZED VIEW elementary.m AS SELECT last_value FROM
pg_sequences;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over pg_hba_file_rules
CREATE MATERIALIZED VIEW elementary.m AS SELECT * FROM pg_hba_file_rules;  GRANT SELECT ON ALL TABLES IN SCHEMA
elementary TO {role}

-- over-grant: a materialized view over a sequence inside raw
CREATE SEQUENCE raw.n;  CREATE MATERIALIZED VIEW elementary.m AS SELECT * FROM raw.n;  GRANT SELECT ON ALL TABLES IN
SCHEMA elementary TO {role}

-- over-grant: a materialized view over an extension's table function pgrowlocks
CREATE EXTENSION pgrowlocks;  CREATE MATERIALIZED VIEW elementary.m AS SELECT * FROM pgrowlocks('raw.users');  GRANT
SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view over get_raw_page
CREATE EXTENSION pageinspect;  CREATE MATERIALIZED VIEW elementary.m AS SELECT get_raw_page('raw.users',0);  GRANT
SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a materialized view through a domain cast of a function default
CREATE FUNCTION closed.leak() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT max(email) FROM raw.users';
CREATE MATERIALIZED VIEW elementary.m AS SELECT (SELECT closed.leak());  GRANT SELECT ON ALL TABLES IN SCHEMA
elementary TO {role}

-- over-grant: aggregate in a closed schema under a view
CREATE AGGREGATE closed.slurp(text) (SFUNC = textcat, STYPE = text, FINALFUNC = pg_read_file);  CREATE VIEW
elementary.v AS SELECT closed.slurp('PG_VERSION');  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: aggregate in a closed schema under an SQL-body function
CREATE AGGREGATE closed.slurp(text) (SFUNC = textcat, STYPE = text, FINALFUNC = pg_read_file);  CREATE FUNCTION
elementary.f(text) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT closed.slurp($1);  END

-- over-grant: aggregate in a closed schema under a domain
CREATE AGGREGATE closed.slurp(text) (SFUNC = textcat, STYPE = text, FINALFUNC = pg_read_file);  CREATE FUNCTION
closed.f(text) RETURNS boolean LANGUAGE sql BEGIN ATOMIC SELECT closed.slurp($1) ~ '1';  END;  CREATE DOMAIN
elementary.d AS text CHECK (closed.f(VALUE))

-- over-grant: window aggregate with pg_read_binary_file
CREATE AGGREGATE elementary.s(text) (SFUNC = textcat, STYPE = text, FINALFUNC = pg_read_binary_file)

-- over-grant: an aggregate over pg_stat_file
CREATE AGGREGATE elementary.s(text) (SFUNC = textcat, STYPE = text, FINALFUNC = pg_stat_file)

-- over-grant: aggregate over an extension's reserved function
CREATE EXTENSION adminpack;  CREATE AGGREGATE elementary.s(text) (SFUNC = textcat, STYPE=text, FINALFUNC =
pg_catalog.pg_file_unlink)

-- over-grant: order operator of a btree class
CREATE TYPE elementary.ticket AS (id int);  CREATE FUNCTION closed.lt(elementary.ticket, elementary.ticket) RETURNS
boolean LANGUAGE sql SECURITY DEFINER AS 'SELECT EXISTS (SELECT FROM raw.users WHERE id = ($1).id)';  CREATE
FUNCTION closed.cmp(elementary.ticket, elementary.ticket) RETURNS int LANGUAGE sql AS 'SELECT 0';  CREATE OPERATOR
closed.=== (LEFTARG=elementary.ticket, RIGHTARG=elementary.ticket, FUNCTION=closed.lt);  CREATE OPERATOR closed.<<<
(LEFTARG=elementary.ticket, RIGHTARG=elementary.ticket, FUNCTION=closed.lt);  CREATE OPERATOR CLASS closed.o DEFAULT
FOR TYPE elementary.ticket USING btree AS OPERATOR 1 closed.<<<, OPERATOR 3 closed.===, FUNCTION 1
closed.cmp(elementary.ticket, elementary.ticket)

-- over-grant: loose operator of a family
CREATE TYPE elementary.ticket AS (id int);  CREATE FUNCTION closed.lt(elementary.ticket, int) RETURNS boolean
LANGUAGE sql SECURITY DEFINER AS 'SELECT EXISTS (SELECT FROM raw.users)';  CREATE OPERATOR closed.===
(LEFTARG=elementary.ticket, RIGHTARG=int, FUNCTION=closed.lt);  CREATE OPERATOR FAMILY closed.f USING btree;  ALTER
OPERATOR FAMILY closed.f USING btree ADD OPERATOR 3 closed.=== (elementary.ticket, int)

-- over-grant: a policy over an outside table in WITH CHECK only
ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;  CREATE POLICY p ON elementary.dbt_models FOR INSERT
WITH CHECK (EXISTS (SELECT FROM raw.users))

-- over-grant: a policy over an outside view
CREATE VIEW raw.v AS SELECT * FROM raw.users;  ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;  ALTER
TABLE elementary.dbt_models FORCE ROW LEVEL SECURITY;  GRANT USAGE ON SCHEMA raw TO {dbt};  GRANT SELECT ON raw.v TO
{dbt};  CREATE POLICY p ON elementary.dbt_models USING (unique_id IN (SELECT 'model.one' FROM raw.v WHERE email ~
'^s'));  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a policy over pg_authid
ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;  CREATE POLICY p ON elementary.dbt_models USING (EXISTS
(SELECT FROM pg_authid WHERE rolpassword ~ 'SCRAM'));  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: an extension's view over another's table function dblink
CREATE EXTENSION dblink SCHEMA closed;  CREATE EXTENSION hstore SCHEMA public;  CREATE VIEW public.v AS SELECT *
FROM closed.dblink('host=127.0.0.1 port=1','select 1') AS t(a int);  GRANT SELECT ON public.v TO PUBLIC;  ALTER
EXTENSION hstore ADD VIEW public.v

-- over-grant: an extension's view over pg_user_mapping
CREATE EXTENSION hstore SCHEMA public;  CREATE VIEW public.v AS SELECT umoptions FROM pg_user_mapping;  GRANT SELECT
ON public.v TO PUBLIC;  ALTER EXTENSION hstore ADD VIEW public.v

-- over-grant: SQL builtin replaced by internal
CREATE OR REPLACE FUNCTION pg_catalog.bit_length(text) RETURNS integer LANGUAGE internal STRICT AS 'be_lo_import'

-- over-grant: SQL builtin replaced by definer
CREATE OR REPLACE FUNCTION pg_catalog.lpad(text, integer) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT
max(email) FROM raw.users'

-- over-grant: USAGE on a sequence of the schema by PUBLIC
CREATE SEQUENCE elementary.n;  GRANT USAGE ON SEQUENCE elementary.n TO PUBLIC

-- over-grant: grant option of a view inside via group
GRANT SELECT ON elementary.models TO {role} WITH GRANT OPTION

-- over-grant: grant option of a routine for a group outside
CREATE PROCEDURE closed.p() LANGUAGE sql AS '';  GRANT EXECUTE ON PROCEDURE closed.p() TO {role} WITH GRANT OPTION

-- over-grant: grant option of a domain
CREATE DOMAIN raw.d AS int;  GRANT USAGE ON DOMAIN raw.d TO {role} WITH GRANT OPTION

-- over-grant: ownership of template1
ALTER DATABASE template1 OWNER TO {role}

-- over-grant: a foreign table in another's schema readable via inheritance of elementary grandchild
CREATE EXTENSION file_fdw;  CREATE SERVER f FOREIGN DATA WRAPPER file_fdw;  CREATE TABLE elementary.p (line text);
CREATE TABLE elementary.c () INHERITS (elementary.p);  CREATE FOREIGN TABLE raw.h () INHERITS (elementary.c) SERVER
f OPTIONS (filename '/etc/hosts');  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a view with a volatile filter over raw via LATERAL join of a domain
CREATE VIEW elementary.v AS SELECT (SELECT string_agg(email, ',') FROM raw.users u WHERE u.email > m.unique_id) FROM
elementary.dbt_models m;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a recursive view over raw
CREATE RECURSIVE VIEW elementary.v (e) AS SELECT email FROM raw.users UNION SELECT e FROM v WHERE false;  GRANT
SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a view with GROUPING SETS over raw in HAVING
CREATE VIEW elementary.v AS SELECT 1 AS x FROM elementary.dbt_models HAVING (SELECT count(*) FROM raw.users) > 0;
GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a view ORDER BY subquery over raw
CREATE VIEW elementary.v AS SELECT unique_id FROM elementary.dbt_models LIMIT (SELECT count(*) FROM raw.users);
GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}

-- over-grant: a view over a TOAST relation
DO $$ BEGIN EXECUTE format('CREATE VIEW elementary.v AS SELECT chunk_data FROM %s', (SELECT reltoastrelid::regclass
FROM pg_class WHERE oid='raw.users'::regclass));  END $$;  GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role}
