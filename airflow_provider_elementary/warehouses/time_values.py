"""Parses the times that warehouses and dbt write."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.times import exact_without_zone

TIME = pa.timestamp("us")
INFINITE = "infinite time"
OUT_OF_RANGE = "time outside the years 1 to 9999"
UNREADABLE = "text that is no time"
AMBIGUOUS = "date with an ambiguous order of day and month"
NAMED_ZONE = "time in a named zone"

_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_LEAST = (datetime.min - _EPOCH) // _MICROSECOND
_GREATEST = (datetime.max - _EPOCH) // _MICROSECOND
_LIMIT = np.iinfo(np.int64).max
# ADBC moves PostgreSQL's infinities by the 30 years between its epoch and this one, and they overflow.
_MOVED = -_LIMIT - 1 + 946_684_800 * 10**6
_INFINITIES = pa.array([_LIMIT, -_LIMIT, -_LIMIT - 1, _MOVED, _MOVED - 1], pa.int64())
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# A number of these many digits counts these units since 1970: 11 digits of seconds reach the year 5138.
_EPOCH_UNITS = ((10**11, 10**6), (10**14, 10**3), (10**17, 1))
_NOTHING = frozenset({"", "null", "none", "nat"})
_NULL_TEXT = r"""^\s*(?:W|"\s*W\s*"|'\s*W\s*')\s*$""".replace("W", "(?:|null|none|nat)")
_INFINITY = re.compile(r"[+-]?inf(?:inity)?")
_NUMBER = re.compile(r"[+-]?(?:\d{9,19}(?:\.\d+)?|\d(?:\.\d+)?e\+?(?:0?[89]|1[0-8]))", re.IGNORECASE)
# A text column that holds JSON keeps the quotes.
_QUOTED = re.compile(r"""(["'])(.*)\1""", re.DOTALL)
_YEAR_LAST = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}(?:\d{2})?(?:\D.*)?", re.DOTALL)
# 2026-10-09, 2026/10/09 or 20261009; then a clock; then a zone, with or without a space before it.
_TEXT = re.compile(
    r"(?P<year>[+-]?\d{4,6}(?=[-/.])|\d{4})(?P<mark>[-/.]?)(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"(?:[T ]\s*(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
    r"(?:\s*(?P<half>[AP]M))?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?(?::?\d{2})?)?(?:\s*(?:UTC|GMT|Z))?(?P<bc>\s*\(?BCE?\)?)?",
    re.IGNORECASE,
)
_ZONE_NAME = re.compile(r"(.+?)\s*(?:\[[A-Za-z_/+-]+\]|[A-Z]{3,5}|[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_]+)+)")
# RFC 2822, with the zones that it knows by name.
_MAIL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}(?::\d{2})? (?:[+-]\d{4}|UT|GMT|[ECMP][SD]T)"
    r"(?: \([A-Z]+\))?"
)
_NAMED_MONTH = ("%b %d %Y", "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%B %d %Y", "%B %d, %Y", "%d %B %Y")


class BadTimeError(ValueError):
    """A value is no time; the message is the kind of value, never the value."""


def read_time(text: str) -> datetime | None:
    """Read one time that was written as text; UTC without a zone, or as it stands where it names none.

    :raises BadTimeError: the text is no time, or one that no calendar of Python holds.
    """
    text = text.strip()
    if (quoted := _QUOTED.fullmatch(text)) is not None:
        text = quoted[2].strip()
    if text.lower() in _NOTHING:
        return None
    if _INFINITY.fullmatch(text.lower()):
        raise BadTimeError(INFINITE)
    if _NUMBER.fullmatch(text):
        return _since_1970(int(text) if text.lstrip("+-").isdigit() else float(text))
    if (found := _TEXT.fullmatch(text)) is None:
        return _with_words(text)
    if found["bc"] or not 1 <= int(found["year"]) <= 9999:
        raise BadTimeError(OUT_OF_RANGE)
    fraction = (found["fraction"] or "")[:6].ljust(6, "0")
    numbers = (found[name] or "0" for name in ("hour", "minute", "second"))
    hour, minute, second = map(int, numbers)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise BadTimeError(UNREADABLE)
        hour = hour % 12 + 12 * (found["half"].lower() == "pm")
    try:
        # ISO 8601 calls midnight 24:00 too, and a leap second has no place of its own.
        moment = datetime(
            int(found["year"]), int(found["month"]), int(found["day"]), hour % 24, minute, min(second, 59)
        )
        if hour == 24 and minute == second == 0:
            moment += timedelta(days=1)
        elif hour >= 24 or second > 60:
            raise BadTimeError(UNREADABLE)
        return moment.replace(microsecond=int(fraction)) - _offset(found["zone"] or "")
    except OverflowError:
        raise BadTimeError(OUT_OF_RANGE) from None
    except ValueError:
        raise BadTimeError(UNREADABLE) from None


def time_or_none(text: str | None) -> datetime | None:
    """Read a time; return None for text that is no time."""
    try:
        return read_time(text) if text is not None else None
    except BadTimeError:
        return None


def to_times(values: pa.Array) -> tuple[pa.Array, dict[str, int]]:
    """Return values of any type as times in microseconds without a zone, null for those that are none.

    :return: also how many values of each kind became null.
    """
    kind = values.type
    if pa.types.is_timestamp(kind):
        return _in_range(values.view(pa.int64()), _PER_SECOND[kind.unit])
    if pa.types.is_date(kind):
        days = pc.cast(values, pa.date32(), safe=False).view(pa.int32()).cast(pa.int64())
        return _in_range(pc.multiply(days, 86_400), 1)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _each(values, lambda value: _since_1970(float(value) if not isinstance(value, int) else value))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _each(values, read_time)
    return pa.nulls(len(values), TIME), _counted(f"type {kind}", len(values) - values.null_count)


