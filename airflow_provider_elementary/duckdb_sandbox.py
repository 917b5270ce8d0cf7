"""Opens a DuckDB in memory without access to files or the network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

#: Above this much memory DuckDB spills to disk, unless a caller says otherwise.
SPILL_LIMIT = "256MB"


@contextmanager
def bounded_connection(limit: str = SPILL_LIMIT) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection for one piece of work; what it spilled is removed when it closes.

    The folder is the user's own (mode 0700), but what is spilled there is plain: DuckDB encrypts temporary files only
    with an extension that has to be downloaded, or with keys that it calls unsafe. So a query that may spill is given
    keys, times and numbers, and rows with raw values go by :mod:`~airflow_provider_elementary.metrics.deduplicate`.

    :param limit: above this much memory DuckDB spills to disk, as in ``256MB``.
    """
    with tempfile.TemporaryDirectory(prefix="elementary-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "temp_directory": spill,
            "memory_limit": limit,
        }
        connection = duckdb.connect(":memory:", config=config)
        try:
            yield connection
        finally:
            connection.close()
