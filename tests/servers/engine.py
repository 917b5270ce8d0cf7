"""Answers a warehouse's SQL from a DuckDB file, for servers that speak the protocol of another engine."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tests.servers import HOST
from tests.support.drivers import DATABASE, MANNERS, Manner, StrictConnection

#: A read of it is denied.
SECRET = "raw.users"


class Engine:
    """One warehouse's SQL over a DuckDB file; it knows the names that the warehouse knows, and refuses others.

    What it answers to a statement with one of :attr:`scripted` in it stands there instead: rows by column name, or None
    for a denial.

    :param adapter: the warehouse's name in dbt.
    :param path: the file, which is the database :data:`~tests.support.drivers.DATABASE`.
    :param manner: what it insists on, where that is none of :data:`~tests.support.drivers.MANNERS`.
    """

    def __init__(self, adapter: str, path: Path, manner: Manner | None = None) -> None:
        manner = manner or next(each for each in MANNERS if each.adapter == adapter)
        self._duckdb = duckdb.connect()
        self._duckdb.execute(f"ATTACH '{path}' AS {DATABASE} (READ_ONLY)")
        self._duckdb.execute("SET GLOBAL TimeZone = 'UTC'")
        self.connection = StrictConnection(replace(manner, arrow=True), self._duckdb, frozenset({SECRET}))
        self.scripted: dict[str, list[dict[str, Any]] | None] = {}
        #: What calls of the warehouse's API answer, where it has one beside SQL.
        self.calls: dict[str, str] = {}
        self._denied = manner.denied
        self._lock = threading.Lock()

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Return a statement's rows.

        :raises Exception: what the warehouse refuses it with.
        """
        unquoted = re.sub(r'[`"]', "", statement)
        for part, answer in self.scripted.items():
            if part in unquoted:
                if answer is None:
                    raise self._denied(part)
                return pa.Table.from_pylist(answer) if answer else pa.table({"nothing": pa.array([], pa.string())})
        with self._lock:
            rows, _ = self.connection.run(statement, parameters)
            table = rows.to_arrow_table()
            assert isinstance(table, pa.Table)
            return table

    def close(self) -> None:
        """Close the file."""
        self._duckdb.close()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Answer HTTP on a free port until the block ends; yield the port."""
    server = ThreadingHTTPServer((HOST, 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps a connection open between requests, and writes no log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def body(self) -> bytes:
        """Return what was posted."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, body: bytes, content_type: str, status: int = 200) -> None:
        """Send one answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
