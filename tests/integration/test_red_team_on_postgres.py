"""Counts over-grants that the access check misses, and tight roles that it refuses, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from airflow_provider_elementary.access import AccessReport, check_access
from tests.support.postgres_reader import PsycopgSession, Warehouse

pytestmark = pytest.mark.postgres

_DEFINER = "LANGUAGE sql SECURITY DEFINER AS 'SELECT max(email) FROM raw.users'"
_LEAK = f"CREATE FUNCTION closed.leak() RETURNS text {_DEFINER};"
_LEAK_OF = f"CREATE FUNCTION closed.leak(text) RETURNS text {_DEFINER};"
_LEAK_OF_TWO = f"CREATE FUNCTION closed.leak(text, text) RETURNS text {_DEFINER};"
_ORACLE = (
    "CREATE FUNCTION closed.knows(text) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS "
    "'SELECT EXISTS (SELECT FROM raw.users WHERE email ~ $1)';"
)
_SHOW = "GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role};"
_INTERNAL = (
    "DO $$ BEGIN EXECUTE format('CREATE FUNCTION {0}({1}) RETURNS {2} STRICT LANGUAGE internal AS %L',"
    " (SELECT prosrc FROM pg_proc WHERE oid = '{3}({1})'::regprocedure)); END $$"
)
_SERVER = "CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;"
_TICKET = "CREATE TYPE elementary.ticket AS (id int);"

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
    "USAGE of a foreign data wrapper": _SERVER + "GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {user}",
    "USAGE of a foreign server for PUBLIC": _SERVER + "GRANT USAGE ON FOREIGN SERVER elsewhere TO PUBLIC",
    "a user mapping": _SERVER + "CREATE USER MAPPING FOR {user} SERVER elsewhere",
    "a foreign table inside": _SERVER + "CREATE FOREIGN TABLE elementary.far (id int) SERVER elsewhere;" + _SHOW,
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
    "a definer function inside": f"CREATE FUNCTION elementary.leak() RETURNS text {_DEFINER}",
    "a definer procedure": (
        "CREATE PROCEDURE elementary.leak(INOUT x text) LANGUAGE plpgsql SECURITY DEFINER"
        " AS $$ BEGIN SELECT max(email) INTO x FROM raw.users; END $$"
    ),
    "a definer function with a wider search path": (
        f"CREATE FUNCTION public.leak() RETURNS text SET search_path = pg_catalog {_DEFINER}"
    ),
    "a prefix operator": _LEAK_OF + "CREATE OPERATOR elementary.!!! (RIGHTARG = text, FUNCTION = closed.leak)",
    "an operator in public": (
        _LEAK_OF_TWO + "CREATE OPERATOR public.<<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = closed.leak)"
    ),
    "an operator over a function with an SQL body": (
        _LEAK
        + "CREATE FUNCTION closed.wrap(text, text) RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT closed.leak(); END;"
        "CREATE OPERATOR elementary.<<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = closed.wrap)"
    ),
    "the state function of an aggregate": (
        _LEAK_OF_TWO + "REVOKE EXECUTE ON FUNCTION closed.leak(text, text) FROM PUBLIC;"
        "CREATE AGGREGATE elementary.leak(text) (SFUNC = closed.leak, STYPE = text)"
    ),
    "the final function of an aggregate": (
        _LEAK_OF + "CREATE AGGREGATE elementary.leak(text) (SFUNC = textcat, STYPE = text, FINALFUNC = closed.leak)"
    ),
    "the combine function of an aggregate": (
        _LEAK_OF_TWO
        + "CREATE AGGREGATE elementary.leak(text) (SFUNC = textcat, STYPE = text, COMBINEFUNC = closed.leak)"
    ),
    "the moving functions of an aggregate": (
        _LEAK_OF + "CREATE AGGREGATE elementary.leak(text) (SFUNC = textcat, STYPE = text, MSFUNC = textcat,"
        " MINVFUNC = textcat, MSTYPE = text, MFINALFUNC = closed.leak)"
    ),
    "an ordered-set aggregate": (
        _LEAK_OF + "CREATE AGGREGATE elementary.leak(ORDER BY text) (SFUNC = textcat, STYPE = text,"
        " FINALFUNC = closed.leak)"
    ),
    "an implicit cast": (
        _TICKET + f"CREATE FUNCTION closed.leak(elementary.ticket) RETURNS text {_DEFINER};"
        "CREATE CAST (elementary.ticket AS text) WITH FUNCTION closed.leak(elementary.ticket) AS IMPLICIT"
    ),
    "a domain": _ORACLE + "CREATE DOMAIN public.guess AS text CHECK (closed.knows(VALUE))",
    "a domain over a domain": (
        _ORACLE + "CREATE DOMAIN closed.guess AS text CHECK (closed.knows(VALUE));"
        "CREATE DOMAIN elementary.guess AS closed.guess"
    ),
    "a domain whose check uses an operator": (
        _LEAK_OF_TWO + "CREATE OPERATOR closed.<<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = closed.leak);"
        "CREATE DOMAIN elementary.guess AS text CHECK (VALUE OPERATOR(closed.<<<<) 'x' <> '')"
    ),
    "a default argument": (
        _LEAK + "CREATE FUNCTION elementary.ask(x text DEFAULT closed.leak()) RETURNS text LANGUAGE sql AS 'SELECT $1'"
    ),
    "a procedure with an SQL body": (
        _LEAK_OF + "CREATE PROCEDURE elementary.ask() LANGUAGE sql BEGIN ATOMIC SELECT closed.leak('x'); END"
    ),
    "an operator class": (
        _TICKET + "CREATE FUNCTION closed.compare(elementary.ticket, elementary.ticket) RETURNS int LANGUAGE sql"
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
        _ORACLE + "ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON elementary.dbt_models USING (closed.knows(unique_id))"
    ),
    "a row policy over an operator": (
        _ORACLE + "CREATE OPERATOR closed.??? (RIGHTARG = text, FUNCTION = closed.knows);"
        "ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON elementary.dbt_models USING (OPERATOR(closed.???) unique_id)"
    ),
    "a view": "CREATE VIEW elementary.leak AS SELECT email FROM raw.users;" + _SHOW,
    "a view whose condition reads": (
        "CREATE VIEW elementary.leak AS SELECT 1 AS x WHERE EXISTS (SELECT FROM raw.users WHERE email ~ 'a');" + _SHOW
    ),
    "a view over a common table expression": (
        "CREATE VIEW elementary.leak AS WITH u AS MATERIALIZED (SELECT * FROM raw.users) SELECT * FROM u;" + _SHOW
    ),
    "a view over a materialized view": (
        "CREATE MATERIALIZED VIEW raw.m AS SELECT * FROM raw.users; CREATE VIEW elementary.leak AS SELECT * FROM raw.m;"
        + _SHOW
    ),
    "a materialized view": "CREATE MATERIALIZED VIEW elementary.leak AS SELECT * FROM raw.users;" + _SHOW,
    "a view over an invoker view": (
        "CREATE VIEW raw.i WITH (security_invoker) AS SELECT * FROM raw.users;"
        "CREATE VIEW elementary.leak AS SELECT * FROM raw.i;" + _SHOW
    ),
    "an invoker view over a view": (
        "CREATE VIEW elementary.inner AS SELECT * FROM raw.users;"
        "CREATE VIEW elementary.leak WITH (security_invoker) AS SELECT * FROM elementary.inner;" + _SHOW
    ),
    "a view over a sequence": "CREATE SEQUENCE raw.n; CREATE VIEW elementary.leak AS SELECT * FROM raw.n;" + _SHOW,
    "a view over statistics": "CREATE VIEW elementary.leak AS SELECT stanullfrac FROM pg_catalog.pg_statistic;" + _SHOW,
    "a view over user mappings": "CREATE VIEW elementary.leak AS SELECT * FROM pg_catalog.pg_user_mapping;" + _SHOW,
    "a view over a definer function": _LEAK + "CREATE VIEW elementary.leak AS SELECT closed.leak();" + _SHOW,
    "a view that casts by a definer function": (
        _TICKET + f"CREATE FUNCTION closed.leak(elementary.ticket) RETURNS text {_DEFINER};"
        "CREATE CAST (elementary.ticket AS text) WITH FUNCTION closed.leak(elementary.ticket);"
        "CREATE VIEW elementary.leak AS SELECT ROW(1)::elementary.ticket::text;" + _SHOW
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
    "a copy of pg_read_file": _INTERNAL.format("public.harmless", "text", "text", "pg_read_file"),
    "a copy of pg_ls_dir": _INTERNAL.format("elementary.harmless", "text", "setof text", "pg_ls_dir"),
    "an operator over a copy of pg_read_file": (
        _INTERNAL.format("closed.harmless", "text", "text", "pg_read_file")
        + "; CREATE OPERATOR elementary.!!! (RIGHTARG = text, FUNCTION = closed.harmless)"
    ),
}

_EXTENSIONS = (
    "hstore citext pgcrypto tablefunc btree_gist btree_gin ltree unaccent pg_trgm intarray fuzzystrmatch cube isn seg "
    "pg_stat_statements tsm_system_rows bloom"
)
#: What lends nothing to the reader.
TIGHT = {
    "as granted": "SELECT 1",
    **{f"extension {name}": f'CREATE EXTENSION "{name}"' for name in _EXTENSIONS.split()},
    "uuid-ossp": 'CREATE EXTENSION "uuid-ossp" SCHEMA public',
    "earthdistance": "CREATE EXTENSION earthdistance CASCADE",
    "a foreign server without USAGE": _SERVER + "CREATE USER MAPPING FOR {dbt} SERVER elsewhere",
    "a definer function that is revoked": (
        f"CREATE FUNCTION public.f() RETURNS text {_DEFINER}; REVOKE EXECUTE ON FUNCTION public.f() FROM PUBLIC"
    ),
    "a definer function in a closed schema": _LEAK,
    "an operator over a revoked function": (
        _LEAK_OF + "REVOKE EXECUTE ON FUNCTION closed.leak(text) FROM PUBLIC;"
        "CREATE OPERATOR elementary.!!! (RIGHTARG = text, FUNCTION = closed.leak)"
    ),
    "an invoker function that reads": (
        "CREATE FUNCTION elementary.f() RETURNS text LANGUAGE sql AS 'SELECT max(email) FROM raw.users'"
    ),
    "an invoker view": "CREATE VIEW elementary.v WITH (security_invoker) AS SELECT * FROM raw.users;" + _SHOW,
    "a view over an invoker function": (
        "CREATE FUNCTION raw.f() RETURNS SETOF raw.users LANGUAGE sql AS 'SELECT * FROM raw.users';"
        "CREATE VIEW elementary.v AS SELECT * FROM raw.f();" + _SHOW
    ),
    "a view inside": "CREATE VIEW elementary.v AS SELECT upper(unique_id) FROM elementary.dbt_models;" + _SHOW,
    "a materialized view inside": "CREATE MATERIALIZED VIEW elementary.m AS TABLE elementary.dbt_models;" + _SHOW,
    "a view over public catalogs": "CREATE VIEW elementary.v AS SELECT c.relname FROM pg_catalog.pg_class c;" + _SHOW,
    "a partitioned table inside": (
        "CREATE TABLE elementary.p (id int) PARTITION BY LIST (id);"
        "CREATE TABLE elementary.p1 PARTITION OF elementary.p DEFAULT"
    ),
    "a domain with a plain check": "CREATE DOMAIN elementary.d AS text CHECK (length(VALUE) < 10)",
    "an enum and an aggregate": (
        "CREATE TYPE elementary.e AS ENUM ('a'); CREATE AGGREGATE elementary.total(int) (SFUNC = int4pl, STYPE = int)"
    ),
    "a row policy without functions": (
        "ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON elementary.dbt_models USING (unique_id <> '')"
    ),
    "rights of others": (
        "GRANT ALL ON ALL TABLES IN SCHEMA raw TO {wide}; GRANT {dbt} TO {wide}; ALTER ROLE {wide} CREATEDB"
    ),
    "default privileges of others": "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} GRANT ALL ON TABLES TO {wide}",
    "a large object of another": "SELECT lo_create(4714)",
    "a sequence inside that can be read": (
        "CREATE SEQUENCE elementary.n; GRANT SELECT ON SEQUENCE elementary.n TO {role}"
    ),
    "limits of the user": (
        "ALTER ROLE {user} CONNECTION LIMIT 5 VALID UNTIL 'infinity'; ALTER ROLE {user} SET work_mem = '8MB'"
    ),
    "a comment and a publication": (
        "COMMENT ON SCHEMA elementary IS 'x'; CREATE PUBLICATION p FOR TABLE elementary.dbt_models"
    ),
    "a trigger with a definer function": (
        "CREATE FUNCTION closed.t() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN NEW; END $$;"
        "CREATE TRIGGER t BEFORE INSERT ON elementary.dbt_models FOR EACH ROW EXECUTE FUNCTION closed.t()"
    ),
}


class _Savepoints(PsycopgSession):
    """A session whose denied statements end no transaction."""

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._connection.transaction():
            return super().rows(statement, parameters)


def report(connection: psycopg.Connection[tuple[Any, ...]], warehouse: Warehouse, sql: str) -> AccessReport:
    """Return the report after a change that is rolled back."""
    try:
        names = vars(warehouse)
        for name in ("user", "role", "dbt", "wide", "database", "other_database"):
            sql = sql.replace(f"{{{name}}}", names[name])
        connection.execute(sql.encode())
        connection.execute(f"SET SESSION AUTHORIZATION {warehouse.user}".encode())
        return check_access(_Savepoints(connection))
    finally:
        connection.rollback()


def test_no_over_grant_is_missed(warehouse: Warehouse) -> None:
    with warehouse.server.connect(database=warehouse.database) as connection:
        connection.autocommit = False
        missed = [name for name, sql in OVER_GRANTS.items() if not report(connection, warehouse, sql).failed]
    print(f"over-grants: {len(OVER_GRANTS) - len(missed)} found, {len(missed)} missed")

    assert len(OVER_GRANTS) >= 80
    assert missed == []


def test_no_tight_role_is_refused(warehouse: Warehouse) -> None:
    with warehouse.server.connect(database=warehouse.database) as connection:
        connection.autocommit = False
        refused = {
            name: [finding.evidence for finding in found]
            for name, sql in TIGHT.items()
            if (found := report(connection, warehouse, sql).failed)
        }
    print(f"tight roles: {len(TIGHT) - len(refused)} pass, {len(refused)} refused")

    assert len(TIGHT) >= 30
    assert refused == {}
