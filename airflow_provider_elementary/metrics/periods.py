"""Arranges days into the periods that are stored together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

#: Days after the end of a week, of a month and of a year when its rows are stored together.
_WEEK_AFTER, _MONTH_AFTER, _YEAR_AFTER = 3, 42, 800
_WEEK = 7
#: All years before are one period: what is dated there is a wrong date.
_FIRST_YEAR = 1990
#: The most days of the kinds of periods: a day, a week, a month.
_KINDS = (1, _WEEK, 31)
#: The most periods of one file, whose name lists them, and the most rows by their kind: weeks are read in every hour.
_MOST_PERIODS, _MOST_ROWS = 8, (100_000, 100_000, 500_000, 500_000)


@dataclass(frozen=True, order=True)
class Period:
    """A day, a week of a month, a month or a year.

    :param first: its first day.
    :param last: its last day.
    """

    first: date
    last: date

    @property
    def label(self) -> str:
        """How the names of its files say which period it is."""
        return f"{self.first:%Y%m%d}-{self.last:%Y%m%d}".rjust(17, "0")

    def has(self, day: date) -> bool:
        """Return whether a day is one of it."""
        return self.first <= day <= self.last

    @property
    def kind(self) -> int:
        """Whether it is a day, a week, a month or longer."""
        return bisect_left(_KINDS, (self.last - self.first).days + 1)


@dataclass
class Arrangement:
    """Which period each day is stored in.

    :param stored: the periods that there are; none is divided again.
    :param today: the day up to which rows are known.
    """

    stored: Iterable[Period]
    today: date
    _known: dict[date, Period] = field(default_factory=dict)

    def of(self, day: date) -> Period:
        """Return the period of a day."""
        if (known := self._known.get(day)) is None:
            wanted = self._wanted(day)
            there = next((period for period in self.stored if period.has(day)), wanted)
            known = self._known[day] = there if there.has(wanted.first) and there.has(wanted.last) else wanted
        return known

    def _wanted(self, day: date) -> Period:
        if day.year < _FIRST_YEAR:
            return Period(date.min, date(_FIRST_YEAR - 1, 12, 31))
        year = Period(date(day.year, 1, 1), date(day.year, 12, 31))
        if self._is_over(year, _YEAR_AFTER):
            return year
        month = Period(day.replace(day=1), _last_of_month(day))
        if self._is_over(month, _MONTH_AFTER):
            return month
        first = month.first + timedelta(days=(day.day - 1) // _WEEK * _WEEK)
        # Counted within the month: after the last days of the year 9999 there is no day.
        week = Period(first, first.replace(day=min(first.day + _WEEK - 1, month.last.day)))
        return week if self._is_over(week, _WEEK_AFTER) else Period(day, day)

    def _is_over(self, period: Period, days: int) -> bool:
        return (self.today - period.last).days >= days


def share_files(periods: Mapping[Period, int], today: date) -> Iterator[tuple[Period, ...]]:
    """Yield the periods that are written into one file: of one kind, over for some days, and with few rows.

    :param periods: those to write, with the number of rows that each may have.
    :param today: the day up to which rows are known.
    """
    group: list[Period] = []
    rows = 0
    for period in sorted(periods):
        fits = len(group) < _MOST_PERIODS and rows + periods[period] <= _MOST_ROWS[period.kind]
        if group and not (fits and is_settled(period, today) and group[0].kind == period.kind):
            yield tuple(group)
            group, rows = [], 0
        group.append(period)
        rows += periods[period]
    if group:
        yield tuple(group)


def is_settled(period: Period, today: date) -> bool:
    """Return whether a period has been over for some days, so that its rows are late."""
    return (today - period.last).days >= _WEEK_AFTER


def _last_of_month(day: date) -> date:
    if day.month == 12:
        return day.replace(day=31)
    return day.replace(month=day.month + 1, day=1) - timedelta(days=1)
