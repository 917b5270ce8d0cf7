"""Runs a server of BigQuery's REST protocol over a DuckDB file: jobs, pages of results, catalog and permissions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

from tests.servers.engine import Engine, QuietHandler, serving
from tests.support.drivers import DATABASE, Error, Manner

#: Rows in one page: a result has several.
PAGE_ROWS = 500
_TYPES = {
    pa.string(): "STRING",
    pa.float64(): "FLOAT",
    pa.float32(): "FLOAT",
    pa.int64(): "INTEGER",
    pa.int32(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us"): "DATETIME",
    pa.timestamp("us", "UTC"): "TIMESTAMP",
}
_VIEWS = re.compile(r"`?(\w+)`?\.`?(\w+)`?\.INFORMATION_SCHEMA\.(\w+)")


class _DeniedError(Error):
    """A missing right."""


class _AbsentError(Error):
    """A missing object."""


MANNER = Manner("bigquery", "bigquery", dict, "@p1", _DeniedError, _AbsentError, refuses_rollback=True, arrow=True)


@contextmanager
def bigquery_server(path: Path) -> Iterator[tuple[Engine, int]]:
    """Serve a DuckDB file until the block ends; yield the engine and the port.

    What a call of the API answers is in :attr:`Engine.calls`, by the end of its path; others are denied.
    """
    engine = Engine("bigquery", path, MANNER)
    for view in ("tables", "columns"):
        engine.connection.engine.execute(f"CREATE VIEW memory.main.all_{view} AS FROM information_schema.{view}")
    results: dict[str, pa.Table] = {}

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = json.loads(self.body() or b"{}")
            if self.path.partition("?")[0].endswith("/jobs"):
                self._job(body)
            else:
                self._call(body)

        def do_GET(self) -> None:
            place, _, query = self.path.partition("?")
            if "/queries/" in place:
                self._send(self._page(place.rpartition("/")[2], parse_qs(query)))
            elif "/jobs/" in place:
                self._send(_done(place.rpartition("/")[2]))
            else:
                self._call({})

        def _job(self, body: dict[str, Any]) -> None:
            asked = body["configuration"]["query"]
            values = [each["parameterValue"]["value"] for each in asked.get("queryParameters", ())]
            job = body["jobReference"]["jobId"]
            try:
                results[job] = engine.run(_in_duckdb(asked["query"]), values)
            except Error as error:
                code, reason = {_DeniedError: (403, "accessDenied"), _AbsentError: (404, "notFound")}.get(
                    type(error), (400, "invalidQuery")
                )
                self._refuse(code, reason)
            else:
                self._send(_done(job))

        def _page(self, job: str, query: dict[str, list[str]]) -> dict[str, Any]:
            table = results[job]
            begin = int(query.get("pageToken", ["0"])[0])
            rows = table.slice(begin, min(PAGE_ROWS, int(query.get("maxResults", [PAGE_ROWS])[0])))
            answer: dict[str, Any] = {
                "jobReference": {"projectId": DATABASE, "jobId": job},
                "jobComplete": True,
                "schema": {"fields": [{"name": each.name, "type": _TYPES[each.type]} for each in table.schema]},
                "totalRows": str(table.num_rows),
                "rows": [{"f": [{"v": _value(value)} for value in row.values()]} for row in rows.to_pylist()],
            }
            if begin + rows.num_rows < table.num_rows:
                answer["pageToken"] = str(begin + rows.num_rows)
            return answer

        def _call(self, body: dict[str, Any]) -> None:
            place = urlsplit(self.path).path
            for part, answer in engine.calls.items():
                if place.endswith(part):
                    if not part.endswith(":testIamPermissions"):
                        self._send(json.loads(answer))
                        return
                    held = [each for each in body["permissions"] if each in answer.split()]
                    self._send({"permissions": held} if held else {})
                    return
            self._refuse(403, "accessDenied")

        def _refuse(self, code: int, reason: str) -> None:
            error = {"code": code, "message": "refused", "errors": [{"reason": reason, "message": "refused"}]}
            self._send({"error": error}, code)

        def _send(self, answer: dict[str, Any], status: int = 200) -> None:
            self.answer(json.dumps(answer).encode(), "application/json", status)

    with serving(Handler) as port:
        yield engine, port
    engine.close()


def _done(job: str) -> dict[str, Any]:
    return {
        "jobReference": {"projectId": DATABASE, "jobId": job},
        "configuration": {"query": {"query": "SELECT", "destinationTable": None}, "jobType": "QUERY"},
        "status": {"state": "DONE"},
        "statistics": {"query": {"statementType": "SELECT"}},
    }


def _in_duckdb(statement: str) -> str:
    """Return a statement over a dataset's views as one over DuckDB's, which has one for all schemas."""
    return _VIEWS.sub(
        lambda found: f"(SELECT * FROM `memory`.`main`.`all_{found[3].lower()}` WHERE table_schema = '{found[2]}')",
        statement.replace("@p1", "?"),
    )


def _value(value: Any) -> str | None:
    if value is None:
        return None
    if hasattr(value, "isoformat"):
        if value.tzinfo is None:
            return str(value.isoformat("T", "microseconds"))
        return str(pa.scalar(value, pa.timestamp("us", "UTC")).cast(pa.int64()).as_py())
    return str(value).lower() if isinstance(value, bool) else str(value)
