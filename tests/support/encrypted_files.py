"""Encrypted files as an adversary changes them: with the data key or without."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from airflow_provider_elementary.storage.encrypted_parquet import encrypted_file
from airflow_provider_elementary.storage.file_binding import FileBinding

KEY = bytes(range(32))
_LENGTH, _NONCE = 4, 12
#: The module types of Parquet's encryption.
_DATA_PAGE = 2


@dataclass(frozen=True)
class Chunk:
    """Where a column chunk is in its file, with the numbers of its row group and column."""

    group: int
    column: int
    start: int
    end: int


def encrypted(table: pa.Table, *, group_rows: int, key: bytes = KEY) -> tuple[bytes, FileBinding]:
    """Return a file as this package writes it, in row groups of this many rows, and its binding."""
    target = io.BytesIO()
    with encrypted_file(target, table.schema, key, frozenset(table.schema.names)) as file:
        for batch in table.to_batches(max_chunksize=group_rows):
            file.write(batch)
            file.flush()
    return target.getvalue(), file.binding


def opened(content: bytes, key: bytes = KEY) -> pq.ParquetFile:
    """Open a file as plain pyarrow does, which knows the data key alone."""
    return pq.ParquetFile(pa.BufferReader(content), decryption_properties=pe.create_decryption_properties(key))


def chunks(content: bytes, key: bytes = KEY) -> Iterator[Chunk]:
    """Yield the column chunks of a file, in their order in it."""
    metadata = opened(content, key).metadata
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            facts = metadata.row_group(group).column(column)
            start = facts.dictionary_page_offset if facts.has_dictionary_page else facts.data_page_offset
            yield Chunk(group, column, start, start + facts.total_compressed_size)


def modules(content: bytes, chunk: Chunk) -> list[tuple[int, int]]:
    """Return where the encrypted parts of a chunk are: the header of its page, and the page."""
    found, start = [], chunk.start
    while start < chunk.end:
        (length,) = struct.unpack_from("<I", content, start)
        found.append((start, start + _LENGTH + length))
        start += _LENGTH + length
    return found


def with_forged_rows(content: bytes, chunk: Chunk, key: bytes = KEY) -> bytes:
    """Change a bit of the values of a page and encrypt it again, so that the same footer fits: needs the data key."""
    start, end = modules(content, chunk)[1]
    nonce = content[start + _LENGTH : start + _LENGTH + _NONCE]
    cipher, secret = AESGCM(key), content[start + _LENGTH + _NONCE : end]
    suffix = struct.pack("<BHHH", _DATA_PAGE, chunk.group, chunk.column, 0)
    for unique in _aad_candidates(content):
        try:
            page = bytearray(cipher.decrypt(nonce, secret, unique + suffix))
        except InvalidTag:
            continue
        page[len(page) // 2] ^= 1
        forged = cipher.encrypt(nonce, bytes(page), unique + suffix)
        return content[: start + _LENGTH + _NONCE] + forged + content[end:]
    raise AssertionError("the file's own part of the additional data was not found")


def _aad_candidates(content: bytes) -> Iterator[bytes]:
    """Yield what may be the eight bytes that are the file's own, which its footer begins with in the clear."""
    (length,) = struct.unpack("<I", content[-8:-4])
    footer = content[-8 - length :]
    for start in range(64):
        yield footer[start : start + 8]
