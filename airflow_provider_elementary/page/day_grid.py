"""Draws anomalous days by table as a grid of squares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.words import plural

if TYPE_CHECKING:
    import pyarrow as pa

_CELL, _LABEL, _HEAD = 14, 230, 20
_TABLES_SHOWN = 40
_WHEN = ["full_table_name", "bucket_start", "bucket_end"]


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

    @property
    def conclusion(self) -> str:
        """The whole in a sentence."""
        tables = plural(len(self.tables) + self.hidden, "table")
        text = f"{plural(self.anomalous, 'anomalous bucket')} in {tables}"
        return f"{text}; {plural(self.hidden, 'table')} not shown" if self.hidden else text


@dataclass(frozen=True)
class Square:
    """A day on which a table has anomalies; the more, the stronger its colour, from 0 to 1."""

    x: int
    y: int
    strength: float
    text: str


@dataclass(frozen=True)
class Picture:
    """Days by table, ready to be drawn.

    :param rows: where each table's row begins, with its name in short.
    :param weeks: where each Monday is, with its date.
    """

    width: int
    height: int
    rows: tuple[tuple[int, str], ...]
    weeks: tuple[tuple[int, str], ...]
    squares: tuple[Square, ...]


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


def grid_of_verdicts(verdicts: pa.Table) -> Grid:
    """Count anomalous buckets by table and day, over the days that the verdicts cover."""
    days = [_day(row) for row in verdicts.select(_WHEN).to_pylist()]
    return grid_of(verdicts, min(days, default=None), max(days, default=None))


def order_of(grids: Sequence[Grid]) -> tuple[str, ...]:
    """Return the tables of several grids, those with most anomalies in all first: the rows that all of them show."""
    totals = Counter[str]()
    for grid in grids:
        for (table, _), count in grid.counts.items():
            if table in grid.tables:
                totals[table] += count
    return tuple(table for table, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0])))[:_TABLES_SHOWN]


def picture_of(grid: Grid, tables: Sequence[str] | None = None) -> Picture:
    """Return the grid as a picture.

    :param tables: the rows, from top to bottom; the grid's own by default.
    """
    rows = {table: _HEAD + number * _CELL for number, table in enumerate(grid.tables if tables is None else tables)}
    columns = {day: _LABEL + number * _CELL for number, day in enumerate(grid.days)}
    return Picture(
        width=_LABEL + len(columns) * _CELL + 8,
        height=_HEAD + len(rows) * _CELL + 4,
        rows=tuple((y, _short_name(table)) for table, y in rows.items()),
        weeks=tuple((x, f"{day.day} {day:%b}") for day, x in columns.items() if day.weekday() == 0),
        squares=tuple(
            Square(columns[day], rows[table], _strength(count), f"{table}, {day.isoformat()}: {count} anomalous")
            for (table, day), count in sorted(grid.counts.items())
            if table in rows and day in columns
        ),
    )


def _strength(count: int) -> float:
    return min(1.0, 0.35 + 0.13 * count)


def _short_name(table: str) -> str:
    return ".".join(table.lower().split(".")[-2:])[-34:]


def _day(row: Mapping[str, Any]) -> date:
    moment = row["bucket_start"] or row["bucket_end"]
    day: date = moment.date()
    return day


def _days(first: date, last: date) -> tuple[date, ...]:
    return tuple(first + timedelta(days=number) for number in range((last - first).days + 1))
