"""Airflow connections of dedicated readers: roles that may read one Elementary schema and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.snapshots import LocalKeys

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

Connection = dict[str, Any]


def duckdb_file(path: Path) -> Connection:
    """Return a connection to a DuckDB file."""
    return {"conn_type": "duckdb", "host": str(path)}


def postgres_reader(server: PostgresServer, database: str, schema: str = "elementary") -> Connection:
    """Make a role that reads one schema of one database, and return its connection."""
    role = f"reader_{database}"
    password = server.create_role(role)
    server.execute(
        f'GRANT CONNECT ON DATABASE "{database}" TO "{role}";'
        f'GRANT USAGE ON SCHEMA "{schema}" TO "{role}";'
        f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO "{role}"',
        database=database,
    )
    return server.airflow_connection(role, password, database)


def snowflake_reader(server: SnowflakeServer, database: str, schema: str = "ELEMENTARY") -> Connection:
    """Make a user whose one role reads one schema, and return its connection."""
    role = f"READER_{database}"
    password = server.create_user(f"SYNC_{database}", role, secondary_roles="NONE")
    for statement in (
        f"GRANT USAGE ON WAREHOUSE WH TO ROLE {role}",
        f"GRANT USAGE ON DATABASE {database} TO ROLE {role}",
        f"GRANT USAGE ON SCHEMA {database}.{schema} TO ROLE {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {database}.{schema} TO ROLE {role}",
    ):
        server.execute(statement)
    return server.airflow_connection(f"SYNC_{database}", password, database=database, schema=schema)


def local_keys(keys: dict[str, str] | None = None) -> Connection:
    """Return a connection with a fresh master key for every category, or with these keys."""
    return {"conn_type": "generic", "extra": {"secret_keys": keys or LocalKeys.generate()}}
