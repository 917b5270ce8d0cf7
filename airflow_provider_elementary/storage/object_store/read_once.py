"""Asks a store once for what one task reads several times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from typing import BinaryIO

from airflow_provider_elementary.storage.object_store.store import Fetched, Store, StoredObject, UndeletedObject

#: How much is kept of documents, in bytes; what has no room is asked for again.
_ROOM = 32 << 20


class ReadOnceStore:
    """A store during one task: each document and each listing is asked for once, and again after the task wrote there.

    Nothing of it is believed for that: a reader of a document checks its signature each time. No document is ever
    replaced, and of two that are written under one name, ``put_if_absent`` lets one win, whatever was listed.

    :param store: what answers.
    """

    def __init__(self, store: Store) -> None:
        self.uri = store.uri
        self.inner = store
        self._lock = Lock()
        self._room = _ROOM
        self._documents: dict[str, Fetched] = {}
        self._listings: dict[tuple[str, str], _Listing] = {}

    def get_capped(self, key: str, limit: int) -> Fetched | None:
        """Return the first bytes of an object; see :meth:`Store.get_capped`."""
        known = self._documents.get(key)
        if known is not None and (known.is_whole or len(known.content) >= limit):
            return Fetched(known.content[:limit], known.etag, known.size)
        if (found := self.inner.get_capped(key, limit)) is not None:
            self._keep(key, found)
        return found

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield the objects below a prefix; see :meth:`Store.list`."""
        with self._lock:
            if (found := self._listings.get((prefix, after))) is None or found.error is not None:
                found = self._listings[prefix, after] = _Listing(self.inner.list(prefix, after))
        return iter(found)

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write a small object unless one is there; see :meth:`Store.put_if_absent`."""
        with self._changing(key):
            is_written = self.inner.put_if_absent(key, content)
        if is_written:
            self._keep(key, Fetched(content, "", len(content)))
        return is_written

    def put(self, key: str, content: bytes) -> None:
        """Write a small object; see :meth:`Store.put`."""
        with self._changing(key):
            self.inner.put(key, content)

    def replace(self, key: str, content: bytes, etag: str) -> bool:
        """Replace a small object; see :meth:`Store.replace`."""
        with self._changing(key):
            return self.inner.replace(key, content, etag)

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        """Open a new object for writing; see :meth:`Store.create`."""
        # A file is listed with the others of its folder only: a series is not listed again for it.
        with self._changing(key, folder=key.rpartition("/")[0]), self.inner.create(key) as target:
            yield target

    def delete(self, key: str) -> None:
        """Delete an object; see :meth:`Store.delete`."""
        with self._changing(key):
            self.inner.delete(key)

    def delete_many(self, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        """Delete objects; see :meth:`Store.delete_many`."""
        with self._changing(*keys):
            return self.inner.delete_many(keys)

    def get(self, key: str) -> bytes | None:
        """Return a small object; see :meth:`Store.get`."""
        return self.inner.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return bytes of an object; see :meth:`Store.get_range`."""
        return self.inner.get_range(key, start, length)

    def describe(self) -> dict[str, str]:
        """Return how objects are protected; see :meth:`Store.describe`."""
        return self.inner.describe()

    def probe(self) -> bool:
        """Find out what concurrent writers can rely on; see :meth:`Store.probe`."""
        return self.inner.probe()

    def clock_difference(self) -> timedelta | None:
        """Return how far this machine's clock is ahead; see :meth:`Store.clock_difference`."""
        return self.inner.clock_difference()

    def protection(self, key: str) -> str:
        """Return how the server keeps an object; see :meth:`Store.protection`."""
        return self.inner.protection(key)

    def discard_unfinished(self, before: datetime, *, dry_run: bool = False) -> Sequence[str]:
        """Remove what killed writers left; see :meth:`Store.discard_unfinished`."""
        return self.inner.discard_unfinished(before, dry_run=dry_run)

    def _keep(self, key: str, found: Fetched) -> None:
        """Keep a document, as long as there is room: anybody can put large objects there."""
        with self._lock:
            if len(found.content) <= self._room:
                self._room -= len(found.content)
                self._documents[key] = found

    @contextmanager
    def _changing(self, *keys: str, folder: str = "") -> Iterator[None]:
        """Ask again for objects that the block wrote or deleted, and for the listings that have them.

        :param folder: only for listings of what is in it.
        """
        try:
            yield
        finally:
            # Afterwards: what another thread asked for meanwhile may be older.
            with self._lock:
                for key in keys:
                    self._documents.pop(key, None)
                    for prefix, after in [listed for listed in self._listings if key.startswith(listed[0])]:
                        if prefix.startswith(folder):
                            del self._listings[prefix, after]


class _Listing:
    """Names that are asked for as far as somebody reads them, and once."""

    def __init__(self, source: Iterator[StoredObject]) -> None:
        #: Why no more names are to be had: what is known is not all.
        self.error: BaseException | None = None
        self._source = source
        self._known: list[StoredObject] = []
        self._lock = Lock()

    def __iter__(self) -> Iterator[StoredObject]:
        place = 0
        while True:
            with self._lock:
                if place == len(self._known):
                    if (found := self._next()) is None:
                        return
                    self._known.append(found)
            yield self._known[place]
            place += 1

    def _next(self) -> StoredObject | None:
        if self.error is not None:
            raise self.error
        try:
            return next(self._source, None)
        except BaseException as error:
            # After it, the source says that it has no more.
            self.error = error
            raise
