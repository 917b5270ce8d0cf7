"""Any other warehouse that Airflow has a DB-API hook for: slower, row by row, but it works the same."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.access.check.session import StatementDeniedError, TransportFacts
from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.exceptions import TableUnreadableError
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.exclusion import read_error
from airflow_provider_elementary.warehouses.warehouse import SystemCatalogSession, connection_lost_error

_BATCH_ROWS = 10_000
#: Where a transaction keeps its locks, and DDL waits for it, until it ends.
_LOCKING = frozenset({"postgres", "redshift"})


class DbApiWarehouse(SystemCatalogSession):
    """A session over a DB-API 2.0 connection.

    :param connection: an open connection, as ``DbApiHook.get_conn()`` returns it.
    :param dialect: sqlglot's name of its SQL.
    :param schema: the Elementary schema.
    :param database: the database that holds it, where the warehouse has such a level.
    :param placeholder: how this driver marks a bound value.
    :param transport: how the link is protected, as far as the client knows.
    :param adapter: dbt's name of the warehouse, where that is not its dialect's.
    :param calls: runs the driver's calls.
    """

    def __init__(
        self,
        connection: Any,
        *,
        dialect: str,
        schema: str,
        database: str | None,
        placeholder: str,
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
        self.placeholder = placeholder
        self.transport = transport
        self._connection = connection

    def answer(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one catalogue statement."""
        cursor = self._connection.cursor()
        try:
            cursor.execute(statement, tuple(parameters)) if parameters else cursor.execute(statement)
            answer = [column[0] for column in cursor.description], [tuple(row) for row in cursor.fetchall()]
            self._release_locks()
            return answer
        except Exception as error:
            # DB-API drivers share the names of their errors but no base class.
            if type(error).__name__ == "OperationalError":
                raise connection_lost_error(self.dialect, "reading its catalogue", error) from None
            self._connection.rollback()
            raise StatementDeniedError(type(error).__name__) from None
        finally:
            cursor.close()

    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query."""
        cursor = self._connection.cursor()
        try:
            cursor.execute(query.sql)
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchmany(_BATCH_ROWS)
            if not rows:
                yield pa.RecordBatch.from_pydict({name: pa.nulls(0) for name in names})
            while rows:
                columns = [pa.array(values) for values in zip(*rows, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names=names)
                rows = cursor.fetchmany(_BATCH_ROWS)
            self._release_locks()
        except Exception as error:
            failure = read_error(self.dialect, query, error)
            if isinstance(failure, TableUnreadableError):
                with suppress(Exception):
                    self._connection.rollback()
            raise failure from None
        finally:
            cursor.close()

    def _release_locks(self) -> None:
        if self.dialect in _LOCKING:
            self._connection.rollback()

    def disconnect(self) -> None:
        """Disconnect."""
        self._connection.close()
