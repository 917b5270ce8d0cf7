"""The databases that random histories are played on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import adbc_driver_postgresql.dbapi as adbc
import duckdb

from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer


Row = dict[str, Any]


Batch = list[tuple[str, Row]]


Statement = tuple[str, list[Any]]


#: The tables of a small Elementary schema; the last column of each comes and goes as the package is upgraded.
COLUMNS: Mapping[str, str] = {
    "metadata": "dbt_pkg_version text",
    "dbt_models": "unique_id text, metadata_hash text, generated_at text, meta text, group_name text",
    "dbt_invocations": "invocation_id text, created_at timestamp, command text, vars text, job_url text",
    "dbt_run_results": "model_execution_id text, invocation_id text, created_at timestamp, status text, "
    "compiled_code text, execution_time double precision, group_name text",
    "elementary_test_results": "id text, invocation_id text, created_at timestamp, status text, test_params text, "
    "failures bigint, test_alias text",
    "test_result_rows": "elementary_test_results_id text, row_index bigint, result_row text, created_at timestamp, "
    "test_type text, detected_at timestamp",
    "schema_columns_snapshot": "column_state_id text, created_at timestamp, data_type text, is_new boolean",
    "data_monitoring_metrics": "id text, created_at timestamp, updated_at timestamp, column_name text, "
    "metric_value double precision, dimension text",
}


class Database(Protocol):
    """A warehouse that histories happen in; what is inserted late is invisible until its transaction ends."""

    def execute(self, *statements: Statement) -> None: ...

    def rows(self, table: str) -> list[Row]: ...

    def execute_late(self, *statements: Statement) -> Any: ...

    def commit_late(self, transaction: Any) -> None: ...

    def source(self) -> WarehouseSource: ...

    def close(self) -> None: ...


class InPostgres:
    """A fresh schema in a database of a real server; late commits are real open transactions."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self._server, self._database = server, database
        self._connection = server.connect(database=database)
        self._late: list[Any] = []
        self.execute(("DROP SCHEMA IF EXISTS elementary CASCADE", []), ("CREATE SCHEMA elementary", []))

    def execute(self, *statements: Statement) -> None:
        for statement, parameters in statements:
            self._connection.execute(statement.replace("?", "%s").encode(), parameters or None)
        # Sessions report their counts when they end, or some seconds later.
        self._connection.execute("SELECT pg_stat_force_next_flush()")

    def rows(self, table: str) -> list[Row]:
        cursor = self._connection.execute(f"SELECT * FROM elementary.{table}".encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def execute_late(self, *statements: Statement) -> Any:
        connection = self._server.connect(database=self._database)
        connection.autocommit = False
        for statement, parameters in statements:
            connection.execute(statement.replace("?", "%s").encode(), parameters)
        connection.execute("SELECT pg_stat_force_next_flush()")
        self._late.append(connection)
        return connection

    def commit_late(self, transaction: Any) -> None:
        transaction.commit()
        transaction.close()
        self._late.remove(transaction)

    def source(self) -> WarehouseSource:
        connection = adbc.connect(self._server.uri(database=self._database))
        transport = TransportFacts(encrypted=True, version="TLSv1.3", certificate_verified=True, detail="test")
        return WarehouseSource(PostgresWarehouse(connection, "elementary", self._database, transport))

    def close(self) -> None:
        for connection in (*self._late, self._connection):
            connection.close()


class InDuckDB:
    """A DuckDB file; only one process at a time may write it, so what is late is kept back here."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / f"{uuid.uuid4().hex}.duckdb"
        self.execute(("CREATE SCHEMA elementary", []))

    def execute(self, *statements: Statement) -> None:
        with duckdb.connect(str(self._path)) as connection:
            for statement, parameters in statements:
                connection.execute(statement, parameters)

    def rows(self, table: str) -> list[Row]:
        with duckdb.connect(str(self._path)) as connection:
            found = connection.execute(f"SELECT * FROM elementary.{table}")
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def execute_late(self, *statements: Statement) -> Any:
        return statements

    def commit_late(self, transaction: Any) -> None:
        self.execute(*transaction)

    def source(self) -> WarehouseSource:
        return WarehouseSource(DuckDBWarehouse(self._path, "elementary"))

    def close(self) -> None:
        self._path.unlink()
