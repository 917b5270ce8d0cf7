"""Only the registry's statements run, each a query of one list."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import pytest
import sqlglot
from sqlglot import exp

from airflow_provider_elementary.exceptions import AccessDeniedError, ConfigurationError, QueryRefusedError
from airflow_provider_elementary.query_history.guard import (
    SOURCES,
    HistoryQuery,
    HistorySession,
    history_of,
    history_query,
    readable_query,
    run,
)
from airflow_provider_elementary.query_history.rows import HistoryPolicy, Pseudonyms, rows_of
from airflow_provider_elementary.warehouses.registry import WAREHOUSES
from tests.support.sessions import DeclaredSession

SINCE, UNTIL = datetime(2026, 11, 1, 10), datetime(2026, 11, 1, 11)
ODD = """a"b'c"""


def session(key: str, answers: dict[str, Any] | None = None, schema: str = "s") -> HistorySession:
    found: Any = DeclaredSession(str(WAREHOUSES[key].dialect), schema, "d", answers or {})
    found.adapter = WAREHOUSES[key].adapters[0]
    return cast(HistorySession, found)


@pytest.mark.parametrize("key", SOURCES)
def test_each_statement_is_one_query_of_the_list(key: str) -> None:
    for query in (history_query(session(key), SINCE, UNTIL), readable_query(session(key))):
        (tree,) = sqlglot.parse(query.sql, read=WAREHOUSES[key].dialect)

        assert isinstance(tree, exp.Select)
        names = {table.sql(comments=False).split(" AS ")[0] for table in tree.find_all(exp.Table)}
        assert len(names - {"pg_catalog.pg_user"}) == 1
        assert not list(tree.find_all(exp.Placeholder, exp.Parameter))


@pytest.mark.parametrize("key", [key for key, history in SOURCES.items() if "{schema}" in history.view])
def test_an_odd_name_of_the_schema_stays_one_name(key: str) -> None:
    (tree,) = sqlglot.parse(history_query(session(key, schema=ODD), SINCE, UNTIL).sql, read=WAREHOUSES[key].dialect)

    assert ODD in {part.name for table in tree.find_all(exp.Table) for part in table.parts}  # type: ignore[union-attr]


@pytest.mark.parametrize("key", [key for key, history in SOURCES.items() if not history.is_cumulative])
def test_a_listed_query_becomes_a_row_on_each_warehouse(key: str) -> None:
    kind, history = history_of(WAREHOUSES[key].adapters[0])
    listed = {
        "query_id": 7,
        "user_name": "ada",
        "started_at": SINCE,
        "ended_at": UNTIL,
        "duration_ms": 1_500,
        "queue_ms": 100,
        "row_count": 3,
        "bytes": 10,
        "status": history.finished[0].upper(),
        "query_text": "SELECT 1 FROM a.b",
    }

    records = run(session(key, {"SELECT": [listed]}), history_query(session(key), SINCE, UNTIL))
    (row,) = rows_of(records, str(kind.dialect), history.finished, HistoryPolicy(), Pseudonyms(b"k")).to_pylist()

    assert (row["query_id"], row["duration"], row["queue_time"], row["tables"]) == ("7", 1.5, 0.1, '["A.B"]')


def test_no_other_statement_can_be_run() -> None:
    with pytest.raises(TypeError, match="takes the registry's statements"):
        HistoryQuery("SELECT * FROM raw.users")
    with pytest.raises(QueryRefusedError, match="only the registry's own statements"):
        run(session("postgres"), cast(HistoryQuery, "SELECT * FROM raw.users"))


def test_a_denied_read_says_which_statements_to_run() -> None:
    with pytest.raises(AccessDeniedError, match="query-history grants"):
        run(session("clickhouse"), readable_query(session("clickhouse")))


def test_a_warehouse_without_a_history_is_named() -> None:
    with pytest.raises(ConfigurationError, match="No query history of DuckDB is read"):
        history_of("duckdb")
