"""Keeps small files for those who read them again."""

from __future__ import annotations

from threading import Lock

from airflow_provider_elementary.storage.file_binding import Fetch, FileBinding

#: The largest file that is kept, and how much is kept of all, in bytes: hourly syncs write many files of some KB.
_LARGEST, _ROOM = 1 << 20, 16 << 20


class KeptFiles:
    """The bytes of small files that were fetched whole; every reader compares their hash again.

    What has no room is fetched again.
    """

    def __init__(self) -> None:
        self._content: dict[str, bytes] = {}
        self._room = _ROOM
        self._lock = Lock()

    def fetch_of(self, key: str, file: FileBinding, fetch: Fetch) -> Fetch:
        """Return what fetches bytes of a file: those that are kept, where it was fetched whole before."""
        if file.row_groups or file.size > _LARGEST:
            return fetch

        def fetch_once(start: int, length: int) -> bytes:
            is_whole = start == 0 and length > file.size
            if is_whole and (content := self._content.get(key)) is not None:
                return content
            content = fetch(start, length)
            with self._lock:
                if is_whole and key not in self._content and len(content) <= self._room:
                    self._content[key] = content
                    self._room -= len(content)
            return content

        return fetch_once
