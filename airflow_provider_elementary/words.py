"""Writes numbers, counted nouns, lengths of time, and the nearest name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a sentence with the nearest of some names, to append to one about a mistyped name; empty without one."""
    nearest = get_close_matches(name, sorted(names), 1, 0.7)
    return f" Did you mean {nearest[0]!r}?" if nearest else ""


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


def written_number(value: float) -> str:
    """Write a number with the digits that a person needs: ``12,031``, ``31.7``."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:,.3f}" if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def written_seconds(seconds: float) -> str:
    """Write seconds in at most two units: ``3 d 4 h``, ``2 h 5 min``, ``1 min 3 s``, ``12.5 s``."""
    if abs(seconds) < 60:
        return f"{written_number(round(seconds, 3))} s"
    sign, rest = ("-" if seconds < 0 else ""), round(abs(seconds))
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append((count, unit))
    return sign + " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)
