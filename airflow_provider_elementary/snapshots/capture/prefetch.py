"""Prefetches rows in a thread while earlier rows are encrypted."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread

import pyarrow as pa

from airflow_provider_elementary.timeouts import CLOSE_SECONDS

log = logging.getLogger(__name__)

_WAITING_BYTES = 1 * 1024 * 1024
# The next batch of a healthy stream arrives within it.
_END_SECONDS = 1.0


@contextmanager
def read_ahead(
    batches: Iterable[pa.RecordBatch],
    *,
    cancel: Callable[[], object] | None = None,
    waiting_bytes: int = _WAITING_BYTES,
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Iterate over batches that a thread fetches ahead; the thread has ended when the block has.

    A fetch that does not end within seconds after the block is cancelled, and abandoned if that does not help.

    Drivers and Arrow release the GIL while they work, so fetching and encrypting run in parallel.

    :param batches: read by that thread only, from inside the block; what it raises is raised to the reader in turn.
    :param cancel: ends a fetch that is under way, from another thread.
    :param waiting_bytes: the thread waits while fetched batches of this size are not taken yet.
    """
    queue = _BoundedQueue(waiting_bytes)
    thread = Thread(target=queue.fill, args=(batches,), name="read-ahead", daemon=True)
    thread.start()
    try:
        yield queue.take_all()
    finally:
        # A fetch that is under way ends first: a driver's connection must not be closed beneath it.
        queue.close()
        thread.join(_END_SECONDS)
        if thread.is_alive() and cancel is not None:
            cancel()
            thread.join(CLOSE_SECONDS)
        if thread.is_alive():
            log.warning("abandoned a fetch that does not end")


class _BoundedQueue:
    """Batches between the thread that fetches them and the one that takes them."""

    def __init__(self, waiting_bytes: int) -> None:
        self._waiting_bytes = waiting_bytes
        self._batches: deque[pa.RecordBatch] = deque()
        self._bytes = 0
        self._changed = Condition()
        self._is_complete = False
        self._is_closed = False
        self._failure: BaseException | None = None

    def fill(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Fetch until there are no more, or until nobody wants them."""
        failure: BaseException | None = None
        try:
            for batch in batches:
                if not self._put(batch):
                    break
        except BaseException as error:
            failure = error
        with self._changed:
            self._is_complete, self._failure = True, failure
            self._changed.notify_all()

    def take_all(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches in their order, then raise what fetching raised."""
        while (batch := self._take()) is not None:
            yield batch
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Make the fetching thread stop."""
        with self._changed:
            self._is_closed = True
            self._batches.clear()
            self._changed.notify_all()

    def _put(self, batch: pa.RecordBatch) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._bytes < self._waiting_bytes)
            self._batches.append(batch)
            self._bytes += batch.nbytes
            self._changed.notify_all()
            return not self._is_closed

    def _take(self) -> pa.RecordBatch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._is_complete)
            if not self._batches:
                return None
            batch = self._batches.popleft()
            self._bytes -= batch.nbytes
            self._changed.notify_all()
            return batch
