"""Opens a snapshot as a ``Source`` over encrypted files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.arrow_values import scalar_of
from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    ObjectNotFoundError,
    PrunedMeanwhileError,
    SnapshotCorruptError,
    SnapshotOverdueError,
    UnknownTableError,
)
from airflow_provider_elementary.snapshots.anchors import require_anchor
from airflow_provider_elementary.snapshots.lookup import find_manifest
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest
from airflow_provider_elementary.snapshots.prune_record import read_records, without_expired
from airflow_provider_elementary.snapshots.read_ahead import ReadAhead
from airflow_provider_elementary.source import (
    arrow_schema,
    catalog_table,
    reader_of,
    require_watermark,
    select_columns,
)
from airflow_provider_elementary.storage.encrypted_parquet import Span, open_encrypted, rows_within
from airflow_provider_elementary.storage.file_binding import Fetch
from airflow_provider_elementary.storage.kept_files import KeptFiles
from airflow_provider_elementary.storage.keys import Purpose

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.repository import Repository


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


class SnapshotSource:
    """A snapshot as a :class:`~airflow_provider_elementary.source.Source`.

    Rows of categories that the keys do not open, or that the policy left out, are not there: a table whose rows
    belong to several categories then yields fewer rows, one whose columns do yields fewer columns. Where the snapshots
    that wrote a table's files had different columns, rows have null for what theirs lacked.

    :param repository: where the files are; a data key is unwrapped when the first file of its category is read.
    :param manifest: which files.
    :param kept: keeps small files for the next one who reads them; None where each is read once.
    """

    def __init__(self, repository: Repository, manifest: Manifest, kept: KeptFiles | None = None) -> None:
        self.manifest = manifest
        self._kept = kept
        #: dbt's name of the warehouse that it was read from; earlier manifests name the dialect alone.
        self.adapter: str | None = manifest.source.get("adapter") or manifest.source.get("dialect")
        self._repository = repository
        # Opened here, so that missing keys are reported once, and not for each table.
        self._keys = repository.keys
        self._opened: dict[Category, bytes | KeyUnavailableError] = {}
        #: What fetches the files of several tables; None where each is read by itself.
        self._ahead: ReadAhead | None = None

    @contextmanager
    def reading(self, tables: Iterable[tuple[str, Iterable[str]]]) -> Iterator[None]:
        """Fetch the files of tables that are read whole, one table after another, while earlier ones are worked on.

        :param tables: each with the columns that are read, of which the snapshot may not hold all.
        """
        read: list[FileEntry] = []
        for table, columns in tables:
            with suppress(UnknownTableError, KeyUnavailableError):
                files = self._files(table)
                read += _read_of(_by_writer(files), {*columns} & {*self.schema(table).names})
        with ReadAhead(self._fetch, read) as self._ahead:
            try:
                yield
            finally:
                self._ahead = None

    def only(self, files: Sequence[FileEntry]) -> SnapshotSource:
        """Return the same snapshot as if it consisted of these files; keys that are open stay open."""
        narrowed = SnapshotSource(self._repository, replace(self.manifest, files=tuple(files)), self._kept)
        narrowed._opened = self._opened
        return narrowed

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
        span = Span(watermark, since, until) if watermark is not None else None
        batches = self._batches(_by_writer(files), needed, span)
        schema = arrow_schema(known, wanted)
        return reader_of(schema, _project(batches, schema, watermark, since, until))

    def _batches(
        self, parts: Sequence[list[FileEntry]], needed: set[str], span: Span | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of parts of a table, while the files of the next ones are fetched."""
        shared = self._ahead
        own: AbstractContextManager[ReadAhead] = (
            ReadAhead(self._fetch, _read_of(parts, needed)) if shared is None else nullcontext(shared)
        )
        with own as ahead:
            for files in parts:
                yield from self._rows(files, needed, span, ahead.fetch_of)

    def _rows(
        self, files: list[FileEntry], needed: set[str], span: Span | None, fetch_of: Callable[[FileEntry], Fetch]
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows that one part of a snapshot has of one table, without many of those of other times."""
        if files[0].by_rows:
            return chain.from_iterable(self._open(file, needed, fetch_of, span=span) for file in files)
        covering = _covering(files, needed)
        if span is None or len(covering) == 1:
            return _side_by_side([self._open(file, needed, fetch_of, span=span) for file in covering])
        # Parts have the same rows in row groups of their own: what is passed over in one is so in all.
        rows = self._rows_within(covering[0], span)
        return _side_by_side([self._open(file, needed, fetch_of, rows=rows) for file in covering])

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
        self,
        file: FileEntry,
        needed: set[str],
        fetch_of: Callable[[FileEntry], Fetch],
        *,
        span: Span | None = None,
        rows: Sequence[range] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        # A file that has none of the columns still says how many rows there are, by its first one.
        columns = needed & set(file.columns) or set(file.columns[:1])
        data_key = self.data_key(file.category)
        yield from open_encrypted(fetch_of(file), data_key, file.key, file, columns=columns, span=span, rows=rows)

    def _rows_within(self, file: FileEntry, span: Span) -> list[range]:
        return rows_within(self._fetch(file), self.data_key(file.category), file.key, file, span)

    def _fetch(self, file: FileEntry) -> Fetch:
        def fetch(start: int, length: int) -> bytes:
            try:
                return self._repository.store.get_range(file.key, start, length)
            except ObjectNotFoundError:
                raise self._gone(file) from None

        return self._kept.fetch_of(file, fetch) if self._kept else fetch

    def _gone(self, file: FileEntry) -> ElementaryError:
        """Return why a file is gone: pruned since the snapshot was opened, or removed by nobody who may."""
        # A task listed the records before, and does not know those of meanwhile.
        records = [stored.document for stored in read_records(self._repository.reopened())]
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


def _by_writer(files: Sequence[FileEntry]) -> list[list[FileEntry]]:
    """Return the files of a table by who wrote them: those of one hold the same rows, or different ones."""
    return [list(written) for _, written in groupby(files, key=lambda file: (file.snapshot_id, file.part))]


def _read_of(parts: Sequence[list[FileEntry]], needed: set[str]) -> list[FileEntry]:
    """Return the files that are read for columns, in order."""
    return [file for files in parts for file in (files if files[0].by_rows else _covering(files, needed))]


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
    for file in tuple(chosen):
        # One that was chosen for identifying columns alone is not needed beside another.
        others = {name for other in chosen if other is not file for name in other.columns}
        if needed & set(file.columns) <= others:
            chosen.remove(file)
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
            batch = batch.filter(pc.greater_equal(batch[watermark], scalar_of(since, pa.timestamp("us"))))
        if watermark is not None and until is not None:
            batch = batch.filter(pc.less(batch[watermark], scalar_of(until, pa.timestamp("us"))))
        yield pa.RecordBatch.from_arrays([_values(batch, field) for field in schema], schema=schema)


def _values(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    return batch[field.name].cast(field.type)
