"""Converts times between texts, zones and UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

#: More days than any history has, and few enough for a date to be computed.
MOST_DAYS = 100_000


def in_utc(moment: datetime) -> datetime:
    """Return the time in UTC; one without a zone is taken to be in UTC.

    One that UTC lacks, as the first hour of the year 1 in Paris, is the first or the last time there is.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        end = datetime.min if moment.year == datetime.min.year else datetime.max
        return end.replace(tzinfo=UTC)


def without_zone(moment: datetime) -> datetime:
    """Return the time of :func:`in_utc`, without its zone."""
    return in_utc(moment).replace(tzinfo=None)


def exact_without_zone(moment: datetime) -> datetime:
    """Return the time in UTC, without its zone.

    :raises OverflowError: UTC lacks it.
    """
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def utc_now() -> datetime:
    """Return the time in UTC, without a zone, as manifests keep it."""
    return datetime.now(UTC).replace(tzinfo=None)


def minute_in_utc(moment: datetime) -> str:
    """Write a time to the minute, with its zone: ``2026-11-22 06:08 UTC``."""
    return f"{in_utc(moment):%Y-%m-%d %H:%M} UTC"


def parse(text: str | None) -> datetime | None:
    """Return the time of a text in ISO 8601, with a zone where the text has one; None for none."""
    return datetime.fromisoformat(text) if text else None


def iso(moment: datetime | None) -> str | None:
    """Return a time in ISO 8601; None for none."""
    return moment.isoformat() if moment else None


def earliest(*moments: datetime | None) -> datetime | None:
    """Return the earliest of the times that are known; None where none is."""
    return min((moment for moment in moments if moment is not None), default=None)


def latest(*moments: datetime | None) -> datetime | None:
    """Return the latest of the times that are known; None where none is."""
    return max((moment for moment in moments if moment is not None), default=None)


def before(moment: datetime, by: timedelta) -> datetime:
    """Return the time that lies earlier by so much, or the first time there is."""
    return moment - by if moment - datetime.min > by else datetime.min
