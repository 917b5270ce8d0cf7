"""Opens DuckDB for scoring, with little memory, no files, no network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.quoting import literal

#: Above this much memory DuckDB spills to disk.
DUCKDB_LIMIT = "256MB"


@contextmanager
def scoring_connection(limit: str = DUCKDB_LIMIT) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection for one call; what it spilled is removed when it closes.

    :param limit: as in ``256MB``.
    """
    with bounded_connection(limit) as connection:
        yield connection


def sql_text(text: str | None) -> str:
    """Return a text as SQL, where a statement cannot bind it."""
    return "NULL" if text is None else literal(text, "duckdb")
