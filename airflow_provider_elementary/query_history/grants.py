"""Creates the statements for the role that reads a query history."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.resources import files
from types import MappingProxyType

from airflow_provider_elementary.access.grants import clickhouse, postgres, snowflake
from airflow_provider_elementary.access.grants.request import GrantRequest, commented
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.query_history.guard import SOURCES
from airflow_provider_elementary.quoting import identifier, literal

#: The usual names; another role and user than those of the sync.
ROLE, USER = "elementary_history_reader", "elementary_history_airflow"
#: PostgreSQL: what the reader calls, in a schema of its own.
POSTGRES_FUNCTION = "query_history"

_POSTGRES_FUNCTION = """\
  SELECT quote_ident(n.nspname) INTO STRICT extension FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements';
  EXECUTE 'GRANT USAGE ON SCHEMA ' || extension || ' TO {owner}';
  EXECUTE 'CREATE OR REPLACE FUNCTION {function}() RETURNS TABLE (entry text, user_name text, calls bigint, '
    'total_exec_time double precision, rows bigint, bytes bigint, query text, reset_at timestamptz, '
    'evictions bigint, read_at timestamptz) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp '
    'AS ' || quote_literal(replace({body}, '{{extension}}', extension));"""


def query_history_grants(
    dialect: str,
    *,
    role: str = ROLE,
    user: str = USER,
    schema: str | None = None,
    database: str | None = None,
    warehouse: str | None = None,
    public_key: str | None = None,
    network: Sequence[str] = (),
    harden: bool = False,
) -> list[str]:
    """Return the statements that let one user read the history of executed queries and nothing else.

    These rights are wider than the sync's: the history shows the queries of all users. Run them in order as an
    administrator; none replaces a role or user, and none holds a password.

    :param dialect: one of :data:`SOURCES`.
    :param schema: a schema that holds nothing else, where the grants create one; on BigQuery the region.
    :param database: what holds the schema: database or project.
    :raises ConfigurationError: a name cannot be quoted, or a value that this warehouse needs is missing.
    """
    if dialect not in _WRITERS:
        raise ConfigurationError(f"No query history of {dialect!r} is read. Known: {', '.join(SOURCES)}.")
    reader = GrantRequest(
        role=role,
        user=user,
        schema=schema or SOURCES[dialect].schema,
        database=database,
        warehouse=warehouse,
        public_key=public_key,
        network=tuple(network),
        harden=harden,
    )
    return _WRITERS[dialect](reader)


def postgres_body(extension: str | None = None) -> str:
    """Return the body of PostgreSQL's function.

    :param extension: the quoted schema of pg_stat_statements; without it, a mark stands in its place.
    """
    body = files(__package__).joinpath("sql/postgres_function.sql").read_text(encoding="utf-8")
    return body if extension is None else body.replace("{extension}", extension)


def _postgres(reader: GrantRequest) -> list[str]:
    name, text = partial(identifier, dialect="postgres"), partial(literal, dialect="postgres")
    role, schema, owner = name(reader.role), name(reader.schema), name(f"{reader.role}_owner")
    function = f"{schema}.{POSTGRES_FUNCTION}"
    body = _POSTGRES_FUNCTION.format(
        owner=owner.replace("'", "''"), function=function.replace("'", "''"), body=text(postgres_body())
    )
    return [
        *postgres.create_postgres_reader(reader),
        commented(
            postgres.create_role(f"{reader.role}_owner"),
            "Its rights are lent by one function: who calls it reads the counters of statements of this database, and",
            "not what else pg_read_all_stats shows. Needs PostgreSQL 14, shared_preload_libraries =",
            "'pg_stat_statements', and CREATE EXTENSION pg_stat_statements in this database.",
        ),
        f"GRANT pg_read_all_stats TO {owner};",
        f"CREATE SCHEMA IF NOT EXISTS {schema};",
        postgres.block(body, "extension text"),
        f"GRANT CREATE ON SCHEMA {schema} TO {owner};",
        f"ALTER FUNCTION {function}() OWNER TO {owner};",
        f"REVOKE CREATE ON SCHEMA {schema} FROM {owner};",
        f"REVOKE ALL ON FUNCTION {function}() FROM PUBLIC;",
        f"GRANT EXECUTE ON FUNCTION {function}() TO {role};",
        f"GRANT USAGE ON SCHEMA {schema} TO {role};",
        postgres.connect(reader, role),
        *postgres.limit_reader(reader),
    ]


def _snowflake(reader: GrantRequest) -> list[str]:
    database = snowflake.snowflake_name(reader.require("database", "snowflake", "the database for the view"))
    schema = f"{database}.{snowflake.snowflake_name(reader.schema)}"
    role = snowflake.snowflake_name(reader.role)
    view = f"{schema}.QUERY_HISTORY"
    columns = (
        "query_id, user_name, role_name, start_time, end_time, total_elapsed_time, queued_overload_time, "
        "queued_provisioning_time, queued_repair_time, rows_produced, bytes_scanned, credits_used_cloud_services, "
        "execution_status, query_parameterized_hash, database_name, schema_name, query_tag, query_text"
    )
    return [
        *snowflake.create_snowflake_reader(reader),
        commented(
            f"CREATE SCHEMA IF NOT EXISTS {schema} WITH MANAGED ACCESS;",
            "Run as a role that may read SNOWFLAKE.ACCOUNT_USAGE (database role SNOWFLAKE.GOVERNANCE_VIEWER) and owns",
            "the schema: the view lends its rights to this one list, and to nothing else of that database.",
        ),
        f"CREATE VIEW IF NOT EXISTS {view} AS\n  SELECT {columns}\n"  # noqa: S608 - quoted names
        "  FROM SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY;",
        f"GRANT USAGE ON DATABASE {database} TO ROLE {role};",
        f"GRANT USAGE ON SCHEMA {schema} TO ROLE {role};",
        commented(
            f"GRANT SELECT ON VIEW {view} TO ROLE {role};",
            "For one virtual warehouse, add WHERE warehouse_name = '…' to the view.",
        ),
        *snowflake.network_policy(reader, snowflake.snowflake_name(reader.user), schema),
    ]


def _redshift(reader: GrantRequest) -> list[str]:
    user = identifier(reader.user, "redshift")
    return [
        commented(
            f"CREATE USER {user} PASSWORD DISABLE SYSLOG ACCESS UNRESTRICTED;",
            "Shows this user the statements of all users in every SYS and SVL view: Redshift has no narrower right.",
            "The user has no password: let it log in with IAM, or set one with ALTER USER.",
        )
    ]


def _bigquery(reader: GrantRequest) -> list[str]:
    project = reader.require("database", "bigquery", "the project")
    member = shlex.quote(f"serviceAccount:{reader.user}")
    return [
        "\n".join(
            [
                "-- SQL cannot bind on a project; in a shell. The role lists jobs and runs queries, and reads no data.",
                f"-- gcloud iam roles create elementaryHistory --project={shlex.quote(project)} "
                "--permissions=bigquery.jobs.listAll,bigquery.jobs.create --title='Elementary query history'",
                f"-- gcloud projects add-iam-policy-binding {shlex.quote(project)} --member={member} "
                f"--role=projects/{shlex.quote(project)}/roles/elementaryHistory --condition=None",
            ]
        )
    ]


def _databricks(reader: GrantRequest) -> list[str]:
    group = identifier(reader.role, "databricks")
    return [
        commented(
            f"GRANT USE CATALOG ON CATALOG system TO {group};",
            f"First make the group {reader.role} with one member, the service principal {reader.user}. Run as a",
            "metastore admin, with the schema system.query enabled.",
        ),
        f"GRANT USE SCHEMA ON SCHEMA system.query TO {group};",
        f"GRANT SELECT ON TABLE system.query.history TO {group};",
    ]


def _clickhouse(reader: GrantRequest) -> list[str]:
    role, user = clickhouse.clickhouse_name(reader.role), clickhouse.clickhouse_name(reader.user)
    return [
        f"CREATE ROLE IF NOT EXISTS {role};",
        clickhouse.create_user(reader, user),
        f"GRANT SELECT ON system.query_log TO {role};",
        f"GRANT {role} TO {user};",
        f"SET DEFAULT ROLE {role} TO {user};",
    ]


def _trino(reader: GrantRequest) -> list[str]:
    # Trino matches the pattern against the whole name.
    user = json.dumps(re.escape(reader.user))
    return [
        "\n".join(
            [
                "-- Trino grants nothing on its own catalog by SQL. With access-control.name=file, above wider rules:",
                f'--   "queries": [{{"user": {user}, "allow": ["view"]}}],',
                f'--   "catalogs": [{{"user": {user}, "catalog": "system", "allow": "read-only"}}, '
                f'{{"user": {user}, "allow": "none"}}],',
                f'--   "tables": [{{"user": {user}, "catalog": "system", "schema": "runtime", "table": "queries", '
                f'"privileges": ["SELECT"]}}, {{"user": {user}, "privileges": []}}]',
            ]
        )
    ]


_WRITERS: Mapping[str, Callable[[GrantRequest], list[str]]] = MappingProxyType(
    {
        "postgres": _postgres,
        "snowflake": _snowflake,
        "redshift": _redshift,
        "bigquery": _bigquery,
        "databricks": _databricks,
        "clickhouse": _clickhouse,
        "trino": _trino,
    }
)
