"""A warehouse as a ``Source``: the Elementary tables it holds, each read by one guarded query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from airflow_provider_elementary.access.guard import GuardedQuery, guard_query
from airflow_provider_elementary.catalog import TABLES, Table
from airflow_provider_elementary.exceptions import (
    NotAnElementarySchemaError,
    SchemaNotFoundError,
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
from airflow_provider_elementary.warehouses.warehouse import Warehouse

_TABLES = """
SELECT t.table_name, c.column_name
FROM information_schema.tables AS t
JOIN information_schema.columns AS c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
WHERE t.table_schema = {0} AND t.table_type = 'BASE TABLE'
ORDER BY t.table_name, c.ordinal_position
"""
_SCHEMAS = "SELECT DISTINCT schema_name FROM information_schema.schemata"
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
    :param unknown: columns that the catalog does not classify: quarantined, never read.
    :param missing: columns of the catalog that are not there, as in older versions of the package.
    """

    table: Table
    name: str
    columns: Mapping[str, str]
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

    def cancel(self) -> None:
        """End what is under way, and the session with it, from any thread and within seconds."""
        self.warehouse.cancel()

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
        query = exp.select(*(_column(held.columns[name]) for name in columns)).from_(table)
        if since is not None or until is not None:
            watermark = held.columns[require_watermark(held.table)]
            if since is not None:
                query = query.where(_column(watermark) >= _timestamp(since))
            if until is not None:
                query = query.where(_column(watermark) < _timestamp(until))
        return query

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
    """Return the schema's name as the warehouse spells it, for a name given in any case."""
    names = {str(row[0]) for row in warehouse.rows(_SCHEMAS)}
    if warehouse.schema in names:
        return warehouse.schema
    folded = sorted(name for name in names if name.lower() == warehouse.schema.lower())
    if len(folded) == 1:
        return folded[0]
    seen = sorted({str(row[0]) for row in warehouse.rows(_ELEMENTARY_SCHEMAS)})
    raise SchemaNotFoundError(
        f"Expected schema {warehouse.schema!r}, found no such schema that this connection may see. "
        + (f"Elementary schemas it sees: {', '.join(seen)}." if seen else "It sees no Elementary schema at all.")
        + " Set `schema`, or elementary_schema in the connection's extra, and check the role's grants."
    )


def _hold(warehouse: Warehouse, schema: str) -> dict[str, HeldTable]:
    """Return the catalog's tables that the schema holds, in the catalog's order."""
    found: dict[str, dict[str, str]] = {}
    spelled: dict[str, str] = {}
    placeholder = "$1" if warehouse.placeholder == "$" else warehouse.placeholder
    for table_name, column_name in warehouse.rows(_TABLES.format(placeholder), [schema]):
        found.setdefault(table_name.lower(), {})[column_name.lower()] = column_name
        spelled[table_name.lower()] = table_name
    held = {
        table.name: HeldTable(
            table=table,
            name=spelled[table.name],
            columns={
                column.name: found[table.name][column.name]
                for column in table.columns
                if column.name in found[table.name]
            },
            unknown=tuple(name for name in found[table.name] if table.column(name) is None),
            missing=tuple(column.name for column in table.columns if column.name not in found[table.name]),
        )
        for table in TABLES.values()
        if table.name in found
    }
    if not held:
        raise NotAnElementarySchemaError(
            f"Expected Elementary's tables in schema {schema!r}, found {len(found)} other tables and none of them. "
            "Run `dbt run --select elementary` once, and check the role's grants on the tables."
        )
    _require_essential_columns(schema, held)
    return held


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
