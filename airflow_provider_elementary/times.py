"""Converts times between texts, zones and UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def in_utc(moment: datetime) -> datetime:
    """Return the time in UTC; one without a zone is taken to be in UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def without_zone(moment: datetime) -> datetime:
    """Return the time in UTC, without its zone; one without a zone stays as it is."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def utc_now() -> datetime:
    """Return the time in UTC, without a zone, as manifests keep it."""
    return datetime.now(UTC).replace(tzinfo=None)


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
