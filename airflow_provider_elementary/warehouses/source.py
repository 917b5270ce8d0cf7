"""Reads the Elementary tables of a warehouse by guarded queries."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Self

import pyarrow as pa
from sqlglot import exp

from airflow_provider_elementary.access.check.session import StatementDeniedError
from airflow_provider_elementary.access.guard import GuardedQuery, guard_query
from airflow_provider_elementary.access.guard.name_resolution import FOLDINGS, Folding
from airflow_provider_elementary.elementary_schema import TABLES, Table
from airflow_provider_elementary.exceptions import (
    NotAnElementarySchemaError,
    SchemaNotFoundError,
    TableReplacedError,
    TableUnreadableError,
    UnknownTableError,
    UnsupportedElementaryVersionError,
    WarehouseError,
)
from airflow_provider_elementary.quoting import column
from airflow_provider_elementary.source import (
    arrow_schema,
    catalog_table,
    reader_of,
    reader_of_first,
    require_watermark,
    select_columns,
)
from airflow_provider_elementary.warehouses.columns import selected
from airflow_provider_elementary.warehouses.exclusion import FILTERED, denied_tables, filtered_tables, within
from airflow_provider_elementary.warehouses.registry import by_adapter
from airflow_provider_elementary.warehouses.system_catalog import SystemCatalog, system_catalog
from airflow_provider_elementary.warehouses.values import Rejections, conform
from airflow_provider_elementary.warehouses.warehouse import Warehouse
from airflow_provider_elementary.warehouses.watermarks import Undated, WatermarkType, bound, earliest, watermark_type

log = logging.getLogger(__name__)

_LOCK_ATTEMPTS = 3
#: Seconds for an author's query, result included; each wait for rows has its own deadline.
QUERY_SECONDS = 3600.0
#: Bytes of one batch of its result: batches of honest queries have a few MB.
QUERY_BATCH_BYTES = 256 * 2**20


@dataclass(frozen=True)
class SourceTable:
    """A table of the catalog as one warehouse holds it.

    :param table: the catalog's entry.
    :param name: the table's name as the warehouse spells it.
    :param columns: the classified columns that are there, lower case, with the warehouse's spelling.
    :param types: the types of all its columns, as information_schema names them.
    :param unknown: columns that the catalog does not classify: quarantined, never read.
    :param missing: columns of the catalog that are not there, as in older versions of the package.
    :param watermark_type: what the warehouse can compare the table's watermark with.
    """

    table: Table
    name: str
    columns: Mapping[str, str]
    types: Mapping[str, str]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    watermark_type: WatermarkType = field(default=WatermarkType.LOCAL, compare=False)


class WarehouseSource:
    """The Elementary schema of a warehouse, read through one session; a context manager that closes it.

    :param warehouse: the open session.
    :param namespace: what dbt's own lineage calls the warehouse, as in ``postgres://host:5432``; None where unknown.
    :raises SchemaNotFoundError: the session sees no such schema; the message names the Elementary schemas it sees.
    :raises NotAnElementarySchemaError: the schema holds none of Elementary's tables.
    :raises UnsupportedElementaryVersionError: not one of its tables can be used.
    """

    def __init__(self, warehouse: Warehouse, namespace: str | None = None) -> None:
        self.warehouse = warehouse
        self.namespace = namespace
        # From here on the schema has the warehouse's own spelling, also in the access check.
        try:
            warehouse.schema = _find_schema(warehouse)
        except StatementDeniedError as denied:
            raise SchemaNotFoundError(
                f"{by_adapter(warehouse.adapter).label} refused to list its schemas ({denied}), so "
                f"{warehouse.schema!r} cannot be found. Name the database, catalog or project that holds it in "
                "`elementary_database`, and let the role read the system catalog."
            ) from None
        #: dbt's name of the warehouse.
        self.adapter = warehouse.adapter
        self._incomparable: set[str] = set()
        self._unreadable: dict[str, str] = {}
        self._tables, self._excluded = self._look()
        #: What the reads of this session could not use.
        self.rejections = Rejections()

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
        """Read all tables as of this moment from now on, where the warehouse can do that.

        :return: whether their names or columns have changed since the last look.
        :raises TableLockedError: another session keeps one of them locked.
        :raises TableReplacedError: they keep changing, or one is replaced before its read.
        """
        before = self._tables
        for attempt in range(1, _LOCK_ATTEMPTS + 1):
            try:
                if not self.warehouse.hold([one.name for one in self._tables.values()]):
                    return False
            except TableReplacedError:
                if attempt == _LOCK_ATTEMPTS:
                    raise
                self._tables, self._excluded = self._look()
                continue
            locked = self._tables.keys()
            self._tables, self._excluded = self._look()
            if self._tables.keys() <= locked:
                break
        return self._tables != before

    def _look(self) -> tuple[dict[str, SourceTable], dict[str, str]]:
        """Return the tables that can be used, and why others cannot; includes what earlier reads have found."""
        found, excluded = _find_tables(self.warehouse, self.warehouse.schema)
        usable = {
            name: replace(one, watermark_type=WatermarkType.OTHER) if name in self._incomparable else one
            for name, one in found.items()
            if name not in self._unreadable
        }
        excluded |= self._unreadable
        _require_any(self.warehouse.schema, usable, excluded)
        return usable, excluded

    def cancel(self) -> None:
        """End what is under way, and the session with it, from any thread and within seconds."""
        self.warehouse.cancel()

    def tables(self) -> list[str]:
        """Return the names of the catalog's tables that the schema holds and that can be used."""
        return list(self._tables)

    @property
    def excluded(self) -> Mapping[str, str]:
        """Elementary's tables that exist and cannot be used, with the reason."""
        return self._excluded

    def give_way(self, unreadable: TableUnreadableError) -> str:
        """Read a refused table in a simpler way, or exclude it; return which, as text.

        :raises UnsupportedElementaryVersionError: it was the last one that could be used.
        """
        table = unreadable.table.lower()
        found = self._tables.get(table)
        if found is None:
            raise unreadable
        if found.table.watermark is not None and found.watermark_type is not WatermarkType.OTHER:
            # The column's type may not support the comparison with a time.
            self._incomparable.add(table)
            asked = f"reading {table} without comparing {found.table.watermark} in the warehouse"
        else:
            self._unreadable[table] = unreadable.reason
            asked = f"excluding {table}"
        self._tables, self._excluded = self._look()
        return asked

    def table(self, name: str) -> SourceTable:
        """Return how the warehouse holds a table: its spelling, its columns, and which are unknown or missing.

        :raises UnknownTableError: the schema does not hold that table.
        """
        if (found := self._tables.get(catalog_table(name).name)) is None:
            if name in self._excluded:
                raise UnknownTableError(f"Table {name} cannot be used: {self._excluded[name]}.")
            raise UnknownTableError(
                f"Schema {self.warehouse.schema!r} has no table {name}; it has: {', '.join(self._tables)}. "
                "Check that the dbt models of the Elementary package ran to the end."
            )
        return found

    def schema(self, table: str) -> pa.Schema:
        """Return the classified columns of a table."""
        found = self.table(table)
        return arrow_schema(found.table, list(found.columns))

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        undated: Undated = Undated.NONE,
    ) -> pa.RecordBatchReader:
        """Stream a table's rows by one guarded query; see :meth:`Source.read`.

        A value that is not of the catalog's type comes as null; a row whose watermark is no time does not come. Both
        are counted in :attr:`rejections`.

        :param undated: which rows without a usable watermark are met.
        """
        found = self.table(table)
        wanted = select_columns(found.table, list(found.columns), columns)
        watermark = require_watermark(found.table) if since is not None or until is not None else found.table.watermark
        is_compared_here = (since is not None or until is not None) and found.watermark_type is WatermarkType.OTHER
        fetched = [*wanted, *({watermark} - {*wanted})] if is_compared_here and watermark else wanted
        span = (None, None) if is_compared_here else (since, until)
        query = self.guarded(self._select(found, fetched, *span, undated=undated).sql(self.warehouse.dialect))
        schema = arrow_schema(found.table, fetched)
        dated_by = None if undated is Undated.ALL else watermark
        batches = conform(self.warehouse.stream(query), schema, table, self.rejections, dated_by)
        if is_compared_here and watermark is not None:
            batches = within(batches, wanted, watermark, since, until, undated=undated)
        return reader_of(arrow_schema(found.table, wanted), batches)

    def _select(
        self,
        found: SourceTable,
        columns: Sequence[str],
        since: datetime | None,
        until: datetime | None,
        *,
        undated: Undated = Undated.NONE,
    ) -> exp.Select:
        """Build the query for one table; it compares the bare watermark, so that the warehouse can prune by it."""
        table = exp.table_(found.name, db=self.warehouse.schema, catalog=self.warehouse.database, quoted=True)
        query = exp.select(*(self._selected(found, name) for name in columns)).from_(table)
        if since is not None or until is not None:
            watermark = found.columns[require_watermark(found.table)]
            dated: list[exp.Expr] = []
            if since is not None:
                dated.append(column(watermark) >= bound(since, found.watermark_type))
            if until is not None:
                dated.append(column(watermark) < bound(until, found.watermark_type))
            condition: exp.Expr = exp.and_(*dated)
            if undated is not Undated.NONE:
                before_time = column(watermark) < bound(earliest(found.watermark_type), found.watermark_type)
                condition = exp.or_(condition, before_time)
            if undated in (Undated.NULL, Undated.ALL):
                condition = exp.or_(condition, column(watermark).is_(exp.null()))
            query = query.where(condition)
        return query

    def _selected(self, found: SourceTable, name: str) -> exp.Expr:
        return selected(found.columns[name], found.types[name], self.warehouse.dialect)

    def query(self, sql: str) -> pa.RecordBatchReader:
        """Run an author's query over the Elementary tables; columns come as the warehouse types them.

        :raises QueryRefusedError: it is not one read-only query over Elementary's tables.
        """
        return reader_of_first(self._bounded(self.warehouse.stream(self.guarded(sql))))

    def _bounded(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield an author's result; a query that takes too long or makes too much ends with its session."""
        give_up_at = time.monotonic() + QUERY_SECONDS
        for batch in batches:
            if batch.nbytes > QUERY_BATCH_BYTES:
                self.cancel()
                raise WarehouseError(
                    f"One batch of the result has more than {QUERY_BATCH_BYTES // 2**20} MiB. Select fewer or shorter "
                    "values."
                )
            yield batch
            if time.monotonic() > give_up_at:
                self.cancel()
                raise WarehouseError(
                    f"The query took longer than {QUERY_SECONDS:.0f} s and was ended. Read less: filter by created_at, "
                    "or aggregate."
                )

    def guarded(self, sql: str) -> GuardedQuery:
        """Pass a statement through the guard, for this session's dialect, schema and database."""
        warehouse = self.warehouse
        quoted = frozenset(one.name for one in self._tables.values() if one.name == one.name.lower())
        return guard_query(
            sql,
            dialect=warehouse.dialect,
            schema=warehouse.schema,
            database=warehouse.database,
            quoted_tables=quoted,
        )


def _find_schema(warehouse: Warehouse) -> str:
    """Return the schema's name as the warehouse spells it: the one given, or the only one that differs by case."""
    catalog = system_catalog(warehouse)
    names = set(catalog.schemas())
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
    seen = sorted(set(catalog.elementary_schemas()))
    raise SchemaNotFoundError(
        f"Schema {warehouse.schema!r} does not exist, or this connection may not see it. "
        + (f"Elementary schemas that it sees: {', '.join(seen)}." if seen else "It sees no Elementary schema.")
        + " Set `schema`, or elementary_schema in the connection's extra, and check the role's grants."
    )


def _find_tables(warehouse: Warehouse, schema: str) -> tuple[dict[str, SourceTable], dict[str, str]]:
    """Return Elementary's tables in the schema, in the fixed order, and why others cannot be used."""
    found: dict[str, dict[str, str]] = {}
    types: dict[str, dict[str, str]] = {}
    spelled: dict[str, str] = {}
    catalog = system_catalog(warehouse)
    folding = FOLDINGS.get(warehouse.dialect)
    rows = list(catalog.columns(schema))
    listed = {row[0] for row in rows}
    for table_name, column_name, data_type in rows:
        name = table_name.lower()
        if folding is not None and not _is_written_by_dbt(table_name, listed, folding):
            continue
        spelled[name] = table_name
        found.setdefault(name, {})[column_name.lower()] = column_name
        types.setdefault(name, {})[column_name.lower()] = str(data_type).lower()
    there = {
        table.name: SourceTable(
            table=table,
            name=spelled[table.name],
            columns={
                column.name: found[table.name][column.name]
                for column in table.known_columns
                if column.name in found[table.name]
            },
            types=types[table.name],
            unknown=tuple(name for name in found[table.name] if table.column(name) is None),
            missing=tuple(column.name for column in table.columns if column.name not in found[table.name]),
            watermark_type=watermark_type(types[table.name].get(table.watermark or "", "timestamp"), warehouse.dialect),
        )
        for table in TABLES.values()
        if table.name in found
    }
    denied = [name for name in denied_tables(warehouse, schema) if name in TABLES]
    others = _others(catalog, schema) if len(there) < len(TABLES) else {}
    if others and not there:
        kinds = sorted({kind.lower() for kind in others.values()})
        raise NotAnElementarySchemaError(
            f"Schema {schema!r} has none of Elementary's tables; {len(others)} of their names are a "
            f"{' or '.join(kinds)} ({', '.join(sorted(others)[:3])}, …). Only tables are read: what is behind a view "
            "cannot be checked. Name the schema and database where Elementary's dbt package writes its tables, and "
            "grant the role SELECT on them; for a share, have its owner share the tables themselves, or copy them with "
            "CREATE TABLE AS."
        )
    if not there and not denied:
        raise NotAnElementarySchemaError(
            f"Schema {schema!r} has none of Elementary's tables, and {len(found)} other tables. "
            "Run `dbt run --select elementary` once, and check the role's grants on the tables."
        )
    excluded = {name: f"it is a {kind.lower()}, not a table" for name, kind in others.items()}
    excluded |= {name: FILTERED for name in filtered_tables(warehouse, schema) if name in there}
    excluded |= dict.fromkeys(denied, "this connection may not read it; grant SELECT on it")
    for name, one in there.items():
        if lacking := sorted(one.table.indispensable_columns & set(one.missing)):
            excluded[name] = f"it lacks {', '.join(lacking)}: columns that identify and date its rows"
    usable = {name: one for name, one in there.items() if name not in excluded}
    _require_any(schema, usable, excluded)
    return usable, {name: excluded[name] for name in TABLES if name in excluded}


def _is_written_by_dbt(table: str, listed: set[str], folding: Folding) -> bool:
    """Return whether dbt can have given a table this spelling; one without quotes comes before one with them."""
    usual = folding.stored(table.lower())
    if folding.quoted(table) == folding.quoted(usual):
        return True
    return folding.stored_in_quotes is not None and table == folding.stored_in_quotes(table) and usual not in listed


def _others(catalog: SystemCatalog, schema: str) -> dict[str, str]:
    """Return views and others that have the name of a table of Elementary's, with their kind."""
    return {name.lower(): str(kind) for name, kind in catalog.others(schema) if name.lower() in TABLES}


def _require_any(schema: str, usable: Mapping[str, SourceTable], excluded: Mapping[str, str]) -> None:
    if not usable:
        details = "; ".join(f"{table}: {reason}" for table, reason in excluded.items())
        raise UnsupportedElementaryVersionError(
            f"No table of schema {schema!r} can be used. {details}. Check the role's grants; if the Elementary dbt "
            "package is older than 0.9, upgrade it and run `dbt run --select elementary`."
        )
