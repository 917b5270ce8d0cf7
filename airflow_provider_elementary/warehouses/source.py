"""A warehouse as a ``Source``: the Elementary tables it holds, each read by one guarded query."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from airflow_provider_elementary.access.guard import GuardedQuery, guard_query
from airflow_provider_elementary.access.resolver import FOLDINGS
from airflow_provider_elementary.access.session import StatementDeniedError
from airflow_provider_elementary.catalog import TABLES, Table
from airflow_provider_elementary.exceptions import (
    NotAnElementarySchemaError,
    SchemaNotFoundError,
    TableReplacedError,
    UnknownTableError,
    UnsupportedElementaryVersionError,
    WarehouseError,
)
from airflow_provider_elementary.source import (
    arrow_schema,
    catalog_table,
    reader_of,
    reader_of_first,
    require_watermark,
    select_columns,
)
from airflow_provider_elementary.warehouses.columns import selected
from airflow_provider_elementary.warehouses.warehouse import Warehouse

log = logging.getLogger(__name__)

_TABLES = """
SELECT t.table_name, c.column_name, c.data_type
FROM information_schema.tables AS t
JOIN information_schema.columns AS c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
WHERE t.table_schema = {0} AND t.table_type = 'BASE TABLE'
ORDER BY t.table_name, c.ordinal_position
"""
_OTHERS = """
SELECT table_name, table_type FROM information_schema.tables
WHERE table_schema = {0} AND table_type <> 'BASE TABLE'
"""
_MATERIALIZED_VIEWS = """
SELECT matviewname::text, 'materialized view' FROM pg_catalog.pg_matviews WHERE schemaname = {0}
"""
_SCHEMAS = "SELECT DISTINCT schema_name FROM information_schema.schemata"
_HOLD_ATTEMPTS = 3
_ELEMENTARY_SCHEMAS = """
SELECT DISTINCT table_schema FROM information_schema.tables
WHERE lower(table_name) IN ('dbt_invocations', 'elementary_test_results', 'data_monitoring_metrics')
"""


@dataclass(frozen=True)
class HeldTable:
    """A table of the catalog as one warehouse holds it.

    :param table: the catalog's entry.
    :param name: the table's name as the warehouse spells it.
    :param columns: the classified columns that are there, lower case, with the warehouse's spelling.
    :param types: the types of all its columns, as information_schema names them.
    :param unknown: columns that the catalog does not classify: quarantined, never read.
    :param missing: columns of the catalog that are not there, as in older versions of the package.
    """

    table: Table
    name: str
    columns: Mapping[str, str]
    types: Mapping[str, str]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]


class WarehouseSource:
    """The Elementary schema of a warehouse, read through one session; a context manager that closes it.

    :param warehouse: the open session.
    :param namespace: what dbt's own lineage calls the warehouse, as in ``postgres://host:5432``; None where unknown.
    :raises SchemaNotFoundError: the session sees no such schema; the message names the Elementary schemas it sees.
    :raises NotAnElementarySchemaError: the schema holds none of Elementary's tables.
    :raises UnsupportedElementaryVersionError: a table lacks its key or its watermark.
    """

    def __init__(self, warehouse: Warehouse, namespace: str | None = None) -> None:
        self.warehouse = warehouse
        self.namespace = namespace
        # From here on, the access check included, the schema goes by the name that the warehouse has for it.
        warehouse.schema = _find_schema(warehouse)
        #: dbt's name of the warehouse.
        self.adapter = warehouse.adapter
        self._held = _hold(warehouse, warehouse.schema)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self.warehouse.close()

    def hold(self) -> bool:
        """Begin to see all tables as of one moment, where the warehouse can do that; later reads see that moment.

        :return: whether their names or columns have changed since they were last looked at.
        :raises TableLockedError: another session keeps one of them locked.
        :raises TableReplacedError: they change faster than they can be looked at, or one is replaced before its read.
        """
        before = self._held
        for attempt in range(1, _HOLD_ATTEMPTS + 1):
            try:
                if not self.warehouse.hold([held.name for held in self._held.values()]):
                    return False
                described = _hold(self.warehouse, self.warehouse.schema)
            except TableReplacedError:
                if attempt == _HOLD_ATTEMPTS:
                    raise
                described = _hold(self.warehouse, self.warehouse.schema)
                self._held = described
                continue
            is_complete = described.keys() <= self._held.keys()
            self._held = described
            if is_complete:
                break
        return self._held != before

    def tables(self) -> list[str]:
        """Return the names of the catalog's tables that the schema holds."""
        return list(self._held)

    def held(self, table: str) -> HeldTable:
        """Return what the warehouse holds of a table, quarantined and missing columns included.

        :raises UnknownTableError: the schema does not hold that table.
        """
        if (held := self._held.get(catalog_table(table).name)) is None:
            raise UnknownTableError(
                f"Expected table {table} in schema {self.warehouse.schema!r}, found only: {', '.join(self._held)}. "
                "Check that the dbt models of the Elementary package ran to the end."
            )
        return held

    def schema(self, table: str) -> pa.Schema:
        """Return the classified columns of a table."""
        held = self.held(table)
        return arrow_schema(held.table, list(held.columns))

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pa.RecordBatchReader:
        """Stream a table's rows by one guarded query; see :meth:`Source.read`."""
        held = self.held(table)
        wanted = select_columns(held.table, list(held.columns), columns)
        query = self.guarded(self._select(held, wanted, since, until).sql(self.warehouse.dialect))
        schema = arrow_schema(held.table, wanted)
        return reader_of(schema, _conform(self.warehouse.stream(query), schema, table))

    def _select(
        self, held: HeldTable, columns: Sequence[str], since: datetime | None, until: datetime | None
    ) -> exp.Select:
        """Build the query for one table; the watermark stands bare, so that the warehouse can prune by it."""
        table = exp.table_(held.name, db=self.warehouse.schema, catalog=self.warehouse.database, quoted=True)
        query = exp.select(*(self._selected(held, name) for name in columns)).from_(table)
        if since is not None or until is not None:
            watermark = held.columns[require_watermark(held.table)]
            if since is not None:
                query = query.where(_column(watermark) >= _timestamp(since))
            if until is not None:
                query = query.where(_column(watermark) < _timestamp(until))
        return query

    def _selected(self, held: HeldTable, name: str) -> exp.Expr:
        return selected(held.columns[name], held.types[name], self.warehouse.dialect)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run an author's query over the Elementary tables; columns come as the warehouse types them.

        :raises QueryRefusedError: it is not one read-only query over Elementary's tables.
        """
        return reader_of_first(self.warehouse.stream(self.guarded(sql)))

    def guarded(self, sql: str) -> GuardedQuery:
        """Pass a statement through the guard, for this session's dialect, schema and database."""
        warehouse = self.warehouse
        return guard_query(sql, dialect=warehouse.dialect, schema=warehouse.schema, database=warehouse.database)


