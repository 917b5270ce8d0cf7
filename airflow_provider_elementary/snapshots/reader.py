"""Opens a snapshot as a ``Source`` over encrypted files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain, groupby
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    UnknownTableError,
)
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest
from airflow_provider_elementary.snapshots.prune_record import without_expired
from airflow_provider_elementary.source import (
    arrow_schema,
    catalog_table,
    reader_of,
    require_watermark,
    select_columns,
)
from airflow_provider_elementary.storage.encrypted_parquet import Span, open_encrypted, rows_within
from airflow_provider_elementary.storage.layout import MANIFESTS, manifest_key, numbered
from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository


def open_snapshot(repository: Repository, snapshot: str | datetime = "latest") -> SnapshotSource:
    """Open a snapshot for reading.

    :param repository: the store with its keys; a reader who holds those of some categories reads these.
    :param snapshot: ``latest``, a snapshot's id, or a time: the newest snapshot taken at or before it (UTC where the
        time has no zone).
    :raises SnapshotNotFoundError: there is no such snapshot; the message says which there are.
    """
    # Expired files are still in older manifests, which never change.
    manifest, _ = without_expired(repository, find_manifest(repository, snapshot))
    return SnapshotSource(repository, manifest)


def committed_sequences(repository: Repository) -> list[int]:
    """Return the sequence numbers of the snapshots that a store holds, oldest first.

    What lies among the manifests and is none is passed over; verifying names it.
    """
    return list(numbered(repository.store, MANIFESTS)[0])


def read_manifest(repository: Repository, sequence: int) -> Manifest:
    """Return the manifest of that number.

    :raises SnapshotNotFoundError: there is none.
    :raises SnapshotCorruptError: it is none, or that of another number.
    """
    if (content := repository.store.get(manifest_key(sequence))) is None:
        raise SnapshotNotFoundError(f"{repository.uri} holds no snapshot number {sequence}.")
    manifest = Manifest.from_bytes(content, manifest_key(sequence))
    if manifest.sequence != sequence:
        raise SnapshotCorruptError(
            f"{manifest_key(sequence)} of {repository.uri} holds snapshot number {manifest.sequence}. "
            "Put it back under its own name; `airflow-elementary snapshot verify` says what else "
            "is not in its place."
        )
    return manifest


def none_found(repository: Repository) -> SnapshotNotFoundError:
    """Return the error of a store without snapshots."""
    return SnapshotNotFoundError(f"{repository.uri} holds no snapshot. Run the snapshot task first, and check the URI.")


def find_manifest(repository: Repository, snapshot: str | datetime = "latest") -> Manifest:
    """Return the manifest of a snapshot; see :func:`open_snapshot` for how to name it.

    A manifest that cannot be read is an error only where it may be the one that is meant.
    """
    sequences = committed_sequences(repository)
    if not sequences:
        raise none_found(repository)
    until = in_utc(snapshot) if isinstance(snapshot, datetime) else None
    readable: list[str] = []
    doubt: SnapshotCorruptError | None = None
    for sequence in reversed(sequences):
        try:
            manifest = read_manifest(repository, sequence)
        except SnapshotCorruptError as error:
            if snapshot == "latest":
                raise
            doubt = error
            continue
        if until is not None and manifest.taken_at > until:
            # Whatever came before this one is older than it, and may be the one.
            doubt = None
        elif until is not None and doubt is not None:
            raise doubt
        elif until is not None or snapshot in ("latest", manifest.snapshot_id):
            return manifest
        readable.append(manifest.snapshot_id)
    others = f"{len(readable)} others, from {readable[-1]} to {readable[0]}" if readable else "no other"
    broken = len(sequences) - len(readable)
    more = f", and {broken} manifests that cannot be read" if broken else ""
    raise SnapshotNotFoundError(
        f"{repository.uri} holds no snapshot {snapshot}, but {others}{more}. Name one of those that "
        "`airflow-elementary snapshot list` or the Elementary page shows, latest, or a time after the oldest was taken."
    )


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
                self._opened[category] = self._repository.keys.unwrap(category, self.manifest.keys[category])
            except KeyUnavailableError as error:
                self._opened[category] = error
        return isinstance(self._opened[category], bytes)

    def _open(
        self, file: FileEntry, needed: set[str], span: Span | None = None, rows: Sequence[range] | None = None
    ) -> Iterator[pa.RecordBatch]:
        # A file that has none of the columns still says how many rows there are, by its first one.
        columns = needed & set(file.columns) or set(file.columns[:1])
        data_key = self.data_key(file.category)
        with self._repository.store.open(file.key) as source:
            yield from open_encrypted(source, data_key, file.key, columns=columns, span=span, rows=rows)

    def _rows_within(self, file: FileEntry, span: Span) -> list[range]:
        with self._repository.store.open(file.key) as source:
            return rows_within(source, self.data_key(file.category), file.key, span)


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
