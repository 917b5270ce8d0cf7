"""What dbt's own lineage calls a warehouse: the namespace of its tables in OpenLineage, out of a connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

#: The port that dbt's profiles have where the connection names none.
_PORTS: Mapping[str, int] = {"postgres": 5432, "redshift": 5439, "clickhouse": 8123, "trino": 8080, "mssql": 1433}
#: Whoever pastes a whole DSN into the field puts a password there: such a text names nothing.
_NAME = re.compile(r"[\w.-]+")
_ADDRESS = re.compile(r"\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?")
_PATH = re.compile(r"[\w./ -]+")


def namespace_of(connection: Connection) -> str | None:
    """Return the namespace as OpenLineage's integration with dbt names it, or None where the connection does not tell.

    :param connection: of a warehouse's own type.
    """
    name = _RULES.get(str(connection.conn_type))
    return name(connection) if name is not None else None


def _by_host_and_port(connection: Connection) -> str | None:
    kind = str(connection.conn_type)
    port = connection.port or _PORTS.get(kind)
    host = connection.host or ("localhost" if kind == "postgres" else "")
    if _ADDRESS.fullmatch(host):
        host = f"[{host.strip('[]')}]"
    elif not _NAME.fullmatch(host):
        return None
    return f"{kind}://{host}:{port}" if port else None


def _of_snowflake(connection: Connection) -> str | None:
    extra = connection.extra_dejson
    account = str(extra.get("account") or extra.get("extra__snowflake__account") or "")
    if not _NAME.fullmatch(account):
        return None
    first, *rest = account.split(".")
    if "-" in first:
        # An organization's account is the same in every region.
        return f"snowflake://{first}"
    place = rest or [part for part in str(extra.get("region") or "us-west-1").split(".") if part]
    return f"snowflake://{'.'.join((first, *place, 'aws')[:3])}"


def _of_databricks(connection: Connection) -> str | None:
    host = connection.host or ""
    return f"databricks://{host}" if _NAME.fullmatch(host) else None


def _of_athena(connection: Connection) -> str | None:
    region = str(connection.extra_dejson.get("region_name") or "")
    return f"awsathena://athena.{region}.amazonaws.com" if _NAME.fullmatch(region) else None


def _of_duckdb(connection: Connection) -> str | None:
    path = connection.host or ""
    return f"duckdb://{path}" if _PATH.fullmatch(path) else None


_RULES: Mapping[str, Callable[[Connection], str | None]] = {
    **dict.fromkeys(("postgres", "redshift", "clickhouse", "trino", "presto", "mssql"), _by_host_and_port),
    "snowflake": _of_snowflake,
    "databricks": _of_databricks,
    "gcpbigquery": lambda connection: "bigquery",
    "athena": _of_athena,
    "duckdb": _of_duckdb,
}
