"""Parts of a file are fetched before they are needed, a bounded number, and each once."""

from __future__ import annotations

from threading import Barrier, Event, get_ident

import pytest

from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.storage.fetch_ahead import FetchAhead

CONTENT = bytes(range(100))
PARTS = [(start, 10) for start in range(0, 100, 10)]


def part(of: tuple[int, int]) -> bytes:
    start, length = of
    return CONTENT[start : start + length]


def test_parts_are_fetched_once_and_come_as_they_are() -> None:
    asked: list[tuple[int, int]] = []

    def fetch(of: tuple[int, int]) -> bytes:
        asked.append(of)
        return part(of)

    with FetchAhead(fetch, 3) as ahead:
        footer = ahead.get((90, 5))
        ahead.expect(PARTS)
        found = [ahead.get(each) for each in PARTS]

    assert footer == part((90, 5))
    assert b"".join(found) == CONTENT
    assert sorted(asked) == sorted([*PARTS, (90, 5)])


def test_as_many_are_under_way_as_were_allowed_and_no_more() -> None:
    together, begun = Barrier(3), []

    def fetch(of: tuple[int, int]) -> bytes:
        begun.append(of[0])
        if of[0] < 30:
            together.wait(30)
        return part(of)

    with FetchAhead(fetch, 3) as ahead:
        ahead.expect(PARTS)
        ahead.get(PARTS[0])
        # Three are asked for at the same time, and the fourth takes the place of the first that was read.
        assert set(begun) <= {0, 10, 20, 30}
        assert ahead.get(PARTS[1]) == part((10, 10))


def test_what_is_passed_over_is_not_waited_for() -> None:
    waiting = Event()

    def fetch(of: tuple[int, int]) -> bytes:
        if of[0]:
            waiting.wait(30)
        return part(of)

    with FetchAhead(fetch, 2) as ahead:
        ahead.expect(PARTS)
        assert ahead.get(PARTS[0]) == part((0, 10))
    waiting.set()


def test_parts_come_where_the_system_gives_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", no_thread)
    with FetchAhead(part, 3) as ahead:
        ahead.expect(PARTS)
        assert b"".join(ahead.get(each) for each in PARTS) == CONTENT


def test_a_failure_is_raised_where_the_part_is_read() -> None:
    def fetch(of: tuple[int, int]) -> bytes:
        if of[0] == 20:
            raise StoreError("The store does not answer.")
        return part(of)

    with FetchAhead(fetch, 4) as ahead:
        ahead.expect(PARTS)
        assert [ahead.get(each) for each in PARTS[:2]] == [part((0, 10)), part((10, 10))]
        with pytest.raises(StoreError, match="does not answer"):
            ahead.get(PARTS[2])


def test_a_store_that_answers_at_once_is_asked_by_no_thread() -> None:
    by: set[int] = set()

    def fetch(of: tuple[int, int]) -> bytes:
        by.add(get_ident())
        return part(of)

    with FetchAhead(fetch, 4, seconds=60) as ahead:
        ahead.expect(PARTS)
        found = [ahead.get(each) for each in PARTS]

    assert b"".join(found) == CONTENT
    assert by == {get_ident()}
