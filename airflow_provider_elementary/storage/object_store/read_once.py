"""Asks a store once for what one task reads several times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Lock
from typing import BinaryIO

from airflow_provider_elementary.storage.object_store.store import Fetched, Store, StoredObject, UndeletedObject

#: How much is kept of documents, in bytes, and of listings, in names; what has no room is asked for again.
_ROOM, _NAMES = 32 << 20, 20_000


class ReadOnceStore:
    """A store during one task: each document and each listing is asked for once, and again after the task wrote there.

    Nothing in it is trusted: a reader of a document checks its signature each time. Of two documents that are written
    under one name, ``put_if_absent`` lets one win, whatever was listed.

    :param store: what answers.
    """

    def __init__(self, store: Store) -> None:
        self.uri = store.uri
        self.inner = store
        self._lock = Lock()
        self._room, self._names = _Room(_ROOM), _Room(_NAMES)
        #: How many times the task wrote or deleted.
        self._changes = 0
        self._documents: dict[str, Fetched] = {}
        self._listings: dict[tuple[str, str], _Listing] = {}

    def get_capped(self, key: str, limit: int) -> Fetched | None:
        """Return the first bytes of an object; see :meth:`Store.get_capped`."""
        known = self._documents.get(key)
        if known is not None and (known.is_whole or len(known.content) >= limit):
            return Fetched(known.content[:limit], known.etag, known.size)
        changes = self._changes
        if (found := self.inner.get_capped(key, limit)) is not None:
            self._keep(key, found, changes)
        return found

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Yield the objects below a prefix; see :meth:`Store.list`."""
        with self._lock:
            before = self._listings.get((prefix, after))
            if before is not None and before.error is None:
                return iter(before)
            found = self._listings[prefix, after] = _Listing(self.inner, prefix, after, self._names)
        if before is not None:
            before.discard()
        return iter(found)

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write a small object unless one is there; see :meth:`Store.put_if_absent`."""
        with self._changing(key):
            return self.inner.put_if_absent(key, content)

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

    def _keep(self, key: str, found: Fetched, changes: int) -> None:
        """Keep a document, as long as there is room: anybody can put large objects there.

        :param changes: what was counted before it was asked for; what was written since may have replaced it.
        """
        with self._lock:
            if changes == self._changes and self._room.take(len(found.content)):
                self._discard(key)
                self._documents[key] = found

    def _discard(self, key: str) -> None:
        if (known := self._documents.pop(key, None)) is not None:
            self._room.give_back(len(known.content))

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
                self._changes += 1
                for key in keys:
                    self._discard(key)
                changed = [
                    listed
                    for listed in self._listings
                    if listed[0].startswith(folder) and any(key.startswith(listed[0]) for key in keys)
                ]
                outdated = [self._listings.pop(listed) for listed in changed]
            for listing in outdated:
                listing.discard()


class _Room:
    """How much may still be kept."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = Lock()

    def take(self, size: int) -> bool:
        """Return whether there is room, and take it."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._left += size


class _Listing:
    """Names that are asked for as far as somebody reads them, and once; those without room by each who reads them."""

    def __init__(self, store: Store, prefix: str, after: str, room: _Room) -> None:
        #: Why no more names are to be had: what is known is not all.
        self.error: BaseException | None = None
        self._store, self._prefix, self._after, self._room = store, prefix, after, room
        self._source = store.list(prefix, after)
        self._known: list[StoredObject] = []
        self._taken, self._is_kept, self._has_ended = 0, True, False
        self._lock = Lock()

    def __iter__(self) -> Iterator[StoredObject]:
        place, last = 0, self._after
        while (found := self._at(place)) is not None:
            yield found
            place, last = place + 1, found.key
        if not self._is_kept:
            yield from self._store.list(self._prefix, last)

    def discard(self) -> None:
        """Keep no more names, and give back the room of those that are known."""
        with self._lock:
            self._room.give_back(self._taken)
            self._taken, self._is_kept = 0, False

    def _at(self, place: int) -> StoredObject | None:
        """Return the name at a place; None where there are no more, or no more are kept."""
        with self._lock:
            if place < len(self._known):
                return self._known[place]
            if self.error is not None:
                raise self.error
            if self._has_ended:
                return None
            self._is_kept = self._is_kept and self._room.take(1)
            if not self._is_kept:
                return None
            self._taken += 1
            try:
                found = next(self._source, None)
            except BaseException as error:
                # After it, the source says that it has no more.
                self.error = error
                raise
            if found is not None:
                self._known.append(found)
            self._has_ended = found is None
            return found
