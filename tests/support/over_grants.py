"""Lists what gives a reader on PostgreSQL more than the Elementary schema; names in braces are a warehouse's."""

from __future__ import annotations

import re
from pathlib import Path

DEFINER = "LANGUAGE sql SECURITY DEFINER AS 'SELECT max(email) FROM raw.users'"
LEAK = f"CREATE FUNCTION closed.leak() RETURNS text {DEFINER};"
LEAK_OF = f"CREATE FUNCTION closed.leak(text) RETURNS text {DEFINER};"
LEAK_OF_TWO = f"CREATE FUNCTION closed.leak(text, text) RETURNS text {DEFINER};"
ORACLE = (
    "CREATE FUNCTION closed.knows(text) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS "
    "'SELECT EXISTS (SELECT FROM raw.users WHERE email ~ $1)';"
)
SHOW = "GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role};"
INTERNAL = (
    "DO $$ BEGIN EXECUTE format('CREATE FUNCTION {0}({1}) RETURNS {2} STRICT LANGUAGE internal AS %L',"
    " (SELECT prosrc FROM pg_proc WHERE oid = '{3}({1})'::regprocedure)); END $$"
)
SERVER = "CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;"
TICKET = "CREATE TYPE elementary.ticket AS (id int);"

#: What the reader gets beyond reading one schema.
OVER_GRANTS = {
    **{f"attribute {name}": f"ALTER ROLE {{user}} {name}" for name in "SUPERUSER CREATEROLE BYPASSRLS".split()},
    "attribute of a group": "ALTER ROLE {role} REPLICATION",
    **{
        f"member of {name}": f"GRANT {name} TO {{user}}"
        for name in "pg_read_all_data pg_write_all_data pg_read_all_settings pg_read_all_stats pg_stat_scan_tables "
        "pg_signal_backend pg_execute_server_program pg_write_server_files pg_checkpoint {dbt}".split()
    },
    "member of the owner, NOINHERIT": "GRANT {dbt} TO {role}; ALTER ROLE {user} NOINHERIT",
    "ADMIN OPTION of the group": "GRANT {role} TO {user} WITH ADMIN OPTION",
    "SELECT on all of raw": "GRANT USAGE ON SCHEMA raw TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA raw TO {role}",
    "SELECT on a partition of a closed table": (
        "CREATE TABLE raw.parts (id int) PARTITION BY LIST (id); CREATE TABLE raw.one PARTITION OF raw.parts DEFAULT;"
        "GRANT SELECT ON raw.one TO PUBLIC"
    ),
    "SELECT on a sequence": "CREATE SEQUENCE raw.n; GRANT SELECT ON SEQUENCE raw.n TO {user}",
    "UPDATE of a sequence inside": "CREATE SEQUENCE elementary.n; GRANT UPDATE ON SEQUENCE elementary.n TO {user}",
    "SELECT on a view outside": "CREATE VIEW raw.v AS SELECT * FROM raw.users; GRANT SELECT ON raw.v TO {user}",
    "SELECT on a system catalog": "GRANT SELECT ON pg_catalog.pg_statistic TO {user}",
    "SELECT on one column of a system catalog": "GRANT SELECT (rolpassword) ON pg_catalog.pg_authid TO {user}",
    **{
        f"{right} inside": f"GRANT {right} ON elementary.dbt_models TO {{user}}"
        for right in "INSERT UPDATE DELETE TRUNCATE REFERENCES TRIGGER".split()
    },
    "INSERT of one column": "GRANT INSERT (unique_id) ON elementary.dbt_models TO {role}",
    "REFERENCES of one column": "GRANT REFERENCES (unique_id) ON elementary.dbt_models TO {user}",
    "TRIGGER outside": "GRANT TRIGGER ON raw.users TO {user}",
    "CREATE inside": "GRANT CREATE ON SCHEMA elementary TO {role}",
    "CREATE in raw": "GRANT CREATE ON SCHEMA raw TO {user}",
    "CREATE in the database": "GRANT CREATE ON DATABASE {database} TO {role}",
    "TEMPORARY": "GRANT TEMPORARY ON DATABASE {database} TO {role}",
    "CONNECT elsewhere": "GRANT CONNECT ON DATABASE {other_database} TO {role}",
    **{
        f"ownership of {kind}": f"{made}; ALTER {kind} {name} OWNER TO {{user}}"
        for kind, name, made in (
            ("TABLE", "raw.mine", "CREATE TABLE raw.mine ()"),
            ("VIEW", "elementary.mine", "CREATE VIEW elementary.mine AS SELECT 1"),
            ("SEQUENCE", "raw.mine", "CREATE SEQUENCE raw.mine"),
            ("TYPE", "raw.mine", "CREATE TYPE raw.mine AS ENUM ('a')"),
            ("SCHEMA", "mine", "CREATE SCHEMA mine"),
            ("LARGE OBJECT", "4712", "SELECT lo_create(4712)"),
            ("STATISTICS", "raw.mine", "CREATE STATISTICS raw.mine ON id, email FROM raw.users"),
        )
    },
    "default privileges on functions": "ALTER DEFAULT PRIVILEGES IN SCHEMA raw GRANT EXECUTE ON FUNCTIONS TO {role}",
    "default privileges on schemas": "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} GRANT USAGE ON SCHEMAS TO {user}",
    "default privileges on sequences": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA elementary GRANT UPDATE ON SEQUENCES TO {role}"
    ),
    "default privileges through PUBLIC": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA raw GRANT SELECT ON TABLES TO PUBLIC"
    ),
    "a large object for PUBLIC": "SELECT lo_create(4713); GRANT UPDATE ON LARGE OBJECT 4713 TO PUBLIC",
    "SET of a parameter": "GRANT SET ON PARAMETER session_replication_role TO {user}",
    "ALTER SYSTEM of a parameter": "GRANT ALTER SYSTEM ON PARAMETER log_statement TO {role}",
    **{
        f"EXECUTE of {name}": f"GRANT EXECUTE ON FUNCTION pg_catalog.{name} TO {{user}}"
        for name in (
            "pg_read_file(text)",
            "pg_read_binary_file(text)",
            "pg_ls_dir(text)",
            "pg_stat_file(text)",
            "lo_import(text)",
            "lo_export(oid, text)",
            "pg_reload_conf()",
            "pg_ls_logdir()",
            "pg_stat_reset()",
        )
    },
    "USAGE of a foreign data wrapper": SERVER + "GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {user}",
    "USAGE of a foreign server for PUBLIC": SERVER + "GRANT USAGE ON FOREIGN SERVER elsewhere TO PUBLIC",
    "a user mapping": SERVER + "CREATE USER MAPPING FOR {user} SERVER elsewhere",
    "a foreign table inside": SERVER + "CREATE FOREIGN TABLE elementary.far (id int) SERVER elsewhere;" + SHOW,
    "dblink": "CREATE EXTENSION dblink",
    "grant option of a sequence inside": (
        "CREATE SEQUENCE elementary.n; GRANT SELECT ON SEQUENCE elementary.n TO {user} WITH GRANT OPTION"
    ),
    "grant option of the schema": "GRANT USAGE ON SCHEMA elementary TO {role} WITH GRANT OPTION",
    "grant option of all tables": "GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {user} WITH GRANT OPTION",
    "grant option of the database": "GRANT CONNECT ON DATABASE {database} TO {role} WITH GRANT OPTION",
    "grant option by default": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA elementary GRANT SELECT ON TABLES TO {role}"
        " WITH GRANT OPTION"
    ),
    "a definer function inside": f"CREATE FUNCTION elementary.leak() RETURNS text {DEFINER}",
    "a definer procedure": (
        "CREATE PROCEDURE elementary.leak(INOUT x text) LANGUAGE plpgsql SECURITY DEFINER"
        " AS $$ BEGIN SELECT max(email) INTO x FROM raw.users; END $$"
    ),
    "a definer function with a wider search path": (
        f"CREATE FUNCTION public.leak() RETURNS text SET search_path = pg_catalog {DEFINER}"
    ),
    "a prefix operator": LEAK_OF + "CREATE OPERATOR elementary.!!! (RIGHTARG = text, FUNCTION = closed.leak)",
    "an operator in public": (
        LEAK_OF_TWO + "CREATE OPERATOR public.<<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = closed.leak)"
    ),
    "an operator over a function with an SQL body": (
        LEAK
        + "CREATE FUNCTION closed.wrap(text, text) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT closed.leak(); END;"
        "CREATE OPERATOR elementary.<<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = closed.wrap)"
    ),
    "the state function of an aggregate": (
        LEAK_OF_TWO + "REVOKE EXECUTE ON FUNCTION closed.leak(text, text) FROM PUBLIC;"
        "CREATE AGGREGATE elementary.leak(text) (SFUNC = closed.leak, STYPE = text)"
    ),
    "the final function of an aggregate": (
        LEAK_OF + "CREATE AGGREGATE elementary.leak(text) (SFUNC = textcat, STYPE = text, FINALFUNC = closed.leak)"
    ),
    "the combine function of an aggregate": (
        LEAK_OF_TWO
        + "CREATE AGGREGATE elementary.leak(text) (SFUNC = textcat, STYPE = text, COMBINEFUNC = closed.leak)"
    ),
    "the moving functions of an aggregate": (
        LEAK_OF + "CREATE AGGREGATE elementary.leak(text) (SFUNC = textcat, STYPE = text, MSFUNC = textcat,"
        " MINVFUNC = textcat, MSTYPE = text, MFINALFUNC = closed.leak)"
    ),
    "an ordered-set aggregate": (
        LEAK_OF + "CREATE AGGREGATE elementary.leak(ORDER BY text) (SFUNC = textcat, STYPE = text,"
        " FINALFUNC = closed.leak)"
    ),
    "an implicit cast": (
        TICKET + f"CREATE FUNCTION closed.leak(elementary.ticket) RETURNS text {DEFINER};"
        "CREATE CAST (elementary.ticket AS text) WITH FUNCTION closed.leak(elementary.ticket) AS IMPLICIT"
    ),
    "a domain": ORACLE + "CREATE DOMAIN public.guess AS text CHECK (closed.knows(VALUE))",
    "a domain over a domain": (
        ORACLE + "CREATE DOMAIN closed.guess AS text CHECK (closed.knows(VALUE));"
        "CREATE DOMAIN elementary.guess AS closed.guess"
    ),
    "a domain whose check uses an operator": (
        LEAK_OF_TWO + "CREATE OPERATOR closed.<<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = closed.leak);"
        "CREATE DOMAIN elementary.guess AS text CHECK (VALUE OPERATOR(closed.<<<<) 'x' <> '')"
    ),
    "a default argument": (
        LEAK + "CREATE FUNCTION elementary.ask(x text DEFAULT closed.leak()) RETURNS text LANGUAGE sql AS 'SELECT $1'"
    ),
    "a procedure with an SQL body": (
        LEAK_OF + "CREATE PROCEDURE elementary.ask() LANGUAGE sql BEGIN ATOMIC SELECT closed.leak('x'); END"
    ),
    "an operator class": (
        TICKET + "CREATE FUNCTION closed.compare(elementary.ticket, elementary.ticket) RETURNS int LANGUAGE sql"
        " SECURITY DEFINER AS 'SELECT count(*)::int FROM raw.users';"
        "CREATE FUNCTION closed.less(elementary.ticket, elementary.ticket) RETURNS boolean LANGUAGE sql"
        " AS 'SELECT true';"
        "CREATE OPERATOR elementary.<<< (LEFTARG = elementary.ticket, RIGHTARG = elementary.ticket,"
        " FUNCTION = closed.less);"
        "CREATE OPERATOR CLASS elementary.tickets DEFAULT FOR TYPE elementary.ticket USING btree AS"
        " OPERATOR 1 elementary.<<<, FUNCTION 1 closed.compare(elementary.ticket, elementary.ticket)"
    ),
    "a range type": (
        "CREATE FUNCTION closed.apart(int, int) RETURNS float8 LANGUAGE sql SECURITY DEFINER IMMUTABLE"
        " AS 'SELECT count(*)::float8 FROM raw.users';"
        "CREATE TYPE elementary.span AS RANGE (SUBTYPE = int, SUBTYPE_DIFF = closed.apart)"
    ),
    "a row policy": (
        ORACLE + "ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON elementary.dbt_models USING (closed.knows(unique_id))"
    ),
    "a row policy over an operator": (
        ORACLE + "CREATE OPERATOR closed.??? (RIGHTARG = text, FUNCTION = closed.knows);"
        "ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON elementary.dbt_models USING (OPERATOR(closed.???) unique_id)"
    ),
    "a view": "CREATE VIEW elementary.leak AS SELECT email FROM raw.users;" + SHOW,
    "a view whose condition reads": (
        "CREATE VIEW elementary.leak AS SELECT 1 AS x WHERE EXISTS (SELECT FROM raw.users WHERE email ~ 'a');" + SHOW
    ),
    "a view over a common table expression": (
        "CREATE VIEW elementary.leak AS WITH u AS MATERIALIZED (SELECT * FROM raw.users) SELECT * FROM u;" + SHOW
    ),
    "a view over a materialized view": (
        "CREATE MATERIALIZED VIEW raw.m AS SELECT * FROM raw.users; CREATE VIEW elementary.leak AS SELECT * FROM raw.m;"
        + SHOW
    ),
    "a materialized view": "CREATE MATERIALIZED VIEW elementary.leak AS SELECT * FROM raw.users;" + SHOW,
    "a view over an invoker view": (
        "CREATE VIEW raw.i WITH (security_invoker) AS SELECT * FROM raw.users;"
        "CREATE VIEW elementary.leak AS SELECT * FROM raw.i;" + SHOW
    ),
    "an invoker view over a view": (
        "CREATE VIEW elementary.inner AS SELECT * FROM raw.users;"
        "CREATE VIEW elementary.leak WITH (security_invoker) AS SELECT * FROM elementary.inner;" + SHOW
    ),
    "a view over a sequence": "CREATE SEQUENCE raw.n; CREATE VIEW elementary.leak AS SELECT * FROM raw.n;" + SHOW,
    "a view over statistics": "CREATE VIEW elementary.leak AS SELECT stanullfrac FROM pg_catalog.pg_statistic;" + SHOW,
    "a view over user mappings": "CREATE VIEW elementary.leak AS SELECT * FROM pg_catalog.pg_user_mapping;" + SHOW,
    "a view over a definer function that the reader may call": (
        LEAK
        + "REVOKE EXECUTE ON FUNCTION closed.leak() FROM PUBLIC; GRANT EXECUTE ON FUNCTION closed.leak() TO {role};"
        "CREATE VIEW elementary.leak AS SELECT closed.leak();" + SHOW
    ),
    "a view over a revoked definer function and an aggregate that has it as its state": (
        LEAK_OF + "REVOKE EXECUTE ON FUNCTION closed.leak(text) FROM PUBLIC;"
        "CREATE AGGREGATE closed.total(*) (SFUNC = closed.leak, STYPE = text);"
        "CREATE VIEW elementary.leak AS SELECT closed.total(*), closed.leak('');" + SHOW
    ),
    "a materialized view over a revoked definer function": (
        LEAK + "REVOKE EXECUTE ON FUNCTION closed.leak() FROM PUBLIC;"
        "CREATE MATERIALIZED VIEW elementary.leak AS SELECT closed.leak();" + SHOW
    ),
    "a view over a definer function": LEAK + "CREATE VIEW elementary.leak AS SELECT closed.leak();" + SHOW,
    "a view that casts by a definer function": (
        TICKET + f"CREATE FUNCTION closed.leak(elementary.ticket) RETURNS text {DEFINER};"
        "CREATE CAST (elementary.ticket AS text) WITH FUNCTION closed.leak(elementary.ticket);"
        "CREATE VIEW elementary.leak AS SELECT ROW(1)::elementary.ticket::text;" + SHOW
    ),
    "a table with a child outside": (
        "CREATE TABLE elementary.p (id int, email text); ALTER TABLE raw.users INHERIT elementary.p"
    ),
    "a table with a partition outside": (
        "CREATE TABLE elementary.p (id int, email text) PARTITION BY LIST (id);"
        "ALTER TABLE elementary.p ATTACH PARTITION raw.users DEFAULT"
    ),
    "a table with a grandchild outside": (
        "CREATE TABLE elementary.p (id int, email text); CREATE TABLE elementary.c () INHERITS (elementary.p);"
        "ALTER TABLE raw.users INHERIT elementary.c"
    ),
    "a copy of pg_read_file": INTERNAL.format("public.harmless", "text", "text", "pg_read_file"),
    "a copy of pg_ls_dir": INTERNAL.format("elementary.harmless", "text", "setof text", "pg_ls_dir"),
    "an operator over a copy of pg_read_file": (
        INTERNAL.format("closed.harmless", "text", "text", "pg_read_file")
        + "; CREATE OPERATOR elementary.!!! (RIGHTARG = text, FUNCTION = closed.harmless)"
    ),
    **{
        f"EXECUTE of {function} of {extension}": (
            f"CREATE EXTENSION {extension}; GRANT EXECUTE ON FUNCTION {function} TO {{role}}"
        )
        for extension, function in (
            ("adminpack", "pg_file_write(text, text, boolean)"),
            ("pg_visibility", "pg_visibility(regclass)"),
            ("pg_walinspect", "pg_get_wal_records_info(pg_lsn, pg_lsn)"),
            ("pgstattuple", "pgstattuple(regclass)"),
        )
    },
    "EXECUTE of pg_read_file for PUBLIC": "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO PUBLIC",
    "a definer function in pg_catalog": f"CREATE FUNCTION pg_catalog.leak() RETURNS text {DEFINER}",
    "a definer function in information_schema": f"CREATE FUNCTION information_schema.leak() RETURNS text {DEFINER}",
    "a function of the server made definer": (
        "ALTER FUNCTION pg_catalog.pg_read_file(text) SECURITY DEFINER;"
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO PUBLIC"
    ),
    "a copy of pg_read_file in pg_catalog": INTERNAL.format("pg_catalog.harmless", "text", "text", "pg_read_file"),
    "a copy of pg_read_file in an extension": (
        "CREATE EXTENSION hstore;"
        + INTERNAL.format("public.harmless", "text", "text", "pg_read_file")
        + "; ALTER EXTENSION hstore ADD FUNCTION public.harmless(text)"
    ),
    "a definer function in an extension": (
        f"CREATE EXTENSION hstore; CREATE FUNCTION public.leak() RETURNS text {DEFINER};"
        "ALTER EXTENSION hstore ADD FUNCTION public.leak()"
    ),
    "a table of dbt in an extension": (
        "CREATE EXTENSION hstore; CREATE TABLE raw.d (id int); ALTER TABLE raw.d OWNER TO {dbt};"
        "GRANT SELECT ON raw.d TO PUBLIC; ALTER EXTENSION hstore ADD TABLE raw.d"
    ),
    "a table called an initial privilege": (
        "GRANT SELECT ON raw.users TO PUBLIC; INSERT INTO pg_catalog.pg_init_privs SELECT oid, tableoid, 0, 'e', relacl"
        " FROM pg_catalog.pg_class WHERE oid = 'raw.users'::regclass"
    ),
    "a view in information_schema": (
        "CREATE VIEW information_schema.leak AS SELECT * FROM raw.users;"
        "GRANT SELECT ON information_schema.leak TO PUBLIC"
    ),
    "a table in information_schema": (
        "CREATE TABLE information_schema.leak AS SELECT * FROM raw.users;"
        "GRANT SELECT ON information_schema.leak TO PUBLIC"
    ),
    "all large objects": "SELECT lo_create(4715); SET lo_compat_privileges = on",
    "one column for PUBLIC": "GRANT SELECT (email) ON raw.users TO PUBLIC",
    "UPDATE of one column outside": "GRANT UPDATE (email) ON raw.users TO {role}",
    "the connection strings of subscriptions": "GRANT SELECT (subconninfo) ON pg_catalog.pg_subscription TO {user}",
    "USAGE of a sequence for PUBLIC": "CREATE SEQUENCE raw.n; GRANT USAGE ON SEQUENCE raw.n TO PUBLIC",
    "a file as a foreign table": (
        "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE raw.hosts"
        " (line text) SERVER files OPTIONS (filename '/etc/hosts'); GRANT SELECT ON raw.hosts TO {user}"
    ),
    "a foreign child of a table inside": (
        SERVER + "CREATE TABLE elementary.p (id int);"
        "CREATE FOREIGN TABLE raw.far () INHERITS (elementary.p) SERVER elsewhere"
    ),
    "a foreign partition inside": (
        SERVER + "CREATE TABLE elementary.p (id int) PARTITION BY LIST (id);"
        "CREATE FOREIGN TABLE elementary.far PARTITION OF elementary.p DEFAULT SERVER elsewhere"
    ),
    "dblink behind an operator": (
        "CREATE EXTENSION dblink SCHEMA closed;"
        "CREATE OPERATOR elementary.<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = closed.dblink_exec)"
    ),
    "SELECT of a role without inheritance": (
        "CREATE ROLE deep_{role}; CREATE ROLE less_deep_{role} NOINHERIT; GRANT deep_{role} TO less_deep_{role};"
        "GRANT less_deep_{role} TO {role}; GRANT SELECT ON raw.users TO deep_{role}"
    ),
    "ownership of a role in between": (
        "CREATE ROLE deep_{role}; GRANT deep_{role} TO {role}; CREATE TABLE raw.mine ();"
        "ALTER TABLE raw.mine OWNER TO deep_{role}"
    ),
    **{
        f"ownership of a {kind}": f"{made}; ALTER {kind} {name} OWNER TO {{role}}"
        for kind, name, made in (
            ("FUNCTION", "raw.mine()", "CREATE FUNCTION raw.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
            ("DOMAIN", "raw.mine", "CREATE DOMAIN raw.mine AS int"),
            ("COLLATION", "raw.mine", 'CREATE COLLATION raw.mine FROM "C"'),
            ("MATERIALIZED VIEW", "raw.mine", "CREATE MATERIALIZED VIEW raw.mine AS SELECT 1"),
            ("PUBLICATION", "mine", "CREATE PUBLICATION mine"),
            ("DATABASE", "{database}", "SELECT 1"),
            ("TEXT SEARCH CONFIGURATION", "raw.mine", "CREATE TEXT SEARCH CONFIGURATION raw.mine (COPY = simple)"),
        )
    },
    "default privileges of the administrator": "ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO {role}",
    "default privileges of types": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA raw GRANT USAGE ON TYPES TO {user}"
    ),
    **{
        f"a view over {name}": f"CREATE VIEW elementary.leak AS SELECT * FROM pg_catalog.{name};" + SHOW
        for name in "pg_shadow pg_authid pg_hba_file_rules pg_file_settings pg_largeobject pg_subscription".split()
    },
    "a view over a foreign table": (
        SERVER + "CREATE FOREIGN TABLE raw.far (id int) SERVER elsewhere;"
        "CREATE VIEW elementary.leak AS SELECT * FROM raw.far;" + SHOW
    ),
    "a view with a lateral query": (
        "CREATE VIEW elementary.leak AS SELECT u.* FROM elementary.dbt_models m,"
        " LATERAL (SELECT email FROM raw.users WHERE email > m.unique_id) u;" + SHOW
    ),
    "a view with a union": (
        "CREATE VIEW elementary.leak AS SELECT unique_id FROM elementary.dbt_models UNION SELECT email FROM raw.users;"
        + SHOW
    ),
    "a view that gives rows to a function": (
        "CREATE FUNCTION elementary.f(raw.users) RETURNS text LANGUAGE sql AS 'SELECT $1.email';"
        "CREATE VIEW elementary.leak AS SELECT elementary.f(u) FROM raw.users u;" + SHOW
    ),
    "a closed domain in a type": (
        ORACLE + "CREATE DOMAIN closed.guess AS text CHECK (closed.knows(VALUE));"
        "CREATE TYPE elementary.c AS (g closed.guess)"
    ),
    "a closed domain in a column": (
        ORACLE + "CREATE DOMAIN closed.guess AS text CHECK (closed.knows(VALUE));"
        "CREATE TABLE elementary.t (g closed.guess);" + SHOW
    ),
    **{
        f"a {partner} that is a definer function": (
            ORACLE + "CREATE FUNCTION closed.knows(text, int) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS"
            " 'SELECT closed.knows($1)'; CREATE FUNCTION closed.knows(int, text) RETURNS boolean LANGUAGE sql"
            " SECURITY DEFINER AS 'SELECT closed.knows($2)'; CREATE FUNCTION elementary.yes(text, int) RETURNS boolean"
            " LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR elementary.~~~~ (LEFTARG = text, RIGHTARG = int,"
            f" FUNCTION = elementary.yes); CREATE OPERATOR closed.!~~~ (LEFTARG = {left}, RIGHTARG = {right},"
            f" FUNCTION = closed.knows, {partner} = OPERATOR(elementary.~~~~))"
        )
        for partner, left, right in (("NEGATOR", "text", "int"), ("COMMUTATOR", "int", "text"))
    },
    "the extended hash function of a partitioned table": (
        TICKET + "CREATE FUNCTION closed.same(elementary.ticket, elementary.ticket) RETURNS boolean LANGUAGE sql AS"
        " 'SELECT true'; CREATE OPERATOR closed.=== (LEFTARG = elementary.ticket, RIGHTARG = elementary.ticket,"
        " FUNCTION = closed.same); CREATE FUNCTION closed.hash(elementary.ticket, bigint) RETURNS bigint LANGUAGE sql"
        " IMMUTABLE SECURITY DEFINER AS 'SELECT count(*) FROM raw.users'; CREATE OPERATOR CLASS closed.hashed FOR TYPE"
        " elementary.ticket USING hash AS OPERATOR 1 closed.===, FUNCTION 2 closed.hash(elementary.ticket, bigint);"
        "CREATE TABLE elementary.p (t elementary.ticket) PARTITION BY HASH (t closed.hashed);" + SHOW
    ),
    **{
        f"a {name} of an extension made definer": (
            f"CREATE EXTENSION {extension}; ALTER FUNCTION {function} SECURITY DEFINER"
        )
        for name, extension, function in (
            ("query function", "tablefunc", "crosstab(text)"),
            ("statistics function", "pg_stat_statements", "pg_stat_statements(boolean)"),
        )
    },
    **{
        f"a {kind.lower()} outside, in an extension": (
            f"CREATE EXTENSION hstore; {made}; CREATE TABLE public.other (); GRANT ALL ON {name} TO PUBLIC;"
            f"ALTER EXTENSION hstore ADD {kind} {name}"
        )
        for kind, name, made in (
            ("VIEW", "public.leak", "CREATE VIEW public.leak AS SELECT * FROM raw.users"),
            ("MATERIALIZED VIEW", "public.leak", "CREATE MATERIALIZED VIEW public.leak AS SELECT * FROM raw.users"),
            ("TABLE", "raw.users", "GRANT USAGE ON SCHEMA raw TO PUBLIC"),
            ("TABLE", "public.leak", "CREATE TABLE public.leak AS SELECT * FROM raw.users"),
            ("SEQUENCE", "raw.n", "CREATE SEQUENCE raw.n"),
        )
    },
    "a replaced view of information_schema": (
        "CREATE OR REPLACE VIEW information_schema.information_schema_catalog_name AS"
        " SELECT (SELECT max(email) FROM raw.users)::information_schema.sql_identifier AS catalog_name"
    ),
    "a replaced view of pg_catalog": (
        "SET LOCAL allow_system_table_mods = on; CREATE OR REPLACE VIEW pg_catalog.pg_rules AS SELECT n.nspname AS"
        " schemaname, c.relname AS tablename, NULL::name AS rulename, (SELECT max(email) FROM raw.users) AS definition"
        " FROM pg_class c, pg_namespace n"
    ),
    "SELECT on the TOAST table of a closed table": (
        "GRANT USAGE ON SCHEMA pg_toast TO {user}; DO $$ BEGIN EXECUTE format('GRANT SELECT ON %s TO PUBLIC',"
        " (SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'raw.users'::regclass)); END $$"
    ),
    "grant option of a function": (
        "CREATE FUNCTION elementary.f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "GRANT EXECUTE ON FUNCTION elementary.f() TO {user} WITH GRANT OPTION"
    ),
    "grant option of a function of the server": (
        "GRANT EXECUTE ON FUNCTION pg_catalog.lower(text) TO {role} WITH GRANT OPTION"
    ),
    "grant option of a type": (
        "CREATE TYPE elementary.e AS ENUM (); GRANT USAGE ON TYPE elementary.e TO {role} WITH GRANT OPTION"
    ),
    "grant option of a language": "GRANT USAGE ON LANGUAGE plpgsql TO {user} WITH GRANT OPTION",
}


def written(name: str) -> dict[str, str]:
    """Return the cases of a file beside this one, each below a comment with its name."""
    parts = re.split(r"^-- (?:over-grant|tight): (.+)$", Path(__file__).with_name(name).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


OVER_GRANTS |= written("further_over_grants.sql")
