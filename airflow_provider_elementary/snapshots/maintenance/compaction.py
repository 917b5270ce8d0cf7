"""Merges small files of the newest snapshot, out of the store itself."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import ElementaryError, KeyDeletedError, SnapshotCorruptError
from airflow_provider_elementary.snapshots.anchors import require_anchor
from airflow_provider_elementary.snapshots.capture.commit import require_files, write_manifest
from airflow_provider_elementary.snapshots.capture.dedup import row_digests
from airflow_provider_elementary.snapshots.capture.plan import newest_anchor, newest_head
from airflow_provider_elementary.snapshots.index import requests_of_page
from airflow_provider_elementary.snapshots.lookup import find_head, none_found, resolve_manifest
from airflow_provider_elementary.snapshots.maintenance.mergeable import MERGED, Merge, next_merges
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest, Parent, writer_versions
from airflow_provider_elementary.snapshots.prune_record import known_record, without_expired_of
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.storage.encrypted_parquet import encrypted_file, open_encrypted
from airflow_provider_elementary.storage.file_binding import WHOLE_BYTES, fetch_from
from airflow_provider_elementary.storage.layout import data_file, manifest_key
from airflow_provider_elementary.storage.signed_documents import Signed
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.manifest_document import ManifestDocument
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_ATTEMPTS = 5
#: What one run may ask of the store; the rest is left to the next one.
REQUESTS = 100
#: Of these: for the genesis, its signers, names, prune records, the generation and the commit. The manifests of the
#: list and a page of the index are added.
_BESIDES = 10


@dataclass(frozen=True)
class CompactionReport:
    """What a compaction merged.

    :param snapshots: the id of the compaction that was committed; none where there was too little to merge.
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
    """Merge small files of the newest snapshot, those of a table and day into one for each category.

    A run asks the store at most 100 times, other writers left aside; what is left over is merged by the next ones.
    A compaction is a snapshot of kind ``compaction``: it has the rows and the time of the one before it, and other
    files. It needs the keys of all categories that it merges, and no warehouse. A row is encrypted again only out of a
    file whose whole SHA-256 is the one that was signed, and the number and a hash of the rows have to be the same in
    what was written. Where another snapshot is committed meanwhile, the merged files are put into its list,
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
    if given is not None:
        # The newest snapshot is among the names from it on.
        repository.listed_after = manifest_key(given.sequence - 1)
    head = find_head(repository)
    if head is not None and not head.document.may_merge:
        # Nothing is built upon it, so that no page and no prune record has to show that it is the newest.
        if given is not None:
            require_anchor(repository, given, head)
        return CompactionReport()
    if (anchor := newest_anchor(repository, given, head)) is not None:
        head = newest_head(repository, anchor, head)
        require_anchor(repository, anchor, head)
    if head is None:
        raise none_found(repository)
    whole = resolve_manifest(repository, head)
    manifest, _ = without_expired_of(known_record(repository), whole)
    left = REQUESTS - _BESIDES - len(whole.lists) - 1 - requests_of_page(whole.sequence + 1)
    source, deleted = SnapshotSource(repository, manifest), set[Category]()
    while found := _without_key(source, merges := next_merges(manifest.files, deleted, requests=left)):
        deleted |= found
    if not merges or (done := _merge_all(repository, source, merges, head)) is None:
        return CompactionReport()
    committed, outputs = done
    return CompactionReport(
        snapshots=(committed.snapshot_id,),
        files=sum(len(merge.files) for merge in merges),
        merged_files=len(outputs),
        rows=sum(merge.rows for merge in merges),
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
    repository: Repository,
    source: SnapshotSource,
    merges: Sequence[Merge],
    head: Signed[ManifestDocument],
) -> tuple[Manifest, list[FileEntry]] | None:
    """Write the merged files and commit them; None where another snapshot no longer has what was merged."""
    snapshot_id = f"{utc_now():%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"
    written = [
        data_file(snapshot_id, merge.table, category, MERGED) for merge in merges for category in merge.categories
    ]
    inputs = {file.key for merge in merges for file in merge.files}
    try:
        outputs = [file for merge in merges for file in _merge(repository, source, merge, snapshot_id)]
    except ElementaryError:
        # Each further run would leave as many, as long as the file that is damaged is there.
        with suppress(ElementaryError):
            repository.store.delete_many(written)
        raise
    if (committed := _commit(repository, head, inputs, outputs, snapshot_id)) is None:
        log.info("gave up merging %s files: other snapshots were committed first", len(inputs))
        # Nobody else knows them, and nothing was committed that names them.
        repository.store.delete_many(written)
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
    firsts: Mapping[Category, FileEntry] = {file.category: file for file in reversed(merge.files)}
    read = {category: _Rows() for category in firsts}
    with ExitStack() as stack:
        copies: dict[Category, BinaryIO] = {}
        with ExitStack() as writing:
            targets = {}
            for category, first in firsts.items():
                name = data_file(snapshot_id, table.name, category, MERGED)
                copies[category] = copy = stack.enter_context(_spooled())
                target = _Tee(writing.enter_context(repository.store.create(name)), copy)
                columns = pa.schema([schema.field(name) for name in first.columns])
                file = encrypted_file(
                    cast(BinaryIO, target), columns, source.data_key(category), table.required_columns
                )
                targets[category] = writing.enter_context(file)
            with before.read(table.name) as reader:
                for batch in reader:
                    for category, target_file in targets.items():
                        of_category = batch.select(list(firsts[category].columns))
                        read[category].add(of_category)
                        target_file.write(of_category)
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
        for output in outputs:
            written, fetch = _Rows(), fetch_from(copies[output.category])
            for batch in open_encrypted(fetch, source.data_key(output.category), output.key, output):
                written.add(batch)
            _require_same(repository, merge, read[output.category], written)
    return outputs


class _Rows:
    """Counts rows and hashes them in their order."""

    def __init__(self) -> None:
        self.count = 0
        self.hash = hashlib.sha256()

    def add(self, batch: pa.RecordBatch) -> None:
        self.count += batch.num_rows
        self.hash.update(row_digests(batch, batch.schema.names).tobytes())


class _Tee:
    """Writes to the store, and to a copy that is read back; the copy holds only encrypted bytes."""

    def __init__(self, target: BinaryIO, copy: BinaryIO) -> None:
        self._target, self._copy = target, copy

    def write(self, content: bytes) -> int:
        self._copy.write(content)
        return self._target.write(content)


def _spooled() -> AbstractContextManager[BinaryIO]:
    return cast("AbstractContextManager[BinaryIO]", tempfile.SpooledTemporaryFile(max_size=WHOLE_BYTES))


def _require_same(repository: Repository, merge: Merge, read: _Rows, written: _Rows) -> None:
    """Raise where the merged file does not hold the rows that were read, in their order."""
    if (read.count, read.hash.digest()) != (written.count, written.hash.digest()) or read.count != merge.rows:
        raise SnapshotCorruptError(
            f"Merging files of {merge.table} in {repository.uri} changed its rows: {merge.rows} were listed, "
            f"{read.count} read and {written.count} written. Nothing was committed. Run `airflow-elementary snapshot "
            "verify`."
        )


def _commit(
    repository: Repository,
    head: Signed[ManifestDocument],
    inputs: set[str],
    outputs: Sequence[FileEntry],
    snapshot_id: str,
) -> Manifest | None:
    """Commit a compaction after the newest snapshot; None where that one no longer lists what was merged.

    :param head: the newest manifest as it was before; if there is a newer one, only the next attempt succeeds.
    """
    newest: Signed[ManifestDocument] | None = head
    for attempt in range(_ATTEMPTS):
        if attempt:
            newest = find_head(repository)
        if newest is None:
            return None
        parent = resolve_manifest(repository, newest)
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
        if (committed := write_manifest(repository, manifest, newest.document)) is not None:
            return committed
    return None
