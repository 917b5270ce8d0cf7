"""Captures one table: reads, redacts and encrypts its new rows."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import TABLES, Category, Table
from airflow_provider_elementary.progress import RowsRead
from airflow_provider_elementary.snapshots.capture import consistency
from airflow_provider_elementary.snapshots.capture.audit import SourceAudit
from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint
from airflow_provider_elementary.snapshots.capture.earlier_rows import (
    EarlierRows,
    digests_of,
    load_earlier,
    reaches,
)
from airflow_provider_elementary.snapshots.capture.partition import Part, parts_of
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.capture.prefetch import read_ahead
from airflow_provider_elementary.snapshots.capture.replaced import Contents, contents_of_source
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.snapshots.capture.table_entry import (
    reads_undated,
    with_rows,
)
from airflow_provider_elementary.snapshots.capture.tally import Tally
from airflow_provider_elementary.snapshots.capture.uploads import Uploads
from airflow_provider_elementary.snapshots.capture.window import (
    add_to_window,
    digests_window,
    groups_of,
    limit_of,
    stored_rows,
)
from airflow_provider_elementary.snapshots.manifest import FileEntry, TableEntry
from airflow_provider_elementary.snapshots.policy import Policy, redaction
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions, FailedRowsLimit
from airflow_provider_elementary.storage.encrypted_parquet import EncryptedFile, encrypted_file
from airflow_provider_elementary.storage.keys import DataKey
from airflow_provider_elementary.storage.layout import data_file
from airflow_provider_elementary.times import earliest, iso, latest
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.watermarks import Undated

log = logging.getLogger(__name__)


class SourceHistoryTruncated(Exception):
    """Rows that the snapshot before has are gone from the source."""


@dataclass(frozen=True)
class CaptureRun:
    """What stays the same while one snapshot is taken, and what is counted.

    :param uploads: where its files go; they are complete when its block has ended.
    :param plan: what it builds upon.
    :param point: which rows it takes.
    :param commit_timeout: by how much a sample may be younger than its test result.
    :param data_keys: the key of each category.
    :param hash_key: the key of hashed columns.
    :param sampled_results: the test results whose sampled rows may pass; None for all.
    :param exclusions: what the policy excluded or redacted.
    :param rows_read: called as rows are read.
    :param part: which part of the capture this is, and which attempt; it is in the names of its files.
    :param audit: compares the rows of a full snapshot with the snapshot before; None where nothing can be compared.
    """

    source: WarehouseSource
    uploads: Uploads
    policy: Policy
    snapshot_id: str
    plan: Plan
    point: ConsistencyPoint
    commit_timeout: timedelta
    data_keys: Mapping[Category, DataKey]
    hash_key: bytes | None
    sampled_results: pa.Array | None
    exclusions: Exclusions
    tally: Tally
    rows_read: RowsRead
    part: str = ""
    audit: SourceAudit | None = None


@dataclass
class _OpenPart:
    """One part of a table while its rows stream by; its file is made when it is needed."""

    part: Part
    file: EncryptedFile | None = None
    min_watermark: datetime | None = None
    max_watermark: datetime | None = None


def capture_table(run: CaptureRun, wanted: Slice) -> tuple[TableEntry, list[FileEntry]]:
    """Read and encrypt the new rows of a table or of a range of it; where nothing changed, nothing is read.

    :return: what the manifest says of the table, and every file that it consists of from now on.
    :raises SourceHistoryTruncated: rows of the window are gone.
    :raises ParentCorrupt: the snapshot before cannot be read.
    """
    table = TABLES[wanted.table]
    held = run.source.table(table.name)
    taken_columns = redaction.columns_taken(table, list(held.columns), run.policy)
    parts = parts_of(table, taken_columns, run.policy.categories)
    taken = {part.category for part in parts}
    entry = TableEntry(
        rows=0,
        unknown_columns=held.unknown,
        missing_columns=held.missing,
        excluded_categories=tuple(category for category in table.categories if category not in taken),
        columns=tuple(held.columns),
    )
    if not parts:
        log.info(
            "%s: left out, as %s is", table.name, ", ".join(category.label for category in entry.excluded_categories)
        )
        return entry, []
    base = run.plan.base
    carried = [file for file in base.manifest.files if file.table == table.name] if base else []
    if table.watermark is None:
        before = base.manifest.tables[table.name] if base and carried else None
        known = before.fingerprint if before is not None else None
        if base and before and known and contents_of_source(run, table, parts).fingerprint == known:
            run.source.rejections.carry(table.name, base.manifest.rejected)
            return replace(entry, rows=before.rows, fingerprint=known), carried
        carried = []
    started = time.monotonic()
    earlier = load_earlier(run, base, table, parts) if base and table.watermark else None
    if earlier is None and digests_window(run, table):
        run.tally.stored.setdefault(table.name, [])
    contents = Contents(table, parts, run.policy, run.data_keys) if table.watermark is None else None
    files = _capture_rows(run, wanted, parts, earlier, contents)
    if contents is not None:
        entry = replace(entry, fingerprint=contents.fingerprint)
    entry = with_rows(run.plan, run.point, run.tally, table, entry)
    _count_excluded_columns(run, table, parts, entry)
    seconds = time.monotonic() - started
    size = sum(file.size for file in files)
    rows = f"{entry.new_rows:,}"
    log.info("%s: %s new rows, %s bytes in %s files, %.1f s", wanted, rows, f"{size:,}", len(files), seconds)
    return entry, [*_still_wanted(run, table, carried), *files]


def columns_to_read(source: WarehouseSource, table: Table, policy: Policy) -> list[str]:
    """Return the columns that are read of a table: those that are taken, and those that decide about rows."""
    held = source.table(table.name).columns
    parts = parts_of(table, redaction.columns_taken(table, list(held), policy), policy.categories)
    if not parts:
        return []
    needed = {name for part in parts for name in part.columns}
    needed |= consistency.consistency_columns(table) | redaction.policy_columns(table, policy)
    return [name for name in held if name in needed]


def _capture_rows(
    run: CaptureRun, wanted: Slice, parts: Sequence[Part], earlier: EarlierRows | None, contents: Contents | None
) -> list[FileEntry]:
    table = TABLES[wanted.table]
    columns = columns_to_read(run.source, table, run.policy)
    since = run.plan.window_from if earlier is not None else wanted.since
    # Rows are filtered part by part where parts differ in rows, and once where they differ in columns.
    groups = [[_OpenPart(part) for part in group] for group in groups_of(parts)]
    open_parts = [part for group in groups for part in group]
    limit = limit_of(run, table, run.exclusions, earlier.samples if earlier else None)
    undated = wanted.undated or (Undated.NULL if reads_undated(run.plan, run.point, table) else Undated.COUNTED)
    rejections = run.source.rejections
    facts = run.point.tables.get(table.name) if earlier is not None else None
    kept = facts.kept if facts is not None else None
    if wanted.since is None:
        # What planning met of this table is met again, and counted once.
        rejections.carry(table.name, facts.rejected if facts is not None and kept is not None else ())
    with ExitStack() as stack:
        if earlier is None:
            for open_part in open_parts:
                _open(run, stack, open_part)
        if kept is not None:
            batches: Iterable[pa.RecordBatch] = kept
        else:
            reading = run.source.read(table.name, columns=columns, since=since, until=wanted.until, undated=undated)
            batches = stack.enter_context(read_ahead(stack.enter_context(reading), cancel=run.source.cancel))
        run.rows_read(table.name, 0)
        for read in batches:
            batch = run.point.without_future(table, read, rejections)
            new = _new_rows(run, table, batch, earlier)
            for group in groups:
                _add(run, stack, table, group, new, limit, contents)
            _count_excluded_rows(run, table, parts, new)
            run.rows_read(table.name, read.num_rows)
        if earlier is not None and len(earlier.rows):
            raise SourceHistoryTruncated(f"{table.name}: {len(earlier.rows)} of the rows from {since} on are gone")
    return [_file_entry(run, open_part) for open_part in open_parts if open_part.file is not None]


def _new_rows(run: CaptureRun, table: Table, batch: pa.RecordBatch, earlier: EarlierRows | None) -> pa.RecordBatch:
    """Return the rows that are taken now and that no earlier snapshot took, as the source has them."""
    included = run.point.takes(table, batch)
    if earlier is None:
        run.tally.count(run.point, table, batch, included)
        taken = batch if pc.all(included).as_py() else batch.filter(included)
        if run.audit is not None:
            run.audit.add(table, taken)
        return taken
    # Taken rows are stored redacted, so rows are compared after redaction.
    known = earlier.rows.match(digests_of(run, table, batch, earlier.columns))
    run.tally.count(run.point, table, batch, pc.or_(known, included))
    return batch.filter(pc.and_not(included, known))


def _add(
    run: CaptureRun,
    stack: ExitStack,
    table: Table,
    group: Sequence[_OpenPart],
    batch: pa.RecordBatch,
    limit: FailedRowsLimit | None,
    contents: Contents | None,
) -> None:
    rows = stored_rows(run, table, group[0].part, batch, run.exclusions, limit)
    if not rows.num_rows:
        return
    if contents is not None:
        contents.add(rows)
    add_to_window(run, table, [one.part for one in group], rows)
    for open_part in group:
        file = open_part.file or _open(run, stack, open_part)
        file.write(rows.select(list(open_part.part.columns)))
        if table.watermark is not None:
            bounds = pc.min_max(rows[table.watermark]).as_py()
            open_part.min_watermark = earliest(open_part.min_watermark, bounds["min"])
            open_part.max_watermark = latest(open_part.max_watermark, bounds["max"])


def _open(run: CaptureRun, stack: ExitStack, open_part: _OpenPart) -> EncryptedFile:
    part = open_part.part
    schema = run.source.schema(part.table)
    target = stack.enter_context(run.uploads.create(data_file(run.snapshot_id, part.table, part.category, run.part)))
    data_key = run.data_keys[part.category].plaintext
    open_part.file = stack.enter_context(
        encrypted_file(
            target,
            pa.schema([schema.field(name) for name in part.columns]),
            data_key,
            TABLES[part.table].required_columns,
        )
    )
    return open_part.file


def _still_wanted(run: CaptureRun, table: Table, carried: Sequence[FileEntry]) -> list[FileEntry]:
    """Return the files of earlier snapshots without those of samples that are all too old by now."""
    if table.category is not Category.FAILED_ROWS_SAMPLE or run.point.watermark is None:
        return list(carried)
    oldest = run.point.watermark - timedelta(days=run.policy.failed_rows_days)
    return [file for file in carried if file.category is not table.category or reaches(file, oldest)]


def _count_excluded_rows(run: CaptureRun, table: Table, parts: Sequence[Part], batch: pa.RecordBatch) -> None:
    """Count the rows of categories that are left out, where a table's rows belong to several."""
    if table.row_split is None:
        return
    taken = {part.category for part in parts}
    for part in parts_of(table, batch.schema.names, table.categories):
        if part.category not in taken:
            rule = f"category {part.category.value} out"
            run.exclusions.count_rows(rule, table, part.category, part.rows(batch).num_rows)


def _count_excluded_columns(run: CaptureRun, table: Table, parts: Sequence[Part], entry: TableEntry) -> None:
    """Count the values of columns that no part has: quarantined, dropped, or of a category that is left out."""
    taken = {name for part in parts for name in part.columns}
    for name in entry.unknown_columns:
        run.exclusions.count_values("quarantined", table, name, entry.new_rows)
    for name in entry.columns:
        column = table.column(name)
        if column is not None and name not in taken:
            rule = "dropped" if run.policy.drops(table, column) else f"category {column.category.value} out"
            run.exclusions.count_values(rule, table, name, entry.new_rows)


def _file_entry(run: CaptureRun, open_part: _OpenPart) -> FileEntry:
    part, file = open_part.part, open_part.file
    assert file is not None  # noqa: S101
    return FileEntry(
        key=data_file(run.snapshot_id, part.table, part.category, run.part),
        snapshot_id=run.snapshot_id,
        table=part.table,
        category=part.category,
        columns=part.columns,
        by_rows=part.split is not None,
        **asdict(file.binding),
        min_watermark=iso(open_part.min_watermark),
        max_watermark=iso(open_part.max_watermark),
        part=run.part,
    )
