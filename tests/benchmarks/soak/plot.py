"""Draws what the tasks of a soak took, day by day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _TOP = 720, 110, 56, 26
Row = Mapping[str, Any]


def picture(syncs: Sequence[Row], others: Mapping[str, Sequence[Row]]) -> str:
    """Return an SVG of small charts below each other: the median of each day, and kills as ticks."""
    mega = 1_000_000
    charts = (
        ("CPU seconds of a sync", _by_day(syncs, lambda row: row["cpu"])),
        ("peak memory of a sync, MB above the start", _by_day(syncs, lambda row: row["peak_mb"])),
        ("requests of a sync", _by_day(syncs, lambda row: row["requests"])),
        ("CPU seconds of metrics, anomalies and incidents", _by_day(others.get("metrics", ()), lambda row: row["cpu"])),
        ("objects in the store", _by_day(others.get("size", ()), lambda row: row["objects"])),
        ("MB in the store", _by_day(others.get("size", ()), lambda row: row["bytes"] / mega)),
        ("memory of the page's process, MB", _by_day(others.get("page", ()), lambda row: row["peak_mb"])),
    )
    days = max((row["hour"] for row in syncs), default=0) / 24 + 1
    drawn = "".join(_chart(place, title, points, days) for place, (title, points) in enumerate(charts))
    killed = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 18}" y2="{_TOP - 10}"/>'
        for x in (_x(row["hour"] / 24, days) for row in syncs if row["killed"])
    )
    height = len(charts) * _HEIGHT + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="11" fill="#555"><g stroke="#c0392b">{killed}</g>{drawn}'
        f'<text x="{_LEFT}" y="{height - 6}">days; red: a sync was killed</text></svg>\n'
    )


def _by_day(rows: Sequence[Row], value: Callable[[Row], float]) -> list[tuple[float, float]]:
    days: dict[int, list[float]] = {}
    for row in rows:
        days.setdefault(row["hour"] // 24, []).append(value(row))
    return [(day + 0.5, median(found)) for day, found in sorted(days.items())]


def _x(day: float, days: float) -> float:
    return _LEFT + day / days * (_WIDTH - _LEFT - 10)


def _chart(place: int, title: str, points: Sequence[tuple[float, float]], days: float) -> str:
    top, bottom = place * _HEIGHT + _TOP, (place + 1) * _HEIGHT - 4
    most = max((value for _, value in points), default=0) * 1.15 or 1

    def y(value: float) -> float:
        return bottom - value / most * (bottom - top - 4)

    line = " ".join(f"{_x(day, days):.1f},{y(value):.1f}" for day, value in points)
    ticks = "".join(
        f'<text x="{_LEFT - 4}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.{1 if most < 20 else 0}f}</text>'
        f'<line x1="{_LEFT}" x2="{_WIDTH - 10}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>'
        for value in (0, most / 1.15)
    )
    return (
        f'<text x="{_LEFT}" y="{top - 4}" fill="#222">{title}</text>{ticks}'
        f'<polyline points="{line}" fill="none" stroke="#2a6fb0" stroke-width="1.5"/>'
    )
