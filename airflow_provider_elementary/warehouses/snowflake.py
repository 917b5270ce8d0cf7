"""Reads Snowflake through its connector, with secondary roles off."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pyarrow as pa
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error as SnowflakeError
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp

from airflow_provider_elementary.access.check.session import StatementDeniedError, TransportFacts
from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.exclusion import read_error
from airflow_provider_elementary.warehouses.registry import WAREHOUSES
from airflow_provider_elementary.warehouses.warehouse import SystemCatalogSession, batches_of, connection_lost_error


class SnowflakeWarehouse(SystemCatalogSession):
    """A session on Snowflake.

    :param connection: an open connection of the official connector.
    :param schema: the Elementary schema, as Snowflake spells it.
    :param database: the database that holds it.
    :param transport: how the link is protected, as the client asked for it.
    :param calls: runs the driver's calls.
    :raises WarehouseError: secondary roles could not be switched off.
    """

    dialect = adapter = "snowflake"
    placeholder = WAREHOUSES[adapter].driver.placeholder

    def __init__(
        self,
        connection: SnowflakeConnection,
        schema: str,
        database: str | None,
        transport: TransportFacts,
        calls: Calls | None = None,
    ) -> None:
        self.calls = calls or Calls(self.dialect)
        # Ending the session aborts its queries.
        self.calls.cancel = self.disconnect
        self.schema = schema
        self.database = database
        self.transport: TransportFacts | None = transport
        self._connection = connection
        try:
            self.calls.run("switching secondary roles off", self._disable_secondary_roles)
        except SnowflakeError as error:
            raise connection_lost_error(self.adapter, "switching secondary roles off", error) from None
        self.database = self._find_database(database)

    def _find_database(self, database: str | None) -> str | None:
        """Return the database's name as Snowflake spells it: the one given, or the session's."""
        current = self.rows("SELECT CURRENT_DATABASE()")[0][0]
        if database is None or database == current:
            return None if current is None else str(current)
        try:
            # A quoted name is exact; the login treats it as unquoted.
            self.rows(f"USE DATABASE {exp.to_identifier(database, quoted=True).sql(self.dialect)}")
        except StatementDeniedError:
            return str(current) if current and str(current).lower() == database.lower() else database
        return database

    def _disable_secondary_roles(self) -> None:
        with self._connection.cursor() as cursor:
            # With the default ALL, each query has the rights of all roles of the user.
            cursor.execute("USE SECONDARY ROLES NONE")

    def answer(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one statement over the system catalog."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, tuple(parameters) or None)
                return [column.name for column in cursor.description], [tuple(row) for row in cursor.fetchall()]
        except ProgrammingError as error:
            # Snowflake answers the same for what does not exist and what is not granted.
            raise StatementDeniedError(error.sqlstate or type(error).__name__) from None
        except SnowflakeError as error:
            raise connection_lost_error(self.adapter, "reading its system catalog", error) from None

    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query, one result chunk at a time."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(query.sql)
                if cursor.rowcount == 0:
                    yield from batches_of(cursor.fetch_arrow_all(force_return_table=True).to_reader())
                for chunk in cursor.fetch_arrow_batches():
                    yield from chunk.to_batches()
        except (SnowflakeError, OSError) as error:
            raise read_error(self.adapter, query, error) from None

    def disconnect(self) -> None:
        """Disconnect."""
        self._connection.close(retry=False)
