"""Reads DuckDB files, without access to other files or the network."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from airflow_provider_elementary.access.check.session import StatementDeniedError, TransportFacts
from airflow_provider_elementary.access.guard import GuardedQuery
from airflow_provider_elementary.access.guard.functions import FUNCTIONS, TABLE_FUNCTIONS
from airflow_provider_elementary.exceptions import ConfigurationError, WarehouseError
from airflow_provider_elementary.timeouts import Calls
from airflow_provider_elementary.warehouses.exclusion import read_error
from airflow_provider_elementary.warehouses.registry import WAREHOUSES
from airflow_provider_elementary.warehouses.warehouse import SystemCatalogSession, batches_of, connection_lost_error

_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
    # A name in a query never means a variable of this process.
    "python_enable_replacements": "false",
    # The buffer pool would otherwise grow with the file, up to most of the machine's memory.
    "memory_limit": "128MB",
    # The second core encrypts what this one reads.
    "threads": "1",
}
# Sample rows of failed tests have about 1.5 KB each: a batch of them has 6 MB. Each batch has a cost of its own.
_BATCH_ROWS = 4_096
#: The position of the bytes DUCK in a file.
_MAGIC = slice(8, 12)
_MACROS = """
WITH functions AS MATERIALIZED (SELECT function_name, lower(function_name) AS folded, internal FROM duckdb_functions())
SELECT DISTINCT function_name FROM functions WHERE NOT internal AND (
    NOT regexp_full_match(function_name, '[a-zA-Z0-9_]+')
    OR folded IN (SELECT folded FROM functions WHERE internal)
    OR folded IN (SELECT unnest(?))
)
"""
_DENIED = (duckdb.CatalogException, duckdb.BinderException, duckdb.PermissionException)


class DuckDBWarehouse(SystemCatalogSession):
    """A session on a DuckDB file.

    :param path: the file; it must exist, and no process may have it open for writing.
    :param schema: the Elementary schema in it.
    :param calls: runs the driver's calls.
    :raises ConfigurationError: there is no such file.
    :raises WarehouseError: the file could not be opened, most often because a writer has it open.
    """

    dialect = adapter = "duckdb"
    placeholder = WAREHOUSES[adapter].driver.placeholder
    transport: TransportFacts | None = TransportFacts(
        encrypted=None, version=None, certificate_verified=None, detail="local file, no network"
    )

    def __init__(self, path: Path, schema: str, calls: Calls | None = None) -> None:
        self.calls = calls or Calls(self.dialect)
        self.calls.cancel = self._interrupt
        self.schema = schema
        self._has_own_functions = False
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        _require_duckdb_file(path)
        try:
            self._connection = duckdb.connect(str(path), read_only=True, config=_LOCKED)
        except duckdb.Error as error:
            raise _cannot_open(path, str(error).lower()) from None
        # Names are qualified by it: in a file that is called like its schema, schema.table alone is ambiguous.
        self.database: str | None = self.rows("SELECT current_database()")[0][0]

    def answer(self, statement: str, parameters: Sequence[object]) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run one statement over the system catalog."""
        try:
            with self._cursor() as cursor:
                cursor.execute(statement, list(parameters))
                return [column[0] for column in cursor.description or ()], cursor.fetchall()
        except _DENIED as error:
            raise StatementDeniedError(type(error).__name__) from None
        except duckdb.Error as error:
            raise connection_lost_error(self.adapter, "reading its system catalog", error) from None

    def batches(self, query: GuardedQuery) -> Generator[pa.RecordBatch, None, None]:
        """Yield the rows of a guarded query."""
        try:
            self._require_own_functions()
            with self._cursor() as cursor:
                yield from batches_of(cursor.sql(query.sql).to_arrow_reader(_BATCH_ROWS))
        except (duckdb.Error, OSError) as error:
            raise read_error(self.adapter, query, error) from None

    def _require_own_functions(self) -> None:
        """Refuse a file whose macros have names of DuckDB's own functions and operators: they would run instead."""
        if not self._has_own_functions:
            with self._cursor() as cursor:
                macros = cursor.execute(_MACROS, [sorted(FUNCTIONS[self.dialect] | TABLE_FUNCTIONS[self.dialect])])
                shadowing = sorted(name for (name,) in macros.fetchall())
            if shadowing:
                raise ConfigurationError(
                    "The DuckDB file defines macros that take the place of built-in functions or operators: "
                    f"{', '.join(shadowing[:5])}. Drop them, or export the Elementary schema to a file of its own."
                )
            self._has_own_functions = True

    def disconnect(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a separate cursor, so that several tables can be read at the same time."""
        cursor = self._connection.cursor()
        self._cursors.add(cursor)
        try:
            yield cursor
        finally:
            self._cursors.discard(cursor)
            cursor.close()

    def _interrupt(self) -> None:
        # Each cursor is a separate connection; a running query ignores Python's signals.
        for cursor in list(self._cursors):
            cursor.interrupt()


def _require_duckdb_file(path: Path) -> None:
    """Refuse any other file; DuckDB itself would look for an extension that reads its format."""
    try:
        with path.open("rb") as file:
            head = file.read(_MAGIC.stop)
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no file {path} on this worker. Put the path of the DuckDB file into the connection's host field."
        ) from None
    except IsADirectoryError:
        raise ConfigurationError(
            f"{path} is a directory. Put the path of the DuckDB file itself into the connection's host field."
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"The file {path} cannot be read ({type(error).__name__}). Give the worker's user the right to read it and "
            "to enter its directories."
        ) from None
    if head[_MAGIC] != b"DUCK":
        raise ConfigurationError(
            f"{path} is not a DuckDB database. Put the path of the file that dbt-duckdb writes into the connection's "
            "host field."
        )


def _cannot_open(path: Path, text: str) -> ConfigurationError | WarehouseError:
    """Return the error to raise for a file that DuckDB does not open.

    :param text: what DuckDB says, in lower case; none of it is passed on.
    """
    if "lock" in text and "conflicting" in text:
        return WarehouseError(
            f"{path} is locked: another process has it open for writing. Retry when dbt has ended; DuckDB lets one "
            "process write, or several read."
        )
    if "encrypt" in text:
        return ConfigurationError(f"{path} is an encrypted DuckDB file. Give the path of one without encryption.")
    if "version number" in text or "newer version" in text:
        return ConfigurationError(
            f"{path} was written by another version of DuckDB than this worker's {duckdb.__version__} reads. Install "
            "the version that dbt uses, or a later one."
        )
    if "corrupt" in text or "checksum" in text or "read enough bytes" in text:
        return ConfigurationError(
            f"{path} is a damaged DuckDB file: parts of it are missing or changed. Restore it, or build it with dbt "
            "from scratch."
        )
    return WarehouseError(
        f"DuckDB {duckdb.__version__} cannot open {path} read-only. Check that no other process writes to it or to its "
        "write-ahead log, and that this version reads the file."
    )
