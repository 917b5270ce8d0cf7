"""Reads holidays as dates, and finds which days are holidays."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from airflow_provider_elementary.exceptions import ConfigurationError

NO, NEXT_TO, HOLIDAY = range(3)
_A_DAY = timedelta(days=1)


def dates_of(given: Any) -> tuple[date, ...]:
    """Return holidays as sorted dates.

    :param given: dates, datetimes, ISO strings such as ``2026-12-25``, or numpy's days.
    :raises ConfigurationError: one of them is none of these.
    """
    if isinstance(given, str | date) or not isinstance(given, Iterable):
        given = (given,)
    return tuple(sorted({_date(each) for each in given}))


def require_country(country: Any) -> None:
    """Fail for a country whose holidays are not known.

    :raises ConfigurationError: the package holidays does not know it, or is not installed.
    """
    if country is not None:
        _of_country(country)


def holiday_of(day: date | None, holidays: tuple[date, ...], country: str | None) -> int:
    """Return whether a day is a holiday, is next to one, or neither."""
    if day is None or not (holidays or country):
        return NO
    calendars: list[Container[Any]] = [_set(holidays), *([_of_country(country)] if country else [])]
    if any(day in calendar for calendar in calendars):
        return HOLIDAY
    near = any(day + side in calendar for side in (-_A_DAY, _A_DAY) for calendar in calendars)
    return NEXT_TO if near else NO


def _date(value: Any) -> date:
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value.strip()).date()
        except ValueError:
            pass
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if hasattr(value, "astype"):
        try:
            day = value.astype("datetime64[D]").item()
        except (TypeError, ValueError):
            day = None
        if isinstance(day, date):
            return day
    shown = value if not isinstance(value, float) or math.isfinite(value) else str(value)
    raise ConfigurationError(f"The holiday {shown!r} is not a date. Use dates or ISO strings such as 2026-12-25.")


@cache
def _set(holidays: tuple[date, ...]) -> frozenset[date]:
    return frozenset(holidays)


@cache
def _of_country(country: Any) -> Container[Any]:
    try:
        import holidays  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise ConfigurationError(
            "country needs the package holidays, which is not installed. "
            "Run pip install 'airflow-provider-elementary[holidays]'."
        ) from None
    if not isinstance(country, str):
        raise ConfigurationError(f"country is {country!r}. Use a code such as DE or, with a region, DE-BY.")
    code, _, region = country.upper().partition("-")
    try:
        known: Container[Any] = holidays.country_holidays(code, subdiv=region or None)
    except NotImplementedError:
        raise ConfigurationError(
            f"country {country!r} is unknown. Use a code such as DE or, with a region, DE-BY."
        ) from None
    return known
