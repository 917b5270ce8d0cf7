"""Lists the folders of a store together, once for an answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_elementary.exceptions import ElementaryError
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
#: Of all views that are being answered. Where they are busy, a view asks for its listings one by one.
_AT_ONCE = 16
_THREADS = ThreadPoolExecutor(_AT_ONCE, "elementary-page-listings")


@dataclass
class _Answer:
    """What was listed for the answer that is being made.

    :param listed: the stores that asked, and a store that keeps the listings of each.
    :param asked: the prefixes that were asked for, and after which key.
    """

    listed: dict[ViewedStore, ReadOnceStore] = field(default_factory=dict)
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
        if (answer := _ANSWER.get()) is None:
            return self.inner.list(prefix, after)
        answer.asked.add((prefix, after))
        return answer.listed.setdefault(self, ReadOnceStore(self.inner)).list(prefix, after)


class Listings:
    """What each view of a store listed last."""

    def __init__(self) -> None:
        self._usual: dict[str, frozenset[Listed]] = {}

    @contextmanager
    def of_one_answer(self, view: str, store: ViewedStore) -> Iterator[None]:
        """Ask once for what is listed within the block; what the view listed last is asked for at once, side by side.

        :param view: the name of what is answered.
        """
        answer = _Answer()
        token = _ANSWER.set(answer)
        once = answer.listed[store] = ReadOnceStore(store.inner)
        # A view that needs one before a thread begins asks for it itself.
        begun = [_THREADS.submit(_begin, once, *listed) for listed in self._usual.get(view, _MOST_VIEWS)]
        try:
            yield
        finally:
            for future in begun:
                future.cancel()
            _ANSWER.reset(token)
            # The data of a snapshot is listed for one that was chosen.
            self._usual[view] = frozenset(each for each in answer.asked if not each[0].startswith(DATA))


def _begin(once: ReadOnceStore, prefix: str, after: str) -> None:
    """Ask for the first part of a listing; a failure is raised where it is read."""
    with suppress(ElementaryError):
        next(once.list(prefix, after), None)
