"""Runs a bounded number of requests in parallel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from itertools import islice
from typing import ParamSpec, TypeVar

#: How many requests of one task are under way at most.
READERS = 8

A = TypeVar("A")
B = TypeVar("B")
P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """Threads whose work has the context of its caller: for an answer of the page, what was listed for it."""

    def submit(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Run work in a thread."""
        return super().submit(copy_context().run, partial(work, *arguments, **named))


def in_parallel(work: Callable[[A], B], items: Iterable[A], at_once: int = READERS) -> Iterator[B]:
    """Yield what the work returns for each item, in their order; no more of them than ``at_once`` are begun or wait.

    :param work: runs in threads, and raises where its result is taken.
    """
    remaining = iter(items)
    with Threads(at_once) as threads:
        begun = deque(threads.submit(work, item) for item in islice(remaining, at_once))
        try:
            while begun:
                result = begun.popleft().result()
                begun.extend(threads.submit(work, item) for item in islice(remaining, 1))
                yield result
        finally:
            for future in begun:
                future.cancel()
