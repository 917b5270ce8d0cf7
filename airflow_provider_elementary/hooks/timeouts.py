"""Reads the time-outs of a warehouse from its Airflow connection."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.timeouts import (
    CONNECT_SECONDS,
    KEEPALIVES,
    READ_SECONDS,
    TCP_USER_TIMEOUT_MILLISECONDS,
    Calls,
    Sockets,
)
from airflow_provider_elementary.warehouses.registry import by_adapter, by_connection_type

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

#: libpq's options where the connection's extra does not name them.
LIBPQ_DEFAULTS: Mapping[str, str] = {
    "connect_timeout": f"{CONNECT_SECONDS:g}",
    "tcp_user_timeout": TCP_USER_TIMEOUT_MILLISECONDS,
    **KEEPALIVES,
}
#: Snowflake answers a request within a minute, also while its query runs.
SNOWFLAKE_LOGIN_SECONDS, SNOWFLAKE_SOCKET_SECONDS = 60.0, 120.0


def calls_for(connection: Connection) -> Calls:
    """Return the runner of a session's calls, with the time-outs of the connection's extra.

    :raises ConfigurationError: a time-out is not a number of seconds.
    """
    kind = by_connection_type(str(connection.conn_type)) or by_adapter(None)
    host, port = connection.host, connection.port or kind.driver_port
    return Calls(
        str(connection.conn_type),
        read_seconds=_seconds(connection, "read_timeout", READ_SECONDS),
        connect_seconds=_seconds(connection, "connect_timeout", CONNECT_SECONDS),
        sockets=None if kind.has_read_timeout else Sockets(host or "localhost", port),
    )


def snowflake_timeouts(hook_class: type[Any], connection: Connection) -> type[Any]:
    """Return Snowflake's hook with limits for the connector, which the hook itself does not pass on."""
    defaults = {
        "login_timeout": SNOWFLAKE_LOGIN_SECONDS,
        "socket_timeout": SNOWFLAKE_SOCKET_SECONDS,
        # By default the connector repeats a failed request for ever. It also cancels a query that takes longer.
        "network_timeout": _seconds(connection, "read_timeout", READ_SECONDS),
    }
    limits = {name: math.ceil(_seconds(connection, name, value)) for name, value in defaults.items()}

    class Limited(hook_class):  # type: ignore[misc]
        def _get_conn_params(self) -> dict[str, Any]:
            return {**super()._get_conn_params(), **limits}

    Limited.__name__ = hook_class.__name__
    return Limited


def statement_timeout(connection: Connection, opened: Any) -> Any:
    """Set PostgreSQL's own ``statement_timeout`` where the connection's extra names one; return the session."""
    if (wanted := connection.extra_dejson.get("statement_timeout")) not in (None, ""):
        with opened.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', $1, false)", [str(wanted)])
            cursor.fetchall()
        opened.commit()
    return opened


def _seconds(connection: Connection, name: str, default: float) -> float:
    value = connection.extra_dejson.get(name)
    if value in (None, ""):
        return default
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise ConfigurationError(
            f"{name} in the extra of connection {connection.conn_id!r} is not a number of seconds above 0. Correct "
            f"it, or remove it for the default of {default:g} s."
        )
    return seconds
