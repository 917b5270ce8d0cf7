"""The ranges of a large table have each row once, and about as many rows each."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.snapshots.capture.split import _ranges
from airflow_provider_elementary.warehouses.watermarks import Undated

DAYS = st.dictionaries(st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(1, 10_000), min_size=1, max_size=20)


@given(days=DAYS, count=st.integers(1, 63))
def test_ranges_follow_one_another_from_the_beginning_to_the_end(days: dict[date, int], count: int) -> None:
    ranges = list(_ranges("t", dict(sorted(days.items())), count))

    assert (ranges[0].since, ranges[-1].until) == (None, None)
    assert [one.until for one in ranges[:-1]] == [one.since for one in ranges[1:]]
    assert all(one.since < one.until for one in ranges[1:-1] if one.since is not None and one.until is not None)
    assert len(ranges) <= count
    assert {one.rows_of_table for one in ranges} == {sum(days.values())}


def test_days_of_as_many_rows_are_shared_evenly() -> None:
    days = {date(2026, 1, 1) + timedelta(days=number): 100 for number in range(8)}

    ranges = list(_ranges("t", days, 4))

    assert [one.since for one in ranges] == [None, *(datetime(2026, 1, day) for day in (3, 5, 7))]


def test_one_large_day_is_split_within_the_day() -> None:
    ranges = list(_ranges("t", {date(2026, 1, 1): 1_000}, 2))

    assert ranges[0].until == datetime(2026, 1, 1, 12)


@pytest.mark.parametrize(
    ("wanted", "undated"),
    [
        (Slice("t"), None),
        (Slice("t", None, datetime(2026, 1, 1)), Undated.NULL),
        (Slice("t", datetime(2026, 1, 1), None), Undated.NONE),
    ],
)
def test_rows_without_a_time_are_in_the_first_range_alone(wanted: Slice, undated: Undated | None) -> None:
    assert wanted.undated is undated
