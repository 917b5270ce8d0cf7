"""Arranges days into the periods that are stored together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

#: Days after the end of a week, of a month and of a year when its rows are stored together.
_WEEK_AFTER, _MONTH_AFTER, _YEAR_AFTER = 3, 42, 800
_WEEK = 7
#: All years before are one period: what is dated there is a wrong date.
_FIRST_YEAR = 1990


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


def _last_of_month(day: date) -> date:
    if day.month == 12:
        return day.replace(day=31)
    return day.replace(month=day.month + 1, day=1) - timedelta(days=1)
