"""Fetches what is read next while what came before is decoded."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Generic, TypeVar

from airflow_provider_elementary.storage.parallel import Threads

K = TypeVar("K", bound=Hashable)

#: A store that answers sooner, as a folder does, is asked by no thread: threads cost memory, and more than they save.
FOLDER_SECONDS = 0.02


class FetchAhead(AbstractContextManager["FetchAhead[K]"], Generic[K]):
    """Fetches files or parts of one in threads, in the order in which they are expected, each once.

    :param fetch: returns the bytes of one.
    :param at_once: how many are under way or wait, each of them in memory.
    :param seconds: threads begin when one took as long; 0 for at once.
    """

    def __init__(self, fetch: Callable[[K], bytes], at_once: int, *, seconds: float = 0) -> None:
        self._fetch = fetch
        self._at_once = at_once
        self._seconds = seconds
        self._takes_long = seconds <= 0
        self._expected: deque[K] = deque()
        self._begun: dict[K, Future[bytes]] = {}
        self._threads = Threads(at_once)

    def expect(self, items: Iterable[K]) -> None:
        """Say what is read next, in order; it is fetched from the first :meth:`get` on."""
        self._expected.extend(items)

    def get(self, item: K) -> bytes:
        """Return the bytes of one, whether it is expected or not."""
        self._begin()
        if (begun := self._begun.get(item)) is not None:
            content = begun.result()
            del self._begun[item]
        else:
            if self._expected and self._expected[0] == item:
                self._expected.popleft()
            began = time.monotonic()
            content = self._fetch(item)
            self._takes_long = self._takes_long or time.monotonic() - began >= self._seconds
        self._begin()
        return content

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Fetch no more, and wait for nothing that was not asked for."""
        self._expected.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        while self._takes_long and self._expected and len(self._begun) < self._at_once:
            try:
                self._begun[self._expected[0]] = self._threads.submit(self._fetch, self._expected[0])
            except RuntimeError:  # The system gives no more threads: the rest is fetched when it is asked for.
                self._expected.clear()
            else:
                self._expected.popleft()
