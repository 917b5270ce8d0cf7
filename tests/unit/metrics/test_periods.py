"""Periods: every day that a calendar has is in one."""

from __future__ import annotations

from datetime import date

import pytest

from airflow_provider_elementary.metrics.periods import Arrangement, Period, share_files


@pytest.mark.parametrize("day", [date.min, date(1990, 1, 1), date(2026, 2, 28), date(9999, 12, 29), date.max])
@pytest.mark.parametrize("today", [date(2026, 3, 2), date.max])
def test_every_day_is_in_a_period(day: date, today: date) -> None:
    assert Arrangement([], today).of(day).has(day)


def day(number: int) -> Period:
    """Return the period of a day of March."""
    return Period(date(2026, 3, number), date(2026, 3, number))


WEEK, LATER_WEEK = (Period(date(2026, 2, first), date(2026, 2, first + 6)) for first in (8, 15))
MONTHS = [Period(date(2025, month, 1), date(2025, month, 28)) for month in range(1, 11)]


@pytest.mark.parametrize(
    ("rows", "groups"),
    [
        # Of one kind, those that end three days before or earlier.
        (
            {day(1): 9, day(3): 9, day(9): 9, day(10): 9, day(11): 9},
            [(day(1), day(3)), (day(9),), (day(10),), (day(11),)],
        ),
        ({MONTHS[0]: 9, WEEK: 9, LATER_WEEK: 9, day(1): 9}, [(MONTHS[0],), (WEEK, LATER_WEEK), (day(1),)]),
        # With few rows together.
        ({WEEK: 60_000, LATER_WEEK: 50_000}, [(WEEK,), (LATER_WEEK,)]),
        # Their names fit into that of a file.
        (dict.fromkeys(MONTHS, 1), [tuple(MONTHS[:8]), tuple(MONTHS[8:])]),
    ],
)
def test_periods_that_change_together_share_a_file(rows: dict[Period, int], groups: list[tuple[Period, ...]]) -> None:
    assert list(share_files(rows, date(2026, 3, 11))) == groups
