"""Fetches the next small files while earlier ones are decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.storage.file_binding import Fetch

#: Files that are fetched or wait at once; each has at most 8 MiB.
_AT_ONCE = 4


class ReadAhead:
    """Fetches whole files in threads, in the order in which they will be read.

    A larger file, which is read by row groups, is left to its reader.

    :param fetch_of: returns what fetches bytes of a file.
    :param files: those that will be read, in order.
    """

    def __init__(self, fetch_of: Callable[[FileEntry], Fetch], files: Sequence[FileEntry]) -> None:
        self._fetch_of = fetch_of
        small = [file for file in files if not file.row_groups]
        # A single file is fetched where it is read.
        self._waiting = deque(small if len(small) > 1 else [])
        self._begun: dict[str, Future[bytes]] = {}
        self._threads = ThreadPoolExecutor(_AT_ONCE)

    def fetch_of(self, file: FileEntry) -> Fetch:
        """Return what fetches bytes of a file: those that were fetched ahead, where they are asked for."""
        plain = self._fetch_of(file)

        def fetch(start: int, length: int) -> bytes:
            self._begin()
            future = self._begun.get(file.key)
            if future is None or (start, length) != _whole(file):
                return plain(start, length)
            content = future.result()
            del self._begun[file.key]
            self._begin()
            return content

        return fetch

    def close(self) -> None:
        """Discard what was not read, and fetch no more."""
        self._waiting.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        while self._waiting and len(self._begun) < _AT_ONCE:
            file = self._waiting.popleft()
            self._begun[file.key] = self._threads.submit(self._fetch_of(file), *_whole(file))


def _whole(file: FileEntry) -> tuple[int, int]:
    """Return how a file that is read whole is asked for: one byte more shows whether it is longer than it was."""
    return 0, file.size + 1
