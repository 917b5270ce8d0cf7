from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import BinaryIO

import pytest

from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.snapshots.capture.uploads import Uploads
from airflow_provider_elementary.storage.object_store.local import LocalStore


class _Waiting(LocalStore):
    """A local store that completes files only when a test lets it; some it refuses."""

    def __init__(self, path: Path, *, failing: str = "") -> None:
        super().__init__(path)
        self.go_on = Event()
        self._failing = failing

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        with super().create(key) as target:
            yield target
            self.go_on.wait(10)
            if key == self._failing:
                raise StoreError(f"{key} was refused.")


def _write(uploads: Uploads, key: str) -> None:
    with uploads.create(key) as target:
        target.write(key.encode())


def _write_all(store: _Waiting, keys: Iterable[str], failure: Exception | None = None) -> None:
    store.go_on.set()
    with Uploads(store) as uploads:
        for key in keys:
            _write(uploads, key)
        if failure is not None:
            with uploads.create("data/last"):
                raise failure


def test_the_next_file_is_written_while_one_is_completed(tmp_path: Path) -> None:
    store = _Waiting(tmp_path)
    with Uploads(store) as uploads:
        _write(uploads, "data/one")
        _write(uploads, "data/two")
        assert store.get("data/one") is None
        store.go_on.set()
    assert [store.get(key) for key in ("data/one", "data/two")] == [b"data/one", b"data/two"]


def test_what_could_not_be_completed_is_raised_at_the_end(tmp_path: Path) -> None:
    store = _Waiting(tmp_path, failing="data/one")
    with pytest.raises(StoreError, match="data/one was refused"):
        _write_all(store, ["data/one", "data/two"])
    assert (store.get("data/one"), store.get("data/two")) == (None, b"data/two")


def test_a_bounded_number_of_files_waits(tmp_path: Path) -> None:
    store = _Waiting(tmp_path, failing="data/0")
    with pytest.raises(StoreError, match="data/0 was refused"):
        _write_all(store, [f"data/{number}" for number in range(9)])
    # The fifth waits for the first, and ends there.
    assert store.get("data/5") is None


def test_a_file_whose_block_raises_never_appears(tmp_path: Path) -> None:
    store = _Waiting(tmp_path)
    with pytest.raises(ValueError, match="first"):
        _write_all(store, ["data/one"], ValueError("first"))
    assert (store.get("data/one"), store.get("data/last")) == (b"data/one", None)


def test_a_file_is_not_left_open_where_an_earlier_one_failed(tmp_path: Path) -> None:
    store = _Waiting(tmp_path, failing="data/0")
    with pytest.raises(StoreError, match="data/0 was refused"):
        _write_all(store, [f"data/{number}" for number in range(9)])
    assert not list(tmp_path.rglob("*.partial*"))


def test_a_file_that_fails_beside_another_error_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = _Waiting(tmp_path, failing="data/one")
    with pytest.raises(ValueError, match="first"):
        _write_all(store, ["data/one"], ValueError("first"))
    assert "a file could not be completed either: data/one was refused." in caplog.text
