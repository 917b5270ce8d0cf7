"""Merges small files of the newest snapshot, out of the store itself."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import KeyDeletedError, SnapshotCorruptError
from airflow_provider_elementary.snapshots.capture.commit import require_files, write_manifest
from airflow_provider_elementary.snapshots.capture.dedup import row_digests
from airflow_provider_elementary.snapshots.capture.plan import newest_anchor
from airflow_provider_elementary.snapshots.lookup import find_head, none_found, require_anchor, resolve
from airflow_provider_elementary.snapshots.maintenance.mergeable import MERGED, Merge, next_merges
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest, Parent, writer_versions
from airflow_provider_elementary.snapshots.prune_record import without_expired
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.storage.encrypted_parquet import encrypted_file
from airflow_provider_elementary.storage.layout import data_file
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_ATTEMPTS = 5
_MODULUS = 1 << 128


@dataclass(frozen=True)
class CompactionReport:
    """What a compaction merged.

    :param snapshots: the ids of the compactions that were committed; none where there was too little to merge.
    :param files: the files that were merged.
    :param merged_files: the files that are in their place.
    :param rows: the rows in them.
    :param head: number and hash of the newest snapshot, where a compaction was committed.
    """

    snapshots: tuple[str, ...] = ()
    files: int = 0
    merged_files: int = 0
    rows: int = 0
    head: Parent | None = None


def compact(repository: Repository, *, anchors: Iterable[Anchor] = ()) -> CompactionReport:
    """Merge the small files of the newest snapshot, a day of rows at a time, each in a commit of its own.

    A compaction is a snapshot of kind ``compaction``: it has the rows and the time of the one before it, and other
    files. It needs the keys of all categories that it merges, and no warehouse. A row is encrypted again only out of a
    file whose whole SHA-256 is the one that was signed, and the number and an order-free hash of the rows have to be
    the same before and after. Where another snapshot is committed meanwhile, the merged files are put into its list,
    or are given up.

    :param anchors: hashes of manifests that were kept elsewhere; the chain has to contain them.
    :raises SnapshotNotFoundError: the store holds no snapshot.
    :raises SnapshotCorruptError: the chain does not contain an anchor, or a file is not what was written.
    :raises KeyUnavailableError: the key of a category is missing here. Where KMS deleted it, the category's tables stay
        as they are.
    :raises ConfigurationError: the connection has no pin or no signing key.
    """
    repository.documents.require_signer()
    given = max(anchors, key=lambda anchor: anchor.sequence, default=None)
    if (anchor := newest_anchor(repository, given)) is not None:
        require_anchor(repository, anchor)
    if (head := find_head(repository)) is None:
        raise none_found(repository)
    whole = resolve(repository, head)
    manifest, _ = without_expired(repository, whole)
    expired = {file.key for file in whole.files} - {file.key for file in manifest.files}
    report = CompactionReport()
    while True:
        source = SnapshotSource(repository, manifest)
        deleted: set[Category] = set()
        while found := _without_key(source, merges := next_merges(manifest.files, deleted)):
            deleted |= found
        if not merges or (done := _merge_all(repository, source, merges)) is None:
            return report
        committed, outputs = done
        manifest = replace(committed, files=tuple(file for file in committed.files if file.key not in expired))
        report = CompactionReport(
            snapshots=(*report.snapshots, committed.snapshot_id),
            files=report.files + sum(len(merge.files) for merge in merges),
            merged_files=report.merged_files + len(outputs),
            rows=report.rows + sum(merge.rows for merge in merges),
            head=Parent(committed.sequence, committed.sha256),
        )


def _without_key(source: SnapshotSource, merges: Sequence[Merge]) -> set[Category]:
    """Return the categories whose master key KMS deleted.

    :raises KeyUnavailableError: the key of a category is missing here.
    """
    deleted = set()
    for category in dict.fromkeys(file.category for merge in merges for file in merge.files):
        try:
            source.data_key(category)
        except KeyDeletedError as error:
            log.warning("not merging files of %s: %s", category.label, error)
            deleted.add(category)
    return deleted


def _merge_all(
    repository: Repository, source: SnapshotSource, merges: Sequence[Merge]
) -> tuple[Manifest, list[FileEntry]] | None:
    """Write the merged files and commit them; None where another snapshot no longer has what was merged."""
    snapshot_id = f"{utc_now():%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"
    outputs = [file for merge in merges for file in _merge(repository, source, merge, snapshot_id)]
    inputs = {file.key for merge in merges for file in merge.files}
    if (committed := _commit(repository, inputs, outputs, snapshot_id)) is None:
        log.info("gave up merging %s files: other snapshots were committed first", len(inputs))
        # Nobody else knows them, and nothing was committed that names them.
        repository.store.delete_many([file.key for file in outputs])
        return None
    log.info("merged %s files into %s as snapshot %s", len(inputs), len(outputs), snapshot_id)
    return committed, outputs


def _merge(repository: Repository, source: SnapshotSource, merge: Merge, snapshot_id: str) -> list[FileEntry]:
    """Write the rows of files into one file for each category, and compare the rows before and after.

    :raises SnapshotCorruptError: the merged files hold other rows.
    """
    table = TABLES[merge.table]
    before = source.only(merge.files)
    schema = before.schema(table.name)
    rows, total = 0, 0
    firsts: Mapping[Category, FileEntry] = {file.category: file for file in reversed(merge.files)}
    with ExitStack() as stack:
        targets = {}
        for category, first in firsts.items():
            target = stack.enter_context(repository.store.create(data_file(snapshot_id, table.name, category, MERGED)))
            columns = pa.schema([schema.field(name) for name in first.columns])
            file = encrypted_file(target, columns, source.data_key(category), table.required_columns)
            targets[category] = stack.enter_context(file)
        with before.read(table.name) as reader:
            for batch in reader:
                rows, total = _add(rows, total, batch)
                for category, target_file in targets.items():
                    target_file.write(batch.select(list(firsts[category].columns)))
    outputs = [
        replace(
            first,
            key=data_file(snapshot_id, table.name, category, MERGED),
            snapshot_id=snapshot_id,
            part=MERGED,
            **asdict(targets[category].binding),
            min_watermark=min(filter(None, (file.min_watermark for file in merge.files)), default=None),
            max_watermark=max(filter(None, (file.max_watermark for file in merge.files)), default=None),
        )
        for category, first in firsts.items()
    ]
    again, after = 0, 0
    with source.only(outputs).read(table.name) as reader:
        for batch in reader:
            again, after = _add(again, after, batch)
    if (again, after) != (rows, total) or rows != merge.rows:
        raise SnapshotCorruptError(
            f"Merging files of {table.name} in {repository.uri} changed its rows: {merge.rows} were listed, {rows} "
            f"read and {again} written. Nothing was committed. Run `airflow-elementary snapshot verify`."
        )
    return outputs


def _add(rows: int, total: int, batch: pa.RecordBatch) -> tuple[int, int]:
    """Return the number of rows and the sum of their digests with those of a batch."""
    digests = row_digests(batch, batch.schema.names)
    return rows + batch.num_rows, (total + sum(int.from_bytes(digest) for digest in digests)) % _MODULUS


def _commit(
    repository: Repository, inputs: set[str], outputs: Sequence[FileEntry], snapshot_id: str
) -> Manifest | None:
    """Commit a compaction after the newest snapshot; None where that one no longer lists what was merged."""
    for _ in range(_ATTEMPTS):
        if (head := find_head(repository)) is None:
            return None
        parent = resolve(repository, head)
        if not inputs <= {file.key for file in parent.files}:
            return None
        manifest = replace(
            parent,
            snapshot_id=snapshot_id,
            sequence=parent.sequence + 1,
            kind="compaction",
            run_key=snapshot_id,
            parent=Parent(parent.sequence, parent.sha256),
            tables={name: replace(table, new_rows=0) for name, table in parent.tables.items()},
            files=(*(file for file in parent.files if file.key not in inputs), *outputs),
            reason=None,
            versions=writer_versions(),
            lost_until=None,
        )
        require_files(repository, manifest)
        if (committed := write_manifest(repository, manifest, head.document)) is not None:
            return committed
    return None
