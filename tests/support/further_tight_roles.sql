-- What lends a reader on PostgreSQL nothing, as managed services and their users set a database up.

-- tight: RDS: administrative roles exist
DO $$ BEGIN IF to_regrole('rds_superuser') IS NULL THEN CREATE ROLE rds_superuser ; END IF; END $$;DO $$ BEGIN IF
to_regrole('rds_replication') IS NULL THEN CREATE ROLE rds_replication ; END IF; END $$;DO $$ BEGIN IF
to_regrole('rds_password') IS NULL THEN CREATE ROLE rds_password ; END IF; END $$;DO $$ BEGIN IF
to_regrole('rds_iam') IS NULL THEN CREATE ROLE rds_iam ; END IF; END $$;DO $$ BEGIN IF to_regrole('rdsadmin') IS
NULL THEN CREATE ROLE rdsadmin SUPERUSER; END IF; END $$;GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO
rds_superuser; GRANT rds_superuser TO {dbt}

-- tight: RDS: login by IAM
DO $$ BEGIN IF to_regrole('rds_iam') IS NULL THEN CREATE ROLE rds_iam ; END IF; END $$;GRANT rds_iam TO {user}

-- tight: RDS: database of the administrator, closed
DO $$ BEGIN IF to_regrole('rdsadmin') IS NULL THEN CREATE ROLE rdsadmin SUPERUSER; END IF; END $$;REVOKE ALL ON
DATABASE {other_database} FROM PUBLIC; ALTER DATABASE {other_database} OWNER TO rdsadmin; SELECT 1

-- tight: RDS: pg_stat_statements and pgaudit's event triggers
CREATE EXTENSION pg_stat_statements; CREATE FUNCTION public.pgaudit_ddl_command_end() RETURNS event_trigger SECURITY
DEFINER LANGUAGE plpgsql AS $$ BEGIN END $$; CREATE EVENT TRIGGER pgaudit_ddl_command_end ON ddl_command_end EXECUTE
FUNCTION public.pgaudit_ddl_command_end()

-- tight: RDS: aws_s3 and aws_commons in closed schemas
CREATE SCHEMA aws_commons; CREATE SCHEMA aws_s3; CREATE TYPE aws_commons._s3_uri_1 AS (bucket text, file_path text,
region text); CREATE FUNCTION aws_s3.query_export_to_s3(q text, i aws_commons._s3_uri_1) RETURNS bigint LANGUAGE
plpgsql AS $$ BEGIN RETURN 0; END $$

-- tight: RDS: rds_tools schema open to PUBLIC
CREATE SCHEMA rds_tools; GRANT USAGE ON SCHEMA rds_tools TO PUBLIC; CREATE FUNCTION
rds_tools.role_password_encryption_type() RETURNS TABLE(rolname name, e text) LANGUAGE sql AS $$ SELECT rolname, ''
FROM pg_authid $$

-- tight: Cloud SQL: roles and the IAM group
DO $$ BEGIN IF to_regrole('cloudsqladmin') IS NULL THEN CREATE ROLE cloudsqladmin SUPERUSER; END IF; END $$;DO $$
BEGIN IF to_regrole('cloudsqlsuperuser') IS NULL THEN CREATE ROLE cloudsqlsuperuser CREATEDB CREATEROLE; END IF; END
$$;DO $$ BEGIN IF to_regrole('cloudsqliamuser') IS NULL THEN CREATE ROLE cloudsqliamuser ; END IF; END $$;DO $$
BEGIN IF to_regrole('cloudsqliamserviceaccount') IS NULL THEN CREATE ROLE cloudsqliamserviceaccount ; END IF; END
$$;DO $$ BEGIN IF to_regrole('cloudsqlreplica') IS NULL THEN CREATE ROLE cloudsqlreplica REPLICATION; END IF; END
$$;GRANT pg_monitor TO cloudsqlsuperuser; GRANT cloudsqliamserviceaccount TO {user}

-- tight: Cloud SQL: public owned by cloudsqlsuperuser
DO $$ BEGIN IF to_regrole('cloudsqlsuperuser') IS NULL THEN CREATE ROLE cloudsqlsuperuser CREATEDB CREATEROLE; END
IF; END $$;ALTER SCHEMA public OWNER TO cloudsqlsuperuser; ALTER DATABASE {database} OWNER TO cloudsqlsuperuser

-- tight: Cloud SQL: google_ml_integration schema
CREATE SCHEMA google_ml; CREATE TABLE google_ml.models (id text); GRANT USAGE ON SCHEMA google_ml TO PUBLIC

