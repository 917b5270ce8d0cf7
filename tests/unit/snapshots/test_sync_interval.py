"""The usual interval of syncs is that of snapshots, whatever is taken by hand or merged in between."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from airflow_provider_elementary.snapshots.sync_interval import is_overdue, newest_syncs, usual_interval

NOON = datetime(2026, 11, 22, 12)
HOUR = timedelta(hours=1)


def hourly(count: int) -> list[datetime]:
    return [NOON + HOUR * number for number in range(count)]


@pytest.mark.parametrize(
    ("taken", "usual"),
    [
        ([], None),
        (hourly(3), None),
        (hourly(4), HOUR),
        ([*hourly(4), NOON + HOUR * 3 + timedelta(minutes=2)], HOUR),
        ([NOON + timedelta(seconds=number) for number in range(8)], None),
    ],
    ids=["none", "too few", "hourly", "one by hand", "all by hand"],
)
def test_the_usual_interval_needs_three_distances(taken: list[datetime], usual: timedelta | None) -> None:
    assert usual_interval(taken) == usual


def test_a_sync_is_overdue_after_twice_its_interval() -> None:
    assert [is_overdue(NOON, HOUR, NOON + HOUR * 2), is_overdue(NOON, HOUR, NOON + HOUR * 2.1)] == [False, True]


def test_compactions_in_a_row_do_not_hide_the_interval() -> None:
    # Number and time, the newest first: twelve compactions have the time of the snapshot that they merge.
    merged = [(number, NOON + HOUR * 4) for number in range(17, 5, -1)]
    synced = [(number, NOON + HOUR * (number - 1)) for number in range(5, 0, -1)]

    found = newest_syncs([*merged, *synced], lambda snapshot: snapshot[1])

    assert [number for number, _ in found] == [1, 2, 3, 4, 5]
    assert usual_interval([taken for _, taken in found]) == HOUR