def _column(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))


def _timestamp(moment: datetime) -> exp.Cast:
    return exp.cast(exp.Literal.string(moment.isoformat(sep=" ", timespec="microseconds")), "timestamp")


def _conform(batches: Iterator[pa.RecordBatch], schema: pa.Schema, table: str) -> Iterator[pa.RecordBatch]:
    """Give a driver's batches the catalog's names and types; drivers differ, and empty results differ more."""
    for batch in batches:
        try:
            arrays = [_cast(array, field.type) for array, field in zip(batch.columns, schema, strict=True)]
        except pa.ArrowException as error:
            raise WarehouseError(
                f"Expected {table}'s columns in the types that the Elementary package declares, found values that do "
                f"not fit ({type(error).__name__}). Compare the table's column types with the package's."
            ) from None
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _cast(array: pa.Array, target: pa.DataType) -> pa.Array:
    if array.type == target:
        return array
    if pa.types.is_timestamp(array.type):
        if array.type.tz is not None:
            # The zone is dropped from UTC, as the package declares timestamps without one.
            array = array.cast(pa.timestamp("us", tz="UTC"), safe=False)
        return array.cast(target, safe=False)
    if pa.types.is_decimal(array.type) and pa.types.is_floating(target):
        return pc.cast(array, target, safe=False)
    return array.cast(target)


