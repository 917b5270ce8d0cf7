"""Sums of days show what is lost, late or changed, in any order of rows and batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pyarrow as pa
import pytest

from airflow_provider_elementary.snapshots.capture.day_sums import (
    DaySums,
    Difference,
    RangeSums,
    WindowState,
    days_in_words,
    difference,
    join_ranges,
    join_windows,
)
from airflow_provider_elementary.snapshots.capture.dedup import row_digests

START = datetime(2026, 11, 1)
FIRST, SECOND = date(2026, 11, 1), date(2026, 11, 2)
#: Two rows on each of two days.
ROWS = [(hour, f"r{hour}") for hour in (1, 5, 25, 30)]


def sums(rows: Sequence[tuple[int, str]], *, hashed: bool = True, batches: int = 1) -> DaySums:
    found = DaySums()
    for number in range(batches):
        part = rows[number::batches]
        created = pa.array([START + timedelta(hours=hour) for hour, _ in part], pa.timestamp("us"))
        batch = pa.RecordBatch.from_arrays([pa.array([text for _, text in part], pa.string())], ["text"])
        found.add(created, row_digests(batch, ["text"]) if hashed else None)
    return found


def test_sums_do_not_depend_on_the_order_of_rows_and_batches() -> None:
    assert sums(ROWS) == sums(ROWS[::-1], batches=3)
    assert sums(ROWS).rows == {FIRST: 2, SECOND: 2}
    assert sums(ROWS).oldest == START + timedelta(hours=1)


def test_sums_are_taken_modulo_the_size_of_a_digest() -> None:
    found = sums(ROWS[:1] * 1_000)

    assert found.sums[FIRST] == sums(ROWS[:1]).sums[FIRST] * 1_000 % 2**128


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (ROWS, Difference()),
        (ROWS[1:], Difference(lost=(FIRST,))),
        ([*ROWS, (2, "new")], Difference(late=(FIRST,))),
        ([*ROWS[:-1], (31, "masked")], Difference(changed=(SECOND,))),
        ([*ROWS[:1], ROWS[0], *ROWS[2:]], Difference(changed=(FIRST,))),
        ([], Difference(lost=(FIRST, SECOND))),
    ],
)
def test_a_difference_names_the_days(now: list[tuple[int, str]], expected: Difference) -> None:
    assert difference(sums(ROWS), sums(now), holds_all=True) == expected


def test_where_not_all_rows_are_held_only_losses_show() -> None:
    assert difference(sums(ROWS[:3]), sums(ROWS), holds_all=False) == Difference()
    assert difference(sums(ROWS), sums(ROWS[:3]), holds_all=False) == Difference(lost=(SECOND,))


def test_counts_alone_do_not_show_changes() -> None:
    masked = [*ROWS[:-1], (31, "masked")]

    assert difference(sums(ROWS, hashed=False), sums(masked, hashed=False), holds_all=True) == Difference()


def test_a_message_names_three_days_and_counts_the_others() -> None:
    assert (
        days_in_words([FIRST + timedelta(days=n) for n in range(5)])
        == "2026-11-01, 2026-11-02, 2026-11-03 and 2 more days"
    )


@pytest.mark.parametrize(
    ("now", "lost"),
    [
        (ROWS, ()),
        # What is older than the oldest row of all is not expected, and what is gone between two ranges is.
        (ROWS[1:], ()),
        (ROWS[2:], ()),
        (ROWS[3:], ()),
        ([ROWS[0], *ROWS[2:]], (FIRST,)),
        ([*ROWS[:2], ROWS[3]], (SECOND,)),
        (ROWS[:2], (SECOND,)),
        ([], (FIRST, SECOND)),
    ],
)
def test_ranges_are_compared_as_the_whole_table_is(now: list[tuple[int, str]], lost: tuple[date, ...]) -> None:
    ranges = []
    for number, (begin, end) in enumerate([(0, 3), (3, 26), (26, 48)]):
        was, found = ([row for row in rows if begin <= row[0] < end] for rows in (ROWS, now))
        first = min((hour for hour, _ in found), default=end)
        before = sums([row for row in was if row[0] < first]) if number or not found else DaySums()
        ranges.append(RangeSums(sums(found), sums([row for row in was if row[0] >= first]), before, WindowState.NONE))

    whole, held = join_ranges(ranges)

    assert whole == sums(now)
    assert difference(held, whole, holds_all=True) == Difference(lost=lost)


@pytest.mark.parametrize(
    ("ranges", "whole"),
    [
        ([], WindowState.NONE),
        ([WindowState.NONE, WindowState.NONE], WindowState.NONE),
        ([WindowState.NONE, WindowState.HELD, WindowState.NONE], WindowState.HELD),
        ([WindowState.HELD, WindowState.UNKNOWN], WindowState.UNKNOWN),
        ([WindowState.UNKNOWN, WindowState.NONE], WindowState.UNKNOWN),
        ([WindowState.UNKNOWN, WindowState.LOST, WindowState.HELD], WindowState.LOST),
    ],
)
def test_a_window_is_held_where_each_range_that_has_some_holds_its_part(
    ranges: list[WindowState], whole: WindowState
) -> None:
    assert join_windows(RangeSums(DaySums(), DaySums(), DaySums(), one) for one in ranges) is whole
