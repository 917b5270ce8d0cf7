"""Writes and reads encrypted Parquet files."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.storage.file_binding import BoundFile, Fetch, FileBinding, HashingTarget

# A row group is the unit of memory on both sides: while one is encoded, its rows exist up to five times (waiting,
# encoded, compressed, encrypted, on their way out). DuckDB opens an encrypted column chunk only if it is one data page,
# so pages have no limit of their own below the row group's.
_GROUP_ROWS = 50_000
_GROUP_BYTES = 8 * 1024 * 1024
_BUFFER_BYTES = 256 * 1024
_WRITER_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "version": "2.6",
    "data_page_version": "1.0",
    "data_page_size": 1 << 30,
    "max_rows_per_page": 1 << 30,
    "dictionary_pagesize_limit": 1 << 30,
    "store_schema": True,
}
# Values repeat if, in a sample this large, no more than this share of them is distinct.
_SAMPLE_ROWS = 10_000
_DISTINCT_SHARE = 0.5


@dataclass
class EncryptedFile:
    """One encrypted file while it is written.

    :param rows: rows written so far.
    """

    _target: HashingTarget
    _stream: pa.NativeFile
    _start: Callable[[pa.Table], pq.ParquetWriter]
    rows: int = 0
    _writer: pq.ParquetWriter | None = None
    _waiting: list[pa.RecordBatch] = field(default_factory=list)
    _waiting_rows: int = 0
    _waiting_bytes: int = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; they are encoded and encrypted a row group at a time."""
        start, row_bytes = 0, batch.nbytes / max(batch.num_rows, 1)
        while start < batch.num_rows:
            fitting = math.ceil((_GROUP_BYTES - self._waiting_bytes) / max(row_bytes, 1))
            piece = batch.slice(start, min(fitting, _GROUP_ROWS - self._waiting_rows))
            self._waiting.append(piece)
            self._waiting_rows += piece.num_rows
            self._waiting_bytes += piece.nbytes
            start += piece.num_rows
            if self._waiting_rows >= _GROUP_ROWS or self._waiting_bytes >= _GROUP_BYTES:
                self.flush()

    def finish(self, schema: pa.Schema) -> None:
        """Write the rows that still wait, and the footer."""
        self.flush()
        if self._writer is None:
            self._writer = self._start(schema.empty_table())
        self._target.begin_footer()
        self._writer.close()
        self._stream.flush()
        # Arrow's allocator would keep what row groups took; given back after each, it costs a fault for every page.
        pa.default_memory_pool().release_unused()

    @property
    def binding(self) -> FileBinding:
        """What a document has to say of the file, once it is finished."""
        return self._target.binding(self.rows)

    def abandon(self) -> None:
        """Let go of the encoder: the caller throws the bytes away, and what closing says of them adds nothing."""
        if self._writer is not None:
            with suppress(Exception):
                self._writer.close()

    def flush(self) -> None:
        """Write the rows that wait as one row group."""
        if self._waiting:
            self._encode(pa.Table.from_batches(self._waiting))
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0

    def _encode(self, group: pa.Table) -> None:
        self._writer = self._writer or self._start(group)
        self._writer.write_table(group, row_group_size=group.num_rows)
        self._stream.flush()
        self._target.end_row_group()
        self.rows += group.num_rows


@contextmanager
def encrypted_file(
    target: BinaryIO, schema: pa.Schema, key: bytes, identity: frozenset[str]
) -> Iterator[EncryptedFile]:
    """Write an encrypted Parquet file to a stream.

    :param target: where the bytes go; the caller opens and closes it.
    :param schema: the columns of the file.
    :param key: 32 bytes: the footer and all columns are encrypted with it (AES-GCM, AES-256).
    :param identity: columns whose values hardly repeat, so that a dictionary would only cost; which of the others have
        one depends on their first rows.
    """
    hashing = HashingTarget(target)
    # The encoder writes small pieces, and each would be a call into Python.
    stream = pa.BufferedOutputStream(pa.PythonFile(hashing, mode="w"), _BUFFER_BYTES)

    def start(first: pa.Table) -> pq.ParquetWriter:
        repeating = [name for name in schema.names if name not in identity and _repeats(first[name])]
        return pq.ParquetWriter(
            stream,
            schema,
            encryption_properties=pe.create_encryption_properties(key, encryption_algorithm="AES_GCM_V1"),
            use_dictionary=repeating or False,
            # Each least and greatest text costs a comparison of every value, and no range of texts is asked for.
            write_statistics=[column.name for column in schema if not pa.types.is_string(column.type)] or False,
            column_encoding={
                column.name: "DELTA_BINARY_PACKED"
                for column in schema
                if column.name not in repeating and _is_counted_up(column.type)
            },
            **_WRITER_OPTIONS,
        )

    file = EncryptedFile(hashing, stream, start)
    try:
        yield file
        file.finish(schema)
    except BaseException:
        hashing.abandon()
        file.abandon()
        raise


def _repeats(values: pa.ChunkedArray) -> bool:
    """Return whether a dictionary pays off: it costs memory and time for each distinct value."""
    sample = values.slice(0, _SAMPLE_ROWS)
    distinct: int = pc.count_distinct(sample, mode="all").as_py()
    return distinct <= len(sample) * _DISTINCT_SHARE


