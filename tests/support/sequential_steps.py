"""Counts how many requests an act makes one after another, by what waits for what and not by time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from airflow_provider_elementary.snapshots import lookup
from airflow_provider_elementary.storage import parallel
from airflow_provider_elementary.storage.parallel import Threads
from tests.support.counting_store import CountingStore

_at = threading.local()


def _step() -> int:
    return int(getattr(_at, "step", 0))


class _Threads(Threads):
    """Begins each piece of work at the step of who gave it, and lets who takes its result wait for its last one."""

    def __init__(self, at_once: int) -> None:
        super().__init__(at_once)
        self._at_once = at_once
        self._ends: list[Future[int]] = []

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        given, place = _step(), len(self._ends)
        end: Future[int] = Future()
        self._ends.append(end)

        def run() -> Any:
            # No thread is free before an earlier piece of work has ended.
            free = self._ends[place - self._at_once].result() if place >= self._at_once else 0
            _at.step = max(given, free)
            try:
                return work(*arguments, **named)
            finally:
                end.set_result(_step())

        future = super().submit(run)
        take = future.result

        def result(timeout: float | None = None) -> Any:
            try:
                return take(timeout)
            finally:
                _at.step = max(_step(), end.result())

        future.result = result  # type: ignore[method-assign]
        return future

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        _at.step = max((_step(), *(end.result() for end in self._ends if end.done())))


def steps_of(store: CountingStore, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    """Do something, and return how many requests had to wait for another one, the first included."""
    count = CountingStore._count

    def counted(self: CountingStore, kind: str, content: bytes | None) -> bytes | None:
        _at.step = _step() + 1
        return count(self, kind, content)

    _at.step = 0
    with monkeypatch.context() as patched:
        patched.setattr(CountingStore, "_count", counted)
        for module in (lookup, parallel):
            patched.setattr(module, "Threads", _Threads)
        act()
    return _step()
