"""PostgreSQL over ADBC: every read inside one REPEATABLE READ, READ ONLY transaction that the client cannot undo."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_manager.dbapi import Connection
from sqlglot import exp

from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.access.session import StatementDeniedError, TransportFacts
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.warehouse import CatalogueSession, batches_of, went_away

# The first statement of each transaction: after the first query nothing can make it writable again.
_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_BATCH_BYTES = "2097152"
# insufficient_privilege, undefined_table, undefined_column, undefined_function, invalid_schema_name, undefined_object
_DENIED = frozenset({"42501", "42P01", "42703", "42883", "3F000", "42704"})


class PostgresWarehouse(CatalogueSession):
    """A session on PostgreSQL.

    :param connection: an open ADBC connection with autocommit off.
    :param schema: the Elementary schema.
    :param database: the database that the connection is on.
    :param transport: how the link is protected, as the client asked for it.
    :param calls: runs the driver's calls.
    """

    dialect = "postgres"
    adapter = "postgres"
    placeholder = "$"

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

    def answer(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one catalogue statement; where it is refused, the transaction starts anew."""
        try:
            self._begin()
            with self._connection.cursor() as cursor:
                cursor.execute(statement, list(parameters) or None)
                return [column[0] for column in cursor.description or ()], [tuple(row) for row in cursor.fetchall()]
        except AdbcError as error:
            self._roll_back()
            if error.sqlstate in _DENIED:
                raise StatementDeniedError(error.sqlstate) from None
            raise went_away(self.dialect, "reading its catalogue", error) from None

    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query; all queries of one session see the database as of the first."""
        try:
            self._begin()
            with self._connection.cursor(adbc_stmt_kwargs={"adbc.postgresql.batch_size_hint_bytes": _BATCH_BYTES}) as c:
                c.execute(query.sql)
                with c.fetch_record_batch() as reader:
                    yield from batches_of(reader)
        except (AdbcError, OSError, pa.ArrowException) as error:
            raise went_away(self.dialect, f"reading {', '.join(query.tables)}", error) from None

    def disconnect(self) -> None:
        """Roll back what only read, and disconnect."""
        self._roll_back()
        self._connection.close()

    def _begin(self) -> None:
        if not self._begun:
            with self._connection.cursor() as cursor:
                cursor.execute(_READ_ONLY)
                # The temporary schema would come first if it were not named last.
                schema = exp.to_identifier(self.schema, quoted=True).sql(self.dialect)
                cursor.execute(f"SET LOCAL search_path = {schema}, pg_temp")
            self._begun = True

    def _roll_back(self) -> None:
        self._begun = False
        try:
            self._connection.rollback()
        except AdbcError:
            # The server is gone, and the transaction with it.
            return
