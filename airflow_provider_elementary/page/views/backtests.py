"""Backtests: what other configurations would have said of the last weeks, as days and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.page.backtests import Tried
from airflow_provider_elementary.page.store_status import attempt
from airflow_provider_elementary.page.views.base import Page, Request, page_of

if TYPE_CHECKING:
    from airflow_provider_elementary.anomalies.pictures import Grid
    from airflow_provider_elementary.storage.results import Result

#: Both methods of one run of the example DAG, and those of the run before beside them.
_PAGE = 4
_CELL, _LABEL, _HEAD = 14, 230, 20
_METHODS = {"elementary": "Elementary's own rule", "robust": "Robust"}
_SETTINGS = {
    "anomaly_sensitivity": "sensitivity",
    "days_back": "training days",
    "seasonality": "seasonality",
}


@dataclass(frozen=True)
class Square:
    """A day on which a table would have had anomalies."""

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


@dataclass(frozen=True)
class Entry:
    """One backtest.

    :param name: the method, in words.
    :param settings: what it was given, in words.
    :param run: the DAG and its run.
    :param found: None where it cannot be read.
    """

    name: str
    settings: str
    run: str
    created_at: datetime
    found: Tried | None
    picture: Picture | None


@dataclass(frozen=True)
class Backtests:
    """What the template ``backtests.html`` shows."""

    has_keys: bool
    problems: tuple[str, ...]
    entries: tuple[Entry, ...]
    page: Page


def build(request: Request) -> Backtests:
    """Return one page of backtests, newest first."""
    reader = request.reader
    problems: list[str] = []
    results = attempt(problems, reader.uri, lambda: reader.results("backtests")) or []
    shown, page = page_of(results, request.number("page"), _PAGE)
    entries = []
    for result in shown if reader.has_keys else ():
        found = attempt(problems, reader.uri, lambda result=result: reader.backtest(result))  # type: ignore[misc]
        entries.append(_entry(result, found))
    return Backtests(reader.has_keys, tuple(dict.fromkeys(problems)), tuple(entries), page)


def _entry(result: Result, found: Tried | None) -> Entry:
    method = str(result.parameters.get("method", ""))
    return Entry(
        name=_METHODS.get(method, method),
        settings=_settings(result.parameters),
        run=" · ".join(result.run_key.split("/")[:2]),
        created_at=datetime.fromisoformat(result.created_at),
        found=found,
        picture=_picture(found.grid) if found and found.grid.tables else None,
    )


def _settings(parameters: Mapping[str, Any]) -> str:
    told = [f"{parameters.get('days')} days"]
    told += [
        f"{_SETTINGS.get(name, name)} {value}"
        for name, value in parameters.items()
        if name not in ("method", "days") and value is not None
    ]
    return ", ".join(told)


def _picture(grid: Grid) -> Picture:
    from airflow_provider_elementary.anomalies.pictures import short_name

    rows = {table: _HEAD + number * _CELL for number, table in enumerate(grid.tables)}
    columns = {day: _LABEL + number * _CELL for number, day in enumerate(grid.days)}
    return Picture(
        width=_LABEL + len(columns) * _CELL + 8,
        height=_HEAD + len(rows) * _CELL + 4,
        rows=tuple((y, short_name(table)) for table, y in rows.items()),
        weeks=tuple((x, f"{day.day} {day:%b}") for day, x in columns.items() if day.weekday() == 0),
        squares=tuple(
            Square(columns[day], rows[table], grid.strength(table, day), _told(table, day, count))
            for (table, day), count in sorted(grid.counts.items())
            if table in rows and day in columns
        ),
    )


def _told(table: str, day: date, count: int) -> str:
    return f"{table}, {day.isoformat()}: {count} anomalous"
