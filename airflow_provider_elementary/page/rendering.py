"""Renders views as HTML, with filters that format values."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from airflow_provider_elementary.elementary_schema.statuses import meaning_of
from airflow_provider_elementary.page.bundle import version
from airflow_provider_elementary.project.health import MEANING, STATES
from airflow_provider_elementary.times import in_utc
from airflow_provider_elementary.words import plural, written_seconds

TEMPLATES = Path(__file__).parent / "templates"


def environment() -> Environment:
    """Return the templates' environment."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        size=readable_size,
        ago=ago,
        day=day,
        moment=moment,
        instant=instant,
        number=number,
        amount=amount,
        seconds=seconds,
        plural=plural,
        level=level,
    )
    made.globals.update(states=STATES, meaning=MEANING, address=address, bundle=version())
    return made


def level(status: str) -> str:
    """Return the class of a status of dbt: ``good``, ``bad`` or ``doubt``."""
    return {"good": "good", "failing": "bad"}.get(meaning_of(status).level, "doubt")


def readable_size(count: int) -> str:
    """Write a number of bytes for people, as in ``1.5 MB``; powers of 1000."""
    size, units = float(count), ("bytes", "kB", "MB", "GB", "TB")
    unit = 0
    while size >= 1000 and unit < len(units) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:,.1f} {units[unit]}" if unit else f"{count} {units[0]}"


def ago(when: datetime, now: datetime | None = None) -> str:
    """Write how long ago something was, in its largest unit: ``5 minutes ago``."""
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    passed = ((now or datetime.now(UTC)) - when).total_seconds()
    if passed < 60:
        return "just now" if passed > -60 else "in the future"
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if passed >= length:
            return f"{plural(int(passed // length), unit)} ago"
    return "just now"


def moment(when: datetime) -> str:
    """Write a time in UTC: ``2026-11-22 06:08``."""
    return f"{in_utc(when):%Y-%m-%d %H:%M}"


def instant(when: datetime) -> str:
    """Write a time for programs, with its zone: ``2026-11-22T06:08:00+00:00``."""
    return in_utc(when).isoformat()


def day(when: datetime) -> str:
    """Write a day: ``Sun 22 Nov 2026``."""
    return f"{when:%a} {when.day} {when:%b %Y}"


def number(value: float | None) -> str:
    """Write a count with thousands separators; a dash for none."""
    return "-" if value is None else f"{value:,}"


def seconds(value: float | None) -> str:
    """Write a length of time; a dash for none."""
    return "-" if value is None else written_seconds(value)


def amount(value: float | None, metric: str) -> str:
    """Write a metric's value in its unit; a dash for none."""
    from airflow_provider_elementary.anomalies.explain import written_amount as written

    return "-" if value is None else written(metric, value)


def address(path: str, **values: Any) -> str:
    """Return an address relative to the page, valid wherever Airflow is mounted; empty values are left out."""
    query = urlencode({name: value for name, value in values.items() if value not in ("", None)})
    return f"{path}?{query}" if query else path
