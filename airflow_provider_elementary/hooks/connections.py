"""Opens warehouse sessions from Airflow connections."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook, Connection
from airflow.sdk.log import mask_secret

from airflow_provider_elementary.exceptions import ConfigurationError, ElementaryError
from airflow_provider_elementary.hooks.libpq import libpq_options, postgres_transport, postgres_uri
from airflow_provider_elementary.hooks.timeouts import calls_for, snowflake_timeouts, statement_timeout
from airflow_provider_elementary.warehouses.connection_fields import KIND, OWN_FIELDS, REDSHIFT_TLS
from airflow_provider_elementary.warehouses.registry import CONNECTABLE, WAREHOUSES, by_connection_type

if TYPE_CHECKING:
    from airflow_provider_elementary.access.check.session import TransportFacts
    from airflow_provider_elementary.timeouts import Calls
    from airflow_provider_elementary.warehouses.dbapi import DbApiWarehouse
    from airflow_provider_elementary.warehouses.kind import WarehouseKind
    from airflow_provider_elementary.warehouses.warehouse import Warehouse

#: The modes that redshift_connector knows; it ignores any other.
_REDSHIFT_SSLMODES = REDSHIFT_TLS.choices
#: The connection type whose extra field ``warehouse_kind`` names the warehouse.
GENERIC = "elementary"
Opener = Callable[["WarehouseConnection", str, "str | None"], "Warehouse"]
#: A host name, an address or a path: a whole DSN in that field would contain a password.
_PLAIN_HOST = re.compile(r"[\w./:\[\] -]+")


class WarehouseConnection(Connection):
    """A connection as a warehouse's own hook expects it, whose ``repr`` contains no secret.

    That of :class:`Connection` contains the password, and ends in log lines and tracebacks.
    """

    def __repr__(self) -> str:
        return f"<{self.conn_type} connection {self.conn_id!r}>"


def warehouse_connection(connection: Connection) -> WarehouseConnection:
    """Return a connection as one of its warehouse's own type, without the fields that its form left empty.

    :param connection: of type ``elementary``, with the kind of warehouse in its extra, of the type
        ``elementary_<kind>``, or of a warehouse's own type.
    """
    extra = {name: value for name, value in connection.extra_dejson.items() if value not in (None, "")}
    given = str(connection.conn_type)
    name = str(extra.get(KIND, GENERIC)) if given == GENERIC else given
    kind = WAREHOUSES.get(name) if given == GENERIC else None
    kind = kind or by_connection_type(name)
    if kind is None:
        return _replaced(connection, conn_type=name, extra=json.dumps(extra))
    if kind.key == "snowflake" and given in (GENERIC, kind.connection_type):
        # Snowflake's hook takes these from the extra, and compares the authenticator in lower case.
        extra = {
            **{name: value for name in ("host", "port") if (value := getattr(connection, name))},
            **extra,
            **({"authenticator": str(extra["authenticator"]).lower()} if "authenticator" in extra else {}),
        }
    return _replaced(connection, conn_type=kind.connection_types[0], extra=json.dumps(extra))


def open_warehouse(connection: WarehouseConnection, *, schema: str, database: str | None) -> Warehouse:
    """Open a session on the warehouse that an Airflow connection describes.

    :param connection: what :func:`warehouse_connection` returned.
    :param schema: the Elementary schema.
    :param database: the database that holds it; the connection's own by default.
    :raises ConfigurationError: the type is not supported, or a field is missing.
    :raises WarehouseError: the login failed.
    """
    opener: Opener = resolve_name(_kind_of(connection).opener)
    return opener(connection, schema, database)


def _kind_of(connection: WarehouseConnection) -> WarehouseKind:
    if (kind := by_connection_type(str(connection.conn_type))) is None:
        known = [name for row in CONNECTABLE for name in (row.connection_type, *row.connection_types)]
        given = f"of type {connection.conn_type!r}" if connection.conn_type else "without a type"
        raise ConfigurationError(
            f"This provider cannot read connection {connection.conn_id!r} {given}. "
            f"Types that it reads: {', '.join(sorted([GENERIC, *known]))}."
        )
    return kind


def open_postgres(connection: WarehouseConnection, database: str | None, calls: Calls) -> Any:
    """Return an ADBC session on PostgreSQL over verified TLS, autocommit off.

    :param database: the connection's own by default.
    :param calls: runs the session's calls.
    :raises WarehouseError: the login failed.
    """
    dbapi = _require("adbc_driver_postgresql.dbapi", "postgres")
    database = database or connection.schema or connection.login
    options = libpq_options(connection)

    def log_in() -> Any:
        # No local variable keeps the URI, which holds the password.
        opened = dbapi.connect(postgres_uri(connection, _postgres_login(connection), database, options))
        return statement_timeout(connection, opened)

    return _login(connection, lambda: calls.log_in(log_in), database)


def open_duckdb(connection: WarehouseConnection, schema: str, database: str | None) -> Warehouse:
    """Open a session on a DuckDB file."""
    from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse

    # `md:name?motherduck_token=…` is no file, and the path is shown where there is none.
    if not connection.host or not _PLAIN_HOST.fullmatch(connection.host):
        raise ConfigurationError(
            f"The host field of connection {connection.conn_id!r} {'is no path' if connection.host else 'is empty'}. "
            "Put the path of the DuckDB file there."
        )
    return DuckDBWarehouse(Path(connection.host), schema, calls_for(connection))


def open_postgres_warehouse(connection: WarehouseConnection, schema: str, database: str | None) -> Warehouse:
    """Open a session on PostgreSQL."""
    from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse

    database = database or connection.schema or connection.login
    transport = postgres_transport(connection, libpq_options(connection))
    calls = calls_for(connection)
    return PostgresWarehouse(open_postgres(connection, database, calls), schema, database, transport, calls)


def open_snowflake(connection: WarehouseConnection, schema: str, database: str | None) -> Warehouse:
    """Open a session on Snowflake."""
    from airflow_provider_elementary.access.check.session import TransportFacts

    hook_module = importlib.import_module("airflow.providers.snowflake.hooks.snowflake")
    from airflow_provider_elementary.warehouses.snowflake import SnowflakeWarehouse

    if not connection.extra_dejson.keys() & {"account", "extra__snowflake__account"}:
        raise ConfigurationError(
            f"Connection {connection.conn_id!r} names no Snowflake account. Set the extra field `account` to the "
            "account identifier, as in myorg-myaccount."
        )
    calls = calls_for(connection)
    hook = bind_connection(snowflake_timeouts(hook_module.SnowflakeHook, connection), connection)(
        snowflake_conn_id=connection.conn_id,
        schema=schema,
        log_sql=False,
        session_parameters={
            **(connection.extra_dejson.get("session_parameters") or {}),
            "QUERY_TAG": "airflow-provider-elementary",
            "TIMEZONE": "UTC",
        },
        **({"database": database} if database else {}),
    )
    opened = _login(connection, lambda: calls.log_in(hook.get_conn), database)
    protocol = str(opened._protocol)
    transport = TransportFacts(
        encrypted=protocol == "https",
        # The least that the connector's own urllib3 agrees to (its util/ssl_.py).
        version="TLSv1.2 or newer" if protocol == "https" else None,
        certificate_verified=protocol == "https",
        detail=f"Snowflake connector over {protocol}",
    )
    return SnowflakeWarehouse(opened, schema, database or opened.database, transport, calls)


def open_redshift(connection: WarehouseConnection, schema: str, database: str | None) -> Warehouse:
    """Open a session on Redshift over verified TLS."""
    from airflow_provider_elementary.access.check.session import TransportFacts

    mode = connection.extra_dejson.get("sslmode", "verify-full")
    if mode not in _REDSHIFT_SSLMODES or "sslrootcert" in connection.extra_dejson:
        raise ConfigurationError(
            f"Redshift connection {connection.conn_id!r}: sslmode must be {' or '.join(_REDSHIFT_SSLMODES)}, without "
            "sslrootcert. Redshift's driver knows no other mode and brings Amazon's authorities itself."
        )
    # The driver's default accepts another host's certificate; and the form hides Airflow's own schema field.
    own = _replaced(
        connection,
        schema=database or connection.schema,
        extra=json.dumps({**connection.extra_dejson, "sslmode": mode}),
    )
    transport = TransportFacts(
        encrypted=True, version=None, certificate_verified=mode == "verify-full", detail=f"sslmode={mode}"
    )
    return open_with_dbapi_hook(own, schema, database, transport)


def open_clickhouse(connection: WarehouseConnection, schema: str, database: str | None) -> Warehouse:
    """Open a session on ClickHouse, or on the engine inside this process."""
    from airflow_provider_elementary.access.check.session import TransportFacts
    from airflow_provider_elementary.warehouses.clickhouse import ClickHouseWarehouse

    extra = connection.extra_dejson
    calls = calls_for(connection)
    client = _login(connection, lambda: calls.log_in(_sql_hook(connection).get_client), schema)
    if (extra.get("client_kwargs") or {}).get("interface") == "chdb":
        transport = TransportFacts(None, None, None, "the engine runs in this process, no network")
    else:
        is_secure, verifies = bool(extra.get("secure", False)), bool(extra.get("verify", True))
        transport = TransportFacts(is_secure, None, is_secure and verifies, f"secure={is_secure}, verify={verifies}")
    return ClickHouseWarehouse(client, schema, transport, calls)


def open_bigquery(connection: WarehouseConnection, schema: str, database: str | None) -> Warehouse:
    """Open a session on BigQuery."""
    from airflow_provider_elementary.access.check.session import TransportFacts
    from airflow_provider_elementary.warehouses.bigquery import BigQueryWarehouse

    calls = calls_for(connection)
    hook = _sql_hook(connection, use_legacy_sql=False)
    # Google's client reads this variable, and then speaks to an emulator of the REST API.
    emulator = os.environ.get("BIGQUERY_EMULATOR_HOST", "")

    def log_in() -> tuple[Any, Any]:
        client = hook.get_client(project_id=hook.project_id)
        if emulator:
            return client, None
        storage = importlib.import_module("google.cloud.bigquery_storage")
        return client, storage.BigQueryReadClient(credentials=hook.get_credentials())

    client, storage = _login(connection, lambda: calls.log_in(log_in), database)
    is_plain = emulator.startswith("http:")
    detail = "BIGQUERY_EMULATOR_HOST is set" if emulator else "Google's client over https"
    transport = TransportFacts(not is_plain, None, not is_plain, detail)
    return BigQueryWarehouse(client, storage, schema, database, transport, calls)


def open_with_dbapi_hook(
    connection: WarehouseConnection,
    schema: str,
    database: str | None,
    transport: TransportFacts | None = None,
    session: type[DbApiWarehouse] | None = None,
) -> Warehouse:
    """Open a session on any other warehouse, through its Airflow provider's SQL hook.

    :param transport: how the link is protected, as far as the client knows.
    :param session: the class of the session, where a warehouse has its own.
    """
    from airflow_provider_elementary.warehouses.dbapi import DbApiWarehouse as AnyWarehouse

    kind = _kind_of(connection)
    hook = _sql_hook(connection)
    calls = calls_for(connection)
    # Airflow's hooks of Databricks and Trino begin the session in that catalog.
    database = database or connection.extra_dejson.get("catalog")
    return (session or AnyWarehouse)(
        _login(connection, lambda: calls.log_in(hook.get_conn), database),
        calls=calls,
        dialect=str(kind.dialect),
        schema=schema,
        database=database,
        transport=transport,
        adapter=kind.adapters[0],
    )


def _sql_hook(connection: WarehouseConnection, **options: Any) -> Any:
    """Return the SQL hook of a connection's Airflow provider.

    :param options: further arguments of the hook.
    :raises ConfigurationError: no provider has it, or its driver is not installed.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    kind = _kind_of(connection)
    try:
        hook_class = resolve_name(kind.hook) if kind.hook else type(connection.get_hook())  # type: ignore[no-untyped-call]
    except Exception as error:
        # No provider has this type, or its driver is not installed: Airflow's text names neither.
        hook_class, failed = object, type(error).__name__
    else:
        failed = hook_class.__name__
    if not issubclass(hook_class, DbApiHook):
        named = f"airflow-provider-elementary[{kind.extra}]" if kind.extra else "the Airflow provider of that warehouse"
        raise ConfigurationError(
            f"Airflow has no SQL hook for connection {connection.conn_id!r} of type {connection.conn_type!r} on this "
            f"worker ({failed}). Install {named}, with its driver."
        )
    return bind_connection(hook_class, _without_our_fields(connection))(
        **{hook_class.conn_name_attr: connection.conn_id}, log_sql=False, **options
    )


