"""Uploads files to S3 in parts."""

from __future__ import annotations

import io
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ElementaryError, StoreError
from airflow_provider_elementary.timeouts import CLOSE_SECONDS, UPLOAD_SECONDS, ends_within, in_background, register

if TYPE_CHECKING:
    from airflow_provider_elementary.storage.object_store.s3 import S3Store

# The least that S3 takes, as each open file has a few in memory. Parts grow by this much every thousand parts: S3 takes
# 10,000 of them, which so hold 288 GB.
_PART_BYTES = 5 * 1024 * 1024
_PARTS_IN_FLIGHT = 2


class Upload(io.RawIOBase):
    """A file to write to: parts go up in the background, a bounded number of them at a time."""

    def __init__(self, store: S3Store, key: str) -> None:
        self._store = store
        self._key = key
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._started: list[Future[dict[str, Any]]] = []
        register(self)

    def writable(self) -> bool:
        """Return True: the file is write-only."""
        return True

    def write(self, content: Any) -> int:
        """Add bytes; every full part is sent."""
        self._buffer += content
        while len(self._buffer) >= (size := _PART_BYTES * (1 + len(self._started) // 1000)):
            with memoryview(self._buffer) as view:
                part = bytes(view[:size])
            del self._buffer[:size]
            self._send(part)
        return len(content)

    def complete(self) -> None:
        """Send the rest and make the object appear."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        if self._upload_id is None:
            self._store.create_whole(self._key, rest)
        else:
            if rest:
                self._send(rest)
            parts = [self._sent(part) for part in self._started]
            self._store.complete_multipart(self._key, self._upload_id, parts)

    def abort(self) -> None:
        """Discard the parts that were sent, within seconds."""
        if self._upload_id is None:
            return
        # If the store does not answer, prune removes the upload later.
        cleaning = in_background("s3-upload", self._clean_up, self._upload_id)
        if not self._store.is_silent and not ends_within(cleaning, 2 * CLOSE_SECONDS):
            self._store.is_silent = True

    def break_off(self) -> None:
        """Wait for no part any more."""
        for part in self._started:
            if not part.done():
                # Where it ended meanwhile, its own result stands.
                with suppress(InvalidStateError):
                    part.set_exception(StoreError(f"The upload of {self._key} was ended by a signal. Retry."))

    def _clean_up(self, upload_id: str) -> None:
        # A part that arrives after its upload was aborted stays.
        wait(self._started, CLOSE_SECONDS)
        # The reason for aborting matters more than that this failed.
        with suppress(ElementaryError):
            self._store.abort_multipart(self._key, upload_id)

    def _send(self, content: bytes) -> None:
        if self._upload_id is None:
            self._upload_id = self._store.start_multipart(self._key)
        if len(self._started) >= _PARTS_IN_FLIGHT:
            # Waiting for the part before the last bounds memory, and raises its failure here.
            self._sent(self._started[-_PARTS_IN_FLIGHT])
        number = len(self._started) + 1
        put = self._store.put_part
        self._started.append(in_background("s3-upload", put, self._key, self._upload_id, number, content))

    def _sent(self, part: Future[dict[str, Any]]) -> dict[str, Any]:
        if not ends_within(part, UPLOAD_SECONDS):
            raise StoreError(
                f"{self._store.uri} did not take a part of {self._key} within {UPLOAD_SECONDS:g} s. Nothing was "
                "committed. Check the network, and retry."
            )
        return part.result()
