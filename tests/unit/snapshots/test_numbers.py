"""The newest proved document is found whatever outsiders put among the numbered ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from airflow_provider_elementary.snapshots.numbers import LOOKS, newest_proved, runs


@pytest.mark.parametrize(
    ("there", "proved", "start", "newest"),
    [
        ([], [], 1, None),
        ([1, 2, 3], [1, 2, 3], 1, 3),
        ([7, 8], [7, 8], 1, 8),
        ([1, 2, 9_999_999_999], [1, 2], 1, 2),
        ([1, 2, 3], [1, 2], 1, 2),
        ([1, 2, 3], [1, 3], 1, 3),
        ([1, 2, 5, 6], [1, 2, 5, 6], 1, 6),
        ([1, 2, *range(3, 400)], [1, 2], 1, 2),
        ([*range(1, 200), *range(300, 5000, 2)], range(1, 200), 1, 199),
        ([1, 2, 3], [1, 2, 3], 4, None),
        ([5], [], 1, None),
    ],
    ids=[
        "nothing",
        "a chain",
        "an older part was pruned",
        "the largest number",
        "an outsider's object after the newest",
        "one that was changed inside",
        "one that is missing inside",
        "many outsiders' objects after the newest",
        "many outsiders' objects beyond the newest",
        "the newest is gone",
        "no proved one",
    ],
)
def test_the_newest_proved_number(there: list[int], proved: list[int], start: int, newest: int | None) -> None:
    looks = []

    def read(number: int) -> int | None:
        looks.append(number)
        return number if number in proved else None

    assert newest_proved(there, start, read) == newest
    assert len(looks) < 200


@pytest.mark.parametrize(
    ("junk", "known", "newest"),
    [
        (range(257, 321), 288, 256),
        (range(257, 321), 240, 256),
        (range(200, 400), 288, 199),
        ([*range(100, 164), *range(257, 321)], 288, 256),
        (range(1, 321), 288, None),
    ],
    ids=["on both sides of it", "after it", "far on both sides", "before it too", "in place of all"],
)
def test_the_number_that_was_proved_once_may_be_junk_by_now(
    junk: Sequence[int], known: int, newest: int | None
) -> None:
    looks = []

    def read(number: int) -> int | None:
        looks.append(number)
        return number if number not in junk else None

    assert newest_proved(range(1, max(junk) + 1), 1, read, lambda: known) == newest
    assert len(looks) <= known + 64 + 64
    assert len(looks) == len(set(looks))


@pytest.mark.parametrize("there", [range(1, 5000, 2), range(1, 5000)], ids=["with gaps", "without gaps"])
def test_few_numbers_are_looked_at_where_the_caller_lists_more(there: Sequence[int]) -> None:
    looks: list[int] = []

    assert newest_proved(there, 1, looks.append, are_all=False) is None
    assert len(looks) <= 2 * LOOKS


def test_runs_of_consecutive_numbers() -> None:
    assert list(runs([1, 2, 3, 5, 8, 9])) == [(1, 3), (5, 5), (8, 9)]