def bind_connection(hook_class: type[BaseHook], connection: Connection) -> Callable[..., Any]:
    """Return a hook class that uses this connection whatever its id, so that its type can be another one's."""

    def get_connection(cls: type[BaseHook], conn_id: str) -> Connection:
        return connection

    return type(hook_class.__name__, (hook_class,), {"get_connection": classmethod(get_connection)})


def _without_our_fields(connection: WarehouseConnection) -> WarehouseConnection:
    """Return the connection without the extra fields of this package: some hooks pass every field to their driver."""
    extra = {name: value for name, value in connection.extra_dejson.items() if name not in OWN_FIELDS}
    return _replaced(connection, extra=json.dumps(extra))


def _replaced(connection: Connection, **fields: Any) -> WarehouseConnection:
    """Return a connection with other values in some fields."""
    names = ("conn_id", "conn_type", "host", "login", "password", "schema", "port", "extra")
    return WarehouseConnection(**{**{name: getattr(connection, name) for name in names}, **fields})


def _login(connection: WarehouseConnection, log_in: Callable[[], Any], database: str | None = None) -> Any:
    """Return the session that logging in gives.

    :param database: what was logged in to, where it is not the connection's own.
    :raises WarehouseError: it failed. Drivers share no base class for their errors, and their text may quote the DSN
        or the key: none of it is passed on, neither as text nor as context nor in a frame of the traceback.
    """
    try:
        return log_in()
    except ElementaryError:
        raise
    except Exception as error:
        failure = _login_error(connection, database, error)
    raise failure


