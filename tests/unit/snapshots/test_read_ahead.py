"""Small files are fetched ahead of their reader, each once, and few at a time."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.snapshots.read_ahead import ReadAhead
from airflow_provider_elementary.storage.file_binding import Fetch
from tests.support import counting_store

FILES = [
    replace(counting_store._file(f"s{number}", "dbt_models", Category.METADATA, datetime(2026, 1, 1)), size=number)
    for number in range(1, 13)
]


class Server:
    """Answers requests, and counts those that were begun and not yet taken."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waits = threading.Event()
        self.waits.set()

    def fetch_of(self, file: FileEntry) -> Fetch:
        def fetch(start: int, length: int) -> bytes:
            self.asked.append(file.key)
            assert self.waits.wait(10)
            if file.size == 5:
                raise StoreError("no answer")
            return bytes(min(length, file.size - start))

        return fetch


def read(ahead: ReadAhead, file: FileEntry) -> int:
    return len(ahead.fetch_of(file)(0, file.size + 1))


def test_every_file_is_asked_for_once_and_comes_in_order() -> None:
    server, files = Server(), [file for file in FILES if file.size != 5]
    with ReadAhead(server.fetch_of, files) as ahead:
        assert [read(ahead, file) for file in files] == [file.size for file in files]

    assert sorted(server.asked) == sorted(file.key for file in files)


@pytest.mark.parametrize(("size", "most"), [(1, 8), (7 * 2**20, 4)], ids=["small", "large"])
def test_few_are_held_at_once(size: int, most: int) -> None:
    server = Server()
    files = [replace(file, size=size) for file in FILES]
    with ReadAhead(server.fetch_of, files) as ahead:
        read(ahead, files[0])

    assert len(server.asked) <= most + 1


def test_several_are_asked_for_at_the_same_time() -> None:
    server = Server()
    server.waits.clear()
    with ReadAhead(server.fetch_of, FILES) as ahead:
        reader = threading.Thread(target=read, args=(ahead, FILES[0]))
        reader.start()

        try:
            for _ in range(1000):
                if len(server.asked) == 8:
                    break
                threading.Event().wait(0.01)
            assert len(server.asked) == 8
        finally:
            server.waits.set()
            reader.join()


def test_an_error_comes_where_its_file_is_read() -> None:
    with ReadAhead(Server().fetch_of, FILES) as ahead:
        assert [read(ahead, file) for file in FILES[:4]] == [1, 2, 3, 4]
        with pytest.raises(StoreError):
            read(ahead, FILES[4])


def test_a_large_file_and_a_part_of_one_are_left_to_the_reader() -> None:
    server = Server()
    large = replace(FILES[1], row_groups=("ab", "cd"))
    with ReadAhead(server.fetch_of, [large, FILES[2]]) as ahead:
        assert len(ahead.fetch_of(large)(1, 1)) == 1
    assert server.asked == [large.key]