-- tight: Azure: azure_pg_admin and pg_cron closed
DO $$ BEGIN IF to_regrole('azure_pg_admin') IS NULL THEN CREATE ROLE azure_pg_admin CREATEROLE CREATEDB; END IF; END
$$;DO $$ BEGIN IF to_regrole('azuresu') IS NULL THEN CREATE ROLE azuresu SUPERUSER; END IF; END $$;CREATE SCHEMA
cron; CREATE TABLE cron.job (jobid bigint, command text, username text DEFAULT CURRENT_USER); ALTER TABLE cron.job
ENABLE ROW LEVEL SECURITY; CREATE POLICY cron_job_policy ON cron.job USING (username = CURRENT_USER); CREATE
FUNCTION cron.schedule(s text, c text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'

-- tight: Azure: pgaadauth functions
CREATE FUNCTION pg_catalog.pgaadauth_list_principals(boolean) RETURNS TABLE(rolname name) LANGUAGE sql AS 'SELECT
rolname FROM pg_roles'; REVOKE EXECUTE ON FUNCTION pg_catalog.pgaadauth_list_principals(boolean) FROM PUBLIC

-- tight: Supabase: roles, extensions schema
DO $$ BEGIN IF to_regrole('anon') IS NULL THEN CREATE ROLE anon NOLOGIN; END IF; END $$;DO $$ BEGIN IF
to_regrole('authenticated') IS NULL THEN CREATE ROLE authenticated NOLOGIN; END IF; END $$;DO $$ BEGIN IF
to_regrole('service_role') IS NULL THEN CREATE ROLE service_role NOLOGIN BYPASSRLS; END IF; END $$;DO $$ BEGIN IF
to_regrole('authenticator') IS NULL THEN CREATE ROLE authenticator NOINHERIT LOGIN; END IF; END $$;DO $$ BEGIN IF
to_regrole('supabase_admin') IS NULL THEN CREATE ROLE supabase_admin SUPERUSER; END IF; END $$;GRANT anon,
authenticated, service_role TO authenticator; CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA extensions TO PUBLIC;
CREATE EXTENSION pgcrypto SCHEMA extensions; CREATE EXTENSION "uuid-ossp" SCHEMA extensions; CREATE EXTENSION
pg_stat_statements SCHEMA extensions

-- tight: Supabase: default privileges of public
DO $$ BEGIN IF to_regrole('anon') IS NULL THEN CREATE ROLE anon ; END IF; END $$;DO $$ BEGIN IF
to_regrole('authenticated') IS NULL THEN CREATE ROLE authenticated ; END IF; END $$;DO $$ BEGIN IF
to_regrole('service_role') IS NULL THEN CREATE ROLE service_role BYPASSRLS; END IF; END $$;ALTER DEFAULT PRIVILEGES
FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role; ALTER DEFAULT
PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role; GRANT
USAGE ON SCHEMA public TO anon

-- tight: Supabase: auth functions and event triggers
CREATE SCHEMA auth; CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT
nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$; CREATE SCHEMA extensions; GRANT USAGE ON SCHEMA
extensions TO PUBLIC; CREATE FUNCTION extensions.grant_pg_cron_access() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN END $$; CREATE EVENT TRIGGER issue_pg_cron_access ON ddl_command_end WHEN TAG IN ('CREATE EXTENSION') EXECUTE
FUNCTION extensions.grant_pg_cron_access()

-- tight: Supabase: pgbouncer.get_auth is revoked
CREATE SCHEMA pgbouncer; CREATE FUNCTION pgbouncer.get_auth(u text) RETURNS TABLE(username text, password text)
LANGUAGE sql SECURITY DEFINER AS $$ SELECT usename::text, passwd::text FROM pg_shadow WHERE usename = u $$; REVOKE
ALL ON FUNCTION pgbouncer.get_auth(text) FROM PUBLIC

-- tight: Supabase: publication and graphql
CREATE PUBLICATION supabase_realtime; CREATE SCHEMA graphql_public; GRANT USAGE ON SCHEMA graphql_public TO PUBLIC;
CREATE FUNCTION graphql_public.graphql(q text) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RETURN '{}'; END $$

-- tight: Neon: neon_superuser is another's
DO $$ BEGIN IF to_regrole('neon_superuser') IS NULL THEN CREATE ROLE neon_superuser CREATEDB CREATEROLE BYPASSRLS;
END IF; END $$;GRANT pg_read_all_data, pg_write_all_data TO neon_superuser; GRANT neon_superuser TO {dbt}; CREATE
SCHEMA neon

-- tight: an immutable UDF of an analyst in public
CREATE FUNCTION public.initials(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT left($1, 1)'; CREATE VIEW
elementary.v AS SELECT public.initials(unique_id) FROM elementary.dbt_models;GRANT SELECT ON ALL TABLES IN SCHEMA
elementary TO {role};

-- tight: a materialized view with aggregates and hashes
CREATE MATERIALIZED VIEW elementary.m AS SELECT md5(unique_id) AS id, count(*) AS n, now() AS at,
string_agg(upper(unique_id), ',') AS s, max(length(unique_id)) OVER () AS w, current_date AS d, random() AS r,
to_char(now(), 'YYYY') AS y, date_trunc('day', now()) AS t, coalesce(nullif(split_part(unique_id, '.', 1), ''), 'x')
AS c, jsonb_build_object('a', 1) AS j FROM elementary.dbt_models GROUP BY unique_id;GRANT SELECT ON ALL TABLES IN
SCHEMA elementary TO {role};

-- tight: a materialized view over a view inside
CREATE MATERIALIZED VIEW elementary.m AS SELECT * FROM elementary.models WHERE unique_id ~ 'm' AND unique_id IN
('model.one');GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role};

-- tight: a materialized view that casts json
CREATE TABLE elementary.j (tags text); CREATE MATERIALIZED VIEW elementary.m AS SELECT t.value FROM elementary.j,
LATERAL jsonb_array_elements_text(tags::jsonb) t;GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role};

