"""Runs a bounded number of requests in parallel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

#: How many requests of one task are under way at most.
READERS = 8

A = TypeVar("A")
B = TypeVar("B")


def in_parallel(work: Callable[[A], B], items: Iterable[A], at_once: int = READERS) -> Iterator[B]:
    """Yield what the work returns for each item, in their order; no more of them than ``at_once`` are begun or wait.

    :param work: runs in threads, and raises where its result is taken.
    """
    remaining = iter(items)
    with ThreadPoolExecutor(at_once) as threads:

        def begin(item: A) -> Future[B]:
            return threads.submit(copy_context().run, work, item)

        begun = deque(map(begin, islice(remaining, at_once)))
        try:
            while begun:
                result = begun.popleft().result()
                begun.extend(map(begin, islice(remaining, 1)))
                yield result
        finally:
            for future in begun:
                future.cancel()
