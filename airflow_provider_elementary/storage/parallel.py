"""Runs a bounded number of requests in parallel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

#: How many requests of one task are under way at most.
READERS = 8

A = TypeVar("A")
B = TypeVar("B")
P = ParamSpec("P")
T = TypeVar("T")


class Threads(AbstractContextManager["Threads"]):
    """A bounded number of threads, whose work has its caller's context: for an answer of the page, what was listed.

    Unlike those of an executor they keep no process from ending, and what ends a task gets through at once.

    :param at_once: how many there are at most; what is submitted beyond waits.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._threads: list[Thread] = []
        self._idle = Semaphore(0)
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def submit(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> Future[T]:
        """Run work in a thread.

        :raises RuntimeError: the system gives no thread.
        """
        future: Future[T] = Future()
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._at_once:
            self._begin_thread()
        self._waiting.put((future, partial(copy_context().run, partial(work, *arguments, **named))))
        return future

    def shutdown(self, *, wait: bool = True, cancel_futures: bool = False) -> None:
        """Take no more work.

        :param wait: until all work has ended.
        :param cancel_futures: begin none of what waits.
        """
        with suppress(Empty):
            while cancel_futures:
                if (item := self._waiting.get_nowait()) is not None:
                    item[0].cancel()
        for _ in self._threads:
            self._waiting.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for all work, unless a signal or a time-out ends the caller, whose classes are no :class:`Exception`."""
        is_ending = kind is not None and not issubclass(kind, Exception)
        self.shutdown(wait=not is_ending, cancel_futures=is_ending)

    def _begin_thread(self) -> None:
        thread = Thread(target=self._work, name="request", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            future, work = item
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            # What it returned may be large, and is the caller's.
            del item, future, work
            self._idle.release()


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