-- tight: a materialized view with generate_series and regexp
CREATE MATERIALIZED VIEW elementary.m AS SELECT g, regexp_replace(unique_id, 'a', 'b') FROM elementary.dbt_models,
generate_series(1,2) g;GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role};

-- tight: a materialized view with hstore and pg_trgm
CREATE EXTENSION hstore; CREATE EXTENSION pg_trgm; CREATE MATERIALIZED VIEW elementary.m AS SELECT
similarity(unique_id,'x'), hstore('a', unique_id)->'a' AS h FROM elementary.dbt_models;GRANT SELECT ON ALL TABLES IN
SCHEMA elementary TO {role};

-- tight: a materialized view over pg_class
CREATE MATERIALIZED VIEW elementary.m AS SELECT relname FROM pg_catalog.pg_class;GRANT SELECT ON ALL TABLES IN
SCHEMA elementary TO {role};

-- tight: event_trigger and domain types in views
CREATE DOMAIN elementary.d AS text CHECK (VALUE ~ '^m'); CREATE VIEW elementary.v AS SELECT unique_id::elementary.d
FROM elementary.dbt_models;GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO {role};

-- tight: an operator class with the server's functions
CREATE OPERATOR CLASS public.rev FOR TYPE text USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1
bttextcmp(text,text)

-- tight: extended statistics on expressions outside
CREATE STATISTICS raw.s ON (lower(email)), id FROM raw.users; ANALYZE raw.users

-- tight: RLS by current_user
ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON elementary.dbt_models USING
(current_user <> 'x')

-- tight: RLS over a table inside
CREATE TABLE elementary.allowed (u text); ALTER TABLE elementary.dbt_models ENABLE ROW LEVEL SECURITY; CREATE POLICY
p ON elementary.dbt_models USING (EXISTS (SELECT FROM elementary.allowed));GRANT SELECT ON ALL TABLES IN SCHEMA
elementary TO {role};

-- tight: a temporary table of another session
CREATE TEMP TABLE mine (x int)

-- tight: hypopg-like view of an extension
CREATE EXTENSION pg_buffercache; CREATE EXTENSION pg_freespacemap; CREATE EXTENSION pageinspect; CREATE EXTENSION
amcheck

-- tight: all contrib that has C functions
CREATE EXTENSION autoinc; CREATE EXTENSION insert_username; CREATE EXTENSION moddatetime; CREATE EXTENSION refint;
CREATE EXTENSION tcn; CREATE EXTENSION lo; CREATE EXTENSION intagg; CREATE EXTENSION dict_int; CREATE EXTENSION
dict_xsyn; CREATE EXTENSION xml2; CREATE EXTENSION intarray; CREATE EXTENSION tsm_system_time; CREATE EXTENSION
pg_surgery; CREATE EXTENSION cube; CREATE EXTENSION earthdistance; CREATE EXTENSION isn; CREATE EXTENSION ltree;
CREATE EXTENSION seg; CREATE EXTENSION bloom; CREATE EXTENSION sslinfo
