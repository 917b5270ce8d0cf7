"""Pictures of verdicts, as SVG that stands for itself: days by table, and one series with its expected range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa

_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.title{font-size:13px;font-weight:600}"
    ".axis{fill:#777}.band{fill:#cfe3f3}.line{fill:none;stroke:#2b5c8a;stroke-width:1.5}.hit{fill:#c2352b}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.axis{fill:#999}.band{fill:#24455f}.line{stroke:#7db3e0}}"
)
_CELL, _LABEL, _HEAD = 14, 230, 44
_TABLES_SHOWN = 40
_WIDTH, _HEIGHT, _MARGIN = 900, 260, 56


def days_by_table(verdicts: pa.Table, title: str) -> str:
    """Draw a square for each table and day on which it has anomalies: the darker, the more.

    :param verdicts: of a backtest or of a run.
    :param title: what is written above.
    """
    found = Counter(
        (row["full_table_name"], _day(row))
        for row in verdicts.filter(verdicts["is_anomalous"]).select(_WHEN).to_pylist()
    )
    totals = Counter[str]()
    for (table, _), count in found.items():
        totals[table] += count
    tables = [table for table, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:_TABLES_SHOWN]]
    days = _days([_day(row) for row in verdicts.select(_WHEN).to_pylist()])
    parts = [_text(8, 18, title, "title")]
    for column, day in enumerate(days):
        if day.weekday() == 0:
            parts.append(_text(_LABEL + column * _CELL, _HEAD - 6, f"{day.day} {day:%b}", "axis"))
    for row, table in enumerate(tables):
        y = _HEAD + row * _CELL
        parts.append(_text(8, y + 11, _short(table)))
        for column, day in enumerate(days):
            if count := found[table, day]:
                strength = min(1.0, 0.35 + 0.13 * count)
                parts.append(
                    f'<rect class="hit" x="{_LABEL + column * _CELL}" y="{y + 1}" width="{_CELL - 2}" '
                    f'height="{_CELL - 2}" opacity="{strength:.2f}"><title>{escape(table)}, {day.isoformat()}: '
                    f"{count} anomalous</title></rect>"
                )
    hidden = len(totals) - len(tables)
    bottom = _HEAD + len(tables) * _CELL + 16
    parts.append(_text(8, bottom, f"{sum(totals.values()):,} anomalous buckets in {len(totals):,} tables"
                       + (f"; {hidden:,} tables not shown" if hidden else ""), "axis"))  # fmt: skip
    return _svg(max(_LABEL + len(days) * _CELL + 16, 480), bottom + 12, parts)


def series_with_range(verdicts: pa.Table, title: str) -> str:
    """Draw one series: its values, the range that was expected, and what is anomalous.

    :param verdicts: of one series.
    :param title: what is written above.
    """
    rows = sorted(verdicts.to_pylist(), key=lambda row: row["bucket_end"])
    times = [_start(row) for row in rows]
    numbers = [row[name] for row in rows for name in ("metric_value", "expected_min", "expected_max")]
    known = [number for number in numbers if number is not None]
    if not known:
        return _svg(_WIDTH, 60, [_text(8, 18, title, "title"), _text(8, 40, "no values", "axis")])
    low, high = min(known), max(known)
    span, length = (high - low) or 1.0, max((times[-1] - times[0]).total_seconds(), 1.0)

    def x(moment: datetime) -> float:
        return round(_MARGIN + (_WIDTH - _MARGIN - 16) * (moment - times[0]).total_seconds() / length, 1)

    def y(value: float) -> float:
        return float(round(_HEIGHT - 28 - (_HEIGHT - 28 - 34) * (value - low) / span, 1))

    ranged = [row for row in rows if row["expected_max"] is not None]
    upper = [f"{x(_start(row))},{y(row['expected_max'])}" for row in ranged]
    lower = [f"{x(_start(row))},{y(low if row['expected_min'] is None else row['expected_min'])}" for row in ranged]
    values = [row for row in rows if row["metric_value"] is not None]
    parts = [
        _text(8, 18, title, "title"),
        f'<polygon class="band" points="{" ".join(upper + lower[::-1])}"/>' if ranged else "",
        _polyline([(x(_start(row)), y(row["metric_value"])) for row in values]),
        _text(8, y(high) + 4, f"{high:,.6g}", "axis"),
        _text(8, y(low) + 4, f"{low:,.6g}", "axis"),
        _text(_MARGIN, _HEIGHT - 8, f"{times[0]:%d %b %Y}", "axis"),
        _text(_WIDTH - 90, _HEIGHT - 8, f"{times[-1]:%d %b %Y}", "axis"),
    ]
    parts += [
        f'<circle class="hit" cx="{x(_start(row))}" cy="{y(row["metric_value"])}" r="4">'
        f"<title>{_start(row):%Y-%m-%d %H:%M}: {row['metric_value']:,.6g}</title></circle>"
        for row in values
        if row["is_anomalous"]
    ]
    return _svg(_WIDTH, _HEIGHT, parts)


_WHEN = ["full_table_name", "bucket_start", "bucket_end"]


def _polyline(points: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="line" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'


def _start(row: dict[str, Any]) -> datetime:
    start: datetime = row["bucket_start"] or row["bucket_end"]
    return start


def _day(row: dict[str, Any]) -> date:
    return _start(row).date()


def _days(found: Sequence[date]) -> list[date]:
    if not found:
        return []
    first = min(found)
    return [first + timedelta(days=number) for number in range((max(found) - first).days + 1)]


def _short(table: str) -> str:
    return ".".join(table.lower().split(".")[-2:])[-34:]


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{named}>{escape(text)}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    body = "\n".join(part for part in parts if part)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img"><style>{_STYLE}</style>\n{body}\n</svg>\n'
    )
