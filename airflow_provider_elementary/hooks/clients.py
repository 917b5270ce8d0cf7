"""Airflow connections become open warehouse sessions: the one place that knows drivers' arguments."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from airflow.providers.common.compat.sdk import BaseHook, Connection

from airflow_provider_elementary.exceptions import ConfigurationError, WarehouseError

if TYPE_CHECKING:
    from airflow_provider_elementary.access.session import TransportFacts
    from airflow_provider_elementary.warehouses.warehouse import Warehouse

#: sqlglot's dialect of each further connection type that has a DB-API hook.
DIALECTS: Mapping[str, str] = {
    "redshift": "redshift",
    "gcpbigquery": "bigquery",
    "databricks": "databricks",
    "clickhouse": "clickhouse",
    "trino": "trino",
    "presto": "presto",
    "athena": "athena",
    "mssql": "tsql",
    "vertica": "postgres",
}
OUR_FIELDS = frozenset({"warehouse_kind", "elementary_schema", "elementary_database", "allowed_addresses"})
_LIBPQ_OPTIONS = frozenset(
    {
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslcrl",
        "ssl_min_protocol_version",
        "channel_binding",
        "connect_timeout",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "application_name",
        "target_session_attrs",
        "krbsrvname",
        "gssencmode",
    }
)
_PLAINTEXT_SSLMODES = frozenset({"disable", "allow", "prefer"})


def open_warehouse(connection: Connection, *, schema: str, database: str | None) -> Warehouse:
    """Open a session on the warehouse that an Airflow connection describes.

    :param connection: of type ``elementary``, with the kind of warehouse in its extra, or of a warehouse's own type.
    :param schema: the Elementary schema.
    :param database: the database that holds it; the connection's own by default.
    :raises ConfigurationError: the type is not supported, or a field is missing.
    :raises WarehouseError: the warehouse did not let us in.
    """
    opener = _OPENERS.get(str(connection.conn_type), _open_with_dbapi_hook)
    return opener(connection, schema, database)


def _open_duckdb(connection: Connection, schema: str, database: str | None) -> Warehouse:
    from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse

    if not connection.host:
        raise ConfigurationError(
            f"Expected the path of a DuckDB file in the host field of connection {connection.conn_id!r}, found none."
        )
    return DuckDBWarehouse(Path(connection.host), schema)


def _open_postgres(connection: Connection, schema: str, database: str | None) -> Warehouse:
    dbapi = _require("adbc_driver_postgresql.dbapi", "postgres")
    from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse

    login, password, port = connection.login, connection.password, connection.port
    if connection.extra_dejson.get("iam", False):
        hook_class = _require("airflow.providers.postgres.hooks.postgres", "postgres").PostgresHook
        login, password, port = hook_class(postgres_conn_id=connection.conn_id).get_iam_token(connection)
    database = database or connection.schema or login
    options = _libpq_options(connection)
    uri = _libpq_uri(connection.host or "localhost", port or 5432, login, password, database, options)
    try:
        opened = dbapi.connect(uri)
    except dbapi.Error as error:
        raise _not_let_in(connection, error) from None
    return PostgresWarehouse(opened, schema, database, _postgres_transport(connection.host or "localhost", options))


def _open_snowflake(connection: Connection, schema: str, database: str | None) -> Warehouse:
    from airflow_provider_elementary.access.session import TransportFacts

    hook_module = importlib.import_module("airflow.providers.snowflake.hooks.snowflake")
    snowflake_errors = importlib.import_module("snowflake.connector.errors")
    from airflow_provider_elementary.warehouses.snowflake import SnowflakeWarehouse

    hook = over(hook_module.SnowflakeHook, connection)(
        snowflake_conn_id=connection.conn_id,
        schema=schema,
        log_sql=False,
        session_parameters={"QUERY_TAG": "airflow-provider-elementary", "TIMEZONE": "UTC"},
        **({"database": database} if database else {}),
    )
    try:
        opened = hook.get_conn()
    except snowflake_errors.Error as error:
        raise _not_let_in(connection, error) from None
    protocol = str(opened._protocol)
    transport = TransportFacts(
        encrypted=protocol == "https",
        # The least that the connector's own urllib3 agrees to (its util/ssl_.py).
        version="TLSv1.2 or newer" if protocol == "https" else None,
        certificate_verified=protocol == "https",
        detail=f"Snowflake connector over {protocol}",
    )
    return SnowflakeWarehouse(opened, schema, database or opened.database, transport)


def _open_with_dbapi_hook(connection: Connection, schema: str, database: str | None) -> Warehouse:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_elementary.warehouses.dbapi import DbApiWarehouse

    if (dialect := DIALECTS.get(str(connection.conn_type))) is None:
        known = sorted({*_OPENERS, *DIALECTS, "elementary"})
        raise ConfigurationError(
            f"Expected connection {connection.conn_id!r} to be of a type that this provider reads "
            f"({', '.join(known)}), found {connection.conn_type!r}."
        )
    hook_class = type(connection.get_hook())  # type: ignore[no-untyped-call]
    if not issubclass(hook_class, DbApiHook):
        raise ConfigurationError(
            f"Expected a SQL hook for connection type {connection.conn_type!r}, found {hook_class.__name__}. "
            "Install the Airflow provider of that warehouse."
        )
    hook = over(hook_class, _without_our_fields(connection))(
        **{hook_class.conn_name_attr: connection.conn_id}, log_sql=False
    )
    try:
        opened = hook.get_conn()
    except Exception as error:
        # Drivers share no base class for their errors; none of their text may be shown.
        raise _not_let_in(connection, error) from None
    return DbApiWarehouse(
        opened,
        dialect=dialect,
        schema=schema,
        database=database,
        placeholder=hook.placeholder,
        transport=None,
    )


_OPENERS: Mapping[str, Callable[[Connection, str, str | None], Warehouse]] = {
    "duckdb": _open_duckdb,
    "postgres": _open_postgres,
    "snowflake": _open_snowflake,
}


def over(hook_class: type[BaseHook], connection: Connection) -> Callable[..., Any]:
    """Return a hook class that uses this connection whatever its id: an ``elementary`` one serves as another type."""

    def get_connection(cls: type[BaseHook], conn_id: str) -> Connection:
        return connection

    return type(hook_class.__name__, (hook_class,), {"get_connection": classmethod(get_connection)})


def _without_our_fields(connection: Connection) -> Connection:
    """Return the connection without the extra fields that are ours: some hooks pass every field to their driver."""
    extra = {name: value for name, value in connection.extra_dejson.items() if name not in OUR_FIELDS}
    return Connection(
        conn_id=connection.conn_id,
        conn_type=connection.conn_type,
        host=connection.host,
        login=connection.login,
        password=connection.password,
        schema=connection.schema,
        port=connection.port,
        extra=json.dumps(extra),
    )


def _require(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"Expected {module.partition('.')[0]} to be installed, found that it is not. "
            f"Install airflow-provider-elementary[{extra}]."
        ) from None


def _libpq_options(connection: Connection) -> dict[str, str]:
    """Return libpq's options out of the connection's extra; the certificate is verified unless the author says not."""
    options = {name: str(value) for name, value in connection.extra_dejson.items() if name in _LIBPQ_OPTIONS}
    options.setdefault("connect_timeout", "30")
    options.setdefault("application_name", "airflow-provider-elementary")
    if not _is_socket(connection.host):
        options.setdefault("sslmode", "verify-full")
        options.setdefault("ssl_min_protocol_version", "TLSv1.2")
        if options["sslmode"] in ("verify-full", "verify-ca") and "sslrootcert" not in options:
            import certifi

            options["sslrootcert"] = certifi.where()
    return options


def _libpq_uri(
    host: str, port: int, login: str | None, password: str | None, database: str | None, options: Mapping[str, str]
) -> str:
    user = quote(login or "", safe="") + (f":{quote(password, safe='')}" if password else "")
    query = {"host": host, **options} if _is_socket(host) else dict(options)
    location = f":{port}" if _is_socket(host) else f"{host}:{port}"
    return f"postgresql://{user}@{location}/{quote(database or '', safe='')}?{urlencode(query, quote_via=quote)}"


def _postgres_transport(host: str, options: Mapping[str, str]) -> TransportFacts:
    from airflow_provider_elementary.access.session import TransportFacts

    if _is_socket(host):
        return TransportFacts(None, None, None, "local socket, no network")
    mode = options["sslmode"]
    return TransportFacts(
        encrypted=mode not in _PLAINTEXT_SSLMODES,
        version=options.get("ssl_min_protocol_version"),
        certificate_verified=mode == "verify-full",
        detail=f"sslmode={mode}",
    )


def _is_socket(host: str | None) -> bool:
    return bool(host) and str(host).startswith("/")


def _not_let_in(connection: Connection, error: BaseException) -> WarehouseError:
    state = getattr(error, "sqlstate", None)
    found = type(error).__name__ + (f", SQLSTATE {state}" if isinstance(state, str) else "")
    return WarehouseError(
        f"Expected to log in to the warehouse of connection {connection.conn_id!r} ({connection.conn_type} at "
        f"{connection.host or 'its default address'}), found a failure ({found}). Check host, port, user, secret and "
        "TLS settings of the connection, and that the network lets the worker through."
    )
