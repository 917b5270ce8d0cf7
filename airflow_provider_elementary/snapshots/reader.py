"""Opens a snapshot as a ``Source`` over encrypted files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    ObjectNotFoundError,
    PrunedMeanwhileError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    SnapshotOverdueError,
    UnknownTableError,
    UnprovedError,
)
from airflow_provider_elementary.snapshots.index import candidates, newest_page, read_rows
from airflow_provider_elementary.snapshots.lists import merge, path, since
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest
from airflow_provider_elementary.snapshots.manifest_document import (
    GENERATION,
    MANIFEST,
    Generation,
    ManifestDocument,
    entries,
    manifest_of,
)
from airflow_provider_elementary.snapshots.numbers import newest_proved
from airflow_provider_elementary.snapshots.prune_record import newest_record, read_records, tombstones, without_expired
from airflow_provider_elementary.source import (
    arrow_schema,
    catalog_table,
    reader_of,
    require_watermark,
    select_columns,
)
from airflow_provider_elementary.storage.encrypted_parquet import Span, open_encrypted, rows_within
from airflow_provider_elementary.storage.file_binding import Fetch
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.layout import MANIFESTS, begun_at, generation_number, manifest_key, numbered
from airflow_provider_elementary.storage.signed_documents import Signed
from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.repository import Repository

_READERS = 8


def open_snapshot(
    repository: Repository,
    snapshot: str | datetime = "latest",
    *,
    max_age: timedelta | None = None,
    anchor: Anchor | None = None,
) -> SnapshotSource:
    """Open a snapshot for reading.

    :param repository: the store with its keys; a reader who holds those of some categories reads these.
    :param snapshot: ``latest``, a snapshot's id, or a time: the newest snapshot taken at or before it (UTC where the
        time has no zone).
    :param max_age: how old the snapshot may be.
    :param anchor: number and hash of a manifest that were recorded outside the store; the chain has to contain it.
    :raises SnapshotNotFoundError: there is no such snapshot; the message says which there are.
    :raises SnapshotOverdueError: it is older than ``max_age``.
    :raises SnapshotCorruptError: the chain does not contain the anchor.
    """
    if anchor is not None:
        require_anchor(repository, anchor)
    # Expired files are still in older manifests, which never change.
    manifest, _ = without_expired(repository, find_manifest(repository, snapshot))
    if max_age is not None and (age := datetime.now(UTC) - manifest.taken_at) > max_age:
        raise SnapshotOverdueError(
            f"Snapshot {manifest.snapshot_id} of {repository.uri} is {age} old, and at most {max_age} is accepted. "
            "Newer ones were not taken, or were removed from the store: check the sync and its anchors."
        )
    return SnapshotSource(repository, manifest)


def require_anchor(repository: Repository, anchor: Anchor) -> None:
    """Raise unless the chain contains an anchor.

    :raises SnapshotCorruptError: it ends before it, or has another manifest in its place.
    """
    if (finding := anchor_finding(repository, anchor)) is not None:
        raise SnapshotCorruptError(
            f"The snapshot chain in {repository.uri} does not contain {anchor.origin}: {finding}. Newer snapshots were "
            "removed or replaced. Restore them from a replica or older versions of the objects."
        )


def anchor_finding(repository: Repository, anchor: Anchor) -> str | None:
    """Return how the chain differs from an anchor, in words, or None where it contains it."""
    head = find_head(repository)
    if head is None or head.document.sequence < anchor.sequence:
        ends = f"ends at number {head.document.sequence}" if head else "is empty"
        return f"it {ends}, and snapshot number {anchor.sequence} was recorded"
    stones = tombstones(list(read_records(repository)))
    try:
        own: str | None = read_signed(repository, anchor.sequence).sha256
    except SnapshotNotFoundError:
        own = stones[anchor.sequence].sha256 if anchor.sequence in stones else None
    except SnapshotCorruptError:
        own = None
    if own == anchor.sha256:
        return None
    return f"manifest {anchor.sequence} has SHA-256 {own or 'unknown'} and not {anchor.sha256}"


def committed_sequences(repository: Repository) -> list[int]:
    """Return the numbers of the snapshots that a store holds, oldest first: up to the newest that is proved."""
    numbers = list(numbered(repository.store, MANIFESTS)[0])
    head = find_head(repository, numbers)
    # A snapshot that was pruned may stay, as later ones add to its list.
    pruned = tombstones(list(read_records(repository)))
    return [number for number in numbers if head and number <= head.document.sequence and number not in pruned]


def find_head(repository: Repository, numbers: Sequence[int] | None = None) -> Signed[ManifestDocument] | None:
    """Return the newest proved manifest, or None in an empty store; what outsiders put beside it is passed over.

    :param numbers: those that were found below ``manifests/``, where the caller listed them.
    :raises SnapshotCorruptError: the connection pins a store, and there is none or another one.
    """
    repository.require_pinned_store()

    def proved(number: int) -> Signed[ManifestDocument] | None:
        with suppress(UnprovedError, SnapshotNotFoundError):
            return read_signed(repository, number)
        return None

    if numbers is None:
        numbers = list(numbered(repository.store, MANIFESTS)[0])
    if not numbers:
        return None
    # The newest snapshot at the time of a prune stays, and all after it do.
    record = newest_record(repository)
    start = record.document.head.sequence if record else 1

    def known() -> int:
        row = newest_page(repository)
        return row.sequence if row is not None else start

    head = newest_proved(numbers, start, proved, known)
    return head if head is not None or start == 1 else newest_proved(numbers, 1, proved, known)


def read_signed(repository: Repository, sequence: int) -> Signed[ManifestDocument]:
    """Return the document of the manifest of that number, with its hash.

    :raises SnapshotNotFoundError: there is none.
    :raises UnprovedError: no key of the store signed it.
    :raises SnapshotCorruptError: it is not a valid one, or that of another number.
    """
    if (known := repository.read.get(sequence)) is not None:
        return known
    name = manifest_key(sequence)
    if (found := repository.documents.read(name, MANIFEST, Role.STORE, number=sequence)) is None:
        raise SnapshotNotFoundError(f"{repository.uri} holds no snapshot number {sequence}.")
    if found.document.sequence != sequence:
        raise SnapshotCorruptError(f"{name} of {repository.uri} holds snapshot number {found.document.sequence}.")
    repository.read[sequence] = found
    return found


def read_manifest(repository: Repository, sequence: int) -> Manifest:
    """Return the manifest of that number; see :func:`read_signed`."""
    return resolve(repository, read_signed(repository, sequence))


def resolve(repository: Repository, found: Signed[ManifestDocument]) -> Manifest:
    """Return the manifest that a document stores, with its whole list.

    :raises SnapshotCorruptError: its generation, or a manifest that its list adds to, is missing or not proved.
    """
    document = found.document
    generation = read_generation(repository, document)
    numbers = path(document.sequence, document.base)
    return manifest_of(document, found.sha256, generation, _list(repository, numbers, generation))


def list_before(repository: Repository, number: int, base: int, generation: Generation) -> list[FileEntry]:
    """Return the list to which that of the snapshot of a number adds; empty for a full one.

    :param base: the last full snapshot.
    """
    before = since(number, base)
    return _list(repository, path(before, base), generation) if before else []


def read_generation(repository: Repository, document: ManifestDocument) -> Generation:
    """Return what a snapshot has in common with others.

    :raises SnapshotCorruptError: it is missing, not proved or another one.
    """
    reference = document.generation
    if (known := repository.generations.get(reference.sha256)) is not None:
        return known
    number = generation_number(reference.name)
    found = repository.documents.read(reference.name, GENERATION, Role.STORE, number=number)
    if found is None or found.sha256 != reference.sha256:
        raise SnapshotCorruptError(
            f"{reference.name}, which snapshot {document.snapshot_id} names, is {'another one' if found else 'missing'}"
            f" in {repository.uri}. Restore it from a replica or an older version of the object."
        )
    repository.generations[reference.sha256] = found.document
    return found.document


def _list(repository: Repository, numbers: Sequence[int], generation: Generation) -> list[FileEntry]:
    unread = [number for number in numbers if number not in repository.read]
    try:
        if len(unread) > 1:
            with ThreadPoolExecutor(_READERS) as threads:
                list(threads.map(lambda number: read_signed(repository, number), unread))
        documents = [read_signed(repository, number).document for number in numbers]
    except SnapshotNotFoundError as error:
        raise SnapshotCorruptError(
            f"Snapshot number {numbers[-1]} adds to one that is missing: {error} Restore it from a replica or an older "
            "version of the object."
        ) from None
    return merge((entries(document, generation), document.dropped) for document in documents)


def none_found(repository: Repository) -> SnapshotNotFoundError:
    """Return the error of a store without snapshots."""
    return SnapshotNotFoundError(f"{repository.uri} holds no snapshot. Run the snapshot task first, and check the URI.")


def find_manifest(repository: Repository, snapshot: str | datetime = "latest") -> Manifest:
    """Return the manifest of a snapshot; see :func:`open_snapshot` for how to name it.

    A manifest that cannot be read is an error only where it may be the one that is meant.
    """
    numbers = list(numbered(repository.store, MANIFESTS)[0])
    if (head := find_head(repository, numbers)) is None:
        raise none_found(repository)
    if snapshot == "latest":
        return resolve(repository, head)
    newest = head.document.sequence
    # A snapshot that was pruned may stay, as later ones add to its list.
    pruned = tombstones(list(read_records(repository)))
    there = [number for number in numbers if number <= newest and number not in pruned]
    until = in_utc(snapshot) if isinstance(snapshot, datetime) else None
    begun = begun_at(snapshot) if isinstance(snapshot, str) else until
    number = _find(repository, there, newest, snapshot, begun)
    if number is not None:
        return read_manifest(repository, number)
    rows, errors = read_rows(repository, there, newest)
    more = f", and {len(errors)} manifests that cannot be read" if errors else ""
    names = [row.snapshot_id for _, row in sorted(rows.items())]
    others = f"{len(names)} others, from {names[0]} to {names[-1]}" if names else "no other"
    raise SnapshotNotFoundError(
        f"{repository.uri} holds no snapshot {snapshot}, but {others}{more}. Name one of those that "
        "`airflow-elementary snapshot list` or the Elementary page shows, latest, or a time after the oldest was taken."
    )


def _find(
    repository: Repository, there: Sequence[int], newest: int, snapshot: str | datetime, moment: datetime | None
) -> int | None:
    """Return the number of a snapshot by its id or time, reading as few pages as can be; None where there is none.

    :param moment: the time, or that of the id.
    :raises SnapshotCorruptError: a manifest that may be the one that is meant cannot be read.
    """
    for numbers in candidates(repository, there, newest, moment):
        rows, errors = read_rows(repository, numbers, newest)
        doubt: ElementaryError | None = None
        for number in sorted(numbers, reverse=True):
            if number in errors:
                doubt = errors[number]
                continue
            row = rows[number]
            if isinstance(snapshot, str):
                if row.snapshot_id == snapshot:
                    return number
            elif row.taken_at > in_utc(snapshot):
                # Whatever came before this one is older than it, and may be the one.
                doubt = None
            elif doubt is not None:
                raise doubt
            else:
                return number
    return None


class SnapshotSource:
    """A snapshot as a :class:`~airflow_provider_elementary.source.Source`.

    Rows of categories that the keys do not open, or that the policy left out, are not there: a table whose rows
    belong to several categories then yields fewer rows, one whose columns do yields fewer columns. Where the snapshots
    that wrote a table's files had different columns, rows have null for what theirs lacked.

    :param repository: where the files are; a data key is unwrapped when the first file of its category is read.
    :param manifest: which files.
    """

    def __init__(self, repository: Repository, manifest: Manifest) -> None:
        self.manifest = manifest
        #: dbt's name of the warehouse that it was read from; earlier manifests name the dialect alone.
        self.adapter: str | None = manifest.source.get("adapter") or manifest.source.get("dialect")
        self._repository = repository
        # Opened here, so that missing keys are reported once, and not for each table.
        self._keys = repository.keys
        self._opened: dict[Category, bytes | KeyUnavailableError] = {}

    def tables(self) -> list[str]:
        """Return the tables of which the keys open at least a part."""
        files = {file.table for file in self.manifest.files if self._opens(file.category)}
        return [name for name in TABLES if name in files]

    def schema(self, table: str) -> pa.Schema:
        """Return the columns that the keys open, in the catalog's order."""
        held = {column for file in self._files(table) for column in file.columns}
        known = catalog_table(table)
        return arrow_schema(known, [column.name for column in known.known_columns if column.name in held])

    def data_key(self, category: Category) -> bytes:
        """Return the data key of a category in the clear, unwrapped once.

        :raises KeyUnavailableError: the keys do not open it.
        """
        self._opens(category)
        key = self._opened[category]
        if isinstance(key, KeyUnavailableError):
            raise key
        return key

    def excluded_categories(self, table: str) -> list[Category]:
        """Return the categories of a table that the policy left out or the keys do not open."""
        readable = {file.category for file in self._files(table)}
        return [category for category in catalog_table(table).categories if category not in readable]

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pa.RecordBatchReader:
        """Stream a table's rows; see :meth:`airflow_provider_elementary.source.Source.read`."""
        known = catalog_table(table)
        wanted = select_columns(known, self.schema(table).names, columns)
        watermark = require_watermark(known) if since is not None or until is not None else None
        needed = {*wanted, watermark} if watermark is not None else {*wanted}
        files = [file for file in self._files(table) if _reaches(file, since, until)]
        by_writer = groupby(files, key=lambda file: file.snapshot_id)
        span = Span(watermark, since, until) if watermark is not None else None
        batches = chain.from_iterable(self._rows(list(written), needed, span) for _, written in by_writer)
        schema = arrow_schema(known, wanted)
        return reader_of(schema, _project(batches, schema, watermark, since, until))

    def _rows(self, files: list[FileEntry], needed: set[str], span: Span | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows that one snapshot wrote of one table, without many of those of other times."""
        if files[0].by_rows:
            return chain.from_iterable(self._open(file, needed, span=span) for file in files)
        covering = _covering(files, needed)
        if span is None or len(covering) == 1:
            return _side_by_side([self._open(file, needed, span=span) for file in covering])
        # Parts have the same rows in row groups of their own: what is passed over in one is so in all.
        rows = self._rows_within(covering[0], span)
        return _side_by_side([self._open(file, needed, rows=rows) for file in covering])

    def _files(self, table: str) -> list[FileEntry]:
        name = catalog_table(table).name
        files = [file for file in self.manifest.files if file.table == name]
        if not files:
            raise UnknownTableError(
                f"Snapshot {self.manifest.snapshot_id} does not hold {table}. It holds: {', '.join(self.tables())}. "
                "The source did not have the table, or the policy left it out."
            )
        readable = [file for file in files if self._opens(file.category)]
        if not readable:
            reason = self._opened[files[0].category]
            raise reason if isinstance(reason, KeyUnavailableError) else KeyUnavailableError(table)
        return readable

    def _opens(self, category: Category) -> bool:
        if category not in self._opened:
            try:
                self._opened[category] = self._keys.unwrap(category, self.manifest.keys[category], Purpose.SNAPSHOT)
            except KeyUnavailableError as error:
                self._opened[category] = error
        return isinstance(self._opened[category], bytes)

    def _open(
        self, file: FileEntry, needed: set[str], span: Span | None = None, rows: Sequence[range] | None = None
    ) -> Iterator[pa.RecordBatch]:
        # A file that has none of the columns still says how many rows there are, by its first one.
        columns = needed & set(file.columns) or set(file.columns[:1])
        data_key = self.data_key(file.category)
        yield from open_encrypted(self._fetch(file), data_key, file.key, file, columns=columns, span=span, rows=rows)

    def _rows_within(self, file: FileEntry, span: Span) -> list[range]:
        return rows_within(self._fetch(file), self.data_key(file.category), file.key, file, span)

    def _fetch(self, file: FileEntry) -> Fetch:
        def fetch(start: int, length: int) -> bytes:
            try:
                return self._repository.store.get_range(file.key, start, length)
            except ObjectNotFoundError:
                raise self._gone(file) from None

        return fetch

    def _gone(self, file: FileEntry) -> ElementaryError:
        """Return why a file is gone: pruned since the snapshot was opened, or removed by nobody who may."""
        records = [stored.document for stored in read_records(self._repository)]
        if any(stone.sequence == self.manifest.sequence for record in records for stone in record.snapshots) or any(
            expired.key == file.key for record in records for expired in record.expired
        ):
            return PrunedMeanwhileError(
                f"Snapshot {self.manifest.snapshot_id} of {self._repository.uri} was pruned while it was read. Open a "
                "newer one, and read again."
            )
        return SnapshotCorruptError(
            f"{file.key} of {self._repository.uri} is missing, and no prune record says that prune removed it. Restore "
            "it from a replica or an older version of the object."
        )


def _reaches(file: FileEntry, since: datetime | None, until: datetime | None) -> bool:
    """Return whether a file may hold rows of that time; rows without a watermark are of no time."""
    if since is None and until is None:
        return True
    if file.min_watermark is None or file.max_watermark is None:
        return False
    return (since is None or datetime.fromisoformat(file.max_watermark) >= since) and (
        until is None or datetime.fromisoformat(file.min_watermark) < until
    )


def _covering(files: Sequence[FileEntry], needed: set[str]) -> list[FileEntry]:
    """Return the files that hold the needed columns; identifying columns are in each, so the first one has them.

    A generation that lacks all of them still has to say how many rows it has.
    """
    chosen: list[FileEntry] = []
    missing = set(needed)
    for file in files:
        if missing & set(file.columns):
            chosen.append(file)
            missing -= set(file.columns)
    return chosen or list(files[:1])


def _side_by_side(parts: list[Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """Join parts that hold the same rows in the same order, whatever the sizes of their batches."""
    waiting: list[pa.RecordBatch | None] = [next(part, None) for part in parts]
    while all(batch is not None for batch in waiting):
        batches = [batch for batch in waiting if batch is not None]
        rows = min(batch.num_rows for batch in batches)
        merged = {name: batch.column(name).slice(0, rows) for batch in reversed(batches) for name in batch.schema.names}
        yield pa.RecordBatch.from_pydict(merged)
        waiting = [
            batch.slice(rows) if batch.num_rows > rows else next(part, None)
            for batch, part in zip(batches, parts, strict=True)
        ]


def _project(
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    watermark: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if watermark is not None and since is not None:
            batch = batch.filter(pc.greater_equal(batch[watermark], pa.scalar(since, pa.timestamp("us"))))
        if watermark is not None and until is not None:
            batch = batch.filter(pc.less(batch[watermark], pa.scalar(until, pa.timestamp("us"))))
        yield pa.RecordBatch.from_arrays([_values(batch, field) for field in schema], schema=schema)


def _values(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    return batch[field.name].cast(field.type)
