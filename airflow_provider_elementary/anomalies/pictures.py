"""Draws verdicts as standalone SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa

_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.title{font-size:13px;font-weight:600}.ground{fill:#fff}"
    ".axis{fill:#666}.rule{stroke:#e3e3e3}.band{fill:#cfe3f3}.line{fill:none;stroke:#2b5c8a;stroke-width:1.5}"
    ".hit{fill:#c2352b}.gap{fill:none;stroke:#c2352b;stroke-width:1.5}"
    # A viewer that follows a dark system draws no dark ground of its own.
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.ground{fill:#14171c}.axis{fill:#aaa}.rule{stroke:#333a44}"
    ".band{fill:#24455f}.line{stroke:#7db3e0}.hit{fill:#ff6b5e}.gap{stroke:#ff6b5e}}"
)
_CELL, _LABEL, _HEAD = 14, 230, 64
_TABLES_SHOWN = 40
_WIDTH, _HEIGHT, _MARGIN = 900, 260, 56
_WHEN = ["full_table_name", "bucket_start", "bucket_end"]
_LEGEND = "line: values; shaded: expected; dot: anomalous; ring: no value came"


@dataclass(frozen=True)
class Grid:
    """How many anomalous buckets each table has on each day.

    :param days: every day from the first to the last, with anomalies or without.
    :param tables: those with most anomalies first, as many as are drawn.
    :param counts: by table and day, where there are any.
    :param anomalous: buckets in all.
    :param hidden: how many further tables have anomalies.
    """

    days: tuple[date, ...]
    tables: tuple[str, ...]
    counts: Mapping[tuple[str, date], int]
    anomalous: int
    hidden: int

    def strength(self, table: str, day: date) -> float:
        """Return how strong the colour of a square is, from 0 to 1: the more anomalous buckets, the stronger."""
        count = self.counts.get((table, day), 0)
        return min(1.0, 0.35 + 0.13 * count) if count else 0.0

    @property
    def conclusion(self) -> str:
        """The whole in a sentence."""
        tables = len(self.tables) + self.hidden
        text = f"{self.anomalous:,} anomalous buckets in {tables:,} tables"
        return f"{text}; {self.hidden:,} tables not shown" if self.hidden else text


def grid_of(anomalies: pa.Table, first: date | None, last: date | None) -> Grid:
    """Count anomalous buckets by table and day.

    :param anomalies: verdicts, of which only the anomalous ones count.
    :param first: the first day that was scored, ``last`` the last one; None where nothing was.
    """
    rows = anomalies.filter(anomalies["is_anomalous"]).select(_WHEN).to_pylist()
    counts = Counter((row["full_table_name"], _day(row)) for row in rows)
    totals = Counter[str]()
    for (table, _), count in counts.items():
        totals[table] += count
    tables = [table for table, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))]
    return Grid(
        days=_days(first, last) if first and last else (),
        tables=tuple(tables[:_TABLES_SHOWN]),
        counts=counts,
        anomalous=totals.total(),
        hidden=max(len(tables) - _TABLES_SHOWN, 0),
    )


def days_by_table(verdicts: pa.Table, title: str) -> str:
    """Draw a square for each table and day on which it has anomalies: the more, the stronger its colour.

    :param verdicts: of a backtest or of a run.
    :param title: what is written above.
    """
    days = [_day(row) for row in verdicts.select(_WHEN).to_pylist()]
    grid = grid_of(verdicts, min(days, default=None), max(days, default=None))
    width = max(_LABEL + len(grid.days) * _CELL + 16, 560)
    bottom = _HEAD + len(grid.tables) * _CELL
    said = f"{grid.conclusion}. A square: a day with anomalous buckets; the stronger its colour, the more."
    parts = [_text(8, 18, title, "title"), _text(8, 36, said, "axis")]
    for column, day in enumerate(grid.days):
        if day.weekday() == 0:
            x = _LABEL + column * _CELL
            parts.append(_text(x, _HEAD - 6, f"{day.day} {day:%b}", "axis"))
            parts.append(_rule(x - 1, _HEAD, x - 1, bottom))
    for row, table in enumerate(grid.tables):
        y = _HEAD + row * _CELL
        parts.append(_text(8, y + 10, short_name(table)))
        parts.append(_rule(8, y + _CELL, width - 8, y + _CELL))
        for column, day in enumerate(grid.days):
            if strength := grid.strength(table, day):
                parts.append(
                    f'<rect class="hit" x="{_LABEL + column * _CELL}" y="{y + 1}" width="{_CELL - 2}" '
                    f'height="{_CELL - 3}" opacity="{strength:.2f}"><title>{escape(table)}, {day.isoformat()}: '
                    f"{grid.counts[table, day]} anomalous</title></rect>"
                )
    return _svg(width, bottom + 12, parts)


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
        _text(_MARGIN + 150, _HEIGHT - 8, _LEGEND, "axis"),
        _text(_WIDTH - 90, _HEIGHT - 8, f"{times[-1]:%d %b %Y}", "axis"),
    ]
    parts += [
        f'<circle class="hit" cx="{x(_start(row))}" cy="{y(row["metric_value"])}" r="4">'
        f"<title>{_start(row):%Y-%m-%d %H:%M}: {row['metric_value']:,.6g}</title></circle>"
        for row in values
        if row["is_anomalous"]
    ]
    parts += [
        f'<circle class="gap" cx="{x(_start(row))}" cy="{y(low)}" r="4">'
        f"<title>{_start(row):%Y-%m-%d %H:%M}: no value</title></circle>"
        for row in rows
        if row["is_anomalous"] and row["metric_value"] is None
    ]
    return _svg(_WIDTH, _HEIGHT, parts)


def _polyline(points: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="line" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'


def _start(row: dict[str, Any]) -> datetime:
    start: datetime = row["bucket_start"] or row["bucket_end"]
    return start


def _day(row: dict[str, Any]) -> date:
    return _start(row).date()


def _days(first: date, last: date) -> tuple[date, ...]:
    return tuple(first + timedelta(days=number) for number in range((last - first).days + 1))


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="rule" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'


def short_name(table: str) -> str:
    """Return a table's name without its database, as far as there is room for it."""
    return ".".join(table.lower().split(".")[-2:])[-34:]


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{named}>{escape(text)}</text>'


def _svg(width: int, height: int, parts: Sequence[str]) -> str:
    body = "\n".join(part for part in parts if part)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img"><style>{_STYLE}</style>\n<rect class="ground" width="100%" height="100%"/>\n{body}\n</svg>\n'
    )
