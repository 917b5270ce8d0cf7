"""Splits what a snapshot reads into parts of watermark ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from math import ceil

from sqlglot import exp

from airflow_provider_elementary import quoting
from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.snapshots import ROWS_PER_PART
from airflow_provider_elementary.snapshots.capture.commit_markers import MARKERS
from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.source import require_watermark
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.watermarks import WatermarkType, earliest_watermark, watermark_bound

#: Each part is a task with a session and an access check of its own.
MOST_PARTS = 64

_DAY, _ROWS = "a_day", "its_rows"


def whole_tables(source: WarehouseSource) -> tuple[Slice, ...]:
    """Return all tables, those first that dbt replaces at every run, while nobody has replaced them yet."""
    return tuple(map(Slice, sorted(source.tables(), key=lambda name: TABLES[name].watermark is not None)))


def split_into_parts(
    source: WarehouseSource, plan: Plan, point: ConsistencyPoint, rows_per_part: int = ROWS_PER_PART
) -> tuple[tuple[Slice, ...], ...]:
    """Return the parts of a snapshot: one with all small tables, and one for each range of a large table.

    An increment is one part: its window is compared as a whole with what the snapshot before took of it. One scan
    counts the days of each table that may be large.

    :param rows_per_part: a table with more rows is split.
    """
    whole = whole_tables(source)
    if plan.base is not None:
        return (whole,)
    days = {one.table: _rows_by_day(source, one.table, point) for one in whole if _can_be_split(source, one.table)}
    rows = {name: total for name, counts in days.items() if (total := sum(counts.values())) > rows_per_part}
    # A range has at least one row, and every large table at least one range.
    size = max(rows_per_part, ceil(sum(rows.values()) / max(1, MOST_PARTS - 1 - len(rows))))
    ranges = [tuple(_ranges(name, days[name], ceil(rows[name] / size))) for name in rows]
    large = {name for name, found in zip(rows, ranges, strict=True) if len(found) > 1}
    small = tuple(one for one in whole if one.table not in large)
    split_up = [(one,) for found in ranges if len(found) > 1 for one in found]
    return ((small,) if small else ()) + tuple(split_up)


def _can_be_split(source: WarehouseSource, name: str) -> bool:
    """Return whether a table's ranges can be read apart, and cost less than the table as often as there are ranges."""
    table = TABLES[name]
    if table.watermark is None or name == MARKERS or source.table(name).watermark_type is WatermarkType.OTHER:
        return False
    # How many samples of a test pass is counted over the whole table.
    return table.category is not Category.FAILED_ROWS_SAMPLE


def _rows_by_day(source: WarehouseSource, name: str, point: ConsistencyPoint) -> dict[date, int]:
    """Return how many rows of a table each day has."""
    held = source.table(name)
    watermark = quoting.column(held.columns[require_watermark(held.table)])
    relation = exp.table_(held.name, db=source.warehouse.schema, catalog=source.warehouse.database, quoted=True)
    day = exp.cast(watermark.copy(), "date")
    query = (
        exp.select(day.as_(_DAY), exp.func("count", exp.Star()).as_(_ROWS))
        .from_(relation)
        .where(watermark.copy() >= watermark_bound(earliest_watermark(held.watermark_type), held.watermark_type))
        .where(watermark.copy() <= watermark_bound(point.latest, held.watermark_type))
        .group_by(day.copy())
    )
    found: dict[date, int] = {}
    for batch in source.warehouse.stream(source.guarded(query.sql(source.warehouse.dialect))):
        for moment, rows in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            on = moment.date() if isinstance(moment, datetime) else moment
            found[on] = found.get(on, 0) + int(rows)
    return dict(sorted(found.items()))


def _ranges(name: str, days: dict[date, int], count: int) -> Iterator[Slice]:
    """Yield ranges of about as many rows each; the first has no beginning and the last no end."""
    ends = [None, *_boundaries(days, count), None]
    for since, until in pairwise(ends):
        yield Slice(name, since, until, sum(days.values()))


def _boundaries(days: dict[date, int], count: int) -> Sequence[datetime]:
    """Return the times between ranges: within a day, rows are taken to be spread evenly."""
    total, passed = sum(days.values()), 0
    found: list[datetime] = []
    for day, rows in days.items():
        while len(found) < count - 1 and (wanted := total * (len(found) + 1) / count) < passed + rows:
            share = (wanted - passed) / rows
            moment = datetime.combine(day, time.min) + timedelta(seconds=round(share * 86_400))
            if found and moment <= found[-1]:
                moment = found[-1] + timedelta(microseconds=1)
            found.append(moment)
        passed += rows
    return found
