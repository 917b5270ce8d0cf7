"""Imitates the manners of DB-API drivers, strictly, over a real DuckDB.

Each refuses what the driver that it stands for refuses: another container for parameters, another marker, a rollback
without transactions, names that its warehouse does not know, a closed cursor. The statements run in DuckDB.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot.errors import SqlglotError

from airflow_provider_elementary.warehouses.registry import by_adapter

#: The database that the double's schema is in.
DATABASE = "dwh"


class Error(Exception):
    """The drivers' own base class, which no other driver knows."""


class OperationalError(Error):
    """Anything below SQL; in some drivers also a statement that failed."""


class ProgrammingError(Error):
    """A statement that was wrong."""


class NotSupportedError(Error):
    """Something that the driver does not do."""


class TrinoUserError(ProgrammingError):
    """Trino's error, which carries a name."""

    def __init__(self, name: str) -> None:
        super().__init__({"errorName": name})
        self.error_name = name


@dataclass(frozen=True)
class Manner:
    """What one driver insists on.

    :param adapter: the warehouse's name in dbt.
    :param dialect: sqlglot's name of its SQL.
    :param container: the type of the parameters, exactly; None where it ignores them.
    :param marker: how a statement marks the first value.
    :param denied: makes its error for a missing right.
    :param absent: makes its error for a missing object.
    :param refuses_rollback: it has no transactions, and raises.
    :param aborts: after an error every statement fails until a rollback.
    :param closes_on_error: after an error the cursor is closed, and closing it again raises.
    :param catalog: what of its catalog it knows: ``plain``, ``qualified``, ``dataset``, ``v_catalog`` or ``show``.
    :param arrow: it has a method that fetches Arrow.
    """

    adapter: str
    dialect: str
    container: type | None
    marker: str
    denied: Callable[[str], Exception]
    absent: Callable[[str], Exception]
    refuses_rollback: bool = False
    aborts: bool = False
    closes_on_error: bool = False
    catalog: str = "plain"
    arrow: bool = False


def _redshift(state: str, text: str) -> Exception:
    return ProgrammingError({"S": "ERROR", "C": state, "M": text})


MANNERS = (
    Manner(
        "redshift",
        "redshift",
        list,
        "%s",
        lambda name: _redshift("42501", f"permission denied for relation {name}"),
        lambda name: _redshift("42P01", f'relation "{name}" does not exist'),
        aborts=True,
    ),
    Manner(
        "trino",
        "trino",
        list,
        "?",
        lambda name: TrinoUserError("PERMISSION_DENIED"),
        lambda name: TrinoUserError("TABLE_NOT_FOUND"),
        refuses_rollback=True,
        catalog="qualified",
    ),
    Manner(
        "presto",
        "presto",
        None,
        "",
        lambda name: ProgrammingError(f"Access Denied: Cannot select from table {name}"),
        lambda name: ProgrammingError(f"Table {name} does not exist"),
        refuses_rollback=True,
        catalog="qualified",
    ),
    Manner(
        "athena",
        "athena",
        dict,
        "%(p1)s",
        lambda name: OperationalError(f"Insufficient permissions to execute the query. {name}"),
        lambda name: OperationalError(f"TABLE_NOT_FOUND: line 1:15: Table '{name}' does not exist"),
        refuses_rollback=True,
        catalog="qualified",
    ),
    Manner(
        "databricks",
        "databricks",
        list,
        "?",
        lambda name: Error(f"[INSUFFICIENT_PERMISSIONS] Insufficient privileges: {name} SQLSTATE: 42501"),
        lambda name: Error(f"[TABLE_OR_VIEW_NOT_FOUND] The table `{name}` cannot be found. SQLSTATE: 42P01"),
        refuses_rollback=True,
        closes_on_error=True,
        catalog="qualified",
        arrow=True,
    ),
    Manner(
        "spark",
        "databricks",
        dict,
        "%(p1)s",
        lambda name: OperationalError(f"Permission denied: user cannot SELECT {name}"),
        lambda name: OperationalError(f"[TABLE_OR_VIEW_NOT_FOUND] {name} cannot be found. SQLSTATE: 42P01"),
        refuses_rollback=True,
        catalog="show",
    ),
    Manner(
        "sqlserver",
        "tsql",
        tuple,
        "%s",
        lambda name: OperationalError(229, f"The SELECT permission was denied on the object '{name}'".encode()),
        lambda name: ProgrammingError(208, f"Invalid object name '{name}'".encode()),
        aborts=True,
    ),
    Manner(
        "vertica",
        "postgres",
        tuple,
        "%s",
        lambda name: ProgrammingError(f"Severity: ERROR, Message: Permission denied for relation {name}"),
        lambda name: ProgrammingError(f'Severity: ERROR, Message: Relation "{name}" does not exist'),
        aborts=True,
        catalog="v_catalog",
    ),
)


