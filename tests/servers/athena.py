"""Runs a server of Athena's API over a DuckDB file: a query is started, asked for, and its result read in pages."""

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
from tests.support.drivers import Error

_TYPES = {
    pa.string(): "varchar",
    pa.float64(): "double",
    pa.float32(): "float",
    pa.int64(): "bigint",
    pa.int32(): "integer",
    pa.bool_(): "boolean",
    pa.timestamp("us"): "timestamp",
    pa.timestamp("us", "UTC"): "timestamp with time zone",
}


@contextmanager
def athena_server(path: Path) -> Iterator[tuple[Engine, int]]:
    """Serve a DuckDB file until the block ends; yield the engine and the port."""
    engine = Engine("athena", path)
    calls = engine.calls
    results: dict[str, pa.Table | Error] = {}
    numbers = itertools.count(1)

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.body()
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            if hasattr(self, operation):
                answer = getattr(self, operation)(json.loads(body))
                self.answer(json.dumps(answer).encode(), "application/x-amz-json-1.1")
            elif b"Action=GetCallerIdentity" in body:
                result = f"<GetCallerIdentityResult><Arn>{calls['GetCallerIdentity']}</Arn></GetCallerIdentityResult>"
                answered = f"<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"
                self.answer(answered.encode(), "text/xml")
            else:
                self._other(operation or self.path.rpartition("/")[2])

        def do_GET(self) -> None:
            self._other("ListBuckets")

        def _other(self, operation: str) -> None:
            """Answer a call beside queries: what :attr:`Engine.calls` holds, else a denial."""
            if operation in calls:
                self.answer(calls[operation].encode(), "application/x-amz-json-1.1")
            else:
                refusal = {"__type": "AccessDeniedException", "message": "not authorized"}
                self.answer(json.dumps(refusal).encode(), "application/x-amz-json-1.1", 400)

        def StartQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:  # Athena's own name
            query = f"query-{next(numbers)}"
            # PyAthena writes the parameters into the text itself.
            try:
                results[query] = engine.run(request["QueryString"])
            except Error as error:
                results[query] = error
            return {"QueryExecutionId": query}

        def GetQueryExecution(self, request: dict[str, Any]) -> dict[str, Any]:
            query = request["QueryExecutionId"]
            result = results[query]
            status = {"State": "SUCCEEDED", "SubmissionDateTime": 0, "CompletionDateTime": 0}
            if isinstance(result, Error):
                status |= {"State": "FAILED", "StateChangeReason": str(result)}
            return {
                "QueryExecution": {
                    "QueryExecutionId": query,
                    "Query": "SELECT",
                    "StatementType": "DML",
                    "Status": status,
                    "ResultConfiguration": {"OutputLocation": "s3://results/x.csv"},
                    "Statistics": {},
                    "WorkGroup": "primary",
                }
            }

        def GetQueryResults(self, request: dict[str, Any]) -> dict[str, Any]:
            table = results[request["QueryExecutionId"]]
            assert isinstance(table, pa.Table)
            begin, count = int(request.get("NextToken", 0)), request.get("MaxResults", 1000)
            # The first row of the first page is the header.
            header = [dict.fromkeys(table.column_names)] if begin == 0 else []
            rows = [{"Data": [{"VarCharValue": name} for name in one]} for one in header]
            rows += [
                {"Data": [_value(value) for value in row.values()]}
                for row in table.slice(begin, count - len(header)).to_pylist()
            ]
            answer: dict[str, Any] = {
                "ResultSet": {
                    "Rows": rows,
                    "ResultSetMetadata": {"ColumnInfo": [_column(field) for field in table.schema]},
                }
            }
            if (end := begin + count - len(header)) < table.num_rows:
                answer["NextToken"] = str(end)
            return answer

    with serving(Handler) as port:
        yield engine, port
    engine.close()


def _column(field: pa.Field) -> dict[str, Any]:
    return {
        "Name": field.name,
        "Label": field.name,
        "Type": _TYPES[field.type],
        "Precision": 0,
        "Scale": 0,
        "Nullable": "UNKNOWN",
    }


def _value(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if hasattr(value, "isoformat"):
        text = value.replace(tzinfo=None).isoformat(" ", "microseconds")
        return {"VarCharValue": text + (" UTC" if value.tzinfo else "")}
    return {"VarCharValue": re.sub(r"^(True|False)$", lambda found: found[0].lower(), str(value))}
