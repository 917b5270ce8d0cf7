"""Lists what lends a reader on PostgreSQL nothing; names in braces are a warehouse's."""

from __future__ import annotations

from tests.support.over_grants import DEFINER, LEAK, LEAK_OF, SERVER, SHOW, written

_EXTENSIONS = (
    "hstore citext pgcrypto tablefunc btree_gist btree_gin ltree unaccent pg_trgm intarray fuzzystrmatch cube isn seg "
    "pg_stat_statements tsm_system_rows bloom adminpack amcheck file_fdw pageinspect pg_buffercache pg_prewarm "
    "pg_visibility pg_walinspect pgrowlocks pgstattuple sslinfo xml2"
)
#: What lends nothing to the reader.
TIGHT = {
    "as granted": "SELECT 1",
    **{f"extension {name}": f'CREATE EXTENSION "{name}"' for name in _EXTENSIONS.split()},
    "uuid-ossp": 'CREATE EXTENSION "uuid-ossp" SCHEMA public',
    "earthdistance": "CREATE EXTENSION earthdistance CASCADE",
    "a foreign server without USAGE": SERVER + "CREATE USER MAPPING FOR {dbt} SERVER elsewhere",
    "a definer function that is revoked": (
        f"CREATE FUNCTION public.f() RETURNS text {DEFINER}; REVOKE EXECUTE ON FUNCTION public.f() FROM PUBLIC"
    ),
    "a definer function in a closed schema": LEAK,
    "an operator over a revoked function": (
        LEAK_OF + "REVOKE EXECUTE ON FUNCTION closed.leak(text) FROM PUBLIC;"
        "CREATE OPERATOR elementary.!!! (RIGHTARG = text, FUNCTION = closed.leak)"
    ),
    "an invoker function that reads": (
        "CREATE FUNCTION elementary.f() RETURNS text LANGUAGE sql AS 'SELECT max(email) FROM raw.users'"
    ),
    "an invoker view": "CREATE VIEW elementary.v WITH (security_invoker) AS SELECT * FROM raw.users;" + SHOW,
    "a view over an invoker function": (
        "CREATE FUNCTION raw.f() RETURNS SETOF raw.users LANGUAGE sql AS 'SELECT * FROM raw.users';"
        "CREATE VIEW elementary.v AS SELECT * FROM raw.f();" + SHOW
    ),
    "a view over a definer function that is revoked": (
        LEAK + "REVOKE EXECUTE ON FUNCTION closed.leak() FROM PUBLIC;"
        "CREATE VIEW elementary.v AS SELECT closed.leak();" + SHOW
    ),
    "a view with the oid of a type from outside": (
        "CREATE TYPE raw.mood AS ENUM ('a'); CREATE VIEW elementary.v AS"
        " SELECT 'raw.mood'::regtype::oid, pg_typeof(NULL::raw.mood), 'raw.users'::regclass;" + SHOW
    ),
    "a view inside": "CREATE VIEW elementary.v AS SELECT upper(unique_id) FROM elementary.dbt_models;" + SHOW,
    "a materialized view inside": "CREATE MATERIALIZED VIEW elementary.m AS TABLE elementary.dbt_models;" + SHOW,
    "a view over public catalogs": "CREATE VIEW elementary.v AS SELECT c.relname FROM pg_catalog.pg_class c;" + SHOW,
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
    "an audit trigger with a definer function in public": (
        "CREATE FUNCTION public.t() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN NEW; END $$;"
        "CREATE TRIGGER t AFTER INSERT ON raw.users FOR EACH ROW EXECUTE FUNCTION public.t()"
    ),
    "an event trigger with a definer function in public": (
        "CREATE FUNCTION public.e() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN END $$;"
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.e()"
    ),
    "a table that an extension opened, as PostGIS does": (
        "CREATE EXTENSION hstore; CREATE TABLE public.spatial_ref_sys (srid int);"
        "GRANT SELECT ON public.spatial_ref_sys TO PUBLIC; ALTER EXTENSION hstore ADD TABLE public.spatial_ref_sys"
    ),
    "a view over pg_stat_statements": (
        "CREATE EXTENSION pg_stat_statements; CREATE VIEW elementary.v AS SELECT query FROM pg_stat_statements;" + SHOW
    ),
    "a view over information_schema": "CREATE VIEW elementary.v AS SELECT * FROM information_schema.columns;" + SHOW,
    "a view over pg_stat_activity": "CREATE VIEW elementary.v AS SELECT * FROM pg_catalog.pg_stat_activity;" + SHOW,
    "a view with a type from outside": (
        "CREATE TYPE raw.mood AS ENUM ('a'); CREATE VIEW elementary.v AS SELECT 'a'::raw.mood;" + SHOW
    ),
    "a view over a function of a row type": (
        "CREATE FUNCTION raw.g(raw.users) RETURNS text LANGUAGE sql AS 'SELECT $1.email';"
        "CREATE VIEW elementary.v AS SELECT raw.g(NULL::raw.users);" + SHOW
    ),
    "a table with a parent outside": (
        "CREATE TABLE raw.p (id int); CREATE TABLE elementary.c () INHERITS (raw.p);" + SHOW
    ),
    "a foreign key to a table outside": (
        "ALTER TABLE raw.users ADD PRIMARY KEY (id); CREATE TABLE elementary.k (id int REFERENCES raw.users)"
    ),
    "an index on an expression": "CREATE INDEX ON elementary.dbt_models (lower(unique_id))",
    "a rule of others": "CREATE RULE r AS ON UPDATE TO elementary.dbt_models DO ALSO NOTIFY changed",
    "identities and serials": (
        "CREATE TABLE elementary.s (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY);" + SHOW
    ),
    "range types": (
        "CREATE TYPE elementary.span AS RANGE (SUBTYPE = timestamptz);"
        "CREATE TYPE public.share AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi)"
    ),
    "two operators that are each other's commutator": (
        "CREATE FUNCTION elementary.f(text, int) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
        "CREATE FUNCTION elementary.f(int, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
        "CREATE OPERATOR elementary.<<<< (LEFTARG = text, RIGHTARG = int, FUNCTION = elementary.f);"
        "CREATE OPERATOR elementary.>>>> (LEFTARG = int, RIGHTARG = text, FUNCTION = elementary.f,"
        " COMMUTATOR = OPERATOR(elementary.<<<<))"
    ),
    "EXECUTE and USAGE for the reader by name": (
        "CREATE FUNCTION elementary.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE elementary.e AS ENUM ('a');"
        "GRANT EXECUTE ON FUNCTION elementary.f() TO {user}; GRANT USAGE ON TYPE elementary.e TO {role}"
    ),
    "a search path of the schema": "ALTER ROLE {user} SET search_path = elementary; SET search_path = elementary",
}

TIGHT |= written("further_tight_roles.sql")

#: What lends nothing either, where the server has the extension: name, and what is made of it.
TIGHT_WHERE_INSTALLED = {
    "postgis": "CREATE EXTENSION postgis; CREATE VIEW elementary.v AS SELECT * FROM spatial_ref_sys;" + SHOW,
    "postgis_raster": "CREATE EXTENSION postgis; CREATE EXTENSION postgis_raster",
    "postgis_topology": "CREATE EXTENSION postgis; CREATE EXTENSION postgis_topology",
    "postgis_tiger_geocoder": "CREATE EXTENSION postgis_tiger_geocoder CASCADE; CREATE TABLE public.mine ()",
    "address_standardizer_data_us": "CREATE EXTENSION address_standardizer_data_us",
}
