"""The newest proved document is found whatever outsiders put among the numbered ones."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.snapshots.numbers import newest_proved, runs


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


def test_runs_of_consecutive_numbers() -> None:
    assert list(runs([1, 2, 3, 5, 8, 9])) == [(1, 3), (5, 5), (8, 9)]
