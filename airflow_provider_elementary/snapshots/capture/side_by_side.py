"""Captures the parts of a snapshot in threads with own sessions."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from queue import Empty, Queue
from threading import Event, Lock, Thread

from airflow_provider_elementary.exceptions import TableReplacedError
from airflow_provider_elementary.snapshots.capture.collect import Captured, Preparation, capture_slices
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.timeouts import CLOSE_SECONDS
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.system_catalog.identity import table_identities

log = logging.getLogger(__name__)

#: Each has a session, and buffers of a few row groups.
MOST_THREADS = 4

OpenSource = Callable[[], WarehouseSource]


def capture_side_by_side(
    source: WarehouseSource,
    open_source: OpenSource,
    store: Store,
    preparation: Preparation,
    parts: Sequence[Sequence[Slice]],
) -> list[Captured]:
    """Capture parts at the same time: the first in this thread and session, the others in sessions of their own.

    :param open_source: opens another session on the same warehouse.
    :return: what each part captured, in their order.
    :raises TableReplacedError: another session sees another table than this one.
    """
    return _Threads(source, open_source, store, preparation, parts).run()


class _Threads:
    """The threads of one snapshot; the first failure ends all of them."""

    def __init__(
        self,
        source: WarehouseSource,
        open_source: OpenSource,
        store: Store,
        preparation: Preparation,
        parts: Sequence[Sequence[Slice]],
    ) -> None:
        self._source = source
        self._open_source = open_source
        self._store = store
        self._preparation = preparation
        self._parts = parts
        self._identities = table_identities(source, {one.table for part in parts for one in part})
        self._waiting: Queue[int] = Queue()
        self._captured: dict[int, Captured] = {}
        self._failures: list[BaseException] = []
        self._sessions: list[WarehouseSource] = []
        self._ended = Event()
        self._opening = Lock()

    def run(self) -> list[Captured]:
        """Capture all parts."""
        for number in range(1, len(self._parts)):
            self._waiting.put(number)
        others = min(MOST_THREADS, os.cpu_count() or 1, len(self._parts)) - 1
        threads = [Thread(target=self._work, name=f"part-{n}", daemon=True) for n in range(max(1, others))]
        for thread in threads:
            thread.start()
        try:
            self._captured[0] = self._capture(0, self._source)
            for thread in threads:
                # What Airflow raises in this thread to end the task has to get through.
                while thread.is_alive() and not self._failures:
                    thread.join(0.2)
        except BaseException as error:
            # What another thread met first is the cause.
            self._failures.append(error)
        finally:
            self._end(threads)
        if self._failures:
            raise self._failures[0]
        return [self._captured[number] for number in range(len(self._parts))]

    def _work(self) -> None:
        """Capture what waits, in one session."""
        try:
            # Before version 3.2, Airflow mixes up its answers where two threads ask it for connections at once.
            with self._opening:
                if self._ended.is_set():
                    return
                opened = self._open_source()
            with opened as source:
                self._sessions.append(source)
                source.hold()
                self._require_same_tables(source)
                while not self._ended.is_set():
                    try:
                        number = self._waiting.get_nowait()
                    except Empty:
                        return
                    self._captured[number] = self._capture(number, source)
        except BaseException as error:
            self._failures.append(error)
            # The first thread may be in the middle of a large table.
            if not self._ended.is_set():
                self._source.cancel()

    def _capture(self, number: int, source: WarehouseSource) -> Captured:
        label = part_label(number, "1") if number else ""
        return capture_slices(source, self._store, self._preparation, self._parts[number], label)

    def _require_same_tables(self, source: WarehouseSource) -> None:
        found = table_identities(source, set(self._identities))
        if replaced := sorted(name for name, identity in self._identities.items() if found.get(name) != identity):
            raise TableReplacedError(source.warehouse.schema, replaced)

    def _end(self, threads: Sequence[Thread]) -> None:
        self._ended.set()
        for thread, session in zip(threads, self._sessions, strict=False):
            if thread.is_alive():
                session.cancel()
        for thread in threads:
            thread.join(CLOSE_SECONDS)
            if thread.is_alive():
                log.warning("abandoned a thread that does not end")


def part_label(number: int, attempt: str) -> str:
    """Return by what the files of a part are named: its number, and which attempt wrote them."""
    return f"{number:02d}-{attempt}"
