"""Fetches the next small files while earlier ones are decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.storage.fetch_ahead import FetchAhead
from airflow_provider_elementary.storage.file_binding import Fetch
from airflow_provider_elementary.storage.parallel import READERS

#: How many files are fetched or wait at once, and how large they are together, unless four are larger.
_AT_ONCE, _FEWEST, _BYTES = READERS, 4, 32 * 2**20


class ReadAhead(AbstractContextManager["ReadAhead"]):
    """Fetches whole files in threads, in the order in which they will be read.

    A larger file, which is read by row groups, is left to its reader.

    :param fetch_of: returns what fetches bytes of a file.
    :param files: those that will be read, in order.
    """

    def __init__(self, fetch_of: Callable[[FileEntry], Fetch], files: Sequence[FileEntry]) -> None:
        self._fetch_of = fetch_of
        small = {file.key: file for file in files if not file.row_groups}
        # A single file is fetched where it is read.
        self._small = small if len(small) > 1 else {}
        largest = max((file.size for file in small.values()), default=1)
        at_once = max(_FEWEST, min(_AT_ONCE, _BYTES // max(1, largest)))
        self._ahead = FetchAhead[str](lambda key: fetch_of(small[key])(*_whole(small[key])), at_once)
        self._ahead.expect(self._small)

    def fetch_of(self, file: FileEntry) -> Fetch:
        """Return what fetches bytes of a file: those that were fetched ahead, where they are asked for."""
        plain = self._fetch_of(file)

        def fetch(start: int, length: int) -> bytes:
            if file.key in self._small and (start, length) == _whole(file):
                return self._ahead.get(file.key)
            return plain(start, length)

        return fetch

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Discard what was not read, and fetch no more."""
        self._ahead.__exit__(kind, error, trace)


def _whole(file: FileEntry) -> tuple[int, int]:
    """Return how a file that is read whole is asked for: one byte more shows whether it is longer than it was."""
    return 0, file.size + 1
