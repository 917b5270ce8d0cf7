"""The DuckDB that scores metrics: in memory, shut off from files and network, spilling to a folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

#: Above this much memory DuckDB spills to disk.
MEMORY_LIMIT = "256MB"


@contextmanager
def scoring_connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection for one call; what it spilled is removed when it closes."""
    with tempfile.TemporaryDirectory(prefix="elementary-anomalies-") as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "enable_external_access": "false",
            "temp_directory": spill,
            "memory_limit": MEMORY_LIMIT,
        }
        connection = duckdb.connect(":memory:", config=config)
        try:
            yield connection
        finally:
            connection.close()
