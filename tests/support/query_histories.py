"""Query histories to test with: a warehouse that lists these queries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.query_history import HistoryUpdate, read_query_history, update_query_history
from tests.support.stores import Rest

NOW = datetime(2026, 11, 2, 12)
_TIMES = re.compile(r"BestEffort\('([^']+)Z'")


@dataclass
class ListingSession:
    """A session on a ClickHouse that lists queries by when they ended.

    :param queries: the columns of the registry's statement.
    :param asked: every statement that ran.
    """

    queries: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    dialect: str = "clickhouse"
    adapter: str = "clickhouse"
    schema: str = "system"
    database: str | None = None
    placeholder: str = "%s"
    transport: TransportFacts | None = None

    def records(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        self.asked.append(statement)
        since, until = sorted({datetime.fromisoformat(text) for text in _TIMES.findall(statement)})
        return [query for query in self.queries if since <= query["ended_at"] < until]

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.records(statement, parameters)]


@dataclass
class CountingSession(ListingSession):
    """A session on a PostgreSQL that counts the runs of statements."""

    dialect: str = "postgres"
    adapter: str = "postgres"
    schema: str = "elementary_history"

    def records(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        self.asked.append(statement)
        return [dict(query) for query in self.queries]


def query(number: int, ended_at: datetime, **columns: Any) -> dict[str, Any]:
    """Return a query as ClickHouse lists it."""
    return {
        "query_id": f"q{number}",
        "user_name": "ada",
        "started_at": ended_at - timedelta(seconds=2),
        "ended_at": ended_at,
        "duration_ms": 2_000,
        "row_count": 5,
        "bytes": 1_024,
        "status": "QueryFinish",
        "query_text": "SELECT secret FROM shop.orders WHERE email = 'ada@example.com'",
        **columns,
    }


def counted(entry: str, calls: int, read_at: datetime, **columns: Any) -> dict[str, Any]:
    """Return a statement as the function of PostgreSQL's grants lists it."""
    return {
        "query_id": entry,
        "user_name": "ada",
        "runs": calls,
        "duration_ms": 10.0 * calls,
        "row_count": calls,
        "bytes": 8_192 * calls,
        "query_text": "SELECT a FROM shop.orders WHERE b = $1",
        "reset_at": datetime(2026, 11, 1),
        "evictions": 0,
        "read_at": read_at,
        **columns,
    }


def updated(rest: Rest, session: Any, run: str = "run", now: datetime = NOW, **options: Any) -> HistoryUpdate:
    """Store what is new in a history."""
    return update_query_history(rest.repository, session, connection="history", run_key=run, now=now, **options)


def stored(rest: Rest) -> pa.Table:
    """Return all stored rows."""
    return read_query_history(rest.repository).read_all()