def _login_error(connection: WarehouseConnection, database: str | None, error: Exception) -> ElementaryError:
    from airflow_provider_elementary.warehouses.login import Login, login_error

    extra = connection.extra_dejson
    login = Login(
        conn_id=connection.conn_id,
        kind=str(connection.conn_type),
        host=connection.host,
        port=connection.port,
        user=connection.login,
        database=database or extra.get("database") or connection.schema,
        role=extra.get("role"),
        ca_file=libpq_options(connection).get("sslrootcert") if connection.conn_type == "postgres" else None,
    )
    return login_error(login, error)


def _require(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"The Python package {module.partition('.')[0]} is not installed on this worker. "
            f"Install airflow-provider-elementary[{extra}]."
        ) from None


def _postgres_login(connection: WarehouseConnection) -> tuple[str | None, str | None, int | None]:
    """Return user, password and port: the connection's own, or a token of AWS IAM."""
    if not connection.extra_dejson.get("iam", False):
        return connection.login, connection.password, connection.port
    hook_class = bind_connection(
        _require("airflow.providers.postgres.hooks.postgres", "postgres").PostgresHook, connection
    )
    login, password, port = hook_class(postgres_conn_id=connection.conn_id).get_iam_token(connection)
    # Airflow masks what comes with a connection; this token did not.
    mask_secret(password)
    return login, password, port
