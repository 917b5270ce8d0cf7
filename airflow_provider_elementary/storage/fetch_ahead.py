"""Fetches the next parts of a file while earlier ones are decoded."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType

from airflow_provider_elementary.storage.file_binding import Fetch

#: A store that answers sooner, as a folder does, is asked by no thread: threads cost memory, and more than they save.
_FOLDER_SECONDS = 0.02


class FetchAhead(AbstractContextManager["FetchAhead"]):
    """Fetches parts in threads, in the order in which they are expected, once a part has taken long.

    :param fetch: returns bytes of the file.
    :param at_once: parts that are under way or wait, each of them in memory.
    :param seconds: from which on a part takes long.
    """

    def __init__(self, fetch: Fetch, at_once: int, seconds: float = _FOLDER_SECONDS) -> None:
        self._fetch = fetch
        self._at_once = at_once
        self._seconds = seconds
        self._takes_long = False
        self._expected: deque[tuple[int, int]] = deque()
        self._begun: dict[tuple[int, int], Future[bytes]] = {}
        self._threads = ThreadPoolExecutor(at_once)

    def expect(self, parts: Iterable[tuple[int, int]]) -> None:
        """Say which parts are asked for next, each by its start and its bytes."""
        self._expected.extend(parts)
        self._begin()

    def __call__(self, start: int, length: int) -> bytes:
        """Return bytes of the file."""
        if (begun := self._begun.get((start, length))) is None:
            return self._fetched(start, length)
        content = begun.result()
        del self._begun[start, length]
        self._begin()
        return content

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Fetch no more, and wait for nothing that was not asked for."""
        self._expected.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _fetched(self, start: int, length: int) -> bytes:
        if self._expected and self._expected[0] == (start, length):
            self._expected.popleft()
        began = time.monotonic()
        content = self._fetch(start, length)
        self._takes_long = self._takes_long or time.monotonic() - began >= self._seconds
        self._begin()
        return content

    def _begin(self) -> None:
        while self._takes_long and self._expected and len(self._begun) < self._at_once:
            part = self._expected.popleft()
            self._begun[part] = self._threads.submit(self._fetch, *part)
