"""Captures the slices of one session, and joins what sessions captured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.snapshots.capture.audit import SourceAudit
from airflow_provider_elementary.snapshots.capture.consistency import (
    ConsistencyPoint,
    consistency_entry,
    next_window_start,
)
from airflow_provider_elementary.snapshots.capture.data_keys import OpenKeys
from airflow_provider_elementary.snapshots.capture.plan import Plan, SnapshotOptions
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.snapshots.capture.table import CaptureRun, capture_table
from airflow_provider_elementary.snapshots.capture.table_entry import settle
from airflow_provider_elementary.snapshots.capture.tally import Tally
from airflow_provider_elementary.snapshots.capture.uploads import Uploads
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest, TableEntry, writer_versions
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions, results_with_samples
from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.system_catalog.changes import TableChanges
from airflow_provider_elementary.warehouses.values import Rejections


@dataclass(frozen=True)
class Preparation:
    """What was decided before the first row of a snapshot is read; it holds for each of its parts.

    :param taken_at: the client's time, UTC without a zone.
    :param plan: what the snapshot builds upon.
    :param point: which rows it takes.
    :param source: what the manifest says of the warehouse.
    :param excluded: tables that cannot be used, with the reason.
    :param rejected: what planning could not use.
    :param changes: what the warehouse had counted of changes to its tables before they were held.
    :param audit: compares the rows of a full snapshot with the snapshot before; None where nothing can be compared.
    """

    snapshot_id: str
    taken_at: datetime
    run_key: str
    options: SnapshotOptions
    plan: Plan
    point: ConsistencyPoint
    opened: OpenKeys
    source: Mapping[str, Any]
    excluded: Mapping[str, str]
    rejected: Rejections
    changes: Mapping[str, TableChanges] = field(default_factory=dict)
    audit: SourceAudit | None = None

    @property
    def young_from(self) -> datetime | None:
        """The earliest time at which the next snapshot's window can begin, whatever this one meets."""
        options, point = self.options, self.point
        longest = max(options.overlap + point.spread_ever, options.commit_timeout + point.spread)
        return point.watermark - longest if point.watermark else None


@dataclass(frozen=True)
class Captured:
    """What sessions read and wrote of a snapshot.

    :param tables: what the manifest says of each table that they read.
    :param files: every file that these tables consist of from now on.
    """

    tables: Mapping[str, TableEntry]
    files: Sequence[FileEntry]
    tally: Tally
    exclusions: Exclusions
    rejections: Rejections


def capture_slices(
    source: WarehouseSource, store: Store, preparation: Preparation, slices: Iterable[Slice], part: str = ""
) -> Captured:
    """Read and encrypt slices one after another in one session.

    :param part: which part of the capture this is, and which attempt; empty where it is all of it.
    :raises SourceHistoryTruncated: rows that the snapshot before has are gone.
    :raises ParentCorrupt: the snapshot before cannot be read.
    """
    tables: dict[str, TableEntry] = {}
    files: list[FileEntry] = []
    with Uploads(store) as uploads:
        run = _start(source, uploads, preparation, part)
        for wanted in slices:
            tables[wanted.table], written = capture_table(run, wanted)
            files += written
    return Captured(tables, files, run.tally, run.exclusions, source.rejections)


def join(preparation: Preparation, parts: Sequence[Captured]) -> Captured:
    """Return what all parts have together, those of one table in their order."""
    tables: dict[str, TableEntry] = {}
    tally, exclusions = Tally(preparation.young_from), Exclusions()
    for part in parts:
        for name, entry in part.tables.items():
            tables[name] = _sum(tables[name], entry) if name in tables else entry
        tally.add(part.tally)
        exclusions.add(part.exclusions)
    # What planning met of a table was met again where it was read.
    rejections = Rejections()
    rejections.add(preparation.rejected)
    for name in tables:
        rejections.discard(name)
    for part in parts:
        rejections.add(part.rejections, part.tables)
    return Captured(tables, [file for part in parts for file in part.files], tally, exclusions, rejections)


