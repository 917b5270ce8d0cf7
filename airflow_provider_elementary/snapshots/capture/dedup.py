"""Deduplicates rows that an earlier snapshot took, by their content."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_DIGEST_BYTES = 16
_TEXT = pa.string()


class SeenRows:
    """The rows of one table that are held already, each as often as it was taken."""

    def __init__(self) -> None:
        self._left: Counter[bytes] = Counter()

    def __len__(self) -> int:
        """Return how many rows were taken and not met again."""
        return self._left.total()

    def add(self, batch: pa.RecordBatch, columns: Sequence[str]) -> None:
        """Add rows that were taken."""
        self._left.update(row_digests(batch, columns))

    def match(self, batch: pa.RecordBatch, columns: Sequence[str]) -> pa.Array:
        """Return a mask of the rows of a batch that were taken before; each taken row matches once."""
        return pa.array(map(self._meet, row_digests(batch, columns)), pa.bool_())

    def _meet(self, digest: bytes) -> bool:
        if (left := self._left.get(digest, 0)) == 0:
            return False
        if left == 1:
            del self._left[digest]
        else:
            self._left[digest] = left - 1
        return True


def row_digests(batch: pa.RecordBatch, columns: Sequence[str]) -> Iterator[bytes]:
    """Yield a digest of each row's content.

    :param columns: the columns that count; where the batch lacks one, its values count as null.
    """
    if not columns:
        return iter([b""] * batch.num_rows)
    # Lengths keep neighbouring values apart whatever is in them.
    pieces = list(chain.from_iterable(_measured(batch, name) for name in sorted(columns)))
    rows = pc.binary_join_element_wise(*pieces, "").to_pylist()
    return (hashlib.blake2b(row.encode(), digest_size=_DIGEST_BYTES).digest() for row in rows)


def _measured(batch: pa.RecordBatch, name: str) -> tuple[pa.Array, pa.Array]:
    if name not in batch.schema.names:
        return _constant("-", batch.num_rows), _constant("", batch.num_rows)
    text = batch[name].cast(_TEXT)
    length = pc.binary_join_element_wise(pc.binary_length(text).cast(_TEXT), ":", "")
    return pc.fill_null(length, "-"), pc.fill_null(text, "")


def _constant(value: str, rows: int) -> pa.Array:
    return pa.array(np.full(rows, value, dtype=object), _TEXT)
