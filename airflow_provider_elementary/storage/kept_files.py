"""Keeps small files for those who read them again."""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from threading import Lock

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.storage.file_binding import Fetch, FileBinding
from airflow_provider_elementary.storage.layout import kept_key
from airflow_provider_elementary.storage.object_store.store import Store

log = logging.getLogger(__name__)

#: The largest file that is kept, and how much is kept of all, in bytes: hourly syncs write many files of some KB.
LARGEST, _ROOM = 1 << 20, 16 << 20
#: How much one task keeps of the parts of large files, in bytes.
_RANGES_ROOM = 8 << 20
#: How a signed document begins, and no Parquet file.
_SIGNED = b"elementary-signed "
#: What is before each file where many are stored as one object: its SHA-256 and its size; before all, when.
_HEAD, _TIME = struct.Struct(">32sQ"), struct.Struct(">Q")


class KeptFiles:
    """The bytes of small files and documents that were fetched whole; every reader compares their SHA-256 again.

    What has no room is fetched again.

    :param stored: what :meth:`stored` returned in an earlier task, or whatever was found in its place.
    """

    def __init__(self, stored: bytes = b"") -> None:
        self._found = dict(_files_of(stored))
        self._documents = {
            hashlib.sha256(content.partition(b"\n")[2]).hexdigest(): content
            for content in self._found.values()
            if content.startswith(_SIGNED)
        }
        self._content: dict[str, bytes] = {}
        self._ranges: dict[tuple[str, int, int], bytes] = {}
        self._ranges_room = _RANGES_ROOM
        self._room = _ROOM
        self._lock = Lock()

    def fetch_of(self, file: FileBinding, fetch: Fetch) -> Fetch:
        """Return what fetches bytes of a file: those that are kept, where it was fetched whole before."""
        if file.row_groups or file.size > LARGEST:
            return partial(self._fetch_range, file.sha256, fetch)

        def fetch_once(start: int, length: int) -> bytes:
            is_whole = start == 0 and length > file.size
            if not is_whole:
                return fetch(start, length)
            content = self._content.get(file.sha256) or self._found.get(file.sha256) or fetch(start, length)
            self._keep(file.sha256, content)
            return content

        return fetch_once

    def _fetch_range(self, sha256: str, fetch: Fetch, start: int, length: int) -> bytes:
        """Return bytes of a large file, which the same task may read several times; the next run asks again."""
        place = (sha256, start, length)
        if (content := self._ranges.get(place)) is None:
            content = fetch(start, length)
            with self._lock:
                if len(content) <= self._ranges_room and place not in self._ranges:
                    self._ranges[place] = content
                    self._ranges_room -= len(content)
        return content

    def keep_file(self, sha256: str, content: bytes) -> None:
        """Keep a file that the task wrote, by its hash; a large one is read again."""
        if len(content) <= LARGEST:
            self._keep(sha256, content)

    def include(self, stored: bytes) -> None:
        """Take in what another task stored, or whatever was found in its place."""
        self._found.update(_files_of(stored))

    def document(self, sha256: str) -> bytes | None:
        """Return a signed document whose JSON has a hash, as its object was; None where it is not kept.

        Who asks has the hash from a proved document, and checks the signature as that of any object.
        """
        if (content := self._documents.get(sha256)) is not None:
            self._keep(hashlib.sha256(content).hexdigest(), content)
        return content

    def keep_document(self, sha256: str, content: bytes) -> None:
        """Keep a signed document by the hash of its JSON; a large one is read again."""
        if len(content) <= LARGEST and self._keep(hashlib.sha256(content).hexdigest(), content):
            self._documents[sha256] = content

    def _keep(self, sha256: str, content: bytes) -> bool:
        """Keep bytes by their hash, and return whether they are kept; an answer that was truncated has another."""
        with self._lock:
            if sha256 in self._content:
                return True
            size = len(content) + _HEAD.size
            if size > self._room or hashlib.sha256(content).hexdigest() != sha256:
                return False
            self._content[sha256] = content
            self._room -= size
            return True

    def stored(self) -> bytes:
        """Return the files that were read, as one object for the next task; empty where there is none.

        They are as encrypted as they were.
        """
        with self._lock:
            # A request that nobody waits for any more may still end.
            kept = dict(self._content)
        if not kept:
            return b""
        parts = [_TIME.pack(int(datetime.now(UTC).timestamp()))]
        for digest, content in kept.items():
            parts += [_HEAD.pack(bytes.fromhex(digest), len(content)), content]
        return b"".join(parts)


def load_kept_files(store: Store, series: str) -> KeptFiles:
    """Return the small files that the run before of a task kept; none where they cannot be read.

    :param series: identifies the task.
    """
    return KeptFiles(read_kept(store, kept_key(series)))


def read_kept(store: Store, key: str) -> bytes:
    """Return what a task stored of the small files that it read; nothing where it cannot be read."""
    try:
        found = store.get_capped(key, _TIME.size + _ROOM)
    except ElementaryError as error:
        log.info("reading small files one by one, as those that an earlier task kept cannot be read: %s", error)
        found = None
    return found.content if found is not None else b""


def save_kept_files(store: Store, series: str, kept: KeptFiles) -> None:
    """Store the small files that a task read for its next run; where that fails, the next run reads them one by one.

    :param series: identifies the task.
    """
    try:
        if content := kept.stored():
            store.put(kept_key(series), content)
    except ElementaryError as error:
        log.warning("keeping no small files for the next run, which reads them one by one: %s", error)


def stored_at(stored: bytes) -> datetime:
    """Return when the first bytes of what is stored say that it was, with its zone; long ago where they do not."""
    try:
        return datetime.fromtimestamp(_TIME.unpack_from(stored)[0], UTC)
    except (struct.error, ValueError, OverflowError, OSError):
        return datetime.min.replace(tzinfo=UTC)


#: How many first bytes say when files were stored.
TIME_BYTES = _TIME.size


def _files_of(stored: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield hash and bytes of each file; what does not have the hash that is before it is none.

    Anybody who may write to the store can put anything there: no more is read of it than sizes and hashes.
    """
    place = _TIME.size
    while place + _HEAD.size <= len(stored):
        digest, size = _HEAD.unpack_from(stored, place)
        place += _HEAD.size
        content = stored[place : place + size]
        place += size
        if hashlib.sha256(content).digest() == digest:
            yield digest.hex(), content
