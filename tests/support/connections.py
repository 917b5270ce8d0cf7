"""Airflow connections of dedicated readers: roles that may read one Elementary schema and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
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


def local_store(place: Path | str, keys: Mapping[str, str] | None = None, **extra: object) -> Connection:
    """Return the connection of a store in a directory, with a fresh master key for every category, or with these keys.

    :param place: the directory, or its URI.
    """
    uri = place.as_uri() if isinstance(place, Path) else place
    return {
        "conn_type": "elementary_store",
        "extra": {"uri": uri, "secret_keys": dict(keys or LocalKeys.generate()), **extra},
    }


def s3_store(uri: str, kms_key_id: str, *, aws_conn_id: str = "aws", **extra: object) -> Connection:
    """Return the connection of a store on S3, encrypted with a KMS key."""
    facts = {"uri": uri, "kms_key_id": kms_key_id, "aws_conn_id": aws_conn_id}
    return {"conn_type": "elementary_store", "extra": {**facts, **extra}}
