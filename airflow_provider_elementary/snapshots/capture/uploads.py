"""Completes files in the background while others are read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import BinaryIO, Self

from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.timeouts import CLOSE_SECONDS, in_background

log = logging.getLogger(__name__)

# Each may hold the last part of a file, or the whole of a small one.
_AT_ONCE = 4


class Uploads:
    """The files that one session writes; all of them are complete when its block has ended well.

    Every wait of a store has its own deadline, so none is set here.

    :param store: where the files go.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begun: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What went wrong first is raised; prune removes what is complete.
        ended, _ = wait(self._begun, None if error is None else CLOSE_SECONDS)
        failures = [failure for completed in self._begun if completed in ended and (failure := completed.exception())]
        if error is None and failures:
            raise failures[0]
        for failure in failures:
            if failure is not error:
                log.warning("a file could not be completed either: %s", failure)

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        """Open a new file, as :meth:`.Store.create` does; it appears some time after its block.

        :raises ElementaryError: one of the files before could not be completed.
        """
        with ExitStack() as stack:
            yield stack.enter_context(self._store.create(key))
            if len(self._begun) >= _AT_ONCE:
                self._begun[-_AT_ONCE].result()
            written = stack.pop_all()
        self._begun.append(in_background("complete-file", written.close))
