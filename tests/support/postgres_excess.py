"""Grants on PostgreSQL: each that is too many with the check that fails, and some that are none."""

from __future__ import annotations

#: An excess privilege, and every check that fails for it.
EXCESS = {
    "BYPASSRLS": ("ALTER ROLE {user} BYPASSRLS", {"administrative-rights"}),
    "CREATEDB": ("ALTER ROLE {user} CREATEDB", {"administrative-rights"}),
    "CREATEROLE": ("ALTER ROLE {user} CREATEROLE", {"administrative-rights"}),
    "REPLICATION": ("ALTER ROLE {user} REPLICATION", {"administrative-rights"}),
    "a right on a parameter": ("GRANT SET ON PARAMETER work_mem TO {user}", {"administrative-rights"}),
    "membership in a wider role": (
        "GRANT USAGE ON SCHEMA raw TO {wide}; GRANT SELECT ON raw.users TO {wide}; GRANT {wide} TO {user}",
        {"role-memberships", "reads-outside-schema", "canary-reads"},
    ),
    "membership in a wider role, NOINHERIT": (
        "GRANT USAGE ON SCHEMA raw TO {wide}; GRANT SELECT ON raw.users TO {wide}; GRANT {wide} TO {user};"
        "ALTER ROLE {user} NOINHERIT",
        {"role-memberships", "reads-outside-schema", "schema-readable"},
    ),
    "membership in a role that is CREATEDB, two steps away": (
        "ALTER ROLE {dbt} CREATEDB; GRANT {dbt} TO {wide}; GRANT {wide} TO {user}",
        {
            "role-memberships",
            "administrative-rights",
            "ownership",
            "writes-inside-schema",
            "creates-objects",
            "temporary-objects",
            "other-databases",
        },
    ),
    "pg_read_all_data": (
        "GRANT pg_read_all_data TO {user}",
        {"role-memberships", "reads-outside-schema", "canary-reads"},
    ),
    "pg_monitor": ("GRANT pg_monitor TO {user}", {"role-memberships", "reads-outside-schema", "server-functions"}),
    "pg_read_server_files": ("GRANT pg_read_server_files TO {user}", {"role-memberships", "server-functions"}),
    "ADMIN OPTION": ("GRANT {role} TO {user} WITH ADMIN OPTION", {"role-memberships"}),
    "CREATE on schema public through PUBLIC": ("GRANT CREATE ON SCHEMA public TO PUBLIC", {"creates-objects"}),
    "CREATE on the database": ("GRANT CREATE ON DATABASE {database} TO {user}", {"creates-objects"}),
    "CREATE on a tablespace": ("GRANT CREATE ON TABLESPACE pg_default TO {user}", {"creates-objects"}),
    "TEMPORARY on the database through PUBLIC": (
        "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC",
        {"temporary-objects"},
    ),
    "SELECT on one table outside": (
        "GRANT USAGE ON SCHEMA raw TO {user}; GRANT SELECT ON raw.users TO {user}",
        {"reads-outside-schema", "canary-reads"},
    ),
    "SELECT on one table outside, without USAGE yet": ("GRANT SELECT ON raw.users TO {user}", {"reads-outside-schema"}),
    "SELECT on one column outside": (
        "GRANT USAGE ON SCHEMA raw TO {user}; GRANT SELECT (email) ON raw.users TO {user}",
        {"reads-outside-schema", "canary-reads"},
    ),
    "SELECT on one table outside through PUBLIC": (
        "GRANT USAGE ON SCHEMA raw TO PUBLIC; GRANT SELECT ON raw.users TO PUBLIC",
        {"reads-outside-schema", "canary-reads"},
    ),
    "SELECT on the passwords": (
        "GRANT SELECT ON pg_catalog.pg_authid TO {user}",
        {"reads-outside-schema", "canary-reads"},
    ),
    "a large object": (
        "SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO {user}",
        {"reads-outside-schema"},
    ),
    "INSERT inside": ("GRANT INSERT ON elementary.dbt_models TO {role}", {"role-memberships", "writes-inside-schema"}),
    "UPDATE inside": ("GRANT UPDATE ON elementary.dbt_models TO {user}", {"writes-inside-schema"}),
    "UPDATE of one column inside": (
        "GRANT UPDATE (unique_id) ON elementary.dbt_models TO {user}",
        {"writes-inside-schema"},
    ),
    "DELETE inside": ("GRANT DELETE ON elementary.dbt_models TO {user}", {"writes-inside-schema"}),
    "TRUNCATE inside": ("GRANT TRUNCATE ON elementary.dbt_models TO {user}", {"writes-inside-schema"}),
    "INSERT outside": ("GRANT INSERT ON raw.users TO {user}", {"writes-outside-schema"}),
    "nextval of a sequence": (
        "CREATE SEQUENCE raw.numbers; GRANT USAGE ON SEQUENCE raw.numbers TO {user}",
        {"writes-outside-schema"},
    ),
    "ownership of a function": (
        "CREATE FUNCTION closed.one() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "ALTER FUNCTION closed.one() OWNER TO {user}",
        {"ownership"},
    ),
    "a SECURITY DEFINER function": (
        "CREATE FUNCTION public.leak() RETURNS SETOF raw.users LANGUAGE sql SECURITY DEFINER"
        " AS 'SELECT * FROM raw.users'",
        {"definer-functions"},
    ),
    "dblink": ("CREATE EXTENSION dblink", {"foreign-servers"}),
    "a foreign server": (
        "CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;"
        "GRANT USAGE ON FOREIGN SERVER elsewhere TO {user}",
        {"foreign-servers"},
    ),
    "a user mapping": (
        "CREATE EXTENSION postgres_fdw; CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;"
        "CREATE USER MAPPING FOR PUBLIC SERVER elsewhere",
        {"foreign-servers"},
    ),
    "default privileges on another schema": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA raw GRANT SELECT ON TABLES TO {user}",
        {"future-grants"},
    ),
    "default privileges on every schema": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} GRANT SELECT ON TABLES TO {user}",
        {"future-grants"},
    ),
    "default privileges on every schema through PUBLIC": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} GRANT SELECT ON TABLES TO PUBLIC",
        {"future-grants"},
    ),
    "default privileges to write inside": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA elementary GRANT INSERT ON TABLES TO {user}",
        {"future-grants"},
    ),
    "a view that reaches outside": (
        "CREATE VIEW elementary.leak AS SELECT * FROM raw.users",
        {"objects-reaching-outside"},
    ),
    "a view over a view that reaches outside": (
        "CREATE VIEW raw.hidden AS SELECT * FROM raw.users; CREATE VIEW elementary.leak AS SELECT * FROM raw.hidden",
        {"objects-reaching-outside"},
    ),
    "a view of passwords": (
        "CREATE VIEW elementary.leak AS SELECT * FROM pg_catalog.pg_authid",
        {"objects-reaching-outside"},
    ),
    "a materialized view of data outside": (
        "CREATE MATERIALIZED VIEW elementary.leak AS SELECT * FROM raw.users",
        {"objects-reaching-outside"},
    ),
    "a view that calls a SECURITY DEFINER function of a closed schema": (
        "CREATE FUNCTION closed.leak() RETURNS SETOF raw.users LANGUAGE sql SECURITY DEFINER"
        " AS 'SELECT * FROM raw.users'; CREATE VIEW elementary.leak AS SELECT * FROM closed.leak()",
        {"objects-reaching-outside"},
    ),
    "a table that inherits rows from outside": (
        "CREATE TABLE elementary.leak (id int, email text); ALTER TABLE raw.users INHERIT elementary.leak",
        {"objects-reaching-outside"},
    ),
    "CONNECT to another database": ("GRANT CONNECT ON DATABASE {other_database} TO PUBLIC", {"other-databases"}),
    "EXECUTE on pg_read_file": ("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO {user}", {"server-functions"}),
    "EXECUTE on lo_import through PUBLIC": (
        "GRANT EXECUTE ON FUNCTION lo_import(text) TO PUBLIC",
        {"server-functions"},
    ),
    "an untrusted language": (
        "CREATE LANGUAGE plpgsqlu HANDLER plpgsql_call_handler;"
        "CREATE FUNCTION public.run() RETURNS int LANGUAGE plpgsqlu AS 'BEGIN RETURN 1; END'",
        {"untrusted-languages"},
    ),
    "a C function of no extension": (
        "CREATE FUNCTION public.autoinc() RETURNS trigger LANGUAGE c AS '$libdir/autoinc'",
        {"untrusted-languages"},
    ),
}


#: What looks like an excess privilege and is none.
HARMLESS = {
    "a security_invoker view": "CREATE VIEW elementary.honest WITH (security_invoker) AS SELECT * FROM raw.users",
    "a view of the public catalogue": (
        "CREATE VIEW elementary.tables AS SELECT table_name FROM information_schema.tables, pg_catalog.pg_class"
    ),
    "a SECURITY DEFINER function in a closed schema": (
        "CREATE FUNCTION closed.leak() RETURNS SETOF raw.users LANGUAGE sql SECURITY DEFINER"
        " AS 'SELECT * FROM raw.users'"
    ),
    "an extension with C functions": "CREATE EXTENSION pg_trgm",
    "default privileges of another role": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} REVOKE EXECUTE ON FUNCTIONS FROM {wide};"
        "ALTER DEFAULT PRIVILEGES FOR ROLE {dbt} IN SCHEMA raw GRANT SELECT ON TABLES TO {wide}"
    ),
    "membership in a role without rights": "GRANT {wide} TO {user}",
}
