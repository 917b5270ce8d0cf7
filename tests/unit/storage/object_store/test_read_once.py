"""During a task, each document and each listing is asked for once, and again after the task wrote there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.storage.object_store import read_once
from airflow_provider_elementary.storage.object_store.read_once import ReadOnceStore
from airflow_provider_elementary.storage.object_store.store import Fetched, StoredObject
from tests.support.counting_store import CountingStore


@pytest.fixture
def inner() -> CountingStore:
    return CountingStore({"a/1": b"one", "a/2": b"two", "a/files/x": b"x"})


@pytest.fixture
def store(inner: CountingStore) -> ReadOnceStore:
    return ReadOnceStore(inner)


def names(store: ReadOnceStore, prefix: str = "a/") -> list[str]:
    return [found.key for found in store.list(prefix)]


def content(store: ReadOnceStore, key: str) -> bytes | None:
    found = store.get_capped(key, 100)
    return found.content if found else None


def test_documents_and_listings_are_asked_for_once(store: ReadOnceStore, inner: CountingStore) -> None:
    assert [content(store, "a/1") for _ in range(3)] == [b"one"] * 3
    assert [names(store) for _ in range(3)] == [["a/1", "a/2", "a/files/x"]] * 3
    assert inner.total == 2


def test_what_was_truncated_is_asked_for_again(store: ReadOnceStore, inner: CountingStore) -> None:
    short = store.get_capped("a/1", 2)

    assert (short.content if short else None, content(store, "a/1")) == (b"on", b"one")
    again = store.get_capped("a/1", 2)
    assert (again.content if again else None, inner.total) == (b"on", 2)


def test_what_has_no_room_is_asked_for_again(inner: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_once, "_ROOM", 5)
    store = ReadOnceStore(inner)

    assert [content(store, key) for key in ("a/1", "a/2", "a/1", "a/2")] == [b"one", b"two", b"one", b"two"]
    assert inner.total == 3


def test_what_is_missing_is_asked_for_again(store: ReadOnceStore, inner: CountingStore) -> None:
    assert content(store, "a/3") is None
    inner.objects["a/3"] = b"three"

    assert content(store, "a/3") == b"three"


def test_a_listing_is_read_only_as_far_as_somebody_looks(store: ReadOnceStore, inner: CountingStore) -> None:
    for number in range(2_500):
        inner.objects[f"b/{number:04d}"] = b""

    for _ in range(2):
        assert next(store.list("b/")).key == "b/0000"
    assert inner.requests["list"] == 1
    assert len(names(store, "b/")) == 2_500
    assert inner.requests["list"] == 3


def test_what_has_no_room_of_a_listing_is_listed_again(inner: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_once, "_NAMES", 2_000)
    store = ReadOnceStore(inner)
    expected = [f"b/{number:04d}" for number in range(4_500)]
    for key in expected:
        inner.objects[key] = b""

    assert [names(store, "b/") for _ in range(3)] == [expected] * 3
    # The first 2,000 once, and the others each time.
    assert inner.requests["list"] == 2 + 3 * 3
    first, second = store.list("b/"), store.list("b/")
    assert [(one.key, other.key) for one, other in zip(first, second, strict=True)] == [(key, key) for key in expected]


def test_a_listing_that_was_discarded_gives_its_room_back(
    inner: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_once, "_NAMES", 5)
    store = ReadOnceStore(inner)
    for number in range(4):
        store.put("a/2", b"%d" % number)
        names(store)
    listed = inner.requests["list"]

    assert names(store) == ["a/1", "a/2", "a/files/x"]
    assert inner.requests["list"] == listed


def test_the_end_of_a_listing_takes_room_once(inner: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_once, "_NAMES", 6)
    store = ReadOnceStore(inner)
    found = [names(store) for _ in range(9)]

    assert found == [found[0]] * 9
    assert inner.requests["list"] == 1


def test_a_document_that_was_discarded_gives_its_room_back(
    inner: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_once, "_ROOM", 5)
    store = ReadOnceStore(inner)
    for _ in range(4):
        store.put("a/1", b"new")
        content(store, "a/1")
    asked = inner.requests["get"]

    assert (content(store, "a/1"), inner.requests["get"]) == (b"new", asked)


def test_a_document_that_was_asked_for_before_a_write_is_asked_for_again(
    store: ReadOnceStore, inner: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = inner.get_capped

    def answer_late(key: str, limit: int) -> Fetched | None:
        found = ask(key, limit)
        store.put(key, b"new")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(inner, "get_capped", answer_late)
        assert content(store, "a/1") == b"one"

    assert content(store, "a/1") == b"new"


def test_a_document_that_the_task_wrote_has_the_tag_of_its_object(store: ReadOnceStore) -> None:
    assert store.put_if_absent("a/0", b"zero")

    found = store.get_capped("a/0", 100)

    assert found is not None
    assert store.replace("a/0", b"new", found.etag)


def test_a_listing_that_failed_is_asked_for_again(
    store: ReadOnceStore, inner: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(prefix: str, after: str = "") -> Iterator[StoredObject]:
        yield StoredObject("a/1", 3)
        raise StoreError("503 Slow Down")

    with monkeypatch.context() as patched:
        patched.setattr(inner, "list", failing)
        first, second = store.list("a/"), store.list("a/")
        assert (next(first).key, next(second).key) == ("a/1", "a/1")
        # Another reader of it gets the error as well, and no shorter listing.
        for listing in (first, second):
            with pytest.raises(StoreError, match="Slow Down"):
                next(listing)

    assert names(store) == ["a/1", "a/2", "a/files/x"]


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.put_if_absent("a/0", b"zero"),
        lambda store: store.put("a/0", b"zero"),
        lambda store: store.replace("a/2", b"zero", ""),
        lambda store: store.delete("a/1"),
        lambda store: store.delete_many(["a/1"]),
    ],
    ids=["put_if_absent", "put", "replace", "delete", "delete_many"],
)
def test_what_another_thread_lists_during_a_write_is_listed_again(
    store: ReadOnceStore, inner: CountingStore, write: Callable[[ReadOnceStore], object]
) -> None:
    count = inner._count

    def list_meanwhile(kind: str, content: bytes | None) -> bytes | None:
        if kind != "list":
            names(store)
        return count(kind, content)

    inner._count = list_meanwhile  # type: ignore[method-assign]
    write(store)
    listed = inner.requests["list"]

    assert names(store) == inner.objects.below("a/")
    assert inner.requests["list"] == listed + 1


def test_what_another_thread_lists_while_a_file_is_written_is_listed_again(store: ReadOnceStore) -> None:
    with store.create("a/files/y") as target:
        assert names(store, "a/files/") == ["a/files/x"]
        target.write(b"y")

    assert names(store, "a/files/") == ["a/files/x", "a/files/y"]


def test_what_the_task_writes_and_deletes_is_seen(store: ReadOnceStore) -> None:
    assert names(store) == ["a/1", "a/2", "a/files/x"]
    assert content(store, "a/2") == b"two"

    assert store.put_if_absent("a/0", b"zero")
    store.put("a/2", b"second")
    store.delete("a/1")
    assert store.delete_many(["a/files/x"]) == ()

    assert names(store) == ["a/0", "a/2"]
    assert [content(store, key) for key in ("a/0", "a/1", "a/2")] == [b"zero", None, b"second"]


def test_another_writer_who_was_faster_is_seen(store: ReadOnceStore, inner: CountingStore) -> None:
    assert names(store) == ["a/1", "a/2", "a/files/x"]
    inner.objects["a/0"] = b"of another"

    assert not store.put_if_absent("a/0", b"mine")

    assert (names(store)[0], content(store, "a/0")) == ("a/0", b"of another")


def test_what_is_replaced_is_read_again(store: ReadOnceStore) -> None:
    found = store.get_capped("a/1", 100)
    assert found is not None

    assert store.replace("a/1", b"new", found.etag)

    assert content(store, "a/1") == b"new"


def test_a_file_is_listed_in_its_folder_and_costs_no_listing_of_the_series(
    store: ReadOnceStore, inner: CountingStore
) -> None:
    assert (len(names(store)), names(store, "a/files/")) == (3, ["a/files/x"])
    with store.create("a/files/y") as target:
        target.write(b"y")

    asked = inner.requests["list"]
    assert names(store, "a/files/") == ["a/files/x", "a/files/y"]
    assert next(store.list("a/")).key == "a/1"
    assert inner.requests["list"] == asked + 1


def test_the_rest_is_that_of_the_store(store: ReadOnceStore, inner: CountingStore) -> None:
    assert (store.uri, store.describe(), store.protection("a/1")) == (inner.uri, inner.describe(), "memory")
    assert (store.get("a/1"), store.get_range("a/1", 1, 1), store.probe()) == (b"one", b"n", True)
    assert store.clock_difference() == inner.clock_difference()
