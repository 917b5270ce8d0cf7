"""Compares the contents of settled days with what the snapshot before took."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from threading import Lock
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import TABLES, Table
from airflow_provider_elementary.exceptions import ConfigurationError, ObjectNotFoundError, SnapshotCorruptError
from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint
from airflow_provider_elementary.snapshots.capture.data_keys import OpenKeys
from airflow_provider_elementary.snapshots.capture.day_sums import (
    DaySums,
    Difference,
    RangeSums,
    WindowState,
    days_in_words,
    difference,
    join_ranges,
    join_windows,
)
from airflow_provider_elementary.snapshots.capture.dedup import Digests, SeenRows, row_digests
from airflow_provider_elementary.snapshots.capture.facts import TableFacts
from airflow_provider_elementary.snapshots.capture.history import (
    ParentCorrupt,
    holds_all_rows,
    is_old_end,
    new_epoch,
    with_emptied,
)
from airflow_provider_elementary.snapshots.capture.partition import parts_of
from airflow_provider_elementary.snapshots.capture.plan import Plan, is_same_place
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.snapshots.capture.window import digest_key
from airflow_provider_elementary.snapshots.policy import Policy, redaction
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions
from airflow_provider_elementary.snapshots.prune_record import newest_record, without_expired
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.source import require_watermark
from airflow_provider_elementary.storage.keys import WrappedKey
from airflow_provider_elementary.times import latest, parse
from airflow_provider_elementary.warehouses.source import WarehouseSource

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

#: What is logged where there is nothing to compare with.
_UNREADABLE = "could not compare %s with the previous snapshot, which cannot be read: %s"

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class SourceAudit:
    """Adds up rows of a source as the snapshot before holds them.

    :param base: the snapshot before, opened.
    :param until: where the rows end that it holds for good.
    :param columns: the columns whose values are stored alike, of each table that is compared; without any, rows are
        only counted.
    :param whole: the tables of which both snapshots hold every row; of others, earlier days are only counted.
    :param hash_key: the key of hashed columns.
    :param key: of the digests; the parts of a snapshot have the same one.
    """

    base: SnapshotSource
    until: datetime
    policy: Policy
    columns: Mapping[str, tuple[str, ...]]
    whole: Collection[str]
    hash_key: bytes | None
    key: bytes
    found: dict[str, DaySums] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, table: Table, taken: pa.RecordBatch) -> None:
        """Add rows of the source that are taken."""
        entry = self.base.manifest.tables.get(table.name)
        if table.name not in self.columns or entry is None or not entry.settled_rows:
            return
        is_settled = pc.less(taken[table.watermark], pa.scalar(self.until, pa.timestamp("us")))
        settled = taken.filter(pc.fill_null(is_settled, False))
        digests = self._digests(table, settled) if table.name in self.whole else None
        # Threads read ranges of one table.
        with self._lock:
            found = self.found.setdefault(table.name, DaySums())
            found.add(settled[require_watermark(table)], digests)

    def held(self, table: Table, since: datetime | None, until: datetime) -> DaySums:
        """Add up what the snapshot before holds of a span.

        :raises ParentCorrupt: it cannot be read.
        """
        columns = self.columns[table.name] if table.name in self.whole else ()
        watermark, sums = require_watermark(table), DaySums()
        try:
            with self.base.read(table.name, columns=[*{watermark, *columns}], since=since, until=until) as reader:
                for batch in reader:
                    sums.add(batch[watermark], row_digests(batch, columns, self.key) if columns else None)
        except (SnapshotCorruptError, ObjectNotFoundError) as error:
            raise ParentCorrupt(str(error)) from None
        return sums

    def range(self, source: WarehouseSource, wanted: Slice) -> RangeSums | None:
        """Return a range of which every row was added, beside what the snapshot before holds of it.

        :return: None where the snapshot before has nothing to compare it with, or what it has cannot be read.
        """
        table, entry = TABLES[wanted.table], self.base.manifest.tables.get(wanted.table)
        if entry is None or table.name not in self.columns:
            return None
        found = self.found.get(table.name, DaySums())
        begin = latest(wanted.since, parse(entry.settled_from))
        end = min(self.until, wanted.until or self.until)
        middle = found.oldest or end
        before, held = DaySums(), DaySums()
        try:
            if entry.settled_rows and (found.oldest is None or wanted.since is not None):
                before = self.held(table, begin, middle)
            if entry.settled_rows and found.oldest is not None:
                held = self.held(table, latest(middle, begin), end)
        except ParentCorrupt as damage:
            log.warning(_UNREADABLE, table.name, damage)
            return None
        return RangeSums(found, held, before, self._window(source, table, wanted))

    def sums_of(self, source: WarehouseSource, table: Table, since: datetime, until: datetime) -> DaySums:
        """Add up what the source holds of a span."""
        sums = DaySums()
        with source.read(table.name, columns=self._needed(source, table), since=since, until=until) as reader:
            for batch in reader:
                sums.add(batch[require_watermark(table)], self._digests(table, batch))
        return sums

    def _window(self, source: WarehouseSource, table: Table, wanted: Slice) -> WindowState:
        """Return what the source has of the window in a range."""
        if wanted.until is not None and wanted.until <= self.until:
            return WindowState.NONE
        columns, watermark, taken = self.columns[table.name], require_watermark(table), SeenRows()
        since, until = latest(wanted.since, self.until), wanted.until
        try:
            with self.base.read(table.name, columns=[*{watermark, *columns}], since=since, until=until) as reader:
                for batch in reader:
                    taken.add(row_digests(batch, columns, self.key))
        except (SnapshotCorruptError, ObjectNotFoundError) as error:
            log.warning(_UNREADABLE, table.name, error)
            return WindowState.UNKNOWN
        if not len(taken):
            return WindowState.NONE
        counted = tuple(source.rejections.to_list())
        with source.read(table.name, columns=self._needed(source, table), since=since, until=until) as reader:
            for batch in reader:
                taken.match(self._digests(table, batch))
        # The capture counted what is unusable in these rows.
        source.rejections.carry(table.name, counted)
        if len(taken):
            return WindowState.LOST
        identity = table.required_columns & {*source.table(table.name).columns}
        # Without its id, another row may look the same.
        return WindowState.HELD if identity <= {*columns} else WindowState.UNKNOWN

    def _needed(self, source: WarehouseSource, table: Table) -> list[str]:
        needed = {*self.columns[table.name], *redaction.policy_columns(table, self.policy), require_watermark(table)}
        return [name for name in source.table(table.name).columns if name in needed]

    def _digests(self, table: Table, rows: pa.RecordBatch) -> Digests:
        columns = self.columns[table.name]
        return row_digests(redaction.redact(rows, table, self.policy, Exclusions(), self.hash_key), columns, self.key)


def prepare_audit(
    source: WarehouseSource, repository: Repository, plan: Plan, policy: Policy, opened: OpenKeys
) -> SourceAudit | None:
    """Return how rows are compared with the snapshot before; None where that is of another source, or is damaged."""
    parent, hash_key = plan.parent, opened.of_hashes
    if parent is None or parent.consistency is None or plan.is_new_epoch or plan.damage is not None:
        return None
    until = parse(parent.consistency.window_from)
    if until is None or not is_same_place(parent, source):
        return None
    base = plan.base or SnapshotSource(repository, without_expired(repository, parent)[0])
    columns, whole, lacking = _stored_alike(base, source, policy, hash_key.wrapped if hash_key is not None else None)
    record = newest_record(repository) if lacking else None
    if record is not None and record.document.expired:
        log.warning(
            "a change in place of these is not noticed before the second full snapshot from now, as a prune removed "
            "what expired of the previous one: %s",
            "; ".join(lacking),
        )
    # Of cells of all categories: the report of a part says the sums, so who lacks one of the keys can test no guess.
    key = digest_key(b"".join(opened.of_categories[one].plaintext for one in sorted(opened.of_categories)), b"days")
    return SourceAudit(base, until, policy, columns, whole, hash_key.plaintext if hash_key is not None else None, key)


def _stored_alike(
    base: SnapshotSource, source: WarehouseSource, policy: Policy, hash_key: WrappedKey | None
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...], tuple[str, ...]]:
    """Return the columns of each table whose values are taken now as the snapshot before took them, and holds them.

    :return: these, the tables of which it holds every row too, and what it does not hold of others, in words.
    """
    columns, whole, lacking = dict[str, tuple[str, ...]](), list[str](), list[str]()
    try:
        was = Policy.from_dict(base.manifest.policy)
    except ConfigurationError as error:
        log.warning("comparing numbers of rows with the previous snapshot only, as of its policy: %s", error)
        was = None
    for name in base.tables():
        table = TABLES[name]
        if table.watermark is None or name not in source.tables():
            continue
        now, then = tuple(source.table(name).columns), base.manifest.tables[name].columns
        parts = parts_of(table, redaction.columns_taken(table, list(now), policy), policy.categories)
        if not parts:
            # Left out from now on.
            continue
        # Beside what expired, files of other categories may be left; where a category has its own rows, these are gone.
        written, rows = dict[tuple[str, str], set[str]](), Counter[tuple[str, str]]()
        for file in (file for file in base.manifest.files if file.table == name):
            writer = (file.snapshot_id, file.part)
            written.setdefault(writer, set()).update(file.columns)
            rows[writer] = file.rows + (rows[writer] if file.by_rows else 0)
        taken = {column for part in parts for column in part.columns} & {*base.schema(name).names}
        both = taken.intersection(*written.values())
        columns[name] = tuple(
            column.name
            for column in table.known_columns
            if was is not None
            and column.name in both
            and redaction.storage_rules(table, column, was, then, base.manifest.hash_key)
            == redaction.storage_rules(table, column, policy, now, hash_key)
        )
        are_there = rows.total() >= base.manifest.tables[name].rows
        if taken != both or not are_there:
            lacking.append(f"{name} ({', '.join(sorted(taken - both))})" if are_there else name)
        if was is not None and are_there and holds_all_rows(table, was) and holds_all_rows(table, policy):
            whole.append(name)
    return columns, tuple(whole), tuple(lacking)


def compare_days(audit: SourceAudit, source: WarehouseSource, plan: Plan, point: ConsistencyPoint, days: int) -> Plan:
    """Compare some settled days of each table, others in each snapshot; return the plan, or one to read everything.

    :param days: how many days of each table.
    :raises ParentCorrupt: the snapshot before cannot be read.
    """
    manifest = audit.base.manifest
    for name in audit.whole:
        oldest = parse(manifest.tables[name].settled_from)
        facts = point.tables[name]
        oldest = facts.settled_from if facts.settled_rows else oldest
        if not days or oldest is None or not manifest.tables[name].settled_rows:
            continue
        table, count = TABLES[name], (audit.until.date() - oldest.date()).days + 1
        for number in range(min(days, count)):
            day = oldest.date() + _DAY * ((manifest.sequence * days + number) % count)
            begin = max(oldest, datetime.combine(day, time.min))
            end = min(audit.until, datetime.combine(day, time.min) + _DAY)
            differs = difference(
                audit.held(table, begin, end), audit.sums_of(source, table, begin, end), holds_all=True
            )
            if differs.lost:
                return new_epoch(plan, point, f"{name}: rows of {days_in_words(differs.lost)} are gone")
            if differs.late:
                late = f"(committed late or dated back), of {days_in_words(differs.late)}"
                return plan.full(f"{name}: rows older than the overlap {late}")
            if differs.changed:
                return plan.full(f"{name}: rows of {days_in_words(differs.changed)} were changed or replaced in place")
    return plan


def read_ranges(audit: SourceAudit, source: WarehouseSource, slices: Iterable[Slice]) -> dict[str, RangeSums]:
    """Return what there is to compare of some slices of which every row was added."""
    found = {wanted.table: audit.range(source, wanted) for wanted in slices}
    return {name: sums for name, sums in found.items() if sums is not None}


def compare_full(
    plan: Plan, point: ConsistencyPoint, policy: Policy, tables: Mapping[str, Sequence[RangeSums]]
) -> Plan:
    """Return the plan of a full snapshot with what it found of the rows of the snapshot before.

    :param tables: the ranges of each table that is compared, in their order.
    """
    assert plan.parent is not None  # noqa: S101 - what tables are compared with
    entries, facts = plan.parent.tables, dict[str, TableFacts]()
    windows = {name: join_windows(ranges) for name, ranges in tables.items()}
    for name, ranges in tables.items():
        found, held = join_ranges(ranges)
        differs = difference(held, found, holds_all=holds_all_rows(TABLES[name], policy))
        if differs != Difference() or found.oldest != parse(entries[name].settled_from):
            facts[name] = TableFacts(None, found.rows.total(), found.oldest, difference=differs)
    changed = []
    consistency = plan.parent.consistency
    window_from = parse(consistency.window_from) if consistency is not None else None
    for name, of_table in (with_emptied(facts, window_from, windows.__getitem__) if window_from else facts).items():
        differs = of_table.difference or Difference()
        if differs.lost and not is_old_end(of_table, entries[name]):
            return new_epoch(plan, point, f"{name}: rows of {days_in_words(differs.lost)} are gone")
        if differs.changed:
            changed.append(f"rows of {name} of {days_in_words(differs.changed)} were changed or replaced in place")
    for name, window in windows.items():
        if window is WindowState.LOST:
            return new_epoch(plan, point, f"{name}: rows from {window_from} on are gone or were changed")
    return plan.full("; ".join(filter(None, (plan.reason, *changed))), is_new_epoch=plan.is_new_epoch)
