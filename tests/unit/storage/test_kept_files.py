"""Small files that were fetched whole are kept, as long as there is room."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.storage import kept_files
from airflow_provider_elementary.storage.kept_files import KeptFiles
from tests.support import counting_store

SMALL = replace(counting_store._file("s1", "dbt_models", Category.METADATA, datetime(2026, 1, 1)), size=10)
OTHER = replace(SMALL, key="another")
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

    found = {kept.fetch_of(SMALL.key, SMALL, server.fetch)(0, 11) for _ in range(3)}

    assert (found, server.asked) == ({bytes(10)}, 1)


@pytest.mark.parametrize(("file", "start", "length"), [(LARGE, 0, LARGE.size + 1), (SMALL, 4, 3), (SMALL, 0, 4)])
def test_large_files_and_parts_of_files_are_asked_for_each_time(file: FileEntry, start: int, length: int) -> None:
    server, kept = Server(), KeptFiles()

    for _ in range(2):
        kept.fetch_of(file.key, file, server.fetch)(start, length)

    assert server.asked == 2


def test_what_has_no_room_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_files, "_ROOM", 15)
    server, kept = Server(), KeptFiles()

    for file in (SMALL, OTHER, SMALL, OTHER):
        kept.fetch_of(file.key, file, server.fetch)(0, 11)

    assert server.asked == 3


def test_a_failure_is_not_kept() -> None:
    server, kept = Server(failures=1), KeptFiles()
    with pytest.raises(StoreError):
        kept.fetch_of(SMALL.key, SMALL, server.fetch)(0, 11)

    assert kept.fetch_of(SMALL.key, SMALL, server.fetch)(0, 11) == bytes(10)
