"""Adds up rows by day, whatever their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

import numpy as np
import pyarrow as pa

from airflow_provider_elementary.snapshots.capture.dedup import DIGEST_BYTES, Digests
from airflow_provider_elementary.times import earliest

_MODULUS = 1 << 8 * DIGEST_BYTES
_LIMBS = DIGEST_BYTES // 4
_EPOCH = date(1970, 1, 1)
#: At most this many days are named; the others are counted.
_NAMED = 3


@dataclass
class DaySums:
    """The rows of one table by the day of their watermark.

    :param rows: how many.
    :param sums: the sum of their digests modulo 2^128.
    :param oldest: the least watermark.
    """

    rows: Counter[date] = field(default_factory=Counter)
    sums: Counter[date] = field(default_factory=Counter)
    oldest: datetime | None = None

    def add(self, created: pa.Array, digests: Digests | None = None) -> None:
        """Add rows that all have a watermark; without digests they are only counted."""
        if not len(created):
            return
        times = created.to_numpy(zero_copy_only=False)
        self.oldest = earliest(self.oldest, times.min().item())
        days, where, counts = np.unique(times.astype("datetime64[D]"), return_inverse=True, return_counts=True)
        names = [_EPOCH + timedelta(days=int(day)) for day in days.astype(np.int64)]
        self.rows.update(dict(zip(names, counts.tolist(), strict=True)))
        if digests is None:
            return
        limbs = np.frombuffer(digests.tobytes(), dtype="<u4").reshape(-1, _LIMBS)[np.argsort(where, kind="stable")]
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        for name, limbs_of_day in zip(names, np.add.reduceat(limbs, starts, axis=0, dtype=np.uint64), strict=True):
            total = sum(int(limb) << 32 * place for place, limb in enumerate(limbs_of_day))
            self.sums[name] = (self.sums[name] + total) % _MODULUS

    def include(self, other: DaySums) -> None:
        """Add what another part of the same table has."""
        self.oldest = earliest(self.oldest, other.oldest)
        self.rows.update(other.rows)
        for day, total in other.sums.items():
            self.sums[day] = (self.sums[day] + total) % _MODULUS


class WindowState(StrEnum):
    """What a source still has of the rows of a window that were taken."""

    NONE = "none taken"
    HELD = "held"
    #: The store cannot be read there, or nothing that both have identifies a row.
    UNKNOWN = "not known"
    LOST = "lost"


@dataclass(frozen=True)
class RangeSums:
    """A range of a table: what a source has of it, and what the snapshot before holds.

    :param found: what the source has.
    :param held: what the snapshot holds from the source's oldest row of the range on.
    :param before: what it holds of earlier rows of the range: gone, unless the source has none that are older.
    :param window: what the source has of the window in this range.
    """

    found: DaySums
    held: DaySums
    before: DaySums
    window: WindowState


def join_ranges(ranges: Iterable[RangeSums]) -> tuple[DaySums, DaySums]:
    """Return what a source has of a table, and what a snapshot holds from the source's oldest row on.

    :param ranges: of the table, in their order.
    """
    found, held = DaySums(), DaySums()
    for one in ranges:
        if found.oldest is None and one.found.oldest is not None:
            held = DaySums()
        else:
            held.include(one.before)
        found.include(one.found)
        held.include(one.held)
    return found, held


def join_windows(ranges: Iterable[RangeSums]) -> WindowState:
    """Return what a source has of a table's window; what is lost or not known of one range is so of all."""
    found = {one.window for one in ranges}
    return next(state for state in reversed(WindowState) if state in found or state is WindowState.NONE)


@dataclass(frozen=True)
class Difference:
    """What a source says otherwise of rows that were taken.

    :param lost: days of which rows are gone.
    :param late: days that have more rows.
    :param changed: days of as many rows with other contents.
    """

    lost: tuple[date, ...] = ()
    late: tuple[date, ...] = ()
    changed: tuple[date, ...] = ()


def difference(held: DaySums, found: DaySums, *, holds_all: bool) -> Difference:
    """Compare what was taken with what the source has now, from its oldest row on.

    :param holds_all: every row that was taken is held; else the source may have more.
    """
    days = {day: (held.rows[day], found.rows[day]) for day in sorted({*held.rows, *found.rows})}
    return Difference(
        lost=tuple(day for day, (then, now) in days.items() if now < then),
        late=tuple(day for day, (then, now) in days.items() if now > then) if holds_all else (),
        changed=tuple(
            day
            for day, (then, now) in days.items()
            if now == then and holds_all and held.sums and found.sums and held.sums[day] != found.sums[day]
        ),
    )


def days_in_words(days: Sequence[date]) -> str:
    """Return the names of days for a message."""
    named = ", ".join(day.isoformat() for day in days[:_NAMED])
    more = len(days) - _NAMED
    return f"{named} and {more} more day{'s' if more > 1 else ''}" if more > 0 else named
