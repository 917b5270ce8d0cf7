"""A snapshot's list is found in few others, and is the same whichever they are."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest

from airflow_provider_elementary.snapshots.lists import list_difference, merge, path, since


@dataclass(frozen=True)
class File:
    key: str


@pytest.mark.parametrize(
    ("number", "base", "expected"),
    [
        (1, 1, [1]),
        (2, 1, [1, 2]),
        (8, 1, [1, 2, 3, 4, 5, 6, 7, 8]),
        (9, 1, [1, 9]),
        (11, 1, [1, 9, 10, 11]),
        (49, 1, [1, 49]),
        (58, 1, [1, 49, 57, 58]),
        (168, 1, [1, 49, 97, 145, 153, 161, 162, 163, 164, 165, 166, 167, 168]),
    ],
)
def test_the_path_of_a_list(number: int, base: int, expected: list[int]) -> None:
    assert path(number, base) == expected


def test_no_list_of_a_week_of_hours_needs_more_than_fifteen() -> None:
    assert max(len(path(number, 100)) for number in range(100, 100 + 168)) == 15


def test_any_path_gives_the_files_that_were_committed() -> None:
    random = Random(7)  # noqa: S311
    lists: dict[int, list[File]] = {}
    stored = {}
    for number in range(5, 5 + 100):
        before = lists.get(number - 1, [])
        kept = [file for file in before if random.random() > 0.1]
        lists[number] = [*kept, *(File(f"{number}-{place}") for place in range(random.randrange(4)))]
        stored[number] = list_difference(lists.get(since(number, 5), []), lists[number])

    for number, files in lists.items():
        assert set(merge(stored[one] for one in path(number, 5))) == set(files)
