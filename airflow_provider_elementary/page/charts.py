"""Computes the SVG geometry of charts: lines, bands and marks.

The server draws, so that the page runs no script. The page also shows the numbers of each chart as a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_provider_elementary.page.series import Point, Series

WIDTH, HEIGHT = 360, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 6, 354, 16, 128
#: Where the values of a series begin: the labels of its levels stand before them.
_PLOT = 64
_HALF_BAR = 1.5


@dataclass(frozen=True)
class Mark:
    """A highlighted point, and the reason in a sentence."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """One series, ready to be drawn.

    :param line: SVG paths of the values; a bucket without a value interrupts.
    :param band: SVG paths of the expected range.
    :param dots: values with none beside them, which no line shows.
    :param marks: the anomalies.
    :param levels: heights, their values, and these in words.
    :param begins: the first bucket, in words; ``ends`` is the last.
    :param description: the chart in two sentences, for screen readers.
    """

    series: Series
    line: tuple[str, ...]
    band: tuple[str, ...]
    dots: tuple[Mark, ...]
    marks: tuple[Mark, ...]
    levels: tuple[tuple[float, float, str], ...]
    begins: str
    ends: str
    description: str


@dataclass(frozen=True)
class Bar:
    """One bar of a bar chart."""

    x: float
    y: float
    width: float
    height: float
    text: str


def draw(series: Series, amount: Callable[[str, float | None], str]) -> Chart:
    """Return a series as a chart.

    :param amount: writes a value of a metric in its unit.
    """
    points = [point for point in series.points if point.value is None or math.isfinite(point.value)]
    drawn = (value for point in points for value in (point.value, point.low, point.high))
    values = [value for value in drawn if value is not None and math.isfinite(value)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    height = _scale(low, high, _BOTTOM, _TOP)
    times = [_seconds(point.end) for point in points] or [0.0]
    across = _scale(times[0], times[-1], _PLOT, _RIGHT)

    def x(point: Point) -> float:
        return across(_seconds(point.end))

    lines = _runs(points, lambda point: point.value is not None)
    return Chart(
        series=series,
        line=tuple(_path((x(point), height(point.value or 0)) for point in run) for run in lines if len(run) > 1),
        band=tuple(_band(run, x, height) for run in _runs(points, lambda p: _drawable(p.low) and _drawable(p.high))),
        dots=tuple(Mark(x(run[0]), height(run[0].value or 0), "") for run in lines if len(run) == 1),
        marks=tuple(
            Mark(x(point), height(point.value if point.value is not None else low), point.reason)
            for point in points
            if point.is_anomalous
        ),
        levels=tuple((height(value), value, amount(series.metric, value)) for value in _levels(low, high)),
        begins=f"{points[0].end:%d %b %Y}" if points else "",
        ends=f"{points[-1].end:%d %b %Y}" if points else "",
        description=_describe(series, points, amount),
    )


def _seconds(moment: datetime) -> float:
    # Not from 1970, which only the first and last years of the calendar are too far from in some time zones.
    return (moment - datetime.min) / timedelta(seconds=1)


def bars(values: Sequence[tuple[float, str]]) -> list[Bar]:
    """Return values as bars from left to right, each with its text."""
    highest = max((value for value, _ in values), default=0) or 1
    step = (_RIGHT - _LEFT) / max(len(values), 1)
    width = min(step * 0.8, 24)
    drawn = []
    for place, (value, text) in enumerate(values):
        height = max((_BOTTOM - _TOP) * value / highest, 1)
        drawn.append(Bar(_LEFT + step * place + (step - width) / 2, _BOTTOM - height, width, height, text))
    return drawn


def _drawable(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    if high == low:
        return lambda value: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _runs(points: Iterable[Point], belongs: Callable[[Point], bool]) -> list[list[Point]]:
    runs: list[list[Point]] = [[]]
    for point in points:
        if belongs(point):
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _band(run: Sequence[Point], x: Callable[[Point], float], height: Callable[[float], float]) -> str:
    """Return the outline of a band: upper limits forward, lower limits back; a single bucket is as wide as a bar."""
    upper = [(x(point), height(point.high or 0)) for point in run]
    lower = [(x(point), height(point.low or 0)) for point in run]
    if len(run) == 1:
        upper = [(upper[0][0] - _HALF_BAR, upper[0][1]), (upper[0][0] + _HALF_BAR, upper[0][1])]
        lower = [(lower[0][0] - _HALF_BAR, lower[0][1]), (lower[0][0] + _HALF_BAR, lower[0][1])]
    return _path([*upper, *reversed(lower)]) + "Z"


def _levels(low: float, high: float) -> list[float]:
    return [low] if low == high else [low, (low + high) / 2, high]


def _describe(series: Series, points: Sequence[Point], amount: Callable[[str, float | None], str]) -> str:
    if not points:
        return "No bucket has a value."
    values = [point.value for point in points if point.value is not None]
    last = points[-1]
    text = f"{len(points)} buckets up to {last.end:%d %b %Y %H:%M} UTC"
    if values:
        text += f", from {amount(series.metric, min(values))} to {amount(series.metric, max(values))}"
        text += f", last {amount(series.metric, last.value)}"
    found = sum(point.is_anomalous for point in points)
    return f"{text}. {found} {'is' if found == 1 else 'are'} anomalous."
