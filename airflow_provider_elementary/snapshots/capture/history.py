"""Compares the history of a source with the snapshot before."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlglot import exp

from airflow_provider_elementary import quoting
from airflow_provider_elementary.elementary_schema import TABLES, Category, Table
from airflow_provider_elementary.exceptions import ObjectNotFoundError, SnapshotConflictError, SnapshotCorruptError
from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint
from airflow_provider_elementary.snapshots.capture.day_sums import (
    DaySums,
    Difference,
    WindowState,
    days_in_words,
    difference,
)
from airflow_provider_elementary.snapshots.capture.facts import TableFacts, naive, read_aggregates
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.manifest import TableEntry
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.source import Source, require_watermark
from airflow_provider_elementary.times import parse
from airflow_provider_elementary.warehouses.clock import one_row
from airflow_provider_elementary.warehouses.registry import by_adapter
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.system_catalog.changes import TableChanges
from airflow_provider_elementary.warehouses.watermarks import earliest_watermark, watermark_bound
from airflow_provider_elementary.words import plural

log = logging.getLogger(__name__)

#: More rows without a time are not looked for one by one: that reads as much as a full snapshot.
_UNDATED_ROWS = 1_000_000


class ParentCorrupt(Exception):
    """A file of the snapshot before does not open."""


def look_back(
    source: WarehouseSource, plan: Plan, point: ConsistencyPoint, changes: Mapping[str, TableChanges], policy: Policy
) -> ConsistencyPoint:
    """Return the point with the settled rows of each table that may have changed; the others are not read.

    :param changes: what the warehouse counted before its tables were held.
    :raises ParentCorrupt: the snapshot before cannot be read.
    """
    if plan.base is None or plan.window_from is None:
        return point
    tables, entries = dict(point.tables), plan.base.manifest.tables
    for name, facts in point.tables.items():
        entry = entries[name]
        if entry.settled_rows is None:
            continue
        if facts.settled_rows is None:
            why = _reason_to_look(source, TABLES[name], facts, entry, changes.get(name))
            if why is None:
                continue
            log.info("%s: counting the rows before %s again, as %s", name, plan.window_from, why)
            facts = tables[name] = _settled(source, TABLES[name], facts, plan.window_from)
        if facts.settled_rows != entry.settled_rows or facts.settled_from != parse(entry.settled_from):
            found = _days(source, TABLES[name], None, plan.window_from)
            held = _held(plan.base, TABLES[name], entry, found.oldest, plan.window_from)
            is_whole = holds_all_rows(TABLES[name], policy)
            tables[name] = replace(facts, difference=difference(held, found, holds_all=is_whole))

    def window_of(name: str) -> WindowState:
        return _window(TABLES[name], tables[name], entries[name], policy)

    return replace(point, tables=with_emptied(tables, plan.window_from, window_of))


def check_history(plan: Plan, point: ConsistencyPoint) -> Plan:
    """Return the plan, or the plan to read everything where the source is not what the parent saw, grown.

    A source that removed its oldest rows, and no others, is: the snapshot keeps them until the next full one.

    :raises SnapshotConflictError: the parent saw the source later than this session does.
    """
    if plan.base is None or (before := plan.earlier) is None:
        return plan
    watermark = parse(before.watermark)
    if watermark is not None and watermark > point.latest:
        return plan.full(f"the snapshot before ends at {watermark}, ahead of the warehouse's clock")
    for name, facts in point.tables.items():
        entry = plan.base.manifest.tables[name]
        if entry.settled_rows is None:
            continue
        undated = entry.undated_rows or 0
        if facts.undated_rows < undated:
            expected = f"{plural(undated, 'row')} without a time"
            return new_epoch(plan, point, f"{name}: {expected}, found {facts.undated_rows:,}")
        if facts.undated_rows > max(undated, _UNDATED_ROWS):
            # Rows without a time are found again by their contents, all of them.
            return plan.full(f"{name}: {facts.undated_rows:,} rows without a time are too many to compare")
        if facts.settled_rows is None:
            continue
        if (facts.settled_rows, facts.settled_from) == (entry.settled_rows, parse(entry.settled_from)):
            continue
        differs = facts.difference or Difference()
        if facts.settled_rows > entry.settled_rows or (differs.late and not differs.lost):
            late = facts.settled_rows - entry.settled_rows
            days = f", of {days_in_words(differs.late)}" if differs.late else ""
            some = plural(late, "row") if late > 0 else "rows"
            how = f"(committed late or dated back){days}"
            return plan.full(f"{name}: {some} older than the overlap of {before.overlap:.0f} s {how}")
        if not is_old_end(facts, entry):
            expected = f"{plural(entry.settled_rows, 'row')} before {before.window_from}"
            found = f"{name}: {expected}, found {facts.settled_rows:,}"
            days = f"; rows of {days_in_words(differs.lost)} are gone" if differs.lost else ""
            return new_epoch(plan, point, f"{found}{days}")
        log.info("%s: the source removed its rows before %s; this snapshot keeps them", name, facts.settled_from)
    if watermark is not None and (point.watermark is None or point.watermark < watermark):
        return new_epoch(plan, point, f"the newest row is of {point.watermark} where it was of {watermark}")
    return plan


def new_epoch(plan: Plan, point: ConsistencyPoint, evidence: str) -> Plan:
    """Return the plan to read everything, as rows that the parent has are gone from the source.

    :param evidence: what was expected and found.
    :raises SnapshotConflictError: they are not gone: this session sees the source as it was before the parent's.
    """
    before = plan.parent.consistency if plan.parent is not None else None
    seen_then = parse(before.read_at) if before is not None else None
    if plan.parent is not None and seen_then is not None and point.read_at is not None and point.read_at <= seen_then:
        raise SnapshotConflictError(
            f"The warehouse's clock or data is older than snapshot {plan.parent.snapshot_id} (read at {seen_then}): "
            f"{point.read_at}. Another writer came first. Retry with a new session, and let "
            "one DAG run at a time write to a store (max_active_runs=1)."
        )
    reason = f"{plan.reason}; " if plan.reason is not None else ""
    return plan.full(f"{reason}history went back: {evidence}", is_new_epoch=True)


def is_old_end(facts: TableFacts, entry: TableEntry) -> bool:
    """Return whether the rows that are gone are the oldest ones, and all younger ones are there."""
    before = parse(entry.settled_from)
    is_later = facts.settled_from is not None and before is not None and facts.settled_from > before
    return is_later and facts.difference == Difference()


def holds_all_rows(table: Table, policy: Policy) -> bool:
    """Return whether a snapshot holds every row of a table that it took."""
    if table.category is Category.FAILED_ROWS_SAMPLE:
        return False
    # Elsewhere a category that is left out has columns, and no rows.
    if table.row_split is not None and not set(table.categories) <= set(policy.categories):
        return False
    return table.name != "data_monitoring_metrics" or not policy.dropped_metrics


def _reason_to_look(
    source: WarehouseSource,
    table: Table,
    facts: TableFacts,
    entry: TableEntry,
    changes: TableChanges | None,
) -> str | None:
    """Return why the settled rows of a table may have changed, or None; asks only what costs no scan."""
    if by_adapter(source.adapter).counts_rows_for_free:
        total = int(read_aggregates(source, table, {"total": exp.func("count", exp.Star())})["total"])
        expected = (entry.settled_rows or 0) + facts.young_rows + facts.undated_rows
        return f"it has {plural(total, 'row')} and not {expected:,}" if total != expected else None
    if changes is None or entry.changes is None:
        return None if _has_oldest_day(source, table, entry) else "its oldest rows are gone"
    before = entry.changes
    if changes.file != before.file:
        return "the table was replaced or rewritten"
    if changes.updated > before.updated:
        # No count shows which: audited days and the next full snapshot do.
        log.warning("%s: %s rows were updated in place", table.name, changes.updated - before.updated)
    visible = (entry.settled_rows or 0) + facts.young_rows - facts.ahead_rows + facts.undated_rows
    inserted = changes.inserted - before.inserted
    if inserted > visible - (entry.rows + entry.waiting):
        return f"{plural(inserted, 'row')} came in, not all of them after this time"
    if changes.deleted != before.deleted:
        return "rows were deleted"
    if inserted < 0:
        return "the counts of its changes were reset"
    return None


def _has_oldest_day(source: WarehouseSource, table: Table, entry: TableEntry) -> bool:
    """Return whether there is still a row of the oldest day, or of an earlier one."""
    if (oldest := parse(entry.settled_from)) is None:
        return True
    held, warehouse = source.table(table.name), source.warehouse
    watermark = quoting.column(held.columns[require_watermark(table)])
    relation = exp.table_(held.name, db=warehouse.schema, catalog=warehouse.database, quoted=True)
    end = datetime.combine(oldest.date(), datetime.min.time()) + timedelta(days=1)
    first = exp.select(exp.Literal.number(1).as_("one")).from_(relation)
    first = first.where(watermark < watermark_bound(end, held.watermark_type)).limit(1)
    count = exp.select(exp.func("count", exp.Star()).as_("n")).from_(first.subquery("first_row"))
    return int(one_row(source, count.sql(warehouse.dialect))["n"]) > 0


def _settled(source: WarehouseSource, table: Table, facts: TableFacts, window_from: datetime) -> TableFacts:
    kind = source.table(table.name).watermark_type
    watermark = quoting.column(source.table(table.name).columns[require_watermark(table)])
    settled = exp.and_(
        watermark.copy() >= watermark_bound(earliest_watermark(kind), kind),
        watermark.copy() < watermark_bound(window_from, kind),
    )
    aggregates = {"oldest": exp.func("min", watermark.copy()), "settled": exp.func("count", watermark.copy())}
    found = read_aggregates(source, table, aggregates, where=settled)
    # A minimum of no rows is null, and 1970 on ClickHouse.
    oldest = naive(found["oldest"]) if found["settled"] else None
    return replace(facts, settled_rows=int(found["settled"]), settled_from=oldest)


def _days(source: Source, table: Table, since: datetime | None, until: datetime) -> DaySums:
    """Count the rows of a span by day, from their watermarks alone."""
    watermark, sums = require_watermark(table), DaySums()
    with source.read(table.name, columns=[watermark], since=since, until=until) as reader:
        for batch in reader:
            sums.add(batch[watermark].drop_null())
    return sums


def _held(
    base: SnapshotSource, table: Table, entry: TableEntry, oldest: datetime | None, window_from: datetime
) -> DaySums:
    """Count what a snapshot holds of the rows that the source should still have: from its oldest row on.

    :param oldest: the source's oldest row; None where it has none, so that all rows are expected.
    """
    if table.name not in base.tables():
        return DaySums()
    since = max(filter(None, (oldest, parse(entry.settled_from))), default=None)
    try:
        return _days(base, table, since, window_from)
    except (SnapshotCorruptError, ObjectNotFoundError) as error:
        raise ParentCorrupt(str(error)) from None


def with_emptied(
    tables: Mapping[str, TableFacts], window_from: datetime, window_of: Callable[[str], WindowState]
) -> Mapping[str, TableFacts]:
    """Return the facts with tables that have no settled rows because all of them are older than what is left.

    What is left are the settled rows of other tables. Where none has any, it is the window: rows of it that were taken
    and are still there show that the tables were purged, and not made again. A table whose own window is lost, or not
    known, is not one of them.

    :param window_from: where the window begins.
    :param window_of: what a table has of the rows of the window that were taken.
    """
    emptied = {
        name: facts.difference.lost[-1]
        for name, facts in tables.items()
        if facts.settled_rows == 0 and facts.difference is not None and facts.difference.lost
    }
    windows = {name: window_of(name) for name in emptied}
    left_from = max(
        (
            facts.settled_from
            for facts in tables.values()
            if facts.difference == Difference() and facts.settled_from is not None
        ),
        default=window_from if WindowState.HELD in windows.values() else None,
    )
    found = dict(tables)
    for name, last in emptied.items():
        if windows[name] in (WindowState.LOST, WindowState.UNKNOWN):
            continue
        if windows[name] is WindowState.HELD or left_from == window_from:
            found[name] = replace(tables[name], difference=Difference(), settled_from=window_from)
        elif left_from is not None and last < left_from.date():
            found[name] = replace(tables[name], difference=Difference(), settled_from=left_from)
    return found


def _window(table: Table, facts: TableFacts, entry: TableEntry, policy: Policy) -> WindowState:
    """Return what a source may have of the window by the number of its rows; the capture compares them."""
    taken = entry.rows - (entry.settled_rows or 0) - (entry.undated_rows or 0)
    # Those that the policy excludes count too, and may be all there are.
    if not taken or not holds_all_rows(table, policy):
        return WindowState.NONE
    return WindowState.HELD if taken <= facts.young_rows else WindowState.LOST
