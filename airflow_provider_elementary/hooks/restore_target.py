"""Opens a restore's target from an Airflow connection or a path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema import DEFAULT_SCHEMA
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.hooks.timeouts import calls_for

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.restore_targets import RestoreTarget


@contextmanager
def open_target(*, conn_id: str | None, path: str | None, schema: str) -> Iterator[RestoreTarget]:
    """Open the target of a restore.

    :param conn_id: a connection to PostgreSQL, of any type that the hook accepts, with a role that may create the
        schema; or to a DuckDB file. Not the reader's connection, which may write nothing.
    :param path: a DuckDB file on the worker.
    :param schema: the schema; empty for the default, as a form leaves it.
    :raises ConfigurationError: both or neither are given, or the connection's type cannot be a target.
    :raises WarehouseError: the login failed.
    """
    from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget, PostgresTarget

    if bool(conn_id) == bool(path):
        raise ConfigurationError(
            f"{'Both' if path else 'Neither'} the path of a new DuckDB file {'and' if path else 'nor'} a target "
            f"connection {'are' if path else 'is'} given. Name one of them."
        )
    schema = schema or DEFAULT_SCHEMA
    if path:
        yield DuckDBTarget(Path(path), schema)
        return
    connection = ElementaryHook(str(conn_id)).connection
    if connection.conn_type == "duckdb" and connection.host:
        yield DuckDBTarget(Path(connection.host), schema)
    elif connection.conn_type == "postgres":
        from airflow_provider_elementary.hooks.connections import open_postgres

        calls = calls_for(connection)
        opened = open_postgres(connection, None, calls)
        try:
            yield PostgresTarget(opened, schema, name=f"connection {conn_id}", calls=calls)
        finally:
            calls.finish(opened.close)
    else:
        raise ConfigurationError(
            f"Connection {conn_id!r} of type {connection.conn_type!r} cannot be the target of a restore. Name one to "
            "PostgreSQL or to a DuckDB file."
        )