@dataclass
class StrictConnection:
    """A connection with one driver's manners.

    :param manner: the driver.
    :param engine: a DuckDB connection with a database :data:`DATABASE`.
    :param denied: tables that may not be read, with their schema.
    """

    manner: Manner
    engine: duckdb.DuckDBPyConnection
    denied: frozenset[str] = frozenset()
    is_lost: bool = False
    largest_fetch: int = 0
    statements: list[str] = field(default_factory=list)
    _is_aborted: bool = False

    def cursor(self) -> StrictCursor:
        if self.is_lost:
            raise OperationalError("server closed the connection unexpectedly")
        return StrictCursor(self)

    def rollback(self) -> None:
        if self.manner.refuses_rollback:
            raise NotSupportedError("transactions are not supported")
        self._is_aborted = False

    def close(self) -> None:
        self.is_lost = True

    def run(self, statement: str, parameters: Sequence[Any]) -> tuple[Any, list[str]]:
        """Run a statement in DuckDB; raise what the driver would raise."""
        if self._is_aborted:
            raise ProgrammingError("current transaction is aborted")
        self.statements.append(statement)
        if statement in by_adapter(self.manner.adapter).driver.opening:
            statement = "SELECT 1"
        try:
            return self._run(statement, parameters)
        except Exception:
            self._is_aborted = self.manner.aborts
            raise

    def _run(self, statement: str, parameters: Sequence[Any]) -> tuple[Any, list[str]]:
        unquoted = re.sub(r'[`"\[\]]', "", statement)
        for name in self.denied:
            if re.search(rf"\b{re.escape(name)}\b", unquoted, re.IGNORECASE):
                raise self.manner.denied(name)
        try:
            text = self._in_duckdb(statement, unquoted)
        except SqlglotError as error:
            raise ProgrammingError(f"syntax error: {error}") from None
        engine = self.engine.cursor()
        engine.execute(f"USE {DATABASE}")
        try:
            if self.manner.arrow:
                rows = engine.sql(text, params=list(parameters))
                return rows, rows.columns
            engine.execute(text, list(parameters))
        except duckdb.CatalogException as error:
            raise self.manner.absent(str(error)[:60]) from None
        except duckdb.Error as error:
            raise ProgrammingError(f"syntax error: {error}") from None
        return engine, [column[0] for column in engine.description or ()]

    def _in_duckdb(self, statement: str, unquoted: str) -> str:
        catalog = self.manner.catalog
        if catalog in ("show", "v_catalog") and "information_schema" in statement.lower():
            raise self.manner.absent("information_schema")
        if catalog == "qualified" and re.search(r"(?<!\.)\binformation_schema\.", unquoted, re.IGNORECASE):
            raise self.manner.absent("the session has no catalog")
        if catalog == "show" and (found := re.match(r"(SHOW|DESCRIBE)\s+(\w+)(?:\s+IN)?\s*(\S*)$", unquoted)):
            return _shown(found[1], found[2], found[3])
        if catalog == "v_catalog":
            statement = _VERTICA.sub(lambda view: _VERTICA_VIEWS[view[1]], statement)
        # In DuckDB one information_schema lists all databases, and has no other name.
        statement = re.sub(rf'["`]?{DATABASE}["`]?\.(?=information_schema\.)', "", statement)
        [text] = sqlglot.transpile(statement.replace("%s", "?").replace("%(p1)s", "?"), self.manner.dialect, "duckdb")
        return text


