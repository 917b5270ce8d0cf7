"""Defines what a session on a warehouse can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from airflow_provider_elementary.access.check.session import Session
from airflow_provider_elementary.exceptions import WarehouseError
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.registry import by_adapter

if TYPE_CHECKING:
    from airflow_provider_elementary.access.guard import GuardedQuery


class Warehouse(Session, Protocol):
    """One open read-only session; a hook opens it, :class:`WarehouseSource` reads through it."""

    def hold(self, tables: Sequence[str]) -> bool:
        """Begin to see these tables as of one moment: now.

        :param tables: their names as the warehouse spells them.
        :return: whether it did; False where each statement sees its own moment, or nothing changes meanwhile.
        :raises TableLockedError: another session keeps one of them locked.
        :raises TableReplacedError: one of them is gone.
        """
        ...

    def stream(self, query: GuardedQuery, seconds: float | None = None) -> Iterator[pa.RecordBatch]:
        """Yield a guarded query's rows as the driver delivers them, in the driver's own types.

        At least one batch comes, empty where there are no rows, so that the columns are always known.

        :param seconds: after how long the server ends this query, if its engine can; None for no limit.
        :raises WarehouseError: the warehouse cannot be reached, closed the connection or refused the query.
        """
        ...

    def cancel(self) -> None:
        """End the running call and the session, from any thread and within seconds."""
        ...

    def close(self) -> None:
        """End the session within seconds; closing twice does no harm."""
        ...


class SystemCatalogSession(ABC):
    """A session whose driver calls all have a deadline; subclasses implement the calls."""

    dialect: str
    calls: Calls

    def hold(self, tables: Sequence[str]) -> bool:
        """Do nothing: see :meth:`Warehouse.hold`."""
        return False

    @abstractmethod
    def answer(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one statement over the system catalog and return the names of its columns and its rows."""

    @abstractmethod
    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield a guarded query's rows; see :meth:`Warehouse.stream`."""

    def bounded_batches(self, query: GuardedQuery, seconds: float) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query that the server ends after this time, if its engine can."""
        return self.batches(query)

    @abstractmethod
    def disconnect(self) -> None:
        """End the session."""

    def stream(self, query: GuardedQuery, seconds: float | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a guarded query; see :meth:`Warehouse.stream`."""
        batches = self.batches(query) if seconds is None else self.bounded_batches(query, seconds)
        return self.calls.iterate(f"reading {', '.join(query.tables)}", batches)

    def cancel(self) -> None:
        """End the running call and the session."""
        self.calls.break_off()

    def close(self) -> None:
        """End the session; see :meth:`Warehouse.close`."""
        self.calls.finish(self.disconnect)

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement over the system catalog; see :meth:`Session.rows`."""
        return self._ask(statement, parameters)[1]

    def records(self, statement: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run one statement over the system catalog; see :meth:`Session.records`."""
        names, rows = self._ask(statement, parameters)
        return [dict(zip((name.lower() for name in names), row, strict=True)) for row in rows]

    def _ask(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        return self.calls.run("reading its system catalog", lambda: self.answer(statement, parameters))


def batches_of(reader: pa.RecordBatchReader) -> Generator[pa.RecordBatch, None, None]:
    """Yield a reader's batches, or one empty batch where there are none."""
    empty = True
    for batch in reader:
        empty = False
        yield batch
    if empty:
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)


def connection_lost_error(adapter: str, doing: str, error: BaseException) -> WarehouseError:
    """Return the error for a failed call, without the driver's own text: it may quote SQL, values or passwords.

    :param adapter: dbt's name of the warehouse.
    :param doing: what was being done, as in ``reading dbt_models``.
    """
    kind, text = by_adapter(adapter), str(error)
    if (known := next((one for one in kind.failures if one.words in text), None)) is not None:
        return WarehouseError(f"{kind.label}: {doing} failed: {known.fact}. Nothing was committed. {known.remedy}")
    state = getattr(error, "sqlstate", None)
    name = type(error).__name__ + (f", SQLSTATE {state}" if isinstance(state, str) else "")
    return WarehouseError(
        f"{kind.label}: {doing} failed ({name}). Nothing was committed. Retry; if it happens again, see the "
        "warehouse's own log."
    )
