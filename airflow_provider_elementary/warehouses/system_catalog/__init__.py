"""Reads the names and types of a schema's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Protocol

from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.quoting import identifier, literal
from airflow_provider_elementary.warehouses.kind import CatalogName
from airflow_provider_elementary.warehouses.registry import by_adapter

Rows = list[tuple[Any, ...]]
_SCHEMAS = "SELECT DISTINCT schema_name FROM {view}"
_ELEMENTARY_SCHEMAS = """
SELECT DISTINCT table_schema FROM {view}
WHERE lower(table_name) IN ('dbt_invocations', 'elementary_test_results', 'data_monitoring_metrics')
"""
_COLUMNS = """
SELECT t.table_name, c.column_name, c.data_type
FROM {tables} AS t
JOIN {columns} AS c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
WHERE t.table_schema = {schema} AND t.{is_table}
ORDER BY t.table_name, c.ordinal_position
"""
_OTHERS = "SELECT table_name, table_type FROM {view} WHERE table_schema = {schema} AND NOT {is_table}"
_MATERIALIZED_VIEWS = """
SELECT matviewname::text, 'materialized view' FROM pg_catalog.pg_matviews WHERE schemaname = {schema}
"""
_ANY = "SELECT table_name FROM {view} LIMIT 1"
_VERTICA_COLUMNS = """
SELECT table_name, column_name, data_type FROM v_catalog.columns
WHERE table_schema = {schema} ORDER BY table_name, ordinal_position
"""
_VERTICA_VIEWS = "SELECT table_name, 'VIEW' FROM v_catalog.views WHERE table_schema = {schema}"


class _Asked(Session, Protocol):
    adapter: str


class SystemCatalog(Protocol):
    """Where one kind of warehouse lists its tables."""

    def schemas(self) -> Iterable[str]:
        """Return the names of the schemas that the session sees."""
        ...

    def elementary_schemas(self) -> Iterable[str]:
        """Return the schemas that hold tables of Elementary's names."""
        ...

    def columns(self, schema: str) -> Iterable[tuple[str, str, str]]:
        """Return table, column and type of each column of the schema's tables, in order."""
        ...

    def others(self, schema: str) -> Iterable[tuple[str, str]]:
        """Return name and kind of what is in the schema and is no table."""
        ...


def system_catalog(warehouse: _Asked) -> SystemCatalog:
    """Return the system catalog of a session's warehouse."""
    kind = by_adapter(warehouse.adapter)
    name: CatalogName = kind.system_catalog
    if warehouse.database in kind.databases_without_information_schema:
        name = "SHOW"
    return _CATALOGS[name](warehouse)


def bind_value(session: Session, value: str) -> tuple[str, Sequence[object]]:
    """Return how a statement marks its one value, and the parameters that bind it."""
    if not session.placeholder:
        return literal(value, session.dialect), ()
    return "$1" if session.placeholder == "$" else session.placeholder, [value]


def _quoted(session: Session, *names: str | None) -> list[str]:
    return [identifier(name, session.dialect) for name in names if name]


class _InformationSchema:
    """The standard's views.

    :param session: the session that asks.
    """

    def __init__(self, session: _Asked) -> None:
        self._session = session
        self._kind = by_adapter(session.adapter)
        types = ", ".join(literal(name, session.dialect) for name in self._kind.table_types)
        self._is_table = f"table_type IN ({types})"

    def _view(self, name: str, schema: str) -> str:
        is_in_database = self._kind.system_catalog == "the database's information_schema"
        database = self._session.database if is_in_database else None
        return ".".join([*_quoted(self._session, database), "information_schema", name])

    def schemas(self) -> Iterator[str]:
        return self._names(_SCHEMAS.format(view=self._view("schemata", "")))

    def elementary_schemas(self) -> Iterator[str]:
        return self._names(_ELEMENTARY_SCHEMAS.format(view=self._view("tables", "")))

    def columns(self, schema: str) -> Rows:
        tables, columns = self._view("tables", schema), self._view("columns", schema)
        return self._of_schema(_COLUMNS, schema, tables=tables, columns=columns, is_table=self._is_table)

    def others(self, schema: str) -> Rows:
        rows = self._of_schema(_OTHERS, schema, view=self._view("tables", schema), is_table=self._is_table)
        if self._session.dialect == "postgres":
            # Another engine that speaks PostgreSQL's SQL has no such catalog.
            with suppress(StatementDeniedError):
                rows += self._of_schema(_MATERIALIZED_VIEWS, schema)
        return rows

    def _of_schema(self, statement: str, schema: str, **texts: str) -> Rows:
        value, parameters = bind_value(self._session, schema)
        return self._session.rows(statement.format(schema=value, **texts), parameters)

    def _names(self, statement: str) -> Iterator[str]:
        for row in self._session.rows(statement):
            yield str(row[0])


