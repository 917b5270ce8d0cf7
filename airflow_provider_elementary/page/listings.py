"""Lists the folders of a store together, once for an answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_elementary.storage.layout import (
    ACCESS_REPORTS,
    DATA,
    FEEDBACK,
    MANIFESTS,
    PRUNE_RECORDS,
    result_kind,
)
from airflow_provider_elementary.storage.object_store.read_once import ReadOnceStore

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Repository, Store
    from airflow_provider_elementary.storage.object_store.store import StoredObject

Listed = tuple[str, str]

#: What a view that was not shown yet is taken to list.
_MOST_VIEWS: tuple[Listed, ...] = tuple(
    (prefix, "")
    for prefix in (
        *(MANIFESTS, PRUNE_RECORDS, FEEDBACK, ACCESS_REPORTS),
        *map(result_kind, ("summaries", "verdicts", "incidents")),
    )
)
#: Listings that are begun ahead in a process. Where all are under way, a view asks for its own one by one.
_AT_ONCE = 16


class _Threads:
    """Threads that no answer waits for: what hangs keeps none alive, nor the process, and nothing waits in a queue."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count from nothing: a forked process has none of the threads."""
        self._free = BoundedSemaphore(_AT_ONCE)

    def run_if_free(self, work: Callable[[], object]) -> None:
        """Run work in a thread, if one is free."""
        free = self._free
        if not free.acquire(blocking=False):
            return

        def run() -> None:
            try:
                work()
            finally:
                free.release()

        try:
            Thread(target=run, name="elementary-page-listing", daemon=True).start()
        except RuntimeError:  # The system gives no more threads.
            free.release()


_THREADS = _Threads()
os.register_at_fork(after_in_child=_THREADS.reset)


@dataclass
class _Answer:
    """What was listed for the answer that is being made.

    :param uri: of the store that is asked.
    :param once: keeps the listings.
    :param asked: the prefixes that were asked for, and after which key.
    """

    uri: str
    once: ReadOnceStore
    asked: set[Listed] = field(default_factory=set)


_ANSWER: ContextVar[_Answer | None] = ContextVar("elementary_page_answer", default=None)


class ViewedStore:
    """A store whose listings are those of one moment while an answer is made; all else is the store's own.

    :param store: what answers.
    """

    def __init__(self, store: Store) -> None:
        self.inner = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @classmethod
    def share(cls, repository: Repository) -> None:
        """Let a repository ask for its listings through one."""
        repository.store = cast("Store", cls(repository.store))

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield the objects below a prefix; see :meth:`Store.list`."""
        if (answer := _ANSWER.get()) is None or answer.uri != self.inner.uri:
            return self.inner.list(prefix, after)
        answer.asked.add((prefix, after))
        return answer.once.list(prefix, after)


class Listings:
    """What each view of a store listed last."""

    def __init__(self) -> None:
        self._usual: dict[str, frozenset[Listed]] = {}

    @contextmanager
    def of_one_answer(self, view: str, store: ViewedStore) -> Iterator[None]:
        """Ask once for what is listed within the block; what the view listed last is asked for at once, side by side.

        :param view: the name of what is answered.
        """
        answer = _Answer(store.inner.uri, ReadOnceStore(store.inner))
        token = _ANSWER.set(answer)
        try:
            for prefix, after in self._usual.get(view, _MOST_VIEWS):
                # A view that needs one before a thread begins asks for it itself.
                _THREADS.run_if_free(partial(_begin, answer.once, prefix, after))
            yield
        finally:
            _ANSWER.reset(token)
        # Of an answer that failed it is not known what it would have listed. The data of a snapshot is listed for one
        # that was chosen.
        self._usual[view] = frozenset(each for each in answer.asked if not each[0].startswith(DATA))


def _begin(once: ReadOnceStore, prefix: str, after: str) -> None:
    """Ask for the first part of a listing; a failure is raised where it is read."""
    with suppress(Exception):
        next(once.list(prefix, after), None)