def holds_value(values: pa.Array) -> pa.Array:
    """Return a mask of the values that are more than null or text for it."""
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return pc.is_valid(values)
    return pc.and_kleene(pc.is_valid(values), pc.invert(pc.match_substring_regex(values, _NULL_TEXT, ignore_case=True)))


def _in_range(numbers: pa.Array, per_second: int) -> tuple[pa.Array, dict[str, int]]:
    """Return counts since 1970 as times; the ends of the numbers' range are infinities."""
    least, greatest = (_LEAST * per_second // 10**6, _GREATEST * per_second // 10**6)
    bounds = pc.min_max(numbers).as_py()
    counts: dict[str, int] = {}
    if bounds["min"] is not None and (bounds["min"] < least or bounds["max"] > greatest):
        infinite = pc.is_in(numbers, _INFINITIES)
        outside = pc.or_(pc.less(numbers, least), pc.greater(numbers, greatest))
        counts = _counted(INFINITE, pc.sum(infinite).as_py() or 0)
        counts |= _counted(OUT_OF_RANGE, (pc.sum(outside).as_py() or 0) - counts.get(INFINITE, 0))
        numbers = pc.if_else(outside, pa.scalar(None, pa.int64()), numbers)
    if per_second > 10**6:
        numbers = pc.divide(numbers, per_second // 10**6)
    elif per_second < 10**6:
        numbers = pc.multiply(numbers, 10**6 // per_second)
    return numbers.view(TIME), counts


def _each(values: pa.Array, read: Any) -> tuple[pa.Array, dict[str, int]]:
    """Read each distinct value once."""
    coded = values.dictionary_encode()
    read_once: list[datetime | None] = []
    kinds: dict[int, str] = {}
    for place, value in enumerate(coded.dictionary.to_pylist()):
        try:
            read_once.append(read(value))
        except BadTimeError as bad:
            kinds[place] = str(bad)
            read_once.append(None)
    counts: dict[str, int] = {}
    if kinds:
        for entry in pc.value_counts(coded.indices).to_pylist():
            if (bad_kind := kinds.get(entry["values"])) is not None:
                counts[bad_kind] = counts.get(bad_kind, 0) + entry["counts"]
    return pa.array(read_once, TIME).take(coded.indices), counts


def _since_1970(number: float) -> datetime:
    if number != number or number in (float("inf"), float("-inf")):
        raise BadTimeError(INFINITE)
    microseconds = next((int(number * factor) for limit, factor in _EPOCH_UNITS if abs(number) < limit), None)
    if microseconds is None:
        microseconds = int(number // 1_000)
    if not _LEAST <= microseconds <= _GREATEST:
        raise BadTimeError(OUT_OF_RANGE)
    return _EPOCH + microseconds * _MICROSECOND


def _offset(zone: str) -> timedelta:
    digits = re.sub(r"\D", "", zone)
    if not digits:
        return timedelta(0)
    padded = (digits if len(digits) % 2 == 0 else "0" + digits).ljust(6, "0")
    offset = timedelta(hours=int(padded[:2]), minutes=int(padded[2:4]), seconds=int(padded[4:6]))
    if offset >= timedelta(hours=24):
        raise BadTimeError(UNREADABLE)
    return -offset if zone.startswith("-") else offset


def _with_words(text: str) -> datetime:
    """Read a time with the name of a month, as RFC 2822 has it, or in other forms of ISO 8601."""
    for read in (_with_named_month, _of_mail, _of_iso):
        if (moment := read(re.sub(r"\s+", " ", text))) is not None:
            return moment
    if _YEAR_LAST.fullmatch(text):
        raise BadTimeError(AMBIGUOUS)
    if (zoned := _ZONE_NAME.fullmatch(text)) is not None and _TEXT.fullmatch(zoned[1]):
        raise BadTimeError(NAMED_ZONE)
    raise BadTimeError(UNREADABLE)


def _with_named_month(text: str) -> datetime | None:
    clocks = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M%p", " %I:%M:%S %p")
    # The first form is that of C's ctime, which PostgreSQL writes too; `date` and Java name the zone before the year.
    text = re.sub(r" (?:UTC|GMT|Z)(?= \d{4}$|$)", "", text)
    for form in ("%a %b %d %H:%M:%S %Y", *(form + clock for form in _NAMED_MONTH for clock in clocks)):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def _of_mail(text: str) -> datetime | None:
    """Read Fri, 09 Oct 2026 06:08:00 +0200, also without the day of the week."""
    try:
        return exact_without_zone(parsedate_to_datetime(text)) if _MAIL.fullmatch(text) else None
    except OverflowError:
        raise BadTimeError(OUT_OF_RANGE) from None
    except ValueError:
        return None


def _of_iso(text: str) -> datetime | None:
    """Read what else ISO 8601 allows, as 2026-W44-6."""
    try:
        return exact_without_zone(datetime.fromisoformat(text))
    except OverflowError:
        raise BadTimeError(OUT_OF_RANGE) from None
    except ValueError:
        return None


def _counted(kind: str, count: int) -> dict[str, int]:
    return {kind: count} if count else {}