def shrunken_tables(parts: Iterable[Iterable[Slice]], captured: Captured) -> list[str]:
    """Return the tables of which the ranges had fewer rows together than the table had when it was split.

    Sessions of most engines see different moments: a table that was replaced or purged between two ranges would be
    half of one and half of another. Where the new one has as many rows, that is not seen here.
    """
    # A table of which the policy takes nothing is not read.
    read = {file.table for file in captured.files}
    planned = {one.table: one.rows_of_table for part in parts for one in part if one.is_range and one.table in read}
    tally = captured.tally
    rejected = Counter[str]()
    for (table, _, _), rows in captured.rejections.rows.items():
        rejected[table] += rows
    return sorted(
        name
        for name, rows in planned.items()
        if tally.taken[name] - tally.undated[name] + tally.waiting[name] + rejected[name] < rows
    )


def describe_captured(
    preparation: Preparation, captured: Captured, protection: Mapping[str, str], access: Mapping[str, Any] | None
) -> Manifest:
    """Return the manifest of what was written; it has no place in the chain yet.

    :param protection: how the store protects objects.
    :param access: the report of the access check.
    """
    plan, point, options, opened = preparation.plan, preparation.point, preparation.options, preparation.opened
    window_from = next_window_start(point, captured.tally, options.overlap, plan.window_from)
    return Manifest(
        snapshot_id=preparation.snapshot_id,
        sequence=0,
        kind=plan.kind,
        created_at=preparation.taken_at.isoformat(),
        run_key=preparation.run_key,
        source=preparation.source,
        parent=None,
        tables={
            name: settle(plan, point, preparation.changes.get(name), captured.tally, TABLES[name], entry, window_from)
            for name, entry in captured.tables.items()
        },
        files=tuple(captured.files),
        keys={category.value: key.wrapped for category, key in opened.of_categories.items()},
        policy=options.policy.to_dict(),
        exclusions=tuple(captured.exclusions.to_list()),
        excluded=dict(preparation.excluded),
        rejected=tuple(captured.rejections.to_list()),
        access=access,
        protection=protection,
        versions=writer_versions(),
        epoch=plan.epoch,
        reason=plan.reason,
        full_at=plan.base.manifest.full_at if plan.base else preparation.taken_at.isoformat(),
        consistency=consistency_entry(
            point,
            captured.tally,
            window_from=window_from,
            overlap=options.overlap,
            commit_timeout=options.commit_timeout,
            earlier=plan.earlier,
        ),
        hash_key=opened.of_hashes.wrapped if opened.of_hashes else None,
        lost_until=plan.lost_until,
    )


def _start(source: WarehouseSource, uploads: Uploads, preparation: Preparation, part: str) -> CaptureRun:
    options, plan, point = preparation.options, preparation.plan, preparation.point
    since = point.watermark - timedelta(days=options.policy.failed_rows_days) if point.watermark else None
    if plan.window_from is not None:
        since = plan.window_from
    sampled = results_with_samples(source, options.policy, since - options.commit_timeout) if since else None
    return CaptureRun(
        source=source,
        uploads=uploads,
        policy=options.policy,
        snapshot_id=preparation.snapshot_id,
        plan=plan,
        point=point,
        commit_timeout=options.commit_timeout,
        data_keys=preparation.opened.of_categories,
        hash_key=preparation.opened.of_hashes.plaintext if preparation.opened.of_hashes else None,
        sampled_results=sampled,
        exclusions=Exclusions(),
        tally=Tally(preparation.young_from),
        rows_read=options.rows_read,
        part=part,
        audit=preparation.audit if plan.base is None else None,
    )


def _sum(entry: TableEntry, other: TableEntry) -> TableEntry:
    """Return what the manifest says of two ranges of one table."""
    return replace(
        entry,
        rows=entry.rows + other.rows,
        new_rows=entry.new_rows + other.new_rows,
        waiting=entry.waiting + other.waiting,
    )