def _find_schema(warehouse: Warehouse) -> str:
    """Return the schema's name as the warehouse spells it: the one given, or the only one that differs by case."""
    names = {str(row[0]) for row in warehouse.rows(_SCHEMAS)}
    # PostgreSQL cuts names to 63 bytes when it makes them.
    stored = warehouse.schema.encode()[:63].decode(errors="ignore") if warehouse.dialect == "postgres" else ""
    for given in (warehouse.schema, stored):
        if given in names:
            return given
    folded = sorted(name for name in names if name.lower() == warehouse.schema.lower())
    if len(folded) == 1:
        return folded[0]
    if folded:
        raise SchemaNotFoundError(
            f"There is no schema {warehouse.schema!r}, but {len(folded)} that differ from it by upper and lower case: "
            f"{', '.join(folded)}. Spell the one that Elementary writes to exactly, in `schema` or in the extra field "
            "elementary_schema of the connection."
        )
    seen = sorted({str(row[0]) for row in warehouse.rows(_ELEMENTARY_SCHEMAS)})
    raise SchemaNotFoundError(
        f"Expected schema {warehouse.schema!r}, found no such schema that this connection may see. "
        + (f"Elementary schemas it sees: {', '.join(seen)}." if seen else "It sees no Elementary schema at all.")
        + " Set `schema`, or elementary_schema in the connection's extra, and check the role's grants."
    )


def _hold(warehouse: Warehouse, schema: str) -> dict[str, HeldTable]:
    """Return the catalog's tables that the schema holds, in the catalog's order."""
    found: dict[str, dict[str, str]] = {}
    types: dict[str, dict[str, str]] = {}
    spelled: dict[str, str] = {}
    placeholder = "$1" if warehouse.placeholder == "$" else warehouse.placeholder
    folding = FOLDINGS.get(warehouse.dialect)
    for table_name, column_name, data_type in warehouse.rows(_TABLES.format(placeholder), [schema]):
        name = table_name.lower()
        if folding is not None and folding.quoted(table_name) != folding.quoted(folding.stored(name)):
            # A table that differs by case from what dbt writes is another one.
            continue
        spelled[name] = table_name
        found.setdefault(name, {})[column_name.lower()] = column_name
        types.setdefault(name, {})[column_name.lower()] = str(data_type).lower()
    held = {
        table.name: HeldTable(
            table=table,
            name=spelled[table.name],
            columns={
                column.name: found[table.name][column.name]
                for column in table.columns
                if column.name in found[table.name]
            },
            types=types[table.name],
            unknown=tuple(name for name in found[table.name] if table.column(name) is None),
            missing=tuple(column.name for column in table.columns if column.name not in found[table.name]),
        )
        for table in TABLES.values()
        if table.name in found
    }
    others = _others(warehouse, schema, placeholder) if len(held) < len(TABLES) else {}
    if others and not held:
        kinds = sorted({kind.lower() for kind in others.values()})
        raise NotAnElementarySchemaError(
            f"Schema {schema!r} holds no table of Elementary's, but {len(others)} of the same names that are a "
            f"{' or '.join(kinds)} ({', '.join(sorted(others)[:3])}, …). Only tables are read: what is behind a view "
            "cannot be checked. Name the schema and database where Elementary's dbt package writes its tables, and "
            "grant the role SELECT on them; for a share, have its owner share the tables themselves, or copy them with "
            "CREATE TABLE AS."
        )
    for name, kind in sorted(others.items()):
        log.warning("not read: %s.%s is a %s and no table", schema, name, kind.lower())
    if not held:
        raise NotAnElementarySchemaError(
            f"Expected Elementary's tables in schema {schema!r}, found {len(found)} other tables and none of them. "
            "Run `dbt run --select elementary` once, and check the role's grants on the tables."
        )
    _require_essential_columns(schema, held)
    return held


def _others(warehouse: Warehouse, schema: str, placeholder: str) -> dict[str, str]:
    """Return what has the name of a table of the catalog and is no table, with what it is."""
    rows = warehouse.rows(_OTHERS.format(placeholder), [schema])
    if warehouse.dialect == "postgres":
        try:
            rows += warehouse.rows(_MATERIALIZED_VIEWS.format(placeholder), [schema])
        except StatementDeniedError:
            # Another engine that speaks PostgreSQL's SQL.
            pass
    return {name.lower(): str(kind) for name, kind in rows if name.lower() in TABLES}


def _require_essential_columns(schema: str, held: Mapping[str, HeldTable]) -> None:
    lacking = {
        name: sorted(found.table.required_columns & set(found.missing))
        for name, found in held.items()
        if found.table.required_columns & set(found.missing)
    }
    if lacking:
        details = "; ".join(f"{table} lacks {', '.join(columns)}" for table, columns in lacking.items())
        raise UnsupportedElementaryVersionError(
            f"Expected the columns that identify and date Elementary's rows in schema {schema!r}, found that "
            f"{details}. The schema was written by an older version of the Elementary dbt package: upgrade it to 0.25 "
            "or later and run `dbt run --select elementary`."
        )
