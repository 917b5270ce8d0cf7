"""Reads any other warehouse through its DB-API driver."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.access.check.session import (
    TransportFacts,
)
from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.exceptions import TableUnreadableError, WarehouseError
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.driver_errors import FailureCause, cause_of, refusal
from airflow_provider_elementary.warehouses.exclusion import read_error
from airflow_provider_elementary.warehouses.registry import by_adapter
from airflow_provider_elementary.warehouses.warehouse import SystemCatalogSession, connection_lost_error

log = logging.getLogger(__name__)

_SQL_CURSOR = "elementary_rows"


class DbApiWarehouse(SystemCatalogSession):
    """A session over a DB-API 2.0 connection, by what the registry knows of its driver.

    :param connection: an open connection, as ``DbApiHook.get_conn()`` returns it.
    :param dialect: sqlglot's name of its SQL.
    :param schema: the Elementary schema.
    :param database: the database that holds it, where the warehouse has such a level.
    :param placeholder: how this driver marks a bound value, where that is not as the registry says.
    :param transport: how the link is protected, as far as the client knows.
    :param adapter: dbt's name of the warehouse, where that is not its dialect's.
    :param calls: runs the driver's calls.
    :raises WarehouseError: one of the driver's opening statements failed.
    """

    def __init__(
        self,
        connection: Any,
        *,
        dialect: str,
        schema: str,
        database: str | None,
        placeholder: str | None = None,
        transport: TransportFacts | None,
        adapter: str | None = None,
        calls: Calls | None = None,
    ) -> None:
        # No driver's own cancel: psycopg's, for one, stops the whole interpreter on a dead link.
        self.calls = calls or Calls(dialect)
        self.dialect = dialect
        self.adapter = adapter or dialect
        self.schema = schema
        self.database = database
        self._kind = by_adapter(self.adapter)
        self._driver = self._kind.driver
        self.placeholder = self._driver.placeholder if placeholder is None else placeholder
        self.transport = transport
        self._connection = connection
        if self._driver.opening:
            try:
                self.calls.run("beginning the session", self._begin)
            except BaseException:
                self.close()
                raise

    def _begin(self) -> None:
        try:
            with self._cursor() as cursor:
                for statement in self._driver.opening:
                    cursor.execute(statement)
        except Exception as error:
            raise connection_lost_error(self.adapter, "beginning the session", error) from None

    def answer(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one statement over the system catalog."""
        try:
            with self._cursor() as cursor:
                cursor.execute(statement, *self._driver.arguments(parameters))
                answer = _names(cursor), [tuple(row) for row in cursor.fetchall()]
            self._release_locks()
            return answer
        except Exception as error:
            if cause_of(error) is FailureCause.LOST or not self._roll_back():
                raise connection_lost_error(self.adapter, "reading its system catalog", error) from None
            raise refusal(error) from None

    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query."""
        try:
            with self._cursor() as cursor:
                yield from self._fetched(cursor, query.sql)
            self._release_locks()
        except (GeneratorExit, WarehouseError):
            raise
        except Exception as error:
            failure = read_error(self.adapter, query, error)
            if isinstance(failure, TableUnreadableError):
                self._roll_back()
            raise failure from None

    def _fetched(self, cursor: Any, sql: str) -> Iterator[pa.RecordBatch]:
        count = self._driver.batch_rows
        if self._driver.has_sql_cursors:
            cursor.execute(f"DECLARE {_SQL_CURSOR} CURSOR FOR {sql}")
            sql = f"FETCH FORWARD {count} FROM {_SQL_CURSOR}"
        cursor.execute(sql)
        if self._driver.arrow is not None:
            yield from _arrow_batches(getattr(cursor, self._driver.arrow), count)
            return
        names = _names(cursor)
        rows = cursor.fetchmany(count)
        if not rows:
            yield pa.RecordBatch.from_pydict({name: pa.nulls(0) for name in names})
        while rows:
            columns = [pa.array(values) for values in zip(*rows, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, names=names)
            if self._driver.has_sql_cursors:
                cursor.execute(sql)
            rows = cursor.fetchmany(count)
        if self._driver.has_sql_cursors:
            cursor.execute(f"CLOSE {_SQL_CURSOR}")

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            # After an error some drivers have closed it, and refuse to close it twice.
            with suppress(Exception):
                cursor.close()

    def _roll_back(self) -> bool:
        """End a transaction that an error left; return whether the session can be used."""
        if self._driver.has_transactions:
            try:
                self._connection.rollback()
            except Exception as error:
                # The answer is that the session cannot be used; the error that came first is the one to raise.
                log.debug("rolling back failed: %s", type(error).__name__)
                return False
        return True

    def _release_locks(self) -> None:
        if self._kind.keeps_locks:
            self._connection.rollback()

    def disconnect(self) -> None:
        """Disconnect."""
        self._connection.close()


def _names(cursor: Any) -> list[str]:
    return [column[0] for column in cursor.description]


def _arrow_batches(fetch: Any, count: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows that a cursor's Arrow method returns, or one empty batch where there are none."""
    table = fetch(count)
    if not table.num_rows:
        yield pa.RecordBatch.from_pylist([], schema=table.schema)
    while table.num_rows:
        yield from table.to_batches()
        table = fetch(count)
