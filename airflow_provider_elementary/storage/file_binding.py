"""Binds an encrypted file to the hashes of its parts."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO

from airflow_provider_elementary.exceptions import SnapshotCorruptError

#: A file that is not larger is read whole, by one request, so that its row groups need no hashes.
WHOLE_BYTES = 8 * 1024 * 1024

#: Returns at most as many bytes of a file from a position on; fewer where the file ends.
Fetch = Callable[[int, int], bytes]


def fetch_from(file: BinaryIO) -> Fetch:
    """Return what fetches from a file that is open."""

    def fetch(start: int, length: int) -> bytes:
        file.seek(start)
        return file.read(length)

    return fetch


@dataclass(frozen=True)
class FileBinding:
    """What a signed document says of an encrypted file, so that no other bytes are taken for it.

    A reader who has the data key can make other rows under the same footer; so every byte is covered.

    :param rows: how many rows.
    :param size: bytes.
    :param sha256: of all bytes, hexadecimal.
    :param footer_size: the bytes at its end that hold the encrypted footer, its length and the format's name; 0 of a
        file of at most 8 MiB, which is always read whole.
    :param footer_sha256: of these bytes; of such a file empty.
    :param row_groups: of each row group the SHA-256 of the bytes from the end of the one before it, or from the file's
        beginning, to its own end; none of such a file.
    """

    rows: int
    size: int
    sha256: str
    footer_size: int
    footer_sha256: str
    row_groups: tuple[str, ...]


class HashingTarget(io.RawIOBase):
    """Passes the bytes of a file on, counting and hashing them by its parts.

    :param target: where they go.
    """

    def __init__(self, target: BinaryIO) -> None:
        self._target: BinaryIO | None = target
        self._whole = hashlib.sha256()
        self._part = hashlib.sha256()
        self._part_start = 0
        self._row_groups: list[str] = []
        self._size = 0

    def writable(self) -> bool:
        """Return True: the file is write-only."""
        return True

    def write(self, content: Any) -> int:
        """Pass bytes on."""
        if self._target is not None:
            self._target.write(content)
            self._whole.update(content)
            self._part.update(content)
            self._size += len(content)
        return len(content)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._size

    def end_row_group(self) -> None:
        """Note that what was written last is a whole row group."""
        self._row_groups.append(self._part.hexdigest())
        self.begin_footer()

    def begin_footer(self) -> None:
        """Note that what is written from now on is the footer, or the next row group."""
        self._part, self._part_start = hashlib.sha256(), self._size

    def binding(self, rows: int) -> FileBinding:
        """Return what is to be said of the file, once its footer is written."""
        has_parts = self._size > WHOLE_BYTES
        return FileBinding(
            rows=rows,
            size=self._size,
            sha256=self._whole.hexdigest(),
            footer_size=self._size - self._part_start if has_parts else 0,
            footer_sha256=self._part.hexdigest() if has_parts else "",
            row_groups=tuple(self._row_groups) if has_parts else (),
        )

    def abandon(self) -> None:
        """Pass nothing on from now: an encoder that is closed writes a footer, whatever happened before."""
        self._target = None


class BoundFile(io.RawIOBase):
    """An encrypted file that yields only bytes whose hashes fit its binding.

    What was checked is what is parsed: a store that answers differently the second time changes nothing. The footer is
    held, or the whole of a small file; of a larger one a row group at a time.

    :param fetch: asks the store for bytes.
    :param binding: what a proved document says of it.
    :param name: what to call it in an error.
    :raises SnapshotCorruptError: its footer, or the whole of a small file, is not what was written.
    """

    def __init__(self, fetch: Fetch, binding: FileBinding, name: str) -> None:
        self._fetch = fetch
        self._binding = binding
        self._name = name
        self._position = 0
        self._bounds: Sequence[int] = ()
        self._group: tuple[int, bytes] = (0, b"")
        if binding.row_groups:
            start = binding.size - binding.footer_size
            self._tail = (start, self._checked(start, binding.size, binding.footer_sha256))
        else:
            self._tail = (0, self._checked(0, binding.size, binding.sha256))

    @property
    def tail(self) -> bytes:
        """What was checked first: the footer, or the whole of a small file."""
        return self._tail[1]

    def set_bounds(self, starts: Sequence[int]) -> None:
        """Say at which bytes the row groups begin, as the footer that was checked has them.

        :raises SnapshotCorruptError: there are not as many as there are hashes.
        """
        if self._binding.row_groups:
            if len(starts) != len(self._binding.row_groups):
                raise self._changed()
            self._bounds = (0, *starts[1:], self._binding.size - self._binding.footer_size)

    @property
    def row_groups(self) -> list[tuple[int, int]]:
        """Where each row group begins and how many bytes it has; none of a file that is held whole."""
        return [(start, end - start) for start, end in pairwise(self._bounds)]

    def load_row_group(self, number: int) -> None:
        """Fetch and check a row group before it is read; the one before it is let go.

        :raises SnapshotCorruptError: it is not what was written.
        """
        if self._bounds:
            self._group = (0, b"")
            start, end = self._bounds[number], self._bounds[number + 1]
            self._group = (start, self._checked(start, end, self._binding.row_groups[number]))

    def readable(self) -> bool:
        """Return True: the file is read-only."""
        return True

    def seekable(self) -> bool:
        """Return True: what was checked is held."""
        return True

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position of the next read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._binding.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return bytes of the footer or of the row group that is held."""
        end = self._binding.size if size < 0 else min(self._position + size, self._binding.size)
        for start, content in (self._tail, self._group):
            if start <= self._position and end <= start + len(content):
                found = content[self._position - start : end - start]
                self._position = max(self._position, end)
                return found
        raise self._changed()

    def _checked(self, start: int, end: int, sha256: str) -> bytes:
        is_last = end == self._binding.size
        # One byte more shows whether the file is longer than it was.
        content = self._fetch(start, end - start + is_last)
        if len(content) != end - start or hashlib.sha256(content).hexdigest() != sha256:
            raise self._changed()
        return content

    def _changed(self) -> SnapshotCorruptError:
        return SnapshotCorruptError(
            f"{self._name} is not the file that was written: its size or a hash differs. "
            "Restore the object from a replica or an older version, or use another snapshot."
        )
