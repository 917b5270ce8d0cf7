"""Finds the rows of a window that the snapshot before took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import Table
from airflow_provider_elementary.exceptions import ObjectNotFoundError, SnapshotCorruptError
from airflow_provider_elementary.snapshots.capture.dedup import Digests, SeenRows, row_digests
from airflow_provider_elementary.snapshots.capture.history import ParentCorrupt
from airflow_provider_elementary.snapshots.capture.partition import Part
from airflow_provider_elementary.snapshots.capture.table_entry import reads_undated
from airflow_provider_elementary.snapshots.capture.window import (
    StoredRows,
    digest_stored,
    digests_window,
    groups_of,
    is_sample,
    limit_of,
    stored_rows,
    window_digest,
)
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.snapshots.policy import redaction
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.source import require_watermark
from airflow_provider_elementary.warehouses.values import Rejections

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.capture.table import CaptureRun


@dataclass(frozen=True)
class EarlierRows:
    """What the snapshot before holds of a table in the window that is read again.

    :param columns: the columns by whose contents rows are compared.
    :param samples: how many sampled rows of each test execution were taken.
    """

    rows: SeenRows
    columns: Sequence[str]
    samples: Counter[str]


def digests_of(run: CaptureRun, table: Table, batch: pa.RecordBatch, columns: Sequence[str]) -> Digests:
    """Return the digests of rows as they are stored, redacted."""
    return row_digests(redaction.redact(batch, table, run.policy, Exclusions(), run.hash_key), columns)


def _recognize(
    run: CaptureRun, base: SnapshotSource, table: Table, parts: Sequence[Part], columns: Sequence[str]
) -> SeenRows | None:
    """Return the rows of the window that the snapshot before took, where its digest shows that there are no others.

    No file is read for it. Rows that are new, or were changed, deleted or written late have another number or digest.

    :param columns: all that are taken.
    :return: None where the files have to be read.
    """
    before, kept = base.manifest.tables[table.name], run.point.tables[table.name].kept
    window_from = run.plan.window_from
    if before.window is None or window_from is None or kept is None or reads_undated(run.plan, run.point, table):
        return None
    met: list[pa.RecordBatch] = []
    for read in kept:
        batch = run.point.without_future(table, read, Rejections())
        met.append(batch.filter(run.point.takes(table, batch)))
    # Another number says so without a hash of each.
    if sum(batch.num_rows for batch in met) != before.rows - (before.settled_rows or 0) - (before.undated_rows or 0):
        return None
    # Where more samples of a test lie before the window, the digest is another.
    limit, stored = limit_of(run, table, Exclusions(), None), list[StoredRows]()
    for batch in met:
        for group in groups_of(parts):
            held = stored_rows(run, table, group[0], batch, Exclusions(), limit)
            stored.append(digest_stored(run.data_keys, table, group, held))
    if window_digest(stored, window_from) != before.window:
        return None
    run.tally.stored[table.name] = stored
    rows = SeenRows()
    for batch in met:
        # Those that the policy leaves out too, as they are not new.
        rows.add(digests_of(run, table, batch, columns))
    return rows


def load_earlier(run: CaptureRun, base: SnapshotSource, table: Table, parts: Sequence[Part]) -> EarlierRows:
    """Return what the snapshot before took of the window; its files are read back where its digest is another."""
    window_from = run.plan.window_from
    undated = reads_undated(run.plan, run.point, table)
    wanted = list(dict.fromkeys(name for part in parts for name in part.columns))
    if (recognized := _recognize(run, base, table, parts, wanted)) is not None:
        return EarlierRows(recognized, wanted, Counter())
    rows, samples = SeenRows(), Counter[str]()
    # Any file may hold rows without a watermark.
    of_table = [file for file in base.manifest.files if file.table == table.name]
    reaching = [file for file in of_table if undated or reaches(file, window_from)]
    # Where the files of a category expired, its columns are gone from what is read back.
    written: dict[str, set[str]] = {}
    for file in reaching:
        written.setdefault(file.snapshot_id, set()).update(file.columns)
    columns = [name for name in wanted if all(name in held for held in written.values())]
    of_samples = is_sample(table)
    stored: list[StoredRows] = []
    if columns == wanted and digests_window(run, table):
        run.tally.stored[table.name] = stored
    if of_samples:
        # Before the window, samples alone are counted; files of other rows are not read.
        others = {file.key for file in of_table if file.by_rows and file.category is not table.category}
        others -= {file.key for file in reaching}
        base = base.only([file for file in of_table if file.key not in others])
    if table.name not in base.tables():
        return EarlierRows(rows, columns, samples)
    since = window_from - run.commit_timeout if of_samples and window_from is not None else window_from
    held = [name for name in columns if name in base.schema(table.name).names]
    sample_part = next((part for part in parts if part.category is table.category), None)
    try:
        with base.read(table.name, columns=held, since=None if undated else since) as reader:
            for batch in reader:
                batch = _since(batch, table, since, undated=undated)
                if of_samples and sample_part is not None:
                    samples.update(sample_part.rows(batch)["elementary_test_results_id"].to_pylist())
                    batch = _since(batch, table, window_from, undated=undated)
                rows.add(row_digests(batch, columns))
                if batch.num_rows and table.name in run.tally.stored:
                    for group in groups_of(parts):
                        stored.append(digest_stored(run.data_keys, table, group, group[0].rows(batch)))
    except (SnapshotCorruptError, ObjectNotFoundError) as error:
        raise ParentCorrupt(str(error)) from None
    return EarlierRows(rows, columns, samples)


def _since(batch: pa.RecordBatch, table: Table, since: datetime | None, *, undated: bool) -> pa.RecordBatch:
    """Return the rows of a batch from a time on, and those without a time where asked for."""
    if since is None:
        return batch
    mask = pc.greater_equal(batch[require_watermark(table)], pa.scalar(since, pa.timestamp("us")))
    return batch.filter(pc.fill_null(mask, undated))


def reaches(file: FileEntry, since: datetime | None) -> bool:
    """Return whether a file holds rows of that time or later."""
    if file.max_watermark is None:
        return False
    return since is None or datetime.fromisoformat(file.max_watermark) >= since
