"""Opens a DuckDB file or a PostgreSQL schema to restore into."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from airflow_provider_elementary.elementary_schema import DEFAULT_SCHEMA
from airflow_provider_elementary.elementary_schema.ddl import Dialect, qualified
from airflow_provider_elementary.exceptions import ConfigurationError, WarehouseError
from airflow_provider_elementary.quoting import identifier
from airflow_provider_elementary.source import reader_of
from airflow_provider_elementary.timeouts import Calls

_REMEDY = "Check that the role may create the schema, that there is room, and retry."
#: By the class of the SQLSTATE.
_REMEDIES = {
    "22": "A value cannot be stored there, as a character that the database's encoding lacks. Restore to a database "
    "with encoding UTF8, or to a DuckDB file.",
    "42": "Grant the role CREATE on the database, or name an empty schema in which it may create tables.",
    "53": "The server has no room or no connection left. Free some, and retry.",
}


class RestoreSession(Protocol):
    """A target that is open for one restore."""

    def execute(self, statement: str) -> None:
        """Run one statement."""
        ...

    def load(self, table: str, reader: pa.RecordBatchReader) -> None:
        """Append rows to a table, by the names of their columns."""
        ...


class RestoreTarget(Protocol):
    """A place for one Elementary schema; it holds all of it after :meth:`open`'s block ended well, else nothing.

    :param name: how to call it in a log or an error.
    :param dialect: whose types and views are made.
    :param schema: the schema.
    """

    name: str
    dialect: Dialect
    schema: str

    def open(self) -> AbstractContextManager[RestoreSession]:
        """Make the schema, which has to be new or empty.

        :raises ConfigurationError: something is there already; nothing is ever overwritten.
        :raises WarehouseError: the target failed; nothing of the restore is there.
        """
        ...


class DuckDBTarget:
    """A new DuckDB file for its owner only; it takes its name when everything is in it.

    :param path: the file.
    :param schema: the schema.
    :raises ConfigurationError: the file is named like the schema.
    """

    dialect: Dialect = "duckdb"

    def __init__(self, path: Path, schema: str = DEFAULT_SCHEMA) -> None:
        # DuckDB names the database after the file, up to its first inner dot.
        if path.name.lstrip(".").split(".")[0].lower() == schema.lower():
            raise ConfigurationError(
                f"The DuckDB file {path.name} is named like its schema, so every {schema}.table would be ambiguous. "
                "Choose another file name."
            )
        self.path = path
        self.schema = schema
        self.name = str(path)

    @contextmanager
    def open(self) -> Iterator[RestoreSession]:
        """Write a draft beside the file; it becomes the file unless there is one by then."""
        if self.path.exists():
            raise self._taken()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{self.path.stem}-", dir=self.path.parent) as folder:
                # Views contain the name of the database, which is the file's.
                draft = Path(folder) / self.path.name
                with duckdb.connect(str(draft)) as connection:
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {identifier(self.schema, 'duckdb')}")
                    yield _DuckDBSession(connection, self.schema)
                # The draft is private, and has its final mode before it gets its name.
                draft.chmod(0o600)
                # A link fails where a rename would replace.
                os.link(draft, self.path)
        except FileExistsError:
            raise self._taken() from None
        except (duckdb.Error, OSError) as error:
            raise _failed(self.name, error) from None

    def _taken(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.path} exists. Nothing is overwritten: name another file, or remove that one first."
        )


class PostgresTarget:
    """A new or empty schema of a PostgreSQL database, filled in one transaction.

    :param connection: an open ADBC connection with autocommit off, by a role that may create the schema.
    :param schema: the schema.
    :param name: how to call the database in a log or an error.
    :param calls: runs the driver's calls.
    """

    dialect: Dialect = "postgres"

    def __init__(
        self,
        connection: Any,
        schema: str = DEFAULT_SCHEMA,
        *,
        name: str = "PostgreSQL",
        calls: Calls | None = None,
    ) -> None:
        self._connection = connection
        self._calls = calls or Calls("postgres")
        self._calls.cancel = connection.adbc_cancel
        self.schema = schema
        self.name = f"schema {schema} of {name}"

    @contextmanager
    def open(self) -> Iterator[RestoreSession]:
        """Begin a transaction, and commit it when the block ends well."""
        from adbc_driver_manager import Error as AdbcError

        try:
            session = _PostgresSession(self._connection, self.schema, self._calls)
            # The driver sends UTF-8, whatever encoding the database has.
            session.execute("SET LOCAL client_encoding TO 'UTF8'")
            self._make_schema(session)
            yield session
            self._calls.run("committing the restore", self._connection.commit)
        except BaseException as error:
            self._calls.finish(self._roll_back)
            if isinstance(error, AdbcError | pa.ArrowException | OSError):
                raise _failed(self.name, error) from None
            raise

    def _make_schema(self, session: _PostgresSession) -> None:
        # One restore at a time: a second one waits here and then finds that the schema is not empty.
        session.ask("SELECT pg_advisory_xact_lock(hashtext($1))", self.schema)
        # An existing schema may be used by a role that may not create one.
        if not session.ask("SELECT 1 FROM pg_namespace WHERE nspname = $1", self.schema):
            session.execute(f"CREATE SCHEMA {identifier(self.schema, 'postgres')}")
            return
        held = session.ask(
            "SELECT relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) "
            "AND relkind IN ('r', 'v', 'm', 'f', 'p') ORDER BY relname",
            self.schema,
        )
        if held:
            raise ConfigurationError(
                f"{self.name} is not empty: {len(held)} tables and views are in it, "
                f"{held[0][0]} among them. Nothing is overwritten: name another schema, or drop that one first."
            )

    def _roll_back(self) -> None:
        from adbc_driver_manager import Error as AdbcError

        try:
            self._connection.rollback()
        except AdbcError:
            # The server is gone, and the transaction with it.
            return


class _DuckDBSession:
    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        self._connection = connection
        self._schema = schema

    def execute(self, statement: str) -> None:
        self._connection.execute(statement)

    def load(self, table: str, reader: pa.RecordBatchReader) -> None:
        self._connection.register("incoming", reader)
        name = qualified("duckdb", self._schema, table)
        self._connection.execute(f"INSERT INTO {name} BY NAME FROM incoming")
        self._connection.unregister("incoming")


class _PostgresSession:
    def __init__(self, connection: Any, schema: str, calls: Calls) -> None:
        self._connection = connection
        self._schema = schema
        self._calls = calls

    def execute(self, statement: str) -> None:
        def execute() -> None:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)

        self._calls.run("restoring", execute)

    def ask(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        def ask() -> list[tuple[Any, ...]]:
            with self._connection.cursor() as cursor:
                cursor.execute(statement, list(parameters))
                return [tuple(row) for row in cursor.fetchall()]

        return self._calls.run("restoring", ask)

    def load(self, table: str, reader: pa.RecordBatchReader) -> None:
        def load() -> None:
            with self._connection.cursor() as cursor:
                moving = reader_of(reader.schema, self._moving(reader))
                cursor.adbc_ingest(table, moving, mode="append", db_schema_name=self._schema)

        self._calls.run(f"restoring {table}", load)

    def _moving(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """Note each batch that the server takes: a long load that moves on is no stall."""
        for batch in reader:
            self._calls.progress()
            yield batch


def _failed(name: str, error: BaseException) -> WarehouseError:
    state = getattr(error, "sqlstate", None)
    found = type(error).__name__ + (f", SQLSTATE {state}" if isinstance(state, str) else "")
    remedy = _REMEDIES.get(state[:2] if isinstance(state, str) else "", _REMEDY)
    return WarehouseError(f"Restoring to {name} failed ({found}). Nothing was restored. {remedy}")
