"""An answer lists each folder of the store once, and all of them together."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest

from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.page import listings
from airflow_provider_elementary.page.listings import Listings, ViewedStore
from airflow_provider_elementary.storage.object_store.local import LocalStore

FOLDERS = ("feedback/", "manifests/", "prunes/")


class _Counted(LocalStore):
    """A folder that counts the listings that were read."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.listed: list[str] = []
        self.together: Barrier | None = None
        self.is_down = False

    def list(self, prefix: str, after: str = "") -> Iterator[Any]:
        self.listed.append(prefix)
        if self.is_down:
            raise StoreError("The folder does not answer.")
        if self.together is not None:
            self.together.wait(30)
        yield from super().list(prefix, after)


@pytest.fixture
def folder(tmp_path: Path) -> _Counted:
    return _Counted(tmp_path)


@pytest.fixture
def store(folder: _Counted) -> ViewedStore:
    return ViewedStore(cast(Any, folder))


def names(store: ViewedStore) -> list[list[str]]:
    return [[found.key for found in store.list(prefix)] for prefix in FOLDERS]


@pytest.fixture
def shown(store: ViewedStore) -> Listings:
    """Return what is known after the view was shown once, and all that it began has ended."""
    found = Listings()
    with found.of_one_answer("Tables", store):
        names(store)
    together = Barrier(listings._AT_ONCE)
    list(listings._THREADS.map(lambda _: together.wait(30), range(listings._AT_ONCE)))
    return found


def test_a_view_that_was_shown_lists_each_folder_once(folder: _Counted, store: ViewedStore, shown: Listings) -> None:
    folder.listed.clear()

    with shown.of_one_answer("Tables", store):
        names(store)
        names(store)

    assert sorted(folder.listed) == sorted(FOLDERS)


def test_an_answer_begins_all_listings_before_one_has_ended(
    folder: _Counted, store: ViewedStore, shown: Listings
) -> None:
    folder.together = Barrier(len(FOLDERS))

    with shown.of_one_answer("Tables", store):
        # One after the other, the first would wait for the others until the barrier breaks.
        assert names(store) == [[], [], []]


def test_each_answer_sees_what_was_written_before_it(folder: _Counted, store: ViewedStore) -> None:
    found = Listings()
    for number in range(3):
        folder.put(f"manifests/{number}", b"1")
        with found.of_one_answer("Tables", store):
            assert len(names(store)[1]) == number + 1


def test_within_an_answer_a_folder_is_as_it_was(folder: _Counted, store: ViewedStore) -> None:
    with Listings().of_one_answer("Tables", store):
        before = names(store)
        folder.put("manifests/1", b"1")

        assert names(store) == before

    assert names(store)[1] == ["manifests/1"]


def test_a_failed_listing_fails_the_answer_and_not_the_next(folder: _Counted, store: ViewedStore) -> None:
    found = Listings()
    folder.put("manifests/1", b"1")
    folder.is_down = True
    with pytest.raises(StoreError, match="does not answer"), found.of_one_answer("Tables", store):
        names(store)
    folder.is_down = False

    with found.of_one_answer("Tables", store):
        assert names(store)[1] == ["manifests/1"]


def test_where_no_thread_is_free_an_answer_lists_by_itself(
    folder: _Counted, store: ViewedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings._THREADS, "submit", lambda *_: Future())
    folder.put("prunes/1", b"1")

    with Listings().of_one_answer("Tables", store):
        assert names(store) == [[], [], ["prunes/1"]]
        assert folder.listed == [*FOLDERS]


def test_the_folder_of_a_chosen_snapshot_is_not_listed_for_the_next_answer(
    folder: _Counted, store: ViewedStore
) -> None:
    found = Listings()
    with found.of_one_answer("Snapshot", store):
        list(store.list("data/20261101T000000Z-00000001/"))

    with found.of_one_answer("Snapshot", store):
        pass

    assert folder.listed.count("data/20261101T000000Z-00000001/") == 1
