"""A writer of snapshots in a process of its own, which the system kills at a stage of its work, or which lives.

``python -m tests.support.dying_writer WAREHOUSE STORE KEYS RUN_KEY OPERATION NUMBER MOMENT``: SIGKILL comes before or
after the operation of the store with that number, where ``-1`` is never; ``during`` the making of an object is within
its first bytes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from airflow_provider_elementary.snapshots import LocalKeys, Policy, open_store, write_snapshot
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.signing import opened

#: What a policy has to let through for a world of another year.
POLICY = Policy(failed_rows_days=100_000)


class _DyingStore(LocalStore):
    """A local store in whose operations the process dies."""

    def __init__(self, root: Path, operation: str, number: int, moment: str) -> None:
        super().__init__(root)
        self._operation, self._left, self._moment = operation, number, moment

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        # Small objects are made in the same way and are operations of their own.
        doomed = key.startswith("data/") and self._is_doomed("create")
        self._die(doomed, "before")
        with super().create(key) as file:
            if doomed and self._moment == "during":
                file.write(b"PAR1")
            self._die(doomed, "during")
            yield file
        self._die(doomed, "after")

    def put(self, key: str, content: bytes) -> None:
        doomed = self._is_doomed("put")
        self._die(doomed, "before")
        super().put(key, content)
        self._die(doomed, "after")

    def put_if_absent(self, key: str, content: bytes) -> bool:
        # The store's beginning and its data keys are put in the same way.
        doomed = key.startswith("manifests/") and self._is_doomed("put_if_absent")
        self._die(doomed, "before")
        is_first = super().put_if_absent(key, content)
        self._die(doomed, "after")
        return is_first

    def _is_doomed(self, operation: str) -> bool:
        if operation != self._operation:
            return False
        self._left -= 1
        return self._left == -1

    def _die(self, doomed: bool, moment: str) -> None:
        if doomed and moment == self._moment:
            os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Take the snapshot, and print its number."""
    warehouse, folder, keys, run_key, operation, number, moment = arguments
    store = _DyingStore(Path(open_store(folder).uri.removeprefix("file://")), operation, int(number), moment)
    with WarehouseSource(DuckDBWarehouse(Path(warehouse), "elementary")) as source:
        manifest = write_snapshot(source, opened(store, LocalKeys(json.loads(keys))), policy=POLICY, run_key=run_key)
    print(manifest.sequence)


if __name__ == "__main__":
    main(sys.argv[1:])
