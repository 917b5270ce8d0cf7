"""Runs a server of Trino's client protocol over a DuckDB file: paged results, prepared statements, named errors."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.servers.engine import Engine, QuietHandler, serving
from tests.support.drivers import Error, TrinoUserError

#: Rows in one page: a result has several.
PAGE_ROWS = 500
_IMMEDIATE = re.compile(r"EXECUTE IMMEDIATE '((?:[^']|'')*)'(?: USING (.*))?", re.DOTALL)
_TYPES = {
    pa.string(): "varchar",
    pa.float64(): "double",
    pa.float32(): "real",
    pa.int64(): "bigint",
    pa.int32(): "integer",
    pa.bool_(): "boolean",
    pa.timestamp("us"): "timestamp(6)",
    pa.timestamp("us", "UTC"): "timestamp(6) with time zone",
}


@contextmanager
def trino_server(path: Path) -> Iterator[tuple[Engine, int]]:
    """Serve a DuckDB file until the block ends; yield the engine and the port."""
    engine = Engine("trino", path)
    results: dict[str, pa.Table] = {}
    numbers = itertools.count(1)

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            query = f"query_{next(numbers)}"
            statement, values = self.body().decode(), []
            if found := _IMMEDIATE.fullmatch(statement):
                statement = found[1].replace("''", "'")
                values = [text[1:-1].replace("''", "'") for text in re.findall(r"'(?:[^']|'')*'", found[2] or "")]
            try:
                results[query] = engine.run(statement, values)
            except Error as error:
                self._send({**self._page(query), "error": _error(error)})
            else:
                # The first answer has neither columns nor rows, as Trino's.
                self._send({**self._page(query), "nextUri": self._uri(query, 0)})

        def do_GET(self) -> None:
            query, token = self.path.split("/")[-2:]
            rows, begin = results[query], int(token) * PAGE_ROWS
            page = {**self._page(query), "columns": [_column(field) for field in rows.schema]}
            if found := rows.slice(begin, PAGE_ROWS).to_pylist():
                page["data"] = [[_value(value) for value in row.values()] for row in found]
            if begin + PAGE_ROWS < rows.num_rows:
                page["nextUri"] = self._uri(query, int(token) + 1)
            self._send(page)

        def do_DELETE(self) -> None:
            self.answer(b"", "application/json", 204)

        def _uri(self, query: str, token: int) -> str:
            return f"http://{self.headers['Host']}/v1/statement/executing/{query}/{token}"

        def _page(self, query: str) -> dict[str, Any]:
            return {"id": query, "infoUri": "http://localhost/ui", "stats": {"state": "RUNNING"}, "warnings": []}

        def _send(self, page: dict[str, Any]) -> None:
            self.answer(json.dumps(page).encode(), "application/json")

    with serving(Handler) as port:
        yield engine, port
    engine.close()


def _error(error: Error) -> dict[str, Any]:
    name = error.error_name if isinstance(error, TrinoUserError) else "SYNTAX_ERROR"
    return {"message": "", "errorCode": 1, "errorName": name, "errorType": "USER_ERROR", "failureInfo": {}}


def _column(field: pa.Field) -> dict[str, Any]:
    kind = _TYPES[field.type]
    length = {"varchar": 2**31 - 1}.get(kind, 6)
    has_argument = kind == "varchar" or "(" in kind
    signature = {
        "rawType": kind.replace("(6)", ""),
        "arguments": [{"kind": "LONG", "value": length}] if has_argument else [],
    }
    return {"name": field.name, "type": kind, "typeSignature": signature}


def _value(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds") + (" UTC" if value.tzinfo else "")
    return value
