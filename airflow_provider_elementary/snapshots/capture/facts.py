"""Reads what planning needs to know of each table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from airflow_provider_elementary import quoting
from airflow_provider_elementary.elementary_schema import TABLES, Table
from airflow_provider_elementary.snapshots.capture.day_sums import Difference
from airflow_provider_elementary.source import require_watermark
from airflow_provider_elementary.times import earliest as earliest_of
from airflow_provider_elementary.times import latest as latest_of
from airflow_provider_elementary.times import without_zone
from airflow_provider_elementary.warehouses.clock import one_row
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.watermarks import (
    Undated,
    WatermarkType,
    earliest_watermark,
    watermark_bound,
)

#: The column that names the dbt run of a row.
RUN = "invocation_id"

_TIME = pa.timestamp("us")
_EPOCH = datetime(1970, 1, 1)
#: Windows of at most this size in all are kept in memory, and read once; larger ones are read again.
_KEPT_BYTES = 64 * 2**20


@dataclass(frozen=True)
class TableFacts:
    """What one query returns for a table with a watermark.

    :param newest: its greatest watermark, of the window that is read again where there is one; None without rows.
    :param settled_rows: rows older than that window; None where nobody looked.
    :param settled_from: the least watermark among them, or None.
    :param undated_rows: rows without a watermark.
    :param young_rows: rows of the window, those ahead of the clock included.
    :param ahead_rows: those ahead of the clock.
    :param difference: how the settled rows differ from those that were taken; None where they do not.
    :param kept: the rows of the window, which are not read again; None where they are too many.
    :param rejected: what of them could not be used.
    :param runs: the dbt runs that the rows of the window name, each with its newest row; None where nobody looked.
    """

    newest: datetime | None
    settled_rows: int | None = 0
    settled_from: datetime | None = None
    undated_rows: int = 0
    young_rows: int = 0
    ahead_rows: int = 0
    difference: Difference | None = None
    kept: tuple[pa.RecordBatch, ...] | None = None
    rejected: tuple[Mapping[str, Any], ...] = ()
    runs: Mapping[str, datetime] | None = None


def read_facts(
    source: WarehouseSource, window_from: datetime | None, latest: datetime, kept: Mapping[str, Sequence[str]]
) -> dict[str, TableFacts]:
    """Return the facts of every table with a watermark.

    :param window_from: where the window begins that is read again, or None to read everything.
    :param latest: no row can be newer by now.
    :param kept: the columns of the tables whose windows are kept, so that each is read once.
    """
    tables: dict[str, TableFacts] = {}
    left = _KEPT_BYTES
    for name in (name for name in source.tables() if TABLES[name].watermark is not None):
        if window_from is not None and name in kept:
            tables[name] = _facts_of_window(source, TABLES[name], kept[name], window_from, latest, left)
            left -= sum(batch.nbytes for batch in tables[name].kept or ())
        else:
            tables[name] = _facts(source, TABLES[name], window_from, latest)
    return tables


def _facts(source: WarehouseSource, table: Table, window_from: datetime | None, latest: datetime) -> TableFacts:
    held = source.table(table.name)
    if held.watermark_type is WatermarkType.OTHER:
        return _facts_of_rows(source, table, window_from, latest)
    watermark = quoting.column(held.columns[require_watermark(table)])
    until_now = exp.and_(
        watermark.copy() >= watermark_bound(earliest_watermark(held.watermark_type), held.watermark_type),
        watermark.copy() <= watermark_bound(latest, held.watermark_type),
    )
    in_time = exp.Case().when(until_now.copy(), watermark.copy())
    if window_from is None:
        # An index answers it, where there is one. A maximum of no counts since 1970 is 1970; that of this case is null.
        greatest = in_time if held.watermark_type is WatermarkType.EPOCH else watermark.copy()
        found = read_aggregates(source, table, {"newest": exp.func("max", greatest)}, where=until_now)
        return TableFacts(naive(found["newest"]))
    # Compared with a literal, so that an index or partitions answer; what is older is not read.
    in_window = watermark.copy() >= watermark_bound(window_from, held.watermark_type)
    undated = watermark.copy().is_(exp.null())
    found = read_aggregates(
        source,
        table,
        {
            "newest": exp.func("max", in_time),
            "young": exp.func("count", watermark.copy()),
            "in_time": exp.func("count", in_time.copy()),
            "undated": exp.func("count", exp.Case().when(undated.copy(), exp.Literal.number(1))),
        },
        where=exp.or_(in_window, undated),
    )
    young = int(found["young"])
    return TableFacts(naive(found["newest"]), None, None, int(found["undated"]), young, young - int(found["in_time"]))


def _facts_of_window(
    source: WarehouseSource, table: Table, columns: Sequence[str], window_from: datetime, latest: datetime, most: int
) -> TableFacts:
    """Return the facts of a window from its rows, with the rows where they have at most this number of bytes."""
    source.rejections.discard(table.name)
    newest, young, ahead, undated, size, kept = None, 0, 0, 0, 0, list[pa.RecordBatch]()
    runs: dict[str, datetime] = {}
    with source.read(table.name, columns=columns, since=window_from, undated=Undated.NULL) as reader:
        for batch in reader:
            created = batch[require_watermark(table)]
            is_in_time = pc.fill_null(pc.less_equal(created, _moment(latest)), False)
            in_time = created.filter(is_in_time)
            note_runs(runs, table, batch.filter(is_in_time))
            newest = latest_of(newest, pc.max(in_time).as_py())
            undated += created.null_count
            young += len(created) - created.null_count
            ahead += len(created) - created.null_count - len(in_time)
            size += batch.nbytes
            kept = [*kept, batch] if size <= most else []
    rejected = tuple(source.rejections.to_list())
    held = tuple(kept) if size <= most else None
    return TableFacts(newest, None, None, undated, young, ahead, None, held, rejected, runs)


def note_runs(runs: dict[str, datetime], table: Table, batch: pa.RecordBatch) -> None:
    """Note of each dbt run that rows name its newest row."""
    if RUN not in batch.schema.names:
        return
    created = require_watermark(table)
    grouped = pa.Table.from_batches([batch.select([RUN, created])]).group_by(RUN).aggregate([(created, "max")])
    for run, moment in zip(grouped[RUN].to_pylist(), grouped[f"{created}_max"].to_pylist(), strict=True):
        if run is not None and moment is not None:
            runs[run] = max(moment, runs.get(run, moment))


def read_aggregates(
    source: WarehouseSource, table: Table, selected: Mapping[str, exp.Expr], where: exp.Expr | None = None
) -> dict[str, Any]:
    """Return the one row of aggregates over a table."""
    relation = exp.table_(
        source.table(table.name).name, db=source.warehouse.schema, catalog=source.warehouse.database, quoted=True
    )
    query = exp.select(*(one.as_(name) for name, one in selected.items())).from_(relation)
    return one_row(source, (query.where(where) if where is not None else query).sql(source.warehouse.dialect))


def _facts_of_rows(source: WarehouseSource, table: Table, window_from: datetime | None, latest: datetime) -> TableFacts:
    """Return the facts of a table whose watermark the warehouse cannot compare, from its rows."""
    watermark = require_watermark(table)
    newest = oldest = None
    rows = undated = 0
    with source.read(table.name, columns=[watermark]) as reader:
        for batch in reader:
            created = batch[watermark]
            in_time = created.filter(pc.less_equal(created, _moment(latest)))
            newest = max(filter(None, (newest, pc.max(in_time).as_py())), default=None)
            if window_from is not None:
                settled = created.filter(pc.less(created, _moment(window_from)))
                rows += len(settled)
                undated += created.null_count
                oldest = earliest_of(oldest, pc.min(settled).as_py())
    return TableFacts(newest, rows, oldest, undated)


def naive(moment: Any) -> datetime | None:
    """Return a time that a warehouse answered, in UTC without a zone."""
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return datetime.combine(moment, time.min)
    if isinstance(moment, int):
        # ClickHouse's type of whole seconds leaves it as their count.
        return _EPOCH + timedelta(seconds=moment)
    return without_zone(moment) if moment else None


def _moment(moment: datetime | None) -> pa.Scalar:
    return pa.scalar(moment, _TIME)
