"""Writes counts with their nouns, and lengths of time."""

from __future__ import annotations

from datetime import timedelta


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 table``, ``2 tables``, ``3 categories``."""
    many = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"


def duration(length: timedelta) -> str:
    """Write a length of time in its largest unit: ``6 hours``."""
    seconds = round(length.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return plural(round(seconds / size), unit)
    return plural(seconds, "second")
