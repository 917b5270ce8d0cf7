"""Digests what the files of a snapshot hold of a window."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import Category, Table
from airflow_provider_elementary.snapshots.capture.dedup import (
    DIGEST_BYTES,
    Digests,
    digest_of_all,
    no_digests,
    row_digests,
)
from airflow_provider_elementary.snapshots.capture.partition import Part
from airflow_provider_elementary.snapshots.policy import redaction
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions, FailedRowsLimit
from airflow_provider_elementary.source import require_watermark
from airflow_provider_elementary.storage.keys import DataKey

if TYPE_CHECKING:
    from collections import Counter

    from airflow_provider_elementary.snapshots.capture.table import CaptureRun

#: The watermarks of rows, and what stands for what the files hold of each.
StoredRows = tuple[pa.Array, Digests]

_TIME = pa.timestamp("us")
_MOST_ROWS = 200_000


def groups_of(parts: Sequence[Part]) -> list[Sequence[Part]]:
    """Return the parts of a table in groups: those of one hold the same rows, those of others hold others."""
    return [[part] for part in parts] if parts[0].split is not None else [parts]


def is_sample(table: Table) -> bool:
    """Return whether the rows of a table are samples of failed rows."""
    return table.category is Category.FAILED_ROWS_SAMPLE


def limit_of(
    run: CaptureRun, table: Table, exclusions: Exclusions, passed: Counter[str] | None
) -> FailedRowsLimit | None:
    """Return the limit of a table of samples; None for other tables.

    :param passed: how many rows of each test execution earlier snapshots took.
    """
    if not is_sample(table):
        return None
    now = run.point.watermark or datetime.min + timedelta(days=run.policy.failed_rows_days)
    return FailedRowsLimit(table, run.policy, now, exclusions, passed)


def stored_rows(
    run: CaptureRun,
    table: Table,
    part: Part,
    batch: pa.RecordBatch,
    exclusions: Exclusions,
    limit: FailedRowsLimit | None,
) -> pa.RecordBatch:
    """Return the rows of a batch that the file of a part gets, as the policy lets them out."""
    rows = redaction.drop_rows(part.rows(batch), table, part.category, run.policy, exclusions, run.sampled_results)
    rows = redaction.redact(rows, table, run.policy, exclusions, run.hash_key)
    return limit.apply(rows) if limit is not None and part.category is table.category else rows


def digests_window(run: CaptureRun, table: Table) -> bool:
    """Return whether what the files hold of a window is digested while it is written.

    Whether a sample is of an excluded table may be known later only: such rows are read back.
    """
    return table.watermark is not None and not (run.sampled_results is not None and is_sample(table))


def add_to_window(
    run: CaptureRun, table: Table, group: Sequence[Part], rows: pa.RecordBatch, *, most: int = _MOST_ROWS
) -> None:
    """Digest the rows that files get and that may be of the next snapshot's window, where its digest is wanted.

    :param most: with more rows, the next snapshot reads them back.
    """
    if (stored := run.tally.stored.get(table.name)) is None or run.tally.young_from is None:
        return
    start = pa.scalar(run.tally.young_from, _TIME)
    young = rows.filter(pc.fill_null(pc.greater_equal(rows[require_watermark(table)], start), False))
    if sum(len(created) for created, _ in stored) + young.num_rows > most:
        del run.tally.stored[table.name]
    elif young.num_rows:
        stored.append(digest_stored(run.data_keys, table, group, young))


def digest_stored(
    data_keys: Mapping[Category, DataKey], table: Table, group: Sequence[Part], rows: pa.RecordBatch
) -> StoredRows:
    """Return the digests of rows that the files of a group hold."""
    return rows[require_watermark(table)], digest_cells(data_keys, group, rows, b"window")


def digest_cells(
    data_keys: Mapping[Category, DataKey], group: Sequence[Part], rows: pa.RecordBatch, purpose: bytes
) -> Digests:
    """Return a digest of each row that the files of a group hold.

    Each file's cells are digested under the key of its category alone, so that nobody can test guesses of another's.

    :param purpose: at most 16 bytes; the digests of another purpose are others.
    """
    found = [
        row_digests(rows, part.columns, digest_key(data_keys[part.category].plaintext, purpose))
        for part in sorted(group, key=lambda part: part.category)
    ]
    side_by_side = np.hstack([digests.view(np.uint8).reshape(-1, DIGEST_BYTES) for digests in found])
    return side_by_side.view(f"S{side_by_side.shape[1]}").ravel()


def window_digest(stored: Sequence[StoredRows], window_from: datetime) -> str:
    """Return the digest of the stored rows of a window; see :class:`~.manifest.TableEntry`."""
    start = pa.scalar(window_from, _TIME)
    masks = (pc.fill_null(pc.greater_equal(created, start), False) for created, _ in stored)
    found = (digests[mask.to_numpy(zero_copy_only=False)] for mask, (_, digests) in zip(masks, stored, strict=True))
    return digest_of_all(np.concatenate([no_digests(), *found]))


def digest_key(data_key: bytes, purpose: bytes) -> bytes:
    """Return the key of digests of a purpose, from which the data key cannot be computed."""
    return hashlib.blake2b(data_key, digest_size=32, person=purpose).digest()
