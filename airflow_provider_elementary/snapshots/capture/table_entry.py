"""Describes a captured table for the manifest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from airflow_provider_elementary.elementary_schema import Table
from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint
from airflow_provider_elementary.snapshots.capture.facts import TableFacts
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.capture.tally import Tally
from airflow_provider_elementary.snapshots.capture.window import window_digest
from airflow_provider_elementary.snapshots.manifest import TableEntry
from airflow_provider_elementary.times import iso, parse
from airflow_provider_elementary.warehouses.system_catalog.changes import TableChanges


def with_rows(plan: Plan, point: ConsistencyPoint, tally: Tally, table: Table, entry: TableEntry) -> TableEntry:
    """Return the entry with the rows that are taken: those before the window, and those met in it."""
    rows, waiting = tally.taken[table.name], tally.waiting[table.name]
    before = _entry_before(plan, point, table)
    if before is None:
        return replace(entry, rows=rows, new_rows=rows, waiting=waiting)
    rows += before.settled_rows or 0
    if not reads_undated(plan, point, table):
        rows += before.undated_rows or 0
    # Rows that a policy left out are not recorded one by one, so some of them may be gone without notice.
    return replace(entry, rows=rows, new_rows=max(0, rows - before.rows), waiting=waiting)


def settle(
    plan: Plan,
    point: ConsistencyPoint,
    changes: TableChanges | None,
    tally: Tally,
    table: Table,
    entry: TableEntry,
    window_from: datetime | None,
) -> TableEntry:
    """Return the entry with what the next snapshot has to find again of the rows before its window.

    :param changes: what the warehouse had counted of the table's changes.
    :param tally: of all parts.
    :param window_from: where the next snapshot reads from.
    """
    if table.watermark is None or set(entry.excluded_categories) == set(table.categories):
        return entry
    rows, oldest = tally.settled(table, window_from)
    before = _entry_before(plan, point, table)
    undated = tally.undated[table.name]
    if before is not None:
        rows += before.settled_rows or 0
        oldest = parse(before.settled_from) or oldest
        undated = undated or before.undated_rows or 0
    stored = tally.stored.get(table.name)
    window = window_digest(stored, window_from) if stored is not None and window_from is not None else None
    settled = replace(entry, settled_rows=rows, settled_from=iso(oldest), undated_rows=undated, window=window)
    return replace(settled, changes=_changes(changes, point.tables[table.name], before, settled))


def reads_undated(plan: Plan, point: ConsistencyPoint, table: Table) -> bool:
    """Return whether rows without a watermark are read again, as there are more than the snapshot before took."""
    before = _entry_before(plan, point, table)
    return before is not None and point.tables[table.name].undated_rows != (before.undated_rows or 0)


def _entry_before(plan: Plan, point: ConsistencyPoint, table: Table) -> TableEntry | None:
    """Return what the snapshot before says of a table that is read from its window on.

    Rows that the source has removed from the old end since then do not count.
    """
    if plan.base is None or table.watermark is None:
        return None
    entry, facts = plan.base.manifest.tables[table.name], point.tables[table.name]
    if facts.settled_rows is None or entry.settled_rows is None:
        return entry
    return replace(
        entry,
        rows=entry.rows - entry.settled_rows + facts.settled_rows,
        settled_rows=facts.settled_rows,
        settled_from=iso(facts.settled_from) if facts.settled_rows else None,
    )


def _changes(
    now: TableChanges | None, facts: TableFacts, before: TableEntry | None, entry: TableEntry
) -> TableChanges | None:
    """Return what the warehouse had counted, and what it must have counted since, as we saw the rows."""
    if now is None or (before is not None and facts.settled_rows is not None):
        return now
    # Sessions report late: at least the rows that we saw were inserted.
    seen, counted = entry.rows + entry.waiting, 0
    if before is not None:
        seen -= before.rows + before.waiting
        counted = before.changes.inserted if before.changes is not None else 0
    return replace(now, inserted=max(now.inserted, counted + seen))
