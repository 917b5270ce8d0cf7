"""Parts of a file are fetched before they are needed, a bounded number, and each once."""

from __future__ import annotations

from threading import Barrier, Event, get_ident

import pytest

from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.storage.fetch_ahead import FetchAhead

CONTENT = bytes(range(100))
PARTS = [(start, 10) for start in range(0, 100, 10)]


def part(start: int, length: int) -> bytes:
    return CONTENT[start : start + length]


def test_parts_are_fetched_once_and_come_as_they_are() -> None:
    asked: list[tuple[int, int]] = []

    def fetch(start: int, length: int) -> bytes:
        asked.append((start, length))
        return part(start, length)

    with FetchAhead(fetch, 3, seconds=0) as ahead:
        footer = ahead(90, 5)
        ahead.expect(PARTS)
        found = [ahead(*each) for each in PARTS]

    assert footer == part(90, 5)
    assert b"".join(found) == CONTENT
    assert sorted(asked) == sorted([*PARTS, (90, 5)])


def test_as_many_are_under_way_as_were_allowed_and_no_more() -> None:
    together, begun = Barrier(3), []

    def fetch(start: int, length: int) -> bytes:
        if start == 90:
            return part(start, length)
        begun.append(start)
        if start < 30:
            together.wait(30)
        return part(start, length)

    with FetchAhead(fetch, 3, seconds=0) as ahead:
        ahead(90, 5)
        ahead.expect(PARTS)
        ahead(*PARTS[0])
        # Three are asked for at the same time, and the fourth takes the place of the first that was read.
        assert set(begun) <= {0, 10, 20, 30}
        assert ahead(*PARTS[1]) == part(10, 10)


def test_what_is_passed_over_is_not_waited_for() -> None:
    waiting = Event()

    def fetch(start: int, length: int) -> bytes:
        if start:
            waiting.wait(30)
        return part(start, length)

    with FetchAhead(fetch, 2, seconds=0) as ahead:
        ahead(0, 5)
        ahead.expect(PARTS)
        assert ahead(*PARTS[0]) == part(0, 10)
    waiting.set()


def test_a_failure_is_raised_where_the_part_is_read() -> None:
    def fetch(start: int, length: int) -> bytes:
        if start == 20:
            raise StoreError("The store does not answer.")
        return part(start, length)

    with FetchAhead(fetch, 4, seconds=0) as ahead:
        ahead.expect(PARTS)
        assert [ahead(*each) for each in PARTS[:2]] == [part(0, 10), part(10, 10)]
        with pytest.raises(StoreError, match="does not answer"):
            ahead(*PARTS[2])


def test_a_store_that_answers_at_once_is_asked_by_no_thread() -> None:
    by: set[int] = set()

    def fetch(start: int, length: int) -> bytes:
        by.add(get_ident())
        return part(start, length)

    with FetchAhead(fetch, 4, seconds=60) as ahead:
        ahead.expect(PARTS)
        found = [ahead(*each) for each in PARTS]

    assert b"".join(found) == CONTENT
    assert by == {get_ident()}
