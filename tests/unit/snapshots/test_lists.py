"""A snapshot's list is found in few others, and is the same whichever they are."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest

from airflow_provider_elementary.snapshots.lists import MOST, list_difference, lists_to_add_to, merge


@dataclass(frozen=True)
class File:
    key: str


@pytest.mark.parametrize(
    ("before", "new", "expected"),
    [
        ([], 150, ()),
        ([(7, 150)], 12, (7,)),
        ([(7, 150), (8, 12), (9, 12), (10, 12), (11, 12)], 12, (7, 8, 9, 10, 11)),
        ([(7, 150), (8, 12), (9, 12), (10, 12), (11, 12), (12, 12)], 12, (7,)),
        ([(7, 150), (13, 72), (14, 12), (15, 12), (16, 12), (17, 12)], 12, (7, 13)),
        ([(7, 150), (8, 12), (9, 12), (10, 12), (11, 12), (12, 12)], 0, (7,)),
        ([(7, 10), (8, 12), (9, 12), (10, 12), (11, 12), (12, 12)], 12, (7,)),
    ],
    ids=["first", "second", "few", "too many", "two sizes", "nothing new", "small"],
)
def test_which_lists_a_list_adds_to(before: list[tuple[int, int]], new: int, expected: tuple[int, ...]) -> None:
    assert lists_to_add_to(before, new) == expected


def test_without_a_full_list_for_a_week_each_file_is_repeated_a_few_times() -> None:
    before, written = [(0, 150)], 0
    for number in range(1, 169):
        lists = lists_to_add_to(before, 12)
        named = 12 + sum(names for each, names in before if each not in lists)
        before = [*((each, names) for each, names in before if each in lists), (number, named)]
        written += named

    assert written / (168 * 12) < 4.5


def test_any_lists_give_the_files_that_were_committed() -> None:
    random = Random(7)  # noqa: S311
    whole: list[File] = []
    stored: dict[int, tuple[list[File], list[str]]] = {}
    before: list[int] = []
    for number in range(5, 5 + 200):
        kept = [file for file in whole if random.random() > 0.1]
        files = [*kept, *(File(f"{number}-{place}") for place in range(random.randrange(4)))]
        new = sum(map(len, list_difference(whole, files)))
        lists = lists_to_add_to([(each, sum(map(len, stored[each]))) for each in before], new)
        stored[number] = list_difference(merge(stored[each] for each in lists), files)
        before, whole = [*lists, number], files

        assert len(lists) <= MOST
        assert set(merge(stored[each] for each in before)) == set(files)
