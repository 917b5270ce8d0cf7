"""Airflow connections of dedicated readers: roles that may read one Elementary schema and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from airflow_provider_elementary.snapshots.store_setup import KmsKey, create_store
from tests.support.signing import SIGNING_KEY, STORE_ID, create

if TYPE_CHECKING:
    from airflow_provider_elementary.warehouses.bigquery import BigQueryWarehouse
    from airflow_provider_elementary.warehouses.source import WarehouseSource
    from tests.servers.aws import AwsServer
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

Connection = dict[str, Any]


def bigquery_warehouse(port: int) -> BigQueryWarehouse:
    """Open, with Google's client, what a server of BigQuery's REST protocol on a port of this machine holds."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    from airflow_provider_elementary.access.check.session import TransportFacts
    from airflow_provider_elementary.warehouses.bigquery import BigQueryWarehouse
    from tests.servers import HOST
    from tests.support.drivers import DATABASE

    client = bigquery.Client(
        project=DATABASE,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": f"http://{HOST}:{port}"},
    )
    verified = TransportFacts(True, "TLSv1.3", True, "as if over https")
    return BigQueryWarehouse(client, None, "elementary", DATABASE, verified)


def duckdb_file(path: Path) -> Connection:
    """Return a connection to a DuckDB file."""
    return {"conn_type": "duckdb", "host": str(path)}


def postgres_reader(
    server: PostgresServer, database: str, schema: str = "elementary", *, md5: bool = False
) -> Connection:
    """Make a role that reads one schema of one database, and return its connection.

    :param md5: its password is kept as MD5, for a driver without SCRAM.
    """
    role = f"reader_{database}"
    password = server.create_role(role, md5=md5)
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
    """Create a store in a directory, and return the connection of its writer.

    :param place: the directory, or its URI.
    :param keys: master keys; a fresh one for every category by default.
    """
    uri = place.as_uri() if isinstance(place, Path) else place
    with suppress(ElementaryError):
        # What is no store, or cannot be written, is for the test to find out.
        create(open_store(uri))
    secret = {**(keys or LocalKeys.generate()), "signing_key": SIGNING_KEY}
    facts = {"uri": uri, "store_id": STORE_ID, "secret_keys": secret}
    return {"conn_type": "elementary_store", "extra": {**facts, **extra}}


def s3_store(
    server: AwsServer,
    uri: str,
    kms_key_id: str,
    *,
    aws_conn_id: str = "aws",
    signing_kms_key_id: str | None = None,
    **extra: object,
) -> Connection:
    """Create a store on S3, encrypted with a KMS key, and return the connection of its writer.

    :param signing_kms_key_id: a KMS key that signs, or encrypts the signing key; a local signing key by default.
    """
    store = open_store(uri, s3_client=server.client("s3"), kms_key_id=kms_key_id)
    facts: dict[str, object] = {"uri": uri, "kms_key_id": kms_key_id, "aws_conn_id": aws_conn_id}
    if signing_kms_key_id is None:
        create(store)
        facts |= {"store_id": STORE_ID, "secret_keys": {"signing_key": SIGNING_KEY}}
    else:
        trust = create_store(store, None, KmsKey(server.client("kms"), signing_kms_key_id))
        facts |= {"store_id": trust.store_id, "signing_kms_key_id": signing_kms_key_id}
    return {"conn_type": "elementary_store", "extra": {**facts, **extra}}


def open_postgres(server: PostgresServer, database: str) -> WarehouseSource:
    """Open the Elementary schema of a database of a test server."""
    import adbc_driver_postgresql.dbapi as adbc

    from airflow_provider_elementary.access.check.session import TransportFacts
    from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse
    from airflow_provider_elementary.warehouses.source import WarehouseSource

    transport = TransportFacts(encrypted=True, version="TLSv1.3", certificate_verified=True, detail="test")
    connection = adbc.connect(server.uri(database=database))
    return WarehouseSource(PostgresWarehouse(connection, "elementary", database, transport))
