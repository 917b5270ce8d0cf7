"""Deduplicates rows that an earlier snapshot took, by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

DIGEST_BYTES = 16
#: A digest is compared as bytes; numpy cuts zeros at the end of both sides, so equal ones are equal.
_DIGEST = np.dtype(f"S{DIGEST_BYTES}")
_TEXT = pa.string()

Digests = npt.NDArray[np.bytes_]


class SeenRows:
    """The rows of one table that are held already, each as often as it was taken; 24 bytes a row."""

    def __init__(self) -> None:
        self._added: list[Digests] = []
        self._rows: Digests = no_digests()
        self._left: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        """Return how many rows were taken and not met again."""
        return int(self._left.sum()) + sum(map(len, self._added))

    def add(self, digests: Digests) -> None:
        """Add rows that were taken."""
        self._added.append(digests)

    def match(self, digests: Digests) -> pa.Array:
        """Return a mask of the rows that were taken before; each taken row matches once."""
        self._index()
        known = np.zeros(len(digests), dtype=bool)
        if len(self._rows):
            places = np.minimum(np.searchsorted(self._rows, digests), len(self._rows) - 1)
            met = np.flatnonzero(self._rows[places] == digests)
            # The same row may be in this batch more often than it was taken.
            order = met[np.argsort(places[met], kind="stable")]
            grouped = places[order]
            nth = np.arange(len(grouped)) - np.searchsorted(grouped, grouped)
            taken = nth < self._left[grouped]
            known[order[taken]] = True
            self._left -= np.bincount(grouped[taken], minlength=len(self._left))
        return pa.array(known)

    def _index(self) -> None:
        if self._added:
            counts = [np.repeat(self._rows, self._left), *self._added]
            self._rows, self._left = np.unique(np.concatenate(counts), return_counts=True)
            self._added = []


def row_digests(batch: pa.RecordBatch, columns: Sequence[str], key: bytes = b"") -> Digests:
    """Return a digest of each row's content.

    :param columns: the columns that count; where the batch lacks one, its values count as null.
    :param key: without it, nobody can test guesses of a row.
    """
    # Lengths keep neighbouring values apart whatever is in them.
    pieces = list(chain.from_iterable(_measured(batch, name) for name in sorted(columns)))
    if not pieces:
        return np.zeros(batch.num_rows, dtype=_DIGEST)
    rows = pc.binary_join_element_wise(*pieces, "")
    return np.frombuffer(b"".join(_hashed(rows, key)), dtype=_DIGEST)


def no_digests() -> Digests:
    """Return digests of no row."""
    return np.empty(0, dtype=_DIGEST)


def digest_of_all(digests: Digests) -> str:
    """Return one digest of rows, whatever their order."""
    return hashlib.blake2b(np.sort(digests).tobytes(), digest_size=DIGEST_BYTES).hexdigest()


def _hashed(rows: pa.StringArray, key: bytes) -> Iterator[bytes]:
    """Yield the digest of each text, hashed where it lies."""
    if not len(rows):
        return
    _, offsets, content = rows.buffers()
    text = memoryview(content) if content is not None else memoryview(b"")
    starts = np.frombuffer(offsets, dtype=np.int32)[rows.offset : rows.offset + len(rows) + 1].tolist()
    blake2b = hashlib.blake2b
    for start, end in pairwise(starts):
        yield blake2b(text[start:end], digest_size=DIGEST_BYTES, key=key).digest()


def _measured(batch: pa.RecordBatch, name: str) -> tuple[pa.Array, pa.Array]:
    if name not in batch.schema.names:
        return _constant("-", batch.num_rows), _constant("", batch.num_rows)
    text = batch[name].cast(_TEXT)
    length = pc.binary_join_element_wise(pc.binary_length(text).cast(_TEXT), ":", "")
    return pc.fill_null(length, "-"), pc.fill_null(text, "")


def _constant(value: str, rows: int) -> pa.Array:
    return pa.array(np.full(rows, value, dtype=object), _TEXT)
