"""Names a warehouse as OpenLineage's integration with dbt does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from airflow_provider_elementary.warehouses.kind import NamespaceRule, WarehouseKind
from airflow_provider_elementary.warehouses.registry import by_connection_type

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

#: Any other text may be a whole DSN with a password: it is not used. The SQL hooks' own
#: ``get_openlineage_database_info`` keeps it, and needs each warehouse's driver on the worker.
_NAME = re.compile(r"[\w.-]+")
_ADDRESS = re.compile(r"\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?")
_PATH = re.compile(r"[\w./ -]+")


def namespace_of(connection: Connection) -> str | None:
    """Return the namespace as OpenLineage's integration with dbt names it, or None where fields of it are missing.

    :param connection: of a warehouse's own type.
    """
    kind = by_connection_type(str(connection.conn_type))
    if kind is None or kind.namespace is None:
        return None
    return _RULES[kind.namespace](kind, connection)


def _from_host_and_port(kind: WarehouseKind, connection: Connection) -> str | None:
    port = connection.port or kind.port
    host = connection.host or kind.default_host or ""
    if _ADDRESS.fullmatch(host):
        host = f"[{host.strip('[]')}]"
    elif not _NAME.fullmatch(host):
        return None
    return f"{kind.scheme}://{host}:{port}" if port else None


def _from_account(kind: WarehouseKind, connection: Connection) -> str | None:
    extra = connection.extra_dejson
    account = str(extra.get("account") or extra.get("extra__snowflake__account") or "")
    if not _NAME.fullmatch(account):
        return None
    first, *rest = account.split(".")
    if "-" in first:
        # An organization's account is the same in every region.
        return f"{kind.scheme}://{first}"
    place = rest or [part for part in str(extra.get("region") or "us-west-1").split(".") if part]
    return f"{kind.scheme}://{'.'.join((first, *place, 'aws')[:3])}"


def _from_host(kind: WarehouseKind, connection: Connection) -> str | None:
    host = connection.host or ""
    return f"{kind.scheme}://{host}" if _NAME.fullmatch(host) else None


def _from_region(kind: WarehouseKind, connection: Connection) -> str | None:
    region = str(connection.extra_dejson.get("region_name") or "")
    return f"{kind.scheme}://athena.{region}.amazonaws.com" if _NAME.fullmatch(region) else None


def _from_path(kind: WarehouseKind, connection: Connection) -> str | None:
    path = connection.host or ""
    return f"{kind.scheme}://{path}" if _PATH.fullmatch(path) else None


def _from_scheme(kind: WarehouseKind, connection: Connection) -> str | None:
    return kind.scheme


_RULES: Mapping[NamespaceRule, Callable[[WarehouseKind, Connection], str | None]] = {
    "host and port": _from_host_and_port,
    "host": _from_host,
    "account": _from_account,
    "region": _from_region,
    "path": _from_path,
    "scheme alone": _from_scheme,
}
