"""Reads and caches the documents of results."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_elementary.exceptions import KeyUnavailableError, SnapshotCorruptError, StoreRefusedError
from airflow_provider_elementary.page.cache import Cache
from airflow_provider_elementary.page.settings import OpenedStore

if TYPE_CHECKING:
    from airflow_provider_elementary.storage.object_store.store import StoredObject
    from airflow_provider_elementary.storage.records.result_document import Result, ResultKind

log = logging.getLogger(__name__)

#: A document of metrics names more than a hundred files.
_DOCUMENTS = 64
#: Of each document a few hundred bytes.
_FACTS = 20_000
#: What cannot be read now may be restored.
_UNREADABLE_SECONDS = 60.0


@dataclass(frozen=True)
class ResultFacts:
    """What a list shows of a result.

    :param rows: over all of its files.
    """

    series: str
    run_key: str
    created_at: str
    rows: int


class _OfRun(Protocol):
    """A result, or what a list shows of it."""

    @property
    def series(self) -> str: ...
    @property
    def run_key(self) -> str: ...
    @property
    def created_at(self) -> str: ...


T = TypeVar("T", bound=_OfRun)
R = TypeVar("R")


class ResultDocuments:
    """The documents of the results of one store; no document is ever replaced.

    :param opened: returns the store.
    """

    def __init__(self, opened: Callable[[], OpenedStore]) -> None:
        self._opened = opened
        self._documents = Cache(_DOCUMENTS)
        self._facts = Cache(_FACTS)

    def all(self, kind: ResultKind) -> list[Result]:
        """Return the results of a kind, newest first, of each run one; damaged documents are left out."""
        return self._newest_attempts(kind, self.read)

    def facts(self, kind: ResultKind) -> list[ResultFacts]:
        """Return what a list shows of the results of a kind; see :meth:`all`."""

        def facts_of(name: StoredObject) -> ResultFacts | None:
            return _kept(self._facts, name, lambda: _facts_of(self._find(name.key)))

        return self._newest_attempts(kind, facts_of)

    def newest(self, kind: ResultKind) -> Result | None:
        """Return the newest result of a kind; of each series only the newest one is read."""
        firsts = [next(results, None) for results in self.newest_first(kind)]
        return max(filter(None, firsts), key=lambda result: result.created_at, default=None)

    def newest_first(self, kind: ResultKind) -> list[Iterator[Result]]:
        """Return the results of each series, the newest first; only those that are asked for are read."""
        series: dict[str, list[StoredObject]] = defaultdict(list)
        for name in self.names(kind):
            series[name.key.rpartition("/")[0]].append(name)
        return [filter(None, map(self.read, names)) for names in series.values()]

    def names(self, kind: ResultKind) -> list[StoredObject]:
        """Return the names of the results of a kind; of a series the newest first."""
        from airflow_provider_elementary.storage.layout import is_result, result_kind

        found = [name for name in self._opened().store.list(result_kind(kind)) if is_result(name.key)]
        return sorted(found, key=lambda name: name.key)

    def read(self, name: StoredObject) -> Result | None:
        """Return a result; None where its document is damaged."""
        return _kept(self._documents, name, partial(self._find, name.key))

    def _newest_attempts(self, kind: ResultKind, read: Callable[[StoredObject], T | None]) -> list[T]:
        from airflow_provider_elementary.storage.parallel import in_parallel

        newest: dict[tuple[str, str], T] = {}
        for result in filter(None, in_parallel(read, self.names(kind))):
            # Of several attempts of a run, the newest is listed first.
            newest.setdefault((result.series, result.run_key), result)
        return sorted(newest.values(), key=lambda result: result.created_at, reverse=True)

    def _find(self, key: str) -> Result | None:
        from airflow_provider_elementary.storage.records.results import find_result

        try:
            return find_result(self._opened().repository, key)
        except (SnapshotCorruptError, StoreRefusedError, KeyUnavailableError) as error:
            log.warning("skipping a damaged result on the Elementary page: %s", error)
            return None


def _kept(cache: Cache, name: StoredObject, read: Callable[[], R | None]) -> R | None:
    # After somebody removed a document, a run that does not know of it gives its number again: the version differs.
    return cache.get(name, read, seconds=lambda found: math.inf if found else _UNREADABLE_SECONDS)


def _facts_of(result: Result | None) -> ResultFacts | None:
    return ResultFacts(result.series, result.run_key, result.created_at, result.rows) if result else None
