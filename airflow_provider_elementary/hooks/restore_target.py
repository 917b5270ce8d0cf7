"""The door to where a snapshot is restored: an Airflow connection, or a file on the worker, becomes a target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.hooks.timeouts import calls_for

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.restore_targets import RestoreTarget


@contextmanager
def open_target(*, conn_id: str | None, path: str | None, schema: str) -> Iterator[RestoreTarget]:
    """Open the place to restore to.

    :param conn_id: a connection of type ``postgres`` (or ``elementary`` of that kind), by a role that may create the
        schema; or of type ``duckdb``, whose host is the file's path. Not the reader's: it may write nothing.
    :param path: a DuckDB file on the worker.
    :param schema: the schema.
    :raises ConfigurationError: both or neither are given, or the connection is of a type that nothing restores to.
    :raises WarehouseError: the database did not let us in.
    """
    from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget, PostgresTarget

    if bool(conn_id) == bool(path):
        raise ConfigurationError(
            "Expected either the path of a new DuckDB file or a target connection, found "
            f"{'both' if path else 'neither'}. Name one."
        )
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
            f"Expected connection {conn_id!r} to be of type postgres or duckdb, found {connection.conn_type!r}. "
            "A snapshot is restored to PostgreSQL or to a DuckDB file."
        )
