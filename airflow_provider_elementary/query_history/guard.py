"""Lets only the registry's own statements run on a query history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Protocol

from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.exceptions import AccessDeniedError, ConfigurationError, QueryRefusedError
from airflow_provider_elementary.quoting import identifier, literal
from airflow_provider_elementary.times import without_zone
from airflow_provider_elementary.warehouses.kind import QueryHistory, WarehouseKind
from airflow_provider_elementary.warehouses.registry import WAREHOUSES, by_adapter

_PASSED = object()

#: The warehouses whose history can be read.
SOURCES: Mapping[str, QueryHistory] = MappingProxyType(
    {key: kind.history for key, kind in WAREHOUSES.items() if kind.history is not None}
)


class HistorySession(Session, Protocol):
    """A session of the second role.

    :param adapter: dbt's name of the warehouse.
    """

    adapter: str


@dataclass(frozen=True)
class HistoryQuery:
    """A statement of the registry; only :func:`history_query` creates one.

    :param sql: the statement.
    """

    sql: str
    passed: InitVar[object] = None

    def __post_init__(self, passed: object) -> None:
        if passed is not _PASSED:
            raise TypeError("Only history_query() may create a HistoryQuery: it takes the registry's statements.")


def history_of(adapter: str) -> tuple[WarehouseKind, QueryHistory]:
    """Return a warehouse and its history.

    :raises ConfigurationError: none is read there.
    """
    kind = by_adapter(adapter)
    if kind.history is None:
        raise ConfigurationError(
            f"No query history of {kind.label} is read. Warehouses whose history is: {', '.join(SOURCES)}."
        )
    return kind, kind.history


def view_of(session: HistorySession) -> str:
    """Return what a session reads, in its SQL."""
    kind, history = history_of(session.adapter)
    names = {"schema": session.schema, "database": session.database or ""}
    if "{database}" in history.view and not session.database:
        raise ConfigurationError(f"The history of {kind.label} needs a database. Name it in the connection.")
    return history.view.format_map({name: identifier(value, session.dialect) for name, value in names.items()})


def history_query(session: HistorySession, since: datetime, until: datetime) -> HistoryQuery:
    """Return the statement that reads the queries that ended in a window; a cumulative history has no window.

    :param since: the first moment, UTC.
    :param until: the moment after the last.
    """
    kind, _ = history_of(session.adapter)
    times = {name: _time(moment, kind) for name, moment in (("since", since), ("until", until))}
    return HistoryQuery(_statement(kind.key).format(view=view_of(session), **times), _PASSED)


def readable_query(session: HistorySession) -> HistoryQuery:
    """Return the statement that reads no row of a history, and needs every right to it."""
    _, history = history_of(session.adapter)
    call = "()" if history.is_cumulative else ""
    return HistoryQuery(f"SELECT 1 FROM {view_of(session)}{call} WHERE 1 = 0", _PASSED)  # noqa: S608 - quoted names


def run(session: HistorySession, query: HistoryQuery) -> list[dict[str, Any]]:
    """Return the rows of a statement of the registry.

    :raises QueryRefusedError: it is another statement.
    :raises AccessDeniedError: the warehouse denied it.
    """
    if not isinstance(query, HistoryQuery):
        raise QueryRefusedError("only the registry's own statements run on a query history")
    try:
        return session.records(query.sql)
    except StatementDeniedError:
        kind, _ = history_of(session.adapter)
        raise AccessDeniedError(
            f"{kind.label} denied reading {view_of(session)}. Run the statements that `airflow-elementary "
            "query-history grants` prints, and check that the connection's role is the one that they create."
        ) from None


def _time(moment: datetime, kind: WarehouseKind) -> str:
    text = without_zone(moment).isoformat(timespec="microseconds")
    # Redshift's times have no zone, and are UTC.
    return literal(text if kind.key == "redshift" else f"{text}Z", str(kind.dialect))


@cache
def _statement(key: str) -> str:
    return files(__package__).joinpath(f"sql/{key}.sql").read_text(encoding="utf-8").rstrip()
