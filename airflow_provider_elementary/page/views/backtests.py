"""Shows backtests: anomalous days by table for other detector settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import METRIC_KEYS
from airflow_provider_elementary.page.day_grid import Grid, Picture, grid_of, order_of, picture_of
from airflow_provider_elementary.page.store_status import attempt
from airflow_provider_elementary.page.views.base import ListPage, Request, page_of

if TYPE_CHECKING:
    import pyarrow as pa

    from airflow_provider_elementary.page.store_reader import StoreReader
    from airflow_provider_elementary.storage.records.result_document import Result

#: Both methods of one run of the example DAG, and those of the previous run.
_PAGE = 4
_METHODS = {"elementary": "Elementary's own rule", "robust": "Robust"}
_COLUMNS = (*METRIC_KEYS, "bucket_start", "bucket_end", "score", "is_anomalous")
_METRICS_SHOWN = 25
_SETTINGS = {
    "anomaly_sensitivity": "sensitivity",
    "days_back": "training days",
    "seasonality": "seasonality",
}


@dataclass(frozen=True)
class BacktestMetric:
    """A metric that would have been anomalous.

    :param metric: in words, with its column and its dimension where it has them.
    :param times: anomalous buckets.
    :param first: start of the first of them, ``last`` of the newest.
    """

    table: str
    metric: str
    times: int
    first: date
    last: date


@dataclass(frozen=True)
class BacktestSummary:
    """The result of a backtest.

    :param scored: number of buckets with a score.
    :param metrics: the metrics that would have been anomalous most often.
    :param hidden: number of further metrics that would have been anomalous.
    """

    scored: int
    grid: Grid
    metrics: tuple[BacktestMetric, ...]
    hidden: int


@dataclass(frozen=True)
class BacktestRow:
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
    found: BacktestSummary | None
    picture: Picture | None


@dataclass(frozen=True)
class Backtests:
    """What the template ``backtests.html`` shows."""

    has_keys: bool
    problems: tuple[str, ...]
    entries: tuple[BacktestRow, ...]
    pagination: ListPage


def build(request: Request) -> Backtests:
    """Return one page of backtests, newest first."""
    reader = request.reader
    problems: list[str] = []
    results = attempt(problems, reader.uri, lambda: reader.documents.all("backtests")) or []
    shown, page = page_of(results, request.number("page"), _PAGE)
    found = [
        (result, attempt(problems, reader.uri, partial(_load, reader, result)))
        for result in (shown if reader.has_keys else ())
    ]
    # The same rows in every chart, so that settings can be compared by eye.
    tables = order_of([summary.grid for _, summary in found if summary])
    entries = [_entry(result, summary, tables) for result, summary in found]
    return Backtests(reader.has_keys, tuple(dict.fromkeys(problems)), tuple(entries), page)


def _load(reader: StoreReader, result: Result) -> BacktestSummary:
    key = ("backtest", *(file.key for file in result.files))
    return reader.derived.get(key, lambda: _summarize(reader.rows(result, _COLUMNS)))


def _entry(result: Result, found: BacktestSummary | None, tables: Sequence[str]) -> BacktestRow:
    method = str(result.parameters.get("method", ""))
    return BacktestRow(
        name=_METHODS.get(method, method),
        settings=_settings(result.parameters),
        run=" · ".join(result.run_key.split("/")[:2]),
        created_at=datetime.fromisoformat(result.created_at),
        found=found,
        picture=picture_of(found.grid, tables) if found and found.grid.tables else None,
    )


def _summarize(parts: Iterable[pa.Table]) -> BacktestSummary:
    """Summarize the verdicts of a backtest; buckets within the expected range are only counted.

    :param parts: the verdicts, a part at a time.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from airflow_provider_elementary.anomalies.backtest import by_metric

    scored = 0
    days: list[date] = []
    found: list[pa.Table] = []
    for part in parts:
        scored += len(part) - part["score"].null_count
        starts = pc.coalesce(part["bucket_start"], part["bucket_end"])
        days += [moment.date() for moment in pc.min_max(starts).as_py().values() if moment]
        found.append(part.filter(part["is_anomalous"]))
    if not found:
        return BacktestSummary(scored=0, grid=Grid((), (), {}, 0, 0), metrics=(), hidden=0)
    anomalies = pa.concat_tables(found)
    rows = by_metric(anomalies).to_pylist()
    return BacktestSummary(
        scored=scored,
        grid=grid_of(anomalies, min(days, default=None), max(days, default=None)),
        metrics=tuple(_metric(row) for row in rows[:_METRICS_SHOWN]),
        hidden=max(len(rows) - _METRICS_SHOWN, 0),
    )


def _metric(row: dict[str, Any]) -> BacktestMetric:
    return BacktestMetric(
        table=row["full_table_name"],
        metric=_metric_in_words(row),
        times=row["anomalous"],
        first=row["first"].date(),
        last=row["last"].date(),
    )


def _metric_in_words(row: Mapping[str, Any]) -> str:
    """Return ``null values of email`` or, of the values of a dimension, ``row count by channel``."""
    from airflow_provider_elementary.metrics.wording import in_words

    column, dimension = row["column_name"], row["dimension"]
    return f"{in_words(row['metric_name'])}{f' of {column}' if column else ''}{f' by {dimension}' if dimension else ''}"


def _settings(parameters: Mapping[str, Any]) -> str:
    parts = [f"{parameters.get('days')} days"]
    parts += [
        f"{_SETTINGS.get(name, name)} {value}"
        for name, value in parameters.items()
        if name not in ("method", "days") and value is not None
    ]
    return ", ".join(parts)
