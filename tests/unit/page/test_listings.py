"""An answer lists each folder of the store once, and all of them together."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from contextvars import Context
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_provider_elementary.exceptions import PrunedMeanwhileError, StoreError
from airflow_provider_elementary.page import listings
from airflow_provider_elementary.page.listings import Listings, ViewedStore
from airflow_provider_elementary.page.settings import OpenedStore
from airflow_provider_elementary.page.store_reader import StoreReader
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.storage.parallel import in_parallel
from tests.support.stores import grow, local_rest

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
    # All of them are free only when what was begun has ended.
    busy = [listings._THREADS._free.acquire(timeout=30) for _ in range(listings._AT_ONCE)]
    assert all(busy)
    listings._THREADS.reset()
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


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all threads wait for a store that does not answer."""
    threads = listings._Threads()
    for _ in range(listings._AT_ONCE):
        threads._free.acquire()
    monkeypatch.setattr(listings, "_THREADS", threads)


@pytest.mark.usefixtures("busy")
def test_where_no_thread_is_free_an_answer_lists_by_itself(folder: _Counted, store: ViewedStore) -> None:
    folder.put("prunes/1", b"1")

    with Listings().of_one_answer("Tables", store):
        assert names(store) == [[], [], ["prunes/1"]]
        assert folder.listed == [*FOLDERS]


@pytest.mark.usefixtures("busy")
def test_where_no_thread_is_free_nothing_is_kept_of_an_answer(store: ViewedStore) -> None:
    found = Listings()
    with found.of_one_answer("Tables", store):
        kept = weakref.ref(cast(Any, listings._ANSWER.get()).once)
        names(store)
    gc.collect()

    assert kept() is None


@pytest.mark.usefixtures("busy")
def test_a_forked_process_has_threads_of_its_own(folder: _Counted, store: ViewedStore) -> None:
    listings._THREADS.reset()
    folder.together = Barrier(len(FOLDERS))
    found = Listings()
    found._usual["Tables"] = frozenset((prefix, "") for prefix in FOLDERS)

    with found.of_one_answer("Tables", store):
        assert names(store) == [[], [], []]


def test_where_the_system_has_no_thread_an_answer_lists_by_itself(
    store: ViewedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    threads = listings._Threads()
    monkeypatch.setattr(listings, "_THREADS", threads)

    for _ in range(listings._AT_ONCE):
        with Listings().of_one_answer("Tables", store):
            assert names(store) == [[], [], []]

    assert threads._free.acquire(blocking=False)


_HANGING = """
from pathlib import Path
from threading import Event
from airflow_provider_elementary.page.listings import Listings, ViewedStore
from airflow_provider_elementary.storage.object_store.local import LocalStore

class Hanging(LocalStore):
    def list(self, prefix, after=""):
        Event().wait()
        yield

with Listings().of_one_answer("Tables", ViewedStore(Hanging(Path.cwd()))):
    print("answered")
"""


def test_a_store_that_hangs_does_not_keep_the_process(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _HANGING], capture_output=True, text=True, check=True, timeout=120, cwd=tmp_path
    )

    assert ended.stdout == "answered\n"


def test_an_answer_that_failed_does_not_say_what_is_listed(
    folder: _Counted, store: ViewedStore, shown: Listings
) -> None:
    before = dict(shown._usual)
    with pytest.raises(ValueError, match="early"), shown.of_one_answer("Tables", store):
        raise ValueError("early")

    assert shown._usual == before


def test_threads_of_an_answer_share_its_listings(folder: _Counted, store: ViewedStore, shown: Listings) -> None:
    folder.listed.clear()

    with shown.of_one_answer("Tables", store):
        found = list(in_parallel(lambda prefix: [each.key for each in store.list(prefix)], FOLDERS))

    assert found == [[], [], []]
    assert sorted(folder.listed) == sorted(FOLDERS)


def test_what_finds_a_snapshot_lists_each_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = local_rest(tmp_path)
    *_, newest = grow(rest, tmp_path, [3, 4])
    repository, listed = rest.repository, list[tuple[str, str]]()
    ViewedStore.share(repository)
    list_folder = LocalStore.list

    def counted(store: LocalStore, prefix: str, after: str = "") -> Iterator[Any]:
        listed.append((prefix, after))
        yield from list_folder(store, prefix, after)

    monkeypatch.setattr(LocalStore, "list", counted)

    with Listings().of_one_answer("Overview", cast(Any, repository.store)):
        # In threads of their own.
        assert repository.latest().snapshot_id == repository.find(newest.snapshot_id).snapshot_id

    assert sorted(listed) == sorted(set(listed))


def test_a_snapshot_that_is_pruned_meanwhile_is_not_called_damaged(tmp_path: Path) -> None:
    rest = local_rest(tmp_path)
    first, *_ = grow(rest, tmp_path, [3, 4])
    repository = rest.repository
    ViewedStore.share(repository)
    opened = SimpleNamespace(repository=repository, store=repository.store, uri=rest.store.uri)
    reader = StoreReader(cast(Callable[[], OpenedStore], lambda: opened))

    with reader.one_answer("Snapshot"):
        snapshot = reader.snapshot(reader.manifest(first.sequence))
        assert reader.pruned() == {}
        Context().run(prune, rest.repository, Retention(keep_last=1), now=datetime.now(UTC) + timedelta(days=20))
        lost = snapshot._gone(first.files[0])

    assert isinstance(lost, PrunedMeanwhileError)


def test_the_folder_of_a_chosen_snapshot_is_not_listed_for_the_next_answer(
    folder: _Counted, store: ViewedStore
) -> None:
    found = Listings()
    with found.of_one_answer("Snapshot", store):
        list(store.list("data/20261101T000000Z-00000001/"))

    with found.of_one_answer("Snapshot", store):
        pass

    assert folder.listed.count("data/20261101T000000Z-00000001/") == 1
