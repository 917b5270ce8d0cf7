"""Numbers 128-bit hashes in the order in which they first occur."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.uint64]

_FREE = -1
#: Minimum number of slots per code: then nearly every code is found in the first slot.
_SLOTS_EACH = 4


class Numbering:
    """A hash table that is asked for many things at a time: each looks into its slot, then into the next ones.

    :ivar known: the codes of all things so far, in the order of their numbers; two columns of 64 bits.
    """

    def __init__(self) -> None:
        self.known: Codes = np.zeros((0, 2), np.uint64)
        self._slots = np.full(1024, _FREE, np.int32)

    def number(self, codes: Codes) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the number of each thing, and the rows of those that are new, each once."""
        numbers, _ = self._find(codes)
        unseen = np.flatnonzero(numbers == _FREE)
        if not len(unseen):
            return numbers, unseen
        encoded = pc.dictionary_encode(_binary(codes[unseen])).indices.to_numpy()
        _, first = np.unique(encoded, return_index=True)
        new = unseen[first]
        numbers[unseen] = len(self.known) + encoded
        self._insert(codes[new])
        return numbers, new

    def _find(self, codes: Codes) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Return the number of each thing, or :data:`_FREE`, and the slot that holds it or would."""
        slot = self._first_slot(codes)
        numbers = self._slots[slot]
        waiting = np.flatnonzero(self._is_other(numbers, codes))
        while len(waiting):
            slot[waiting] = (slot[waiting] + 1) % len(self._slots)
            numbers[waiting] = self._slots[slot[waiting]]
            waiting = waiting[self._is_other(numbers[waiting], codes[waiting])]
        return numbers, slot

    def _is_other(self, numbers: npt.NDArray[np.int32], codes: Codes) -> npt.NDArray[np.bool_]:
        """Return where a slot is taken by another code."""
        if not len(self.known):
            return np.zeros(len(numbers), bool)
        found = self.known[numbers]
        is_other = (found[:, 0] != codes[:, 0]) | (found[:, 1] != codes[:, 1])
        taken: npt.NDArray[np.bool_] = is_other & (numbers != _FREE)
        return taken

    def _insert(self, codes: Codes) -> None:
        """Give the next numbers to things that are all new and all different."""
        first = len(self.known)
        self.known = np.concatenate([self.known, codes])
        if len(self.known) * _SLOTS_EACH > len(self._slots):
            size = 1 << (len(self.known) * _SLOTS_EACH).bit_length()
            self._slots, first = np.full(size, _FREE, np.int32), 0
        waiting = np.arange(first, len(self.known), dtype=np.int32)
        while len(waiting):
            _, slot = self._find(self.known[waiting])
            # Of several that want the same slot one gets it; the others look again.
            self._slots[slot] = waiting
            waiting = waiting[self._slots[slot] != waiting]

    def _first_slot(self, codes: Codes) -> npt.NDArray[np.int64]:
        return (codes[:, 0] & np.uint64(len(self._slots) - 1)).astype(np.int64)


def _binary(codes: Codes) -> pa.Array:
    """Return codes as an array of 16 bytes each."""
    return pa.Array.from_buffers(pa.binary(16), len(codes), [None, pa.py_buffer(np.ascontiguousarray(codes))])