class _DatasetViews(_InformationSchema):
    """BigQuery's views: each dataset has its own, and those of a project belong to one region."""

    def _view(self, name: str, schema: str) -> str:
        return ".".join([*_quoted(self._session, self._session.database, schema), "INFORMATION_SCHEMA", name.upper()])

    def schemas(self) -> Iterator[str]:
        # A dataset that is not there, or not granted, has no views either.
        with suppress(StatementDeniedError):
            self._session.rows(_ANY.format(view=self._view("tables", self._session.schema)))
            yield self._session.schema

    def elementary_schemas(self) -> Iterator[str]:
        return iter(())


class _VerticaCatalog(_InformationSchema):
    """Vertica's ``v_catalog``, which it has instead of the standard's views."""

    def _view(self, name: str, schema: str) -> str:
        return f"v_catalog.{name}"

    def columns(self, schema: str) -> Rows:
        return self._of_schema(_VERTICA_COLUMNS, schema)

    def others(self, schema: str) -> Rows:
        return self._of_schema(_VERTICA_VIEWS, schema)


class _Show:
    """``SHOW`` and ``DESCRIBE``, where a warehouse has no views of its catalog, as Spark's.

    :param session: the session that asks.
    """

    def __init__(self, session: _Asked) -> None:
        self._session = session

    def _path(self, *names: str) -> str:
        return ".".join(_quoted(self._session, self._session.database, *names))

    def schemas(self) -> Iterator[str]:
        within = f" IN {self._path()}" if self._session.database else ""
        for row in self._session.rows(f"SHOW SCHEMAS{within}"):
            yield str(row[0])

    def elementary_schemas(self) -> Iterator[str]:
        return iter(())

    def columns(self, schema: str) -> Iterator[tuple[str, str, str]]:
        views = {name for name, _ in self.others(schema)}
        for table in sorted(self._shown(f"SHOW TABLES IN {self._path(schema)}", "tablename", "tab_name")):
            if table.lower() in TABLES and table not in views:
                for row in self._session.rows(f"DESCRIBE TABLE {self._path(schema, table)}"):
                    if not row[0] or str(row[0]).startswith("#"):
                        # Partitions follow, whose columns have been named before.
                        break
                    yield table, str(row[0]).strip(), str(row[1]).strip()

    def others(self, schema: str) -> Rows:
        return [(name, "VIEW") for name in self._shown(f"SHOW VIEWS IN {self._path(schema)}", "viewname", "tab_name")]

    def _shown(self, statement: str, *headings: str) -> Iterator[str]:
        for record in self._session.records(statement):
            if str(record.get("istemporary")).lower() != "true":
                yield str(next(record[heading] for heading in headings if heading in record))


_CATALOGS: Mapping[CatalogName, Callable[[_Asked], SystemCatalog]] = MappingProxyType(
    {
        "information_schema": _InformationSchema,
        "the database's information_schema": _InformationSchema,
        "the dataset's INFORMATION_SCHEMA": _DatasetViews,
        "v_catalog": _VerticaCatalog,
        "SHOW": _Show,
    }
)