_VERTICA = re.compile(r"v_catalog\.(\w+)")
_VERTICA_VIEWS = {
    "schemata": "information_schema.schemata",
    "tables": "(FROM information_schema.tables WHERE table_type = 'BASE TABLE')",
    "columns": "(SELECT c.* FROM information_schema.columns c JOIN information_schema.tables t "
    "USING (table_catalog, table_schema, table_name) WHERE table_type = 'BASE TABLE')",
    "views": "(FROM information_schema.tables WHERE table_type = 'VIEW')",
}


def _shown(verb: str, what: str, path: str) -> str:
    *_, schema, name = ["", "", *path.split(".")]
    if verb == "DESCRIBE":
        return (
            "SELECT column_name AS col_name, data_type, NULL AS comment FROM information_schema.columns "
            f"WHERE table_catalog = '{DATABASE}' AND table_schema = '{schema}' AND table_name = '{name}' "
            "UNION ALL SELECT '# Partition Information', '', ''"
        )
    if what == "SCHEMAS":
        return f"SELECT schema_name AS namespace FROM information_schema.schemata WHERE catalog_name = '{DATABASE}'"
    kinds = "('VIEW')" if what == "VIEWS" else "('VIEW', 'BASE TABLE')"
    column = "viewName" if what == "VIEWS" else "tableName"
    return (
        f'SELECT table_schema AS namespace, table_name AS "{column}", false AS "isTemporary" '
        f"FROM information_schema.tables WHERE table_catalog = '{DATABASE}' AND table_schema = '{name}' "
        f"AND table_type IN {kinds}"
    )


class StrictCursor:
    """A cursor that is as strict as its connection's driver."""

    def __init__(self, connection: StrictConnection) -> None:
        self._connection = connection
        self._manner = connection.manner
        self._engine: Any = None
        self._rows: Any = None
        self._is_closed = False
        self.description: list[tuple[Any, ...]] | None = None
        if self._manner.arrow:
            self.fetchmany_arrow = self._fetch_arrow

    def execute(self, statement: str, *arguments: Any) -> None:
        if self._is_closed or self._connection.is_lost:
            raise OperationalError("server closed the connection unexpectedly")
        values = self._values(statement, *arguments)
        if found := re.match(r"DECLARE (\w+) CURSOR FOR (.*)", statement, re.DOTALL):
            self._rows, self._names = self._run(found[2], values)
        elif statement.startswith("FETCH FORWARD "):
            self._fetched = (self._rows or self._engine).fetchmany(int(statement.split()[2]))  # type: ignore[union-attr]
            self.description = [(name, None) for name in self._names]
            self._engine = None
        elif not statement.startswith("CLOSE "):
            self._engine, names = self._run(statement, values)
            self.description = [(name, None) for name in names]

    def _run(self, statement: str, values: Sequence[Any]) -> tuple[Any, list[str]]:
        try:
            return self._connection.run(statement, values)
        except Exception:
            self._is_closed = self._manner.closes_on_error
            raise

    def _values(self, statement: str, *arguments: Any) -> list[Any]:
        if not arguments:
            return []
        [parameters] = arguments
        if self._manner.container is None:
            return []
        if type(parameters) is not self._manner.container:
            raise ProgrammingError(f"unsupported parameters: {type(parameters).__name__}")
        if self._manner.marker not in statement:
            raise ProgrammingError(f"no {self._manner.marker} in the statement")
        return list(parameters.values()) if isinstance(parameters, dict) else list(parameters)

    def fetchall(self) -> list[Any]:
        assert self._engine is not None
        return self._engine.fetchall()

    def fetchmany(self, size: int) -> list[Any]:
        self._connection.largest_fetch = max(self._connection.largest_fetch, size)
        if self._engine is None:
            fetched, self._fetched = self._fetched, []
            return fetched
        return self._engine.fetchmany(size)

    def _fetch_arrow(self, size: int) -> Any:
        assert self._engine is not None
        self._connection.largest_fetch = max(self._connection.largest_fetch, size)
        if self._rows is None:
            self._rows = self._engine
            self._reader = self._engine.to_arrow_reader(size)
        schema = self._reader.schema
        batch = next(iter(self._reader), None)
        return schema.empty_table() if batch is None else pa.Table.from_batches([batch])

    def close(self) -> None:
        if self._is_closed:
            raise OperationalError("the cursor is closed")
        self._is_closed = True
