"""Sealing: record batches become encrypted Parquet files that plain DuckDB, pyarrow and Spark can open with the key."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

from airflow_provider_elementary.exceptions import SnapshotCorruptError

# A row group is the unit of memory on both sides. DuckDB opens an encrypted column chunk only if it is one data page,
# so pages have no limit of their own below the row group's.
_GROUP_ROWS = 100_000
_GROUP_BYTES = 48 * 1024 * 1024
_WRITER_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 1,
    "version": "2.6",
    "data_page_version": "1.0",
    "data_page_size": 1 << 30,
    "max_rows_per_page": 1 << 30,
    "dictionary_pagesize_limit": 1 << 30,
    "write_statistics": True,
    "store_schema": True,
}


@dataclass
class SealedFile:
    """One sealed file while it is written, and what the manifest says of it afterwards.

    :param rows: rows written so far.
    :param size: bytes written, once closed.
    :param sha256: of the encrypted bytes, hexadecimal, once closed.
    """

    writer: pq.ParquetWriter
    rows: int = 0
    size: int = 0
    sha256: str = ""
    _waiting: list[pa.RecordBatch] = field(default_factory=list)
    _waiting_rows: int = 0
    _waiting_bytes: int = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; they are encoded and encrypted a row group at a time."""
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, _GROUP_ROWS - self._waiting_rows)
            self._waiting.append(piece)
            self._waiting_rows += piece.num_rows
            self._waiting_bytes += piece.nbytes
            start += piece.num_rows
            if self._waiting_rows >= _GROUP_ROWS or self._waiting_bytes >= _GROUP_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write the rows that wait as one row group."""
        if self._waiting:
            group = pa.Table.from_batches(self._waiting)
            self.writer.write_table(group, row_group_size=group.num_rows)
            self.rows += group.num_rows
        self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0


@contextmanager
def sealed(target: BinaryIO, schema: pa.Schema, key: bytes, identity: frozenset[str]) -> Iterator[SealedFile]:
    """Write an encrypted Parquet file to a stream.

    :param target: where the bytes go; the caller opens and closes it.
    :param schema: the columns of the file.
    :param key: 32 bytes: the footer and all columns are encrypted with it (AES-GCM, AES-256).
    :param identity: columns whose values hardly repeat, so that a dictionary would only cost.
    """
    counted = _Counted(target)
    writer = pq.ParquetWriter(
        pa.PythonFile(counted, mode="w"),
        schema,
        encryption_properties=pe.create_encryption_properties(key, encryption_algorithm="AES_GCM_V1"),
        use_dictionary=[field.name for field in schema if field.name not in identity],
        **_WRITER_OPTIONS,
    )
    file = SealedFile(writer)
    try:
        yield file
        file.flush()
        writer.close()
    except BaseException:
        # The caller throws the bytes away; what closing says of a broken stream adds nothing.
        with suppress(Exception):
            writer.close()
        raise
    file.size, file.sha256 = counted.size, counted.digest.hexdigest()


def open_sealed(source: BinaryIO, key: bytes, name: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a sealed file, a row group at a time; at least one batch, which may be empty.

    :param source: the encrypted bytes, readable at any position.
    :param key: the data key.
    :param name: what to call the file in an error.
    :raises SnapshotCorruptError: the bytes are not what was written, or the key is not the one it was written with.
    """
    try:
        with pq.ParquetFile(
            pa.PythonFile(source, mode="r"),
            decryption_properties=pe.create_decryption_properties(key),
            pre_buffer=False,
        ) as file:
            if file.num_row_groups == 0:
                yield pa.RecordBatch.from_pylist([], schema=file.schema_arrow)
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group).to_batches()
    except (OSError, pa.ArrowException) as error:
        raise SnapshotCorruptError(
            f"Expected {name} to open with its data key, found that it does not ({type(error).__name__}). "
            "The file was changed or cut short; restore it from a replica, or use another snapshot."
        ) from None


class _Counted(io.RawIOBase):
    """Passes bytes on, counting and hashing them."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.size = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._target.write(content)
        self.digest.update(content)
        self.size += len(content)
        return len(content)

    def tell(self) -> int:
        return self.size
