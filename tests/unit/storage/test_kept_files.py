"""Small files that were fetched whole are kept, as long as there is room, and nothing is believed for that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.storage import kept_files
from airflow_provider_elementary.storage.kept_files import (
    KeptFiles,
    load_kept_files,
    save_kept_files,
    stored_at,
)
from airflow_provider_elementary.storage.layout import kept_key
from tests.support import counting_store

SMALL = replace(
    counting_store._file("s1", "dbt_models", Category.METADATA, datetime(2026, 1, 1)),
    size=10,
    sha256=hashlib.sha256(bytes(10)).hexdigest(),
)
#: One byte shorter, of which the server gives as much.
OTHER = replace(SMALL, size=9, sha256=hashlib.sha256(bytes(9)).hexdigest())
LARGE = replace(SMALL, size=(1 << 20) + 1)


class Server:
    """Answers requests and counts them; the first ones fail where asked to."""

    def __init__(self, failures: int = 0) -> None:
        self.asked, self.failures = 0, failures

    def fetch(self, start: int, length: int) -> bytes:
        self.asked += 1
        if self.asked <= self.failures:
            raise StoreError("no answer")
        return bytes(min(length, 10))


def test_a_whole_file_is_asked_for_once() -> None:
    server, kept = Server(), KeptFiles()

    found = {kept.fetch_of(SMALL, server.fetch)(0, 11) for _ in range(3)}

    assert (found, server.asked) == ({bytes(10)}, 1)


@pytest.mark.parametrize(("start", "length"), [(4, 3), (0, 4)])
def test_parts_of_small_files_are_asked_for_each_time(start: int, length: int) -> None:
    server, kept = Server(), KeptFiles()

    for _ in range(2):
        kept.fetch_of(SMALL, server.fetch)(start, length)

    assert server.asked == 2


def test_parts_of_large_files_are_asked_for_once_in_a_task_and_not_stored() -> None:
    server, kept = Server(), KeptFiles()

    for part in [(0, 4), (4, 4), (0, 4), (0, 5)]:
        assert kept.fetch_of(LARGE, server.fetch)(*part) == bytes(part[1])

    assert server.asked == 3
    assert kept.stored() == b""


def test_parts_that_have_no_room_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "_RANGES_ROOM", 5)
    server, kept = Server(), KeptFiles()

    for part in [(0, 4), (4, 4), (0, 4), (4, 4)]:
        kept.fetch_of(LARGE, server.fetch)(*part)

    assert server.asked == 3


def test_what_has_no_room_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "_ROOM", 55)
    server, kept = Server(), KeptFiles()

    for file in (SMALL, OTHER, SMALL, OTHER):
        kept.fetch_of(file, lambda start, _, size=file.size: server.fetch(start, size))(0, 11)

    assert server.asked == 3


def test_an_answer_that_was_truncated_is_not_kept() -> None:
    answers, kept = [b"\0" * 4, bytes(10)], KeptFiles()
    fetch = kept.fetch_of(SMALL, lambda *_: answers.pop(0))

    assert [fetch(0, 11) for _ in range(3)] == [bytes(4), bytes(10), bytes(10)]


def test_a_failure_is_not_kept() -> None:
    server, kept = Server(failures=1), KeptFiles()
    with pytest.raises(StoreError):
        kept.fetch_of(SMALL, server.fetch)(0, 11)

    assert kept.fetch_of(SMALL, server.fetch)(0, 11) == bytes(10)


def file_of(content: bytes) -> FileEntry:
    return replace(SMALL, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def kept(*contents: bytes) -> bytes:
    """Return what a task that read these files stores."""
    files = KeptFiles()
    for content in contents:
        files.fetch_of(file_of(content), lambda start, length, content=content: content)(0, len(content) + 1)
    return files.stored()


def test_the_next_run_asks_for_no_file_that_was_kept() -> None:
    server, files = Server(), KeptFiles(kept(b"first", b"second file"))

    found = [files.fetch_of(file_of(each), server.fetch)(0, len(each) + 1) for each in (b"second file", b"first")]

    assert (found, server.asked) == ([b"second file", b"first"], 0)


def test_only_what_a_run_reads_is_kept_for_the_next_one() -> None:
    files = KeptFiles(kept(b"read again", b"not read again"))
    files.fetch_of(file_of(b"read again"), Server().fetch)(0, 11)

    left = files.stored()

    assert b"read again" in left
    assert b"not read" not in left
    assert KeptFiles(left).stored() == b""


def test_what_a_task_wrote_is_kept_and_another_task_takes_it_in() -> None:
    server, writer, reader = Server(), KeptFiles(), KeptFiles(kept(b"of its own"))
    writer.keep_file(file_of(b"written").sha256, b"written")
    writer.keep_file(file_of(b"another").sha256, b"forged")
    writer.keep_file(hashlib.sha256(bytes(LARGE.size)).hexdigest(), bytes(LARGE.size))

    reader.include(writer.stored())
    found = [reader.fetch_of(file_of(each), server.fetch)(0, len(each) + 1) for each in (b"written", b"of its own")]

    assert (found, server.asked) == ([b"written", b"of its own"], 0)
    assert b"forged" not in writer.stored()
    assert len(writer.stored()) < LARGE.size


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored[:-1],
        lambda stored: stored[:9],
        lambda stored: stored[:-5] + b"other",
        lambda stored: b"x" * len(stored),
        lambda stored: stored[:8] + b"\xff" * 40 + stored[48:],
        lambda stored: b"\xff" * 8 + bytes(40) + stored,
        lambda _: b"",
    ],
)
def test_what_an_adversary_puts_in_its_place_is_fetched_from_its_own_object(
    change: Callable[[bytes], bytes],
) -> None:
    server, files = Server(), KeptFiles(change(kept(b"right")))

    assert files.fetch_of(file_of(b"right"), server.fetch)(0, 6) == bytes(6)
    assert server.asked == 1


def test_a_document_is_found_by_the_hash_of_its_json_alone() -> None:
    document, body = b"elementary-signed 2 line\n{}", hashlib.sha256(b"{}").hexdigest()
    files = KeptFiles()
    files.keep_document(body, document)

    later = KeptFiles(files.stored())

    assert (later.document(body), later.document(hashlib.sha256(document).hexdigest())) == (document, None)
    assert KeptFiles(later.stored()).document(body) == document


def test_documents_that_have_no_room_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "_ROOM", 2 * (40 + 22))
    files, contents = KeptFiles(), [b"elementary-signed 2 \n%d" % number for number in range(5)]
    for number, content in enumerate(contents):
        files.keep_document(str(number), content)

    assert [files.document(str(number)) for number in range(5)] == [*contents[:2], None, None, None]


def test_large_documents_are_not_kept() -> None:
    files = KeptFiles()
    files.keep_document("00" * 32, b"elementary-signed 2 \n" + bytes(1 << 20))

    assert files.stored() == b""


class TestTheObjectOfATask:
    """What a task kept is one object of its own; that it cannot be read or written stops nothing."""

    def test_it_is_loaded_by_the_next_run_of_the_task_alone(self) -> None:
        store, server = counting_store.CountingStore(), Server()
        save_kept_files(store, "dag/task", KeptFiles())
        assert list(store.objects) == []
        store.put(kept_key("dag/task"), kept(bytes(10)))

        for series, asked in (("dag/task", 0), ("dag/other", 1)):
            files = load_kept_files(store, series)
            files.fetch_of(SMALL, server.fetch)(0, 11)
            assert server.asked == asked
        save_kept_files(store, "dag/other", files)
        assert set(store.objects) == {kept_key("dag/task"), kept_key("dag/other")}

    def test_a_store_that_gives_or_takes_none_stops_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise StoreError("refused")

        store = counting_store.CountingStore()
        monkeypatch.setattr(store, "get_capped", refuse)
        monkeypatch.setattr(store, "put", refuse)

        files = load_kept_files(store, "dag/task")
        files.fetch_of(file_of(b"right"), Server().fetch)(0, 6)
        save_kept_files(store, "dag/task", files)

    def test_it_says_when_it_was_stored(self) -> None:
        assert datetime.now(UTC) - stored_at(kept(b"a")[:8]) < timedelta(minutes=1)

    @pytest.mark.parametrize("head", [b"", b"1234567", b"\xff" * 8])
    def test_what_is_none_was_stored_long_ago(self, head: bytes) -> None:
        assert stored_at(head).year == 1