def _is_counted_up(kind: pa.DataType) -> bool:
    """Return whether neighbours differ by little, as times and row numbers do: then the differences are stored."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_integer(kind))


@dataclass(frozen=True)
class Span:
    """A stretch of time, by one column; without ``since`` or ``until`` it is open on that side."""

    column: str
    since: datetime | None
    until: datetime | None

    def may_hold(self, group: pq.RowGroupMetaData) -> bool:
        """Return whether a row group may have a row of that time; where it has no statistics, it may."""
        columns = (group.column(place) for place in range(group.num_columns))
        found = next((column.statistics for column in columns if column.path_in_schema == self.column), None)
        if found is None or not found.has_min_max:
            return True
        return (self.since is None or found.max >= self.since) and (self.until is None or found.min < self.until)


def open_encrypted(
    fetch: Fetch,
    key: bytes,
    name: str,
    binding: FileBinding,
    *,
    columns: Collection[str] | None = None,
    dictionaries: Collection[str] = (),
    span: Span | None = None,
    rows: Sequence[range] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an encrypted file, a row group at a time; at least one batch, which may be empty.

    Rows are yielded only from bytes that have the hashes of the binding.

    :param fetch: returns bytes of the file, as :meth:`.Store.get_range` does.
    :param key: the data key.
    :param name: what to call the file in an error.
    :param binding: what a proved document says of the file.
    :param columns: the columns to decode, of those that the file has; None for all.
    :param dictionaries: columns that are returned as dictionaries, as they are stored, of those that the file has.
    :param span: row groups without a row of that time are passed over; rows of other times may still come.
    :param rows: in place of a span, the numbers of the rows to yield, as :func:`rows_within` another part returns them.
    :raises SnapshotCorruptError: the bytes are not what was written, or the key is not the one it was written with.
    """
    with opened_encrypted(fetch, key, name, binding, dictionaries=dictionaries) as file:
        held = [name for name in file.schema.names if columns is None or name in columns]
        if rows is None:
            rows = _row_numbers(file.metadata, span)
        if not rows:
            fields = [file.schema.field(name) for name in held]
            yield pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in fields], schema=pa.schema(fields))
        for number, (start, end) in enumerate(_bounds(file.metadata)):
            wanted = [
                (max(one.start, start), min(one.stop, end)) for one in rows if one.start < end and start < one.stop
            ]
            if wanted:
                group = file.read_row_group(number, held)
                for first, stop in wanted:
                    yield from group.slice(first - start, stop - first).to_batches()


def rows_within(fetch: Fetch, key: bytes, name: str, binding: FileBinding, span: Span) -> list[range]:
    """Return the numbers of the rows among which an encrypted file has those of a time, by its statistics.

    :raises SnapshotCorruptError: as for :func:`open_encrypted`.
    """
    with opened_encrypted(fetch, key, name, binding) as file:
        return _row_numbers(file.metadata, span)


class EncryptedReader:
    """An encrypted file that is open for reading by row groups."""

    def __init__(self, bound: BoundFile, file: pq.ParquetFile, *, use_threads: bool) -> None:
        self._bound = bound
        self._file = file
        self._use_threads = use_threads
        bound.set_bounds([_start_of(file.metadata.row_group(number)) for number in range(file.num_row_groups)])

    @property
    def metadata(self) -> pq.FileMetaData:
        """What the footer says."""
        return self._file.metadata

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._file.schema_arrow

    @property
    def row_groups(self) -> list[tuple[int, int]]:
        """What is asked for, start and bytes, to read each row group; nothing of a small file, which is held whole."""
        return self._bound.row_groups

    def read_row_group(self, number: int, columns: Sequence[str]) -> pa.Table:
        """Return columns of a row group whose bytes have the hash that was bound."""
        self._bound.load_row_group(number)
        return self._file.read_row_group(number, columns=list(columns), use_threads=self._use_threads)


@contextmanager
def opened_encrypted(
    fetch: Fetch,
    key: bytes,
    name: str,
    binding: FileBinding,
    *,
    dictionaries: Collection[str] = (),
    use_threads: bool = True,
) -> Iterator[EncryptedReader]:
    """Open an encrypted file; see :func:`open_encrypted`.

    :param dictionaries: columns that are returned as dictionaries, as they are stored.
    :param use_threads: decode columns side by side; each thread of Arrow keeps some memory of its own.
    """
    try:
        bound = BoundFile(fetch, binding, name)
        decryption = pe.create_decryption_properties(key)
        # Without it, the footer is looked for in more bytes than were checked.
        metadata = pq.read_metadata(pa.BufferReader(bound.tail), decryption_properties=decryption)
        with pq.ParquetFile(
            pa.PythonFile(bound, mode="r"),
            metadata=metadata,
            decryption_properties=decryption,
            read_dictionary=[name for name in dictionaries if name in metadata.schema.names],
            pre_buffer=False,
        ) as file:
            yield EncryptedReader(bound, file, use_threads=use_threads)
    except (OSError, pa.ArrowException) as error:
        raise SnapshotCorruptError(
            f"{name} does not open with its data key ({type(error).__name__}). "
            "The file was changed or cut short; restore it from a replica, or use another snapshot."
        ) from None


def _start_of(group: pq.RowGroupMetaData) -> int:
    """Return at which byte a row group begins."""
    first = group.column(0)
    return int(first.dictionary_page_offset if first.has_dictionary_page else first.data_page_offset)


def _row_numbers(metadata: pq.FileMetaData, span: Span | None) -> list[range]:
    return [
        range(start, end)
        for number, (start, end) in enumerate(_bounds(metadata))
        if span is None or span.may_hold(metadata.row_group(number))
    ]


def _bounds(metadata: pq.FileMetaData) -> list[tuple[int, int]]:
    """Return the numbers of the first row of each row group, and of the first one after it."""
    ends = list(accumulate(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)))
    return list(zip([0, *ends], ends, strict=False))
