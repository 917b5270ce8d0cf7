"""Reads the Elementary tables of a warehouse by guarded queries."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self

import pyarrow as pa
from sqlglot import exp

from airflow_provider_elementary.access.check.session import StatementDeniedError
from airflow_provider_elementary.access.guard import GuardedQuery, guard_query
from airflow_provider_elementary.exceptions import (
    SchemaNotFoundError,
    TableReplacedError,
    TableUnreadableError,
    UnknownTableError,
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
from airflow_provider_elementary.warehouses.exclusion import within
from airflow_provider_elementary.warehouses.registry import by_adapter
from airflow_provider_elementary.warehouses.source_tables import SourceTable, find_schema, find_tables, require_any
from airflow_provider_elementary.warehouses.values import Rejections, conform
from airflow_provider_elementary.warehouses.warehouse import Warehouse
from airflow_provider_elementary.warehouses.watermarks import (
    Undated,
    WatermarkType,
    earliest_watermark,
    watermark_bound,
)

log = logging.getLogger(__name__)

_LOCK_ATTEMPTS = 3
#: Seconds for an author's query, result included; each wait for rows has its own deadline.
QUERY_SECONDS = 3600.0
#: Bytes of one batch of its result: batches of honest queries have a few MB.
QUERY_BATCH_BYTES = 256 * 2**20


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
            warehouse.schema = find_schema(warehouse)
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
        found, excluded = find_tables(self.warehouse, self.warehouse.schema)
        usable = {
            name: replace(one, watermark_type=WatermarkType.OTHER) if name in self._incomparable else one
            for name, one in found.items()
            if name not in self._unreadable
        }
        excluded |= self._unreadable
        require_any(self.warehouse.schema, usable, excluded)
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
                dated.append(column(watermark) >= watermark_bound(since, found.watermark_type))
            if until is not None:
                dated.append(column(watermark) < watermark_bound(until, found.watermark_type))
            condition: exp.Expr = exp.and_(*dated)
            if undated is not Undated.NONE:
                before_time = column(watermark) < watermark_bound(
                    earliest_watermark(found.watermark_type), found.watermark_type
                )
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
        guarded = self.guarded(sql)
        # The server ends it as well, for the case that this process is gone.
        return reader_of_first(self._bounded(self.warehouse.stream(guarded, QUERY_SECONDS)))

    def ask(self, sql: str) -> pa.RecordBatchReader:
        """Run a query of this package over the Elementary tables, without an author's limits; see :meth:`query`."""
        return reader_of_first(self.warehouse.stream(self.guarded(sql)))

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
