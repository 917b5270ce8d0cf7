"""Derives the usual interval of syncs from the times of snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise
from statistics import median
from typing import TypeVar

T = TypeVar("T")

#: Snapshots whose distances are the usual interval.
_COMPARED = 8
#: Snapshots that are looked at at most: compactions in a row have the time of the snapshot that they merge.
MOST_READ = 40
#: With fewer distances there is no usual one.
_FEWEST = 3
#: Snapshots that follow each other faster were taken by hand.
_SHORTEST = timedelta(minutes=10)
#: A sync is overdue this many intervals after the newest snapshot.
_INTERVALS = 2


def newest_syncs(newest_first: Iterable[T], taken_at: Callable[[T], datetime]) -> list[T]:
    """Return the newest snapshots, the oldest first; of a snapshot and its compactions, the snapshot itself.

    :param newest_first: read one by one, as far as is needed.
    """
    found: list[T] = []
    for snapshot in islice(newest_first, MOST_READ):
        if found and taken_at(found[-1]) == taken_at(snapshot):
            found[-1] = snapshot
        elif len(found) == _COMPARED:
            break
        else:
            found.append(snapshot)
    return found[::-1]


def usual_interval(taken: Sequence[datetime]) -> timedelta | None:
    """Return the usual time between syncs; None where there are too few of them.

    :param taken: when the newest snapshots were taken, the oldest first.
    """
    gaps = [after - before for before, after in pairwise(taken) if after - before >= _SHORTEST]
    return timedelta(seconds=median(gap.total_seconds() for gap in gaps)) if len(gaps) >= _FEWEST else None


def is_overdue(newest: datetime, interval: timedelta, now: datetime) -> bool:
    """Return whether the next snapshot should have been there long ago."""
    return now - newest > _INTERVALS * interval
