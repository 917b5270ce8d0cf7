"""Reads PostgreSQL over ADBC in one read-only transaction."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_manager._reader import AdbcRecordBatchReader
from adbc_driver_manager.dbapi import Connection

from airflow_provider_elementary.access.check.session import StatementDeniedError, TransportFacts
from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.exceptions import ElementaryError, TableUnreadableError, WarehouseError
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.exclusion import read_error
from airflow_provider_elementary.warehouses.postgres_locks import TableLocks
from airflow_provider_elementary.warehouses.registry import WAREHOUSES
from airflow_provider_elementary.warehouses.warehouse import SystemCatalogSession, batches_of, connection_lost_error

#: A shorter limit of the role or of the connection stays. The catalog has milliseconds; 0 is no limit.
_STATEMENT_TIMEOUT = (
    "SELECT set_config(name, least(nullif(setting::bigint, 0), $1::bigint)::text, true) "
    "FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'"
)
# The first statement of each transaction: after the first query nothing can make it writable again.
_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_BATCH_BYTES = "4194304"
# insufficient_privilege, undefined_table, undefined_column, undefined_function, invalid_schema_name, undefined_object
_DENIED = frozenset({"42501", "42P01", "42703", "42883", "3F000", "42704"})


class PostgresWarehouse(SystemCatalogSession):
    """A session on PostgreSQL.

    :param connection: an open ADBC connection with autocommit off.
    :param schema: the Elementary schema.
    :param database: the database that the connection is on.
    :param transport: how the link is protected, as the client asked for it.
    :param calls: runs the driver's calls.
    """

    dialect = adapter = "postgres"
    placeholder = WAREHOUSES[adapter].driver.placeholder

    def __init__(
        self,
        connection: Connection,
        schema: str,
        database: str | None,
        transport: TransportFacts,
        calls: Calls | None = None,
    ) -> None:
        self.calls = calls or Calls(self.dialect)
        self.calls.cancel = connection.adbc_cancel
        self.schema = schema
        self.database = database
        self.transport: TransportFacts | None = transport
        self._connection = connection
        self._begun = False
        self._is_reading = False
        self._locks = TableLocks(self._execute, self._restart, schema)

    def hold(self, tables: Sequence[str]) -> bool:
        """Begin a transaction that sees the database as of now, with no DDL in progress on these tables."""
        self.calls.run(f"locking {', '.join(tables)}", lambda: self._begin_to_read(tables))
        return True

    def _begin_to_read(self, tables: Sequence[str]) -> None:
        self._locks = TableLocks(self._execute, self._restart, self.schema)
        try:
            self._locks.begin(tables)
        except AdbcError as error:
            self._roll_back()
            raise connection_lost_error(self.adapter, f"locking {', '.join(tables)}", error) from None
        except ElementaryError:
            self._roll_back()
            raise
        self._is_reading = True

    def answer(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one statement over the system catalog; if it is refused, a new transaction begins."""
        try:
            self._begin()
            with self._connection.cursor() as cursor:
                cursor.execute(statement, list(parameters) or None)
                return [column[0] for column in cursor.description or ()], [tuple(row) for row in cursor.fetchall()]
        except AdbcError as error:
            self._roll_back()
            if error.sqlstate in _DENIED:
                raise StatementDeniedError(error.sqlstate) from None
            raise connection_lost_error(self.adapter, "reading its system catalog", error) from None

    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query; all queries of one session see the database as of the first."""
        return self._streamed(query, None)

    def bounded_batches(self, query: GuardedQuery, seconds: float) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query that the server ends after this time; later ones have the former limit."""
        return self._streamed(query, seconds)

    def _streamed(self, query: GuardedQuery, seconds: float | None) -> Generator[pa.RecordBatch, None, None]:
        if not self._is_reading:
            # Earlier statements over the system catalog saw an earlier moment.
            self._begin_to_read(query.tables)
        options = {"adbc.postgresql.batch_size_hint_bytes": _BATCH_BYTES}
        try:
            with self._locks.held(query.tables), self._connection.cursor(adbc_stmt_kwargs=options) as c:
                if seconds is not None:
                    # Undone with the savepoint of the locks.
                    self._execute(_STATEMENT_TIMEOUT, [int(seconds * 1000)])
                c.execute(query.sql)
                # Unlike that of fetch_record_batch(), this reader reports which SQLSTATE ended a stream.
                handle = c.fetch_arrow()
                with closing(AdbcRecordBatchReader._import_from_c(handle.address)) as reader:
                    yield from batches_of(reader)
        except (AdbcError, OSError, pa.ArrowException) as error:
            failure = read_error(self.adapter, query, error)
            if isinstance(failure, TableUnreadableError):
                # The server aborted the transaction; the other tables are read in a new one.
                self._roll_back()
            raise failure from None

    def disconnect(self) -> None:
        """End the read-only transaction, and disconnect."""
        self._roll_back()
        self._connection.close()

    def _begin(self) -> None:
        if not self._begun:
            with self._connection.cursor() as cursor:
                cursor.execute(_READ_ONLY)
                # Every table is qualified; the operators, functions and types of a query are the server's own. Unless
                # named, the temporary schema is searched first.
                cursor.execute("SET LOCAL search_path = pg_catalog, pg_temp")
                # The driver takes text for UTF-8, whatever encoding the database has.
                cursor.execute("SET LOCAL client_encoding = 'UTF8'")
            self._begun = True

    def _restart(self) -> None:
        self._roll_back()
        self._begin()

    def _execute(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if self.calls.has_ended:
            # A cancellation between two attempts to lock finds no statement to cancel.
            raise WarehouseError("The session was ended while waiting for a lock. Nothing was committed. Retry.")
        with self._connection.cursor() as cursor:
            cursor.execute(statement, list(parameters) or None)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def _roll_back(self) -> None:
        self._begun = self._is_reading = False
        try:
            self._connection.rollback()
        except AdbcError:
            # The server is gone, and the transaction with it.
            return
