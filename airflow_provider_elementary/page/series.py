"""Selects the series of a table and computes their expected ranges."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ElementaryError

if TYPE_CHECKING:
    import pyarrow as pa

#: Charts per page.
PAGE = 8
#: Buckets of a series that are drawn, and further buckets before them that the detector trains on.
DRAWN = 90
_HISTORY = 120
#: Parameters of the task, not of the detector.
_NOT_OF_THE_RULE = frozenset({"method", "days", "shard", "shards"})
_KEYS = ("column_name", "metric_name", "metric_properties")

Key = tuple[str | None, str, str | None]


@dataclass(frozen=True)
class Point:
    """One bucket of a series, with its expected range where it has a score."""

    start: datetime | None
    end: datetime
    value: float | None
    low: float | None
    high: float | None
    is_anomalous: bool
    reason: str


@dataclass(frozen=True)
class Series:
    """One metric of a table or column over time.

    :param configuration: number of the series among those of one metric that tests with different arguments collected;
        from 1 to ``configurations``.
    """

    metric: str
    column: str | None
    configuration: int
    configurations: int
    points: tuple[Point, ...]

    @property
    def title(self) -> str:
        """The series in words: ``Null rate of email``."""
        from airflow_provider_elementary.metrics.wording import in_words

        metric = in_words(self.metric)
        metric = f"{metric[:1].upper()}{metric[1:]}"
        name = f"{metric} of {self.column}" if self.column else metric
        return f"{name} ({self.configuration} of {self.configurations})" if self.configurations > 1 else name

    @property
    def anomalies(self) -> tuple[Point, ...]:
        """The anomalous buckets, newest first."""
        return tuple(point for point in reversed(self.points) if point.is_anomalous)


@dataclass(frozen=True)
class SeriesPage:
    """Some of a table's series.

    :param total: how many series match the search.
    :param note: why no expected range is shown; empty if there is one.
    """

    series: tuple[Series, ...]
    total: int
    note: str


def page_of_series(
    history: pa.Table,
    *,
    search: str,
    page: int,
    first: frozenset[tuple[str | None, str]],
    rule: Mapping[str, Any] | None,
    configurations: pa.Table | None = None,
) -> SeriesPage:
    """Return one page of a table's series.

    :param history: the table's metrics.
    :param search: only series whose metric or column contains this, any case.
    :param page: from 1.
    :param first: column and metric of the series that come first: those with anomalies.
    :param rule: the parameters of the newest verdicts; without any, there is no expected range.
    :param configurations: of each series, the parameters of its dbt test.
    """
    if not len(history):
        return SeriesPage((), 0, "")
    keys = _series_of(history, search)
    keys.sort(key=lambda key: ((key[0], key[1]) not in first, key[0] is not None, key[0] or "", key[1], key[2] or ""))
    shown = keys[(page - 1) * PAGE : page * PAGE]
    rows = _newest(history, shown)
    verdicts, note = _detect(rows, rule, configurations)
    numbers = _configurations(keys)
    series = tuple(Series(key[1], key[0], *numbers[key], tuple(_points(rows.get(key, []), verdicts))) for key in shown)
    return SeriesPage(series, len(keys), note)


def newest_by_column(history: pa.Table, metric: str) -> dict[str, float | None]:
    """Return the newest value of a metric of each column with metrics; None where it has no such value."""
    import pyarrow.compute as pc

    from airflow_provider_elementary.arrow_values import is_one_of

    of_columns = history.filter(pc.is_valid(history["column_name"]))
    is_value = pc.and_(is_one_of(of_columns["metric_name"], metric), pc.is_valid(of_columns["metric_value"]))
    rows = of_columns.filter(is_value).sort_by([("bucket_end", "ascending"), ("updated_at", "ascending")])
    newest: dict[str, float | None] = dict.fromkeys(pc.unique(of_columns["column_name"]).to_pylist())
    return newest | dict(zip(rows["column_name"].to_pylist(), rows["metric_value"].to_pylist(), strict=True))


def _series_of(history: pa.Table, search: str) -> list[Key]:
    from airflow_provider_elementary.anomalies.explain import RAW_VALUE_METRICS

    found = set(zip(*(history[name].to_pylist() for name in _KEYS), strict=True))
    wanted = search.lower()
    return [
        key
        for key in found
        # The minimum and the maximum of a column are values of rows.
        if key[1] not in RAW_VALUE_METRICS and wanted in _searched(key[1], key[0] or "")
    ]


def _searched(metric: str, column: str) -> str:
    """Return the names that a series is found by: the metric's own, and the one in words."""
    from airflow_provider_elementary.metrics.wording import in_words

    return f"{metric} {column}\n{in_words(metric)} of {column}\n{in_words(metric)} {column}".lower()


def _newest(history: pa.Table, keys: Sequence[Key]) -> dict[Key, list[dict[str, Any]]]:
    """Return the newest buckets of each series, oldest first; of several rows of one bucket the newest."""
    from airflow_provider_elementary.arrow_values import is_one_of

    rows = history.filter(is_one_of(history["metric_name"], *{key[1] for key in keys})).sort_by(
        [("bucket_end", "ascending"), ("updated_at", "ascending")]
    )
    series: dict[Key, dict[tuple[Any, Any], dict[str, Any]]] = {key: {} for key in keys}
    for row in rows.to_pylist():
        buckets = series.get((row["column_name"], row["metric_name"], row["metric_properties"]))
        if buckets is not None and row["bucket_end"] is not None:
            buckets[row["bucket_start"], row["bucket_end"]] = row
    return {key: list(buckets.values())[-DRAWN - _HISTORY :] for key, buckets in series.items()}


def _detect(
    rows: Mapping[Key, Sequence[Mapping[str, Any]]], rule: Mapping[str, Any] | None, configurations: pa.Table | None
) -> tuple[dict[tuple[Any, ...], dict[str, Any]], str]:
    """Evaluate these buckets with the parameters of the newest verdicts."""
    import pyarrow as pa

    from airflow_provider_elementary.anomalies import detect
    from airflow_provider_elementary.arrow_values import arrow_table_of
    from airflow_provider_elementary.metrics import METRICS_SCHEMA, scored_metrics

    if rule is None:
        return (
            {},
            "No expected range is shown: the store holds no verdicts yet. Run ElementaryAnomalyOperator.",
        )
    parameters = {name: value for name, value in rule.items() if name not in _NOT_OF_THE_RULE}
    every = [row for series in rows.values() for row in series]
    wanted = pa.schema([field for field in METRICS_SCHEMA if every and field.name in every[0]])
    metrics = scored_metrics(arrow_table_of(every, wanted)) if every else None
    if metrics is None or not len(metrics):
        return {}, ""
    try:
        verdicts = detect(metrics, rule.get("method", "elementary"), configurations, **parameters)
    except (ElementaryError, TypeError) as error:
        reason = str(error) if isinstance(error, ElementaryError) else "this version does not know its parameters"
        return {}, f"No expected range is shown: the detector of the newest verdicts cannot be run again: {reason}"
    return {_bucket(row): row for row in verdicts.to_pylist()}, ""


def _points(rows: Sequence[Mapping[str, Any]], verdicts: Mapping[tuple[Any, ...], Mapping[str, Any]]) -> list[Point]:
    from airflow_provider_elementary.anomalies.explain import public_sentence
    from airflow_provider_elementary.metrics.registry import possible

    points = []
    for row in rows[-DRAWN:]:
        verdict = verdicts.get(_bucket(row), {})
        points.append(
            Point(
                start=row["bucket_start"],
                end=row["bucket_end"],
                value=row["metric_value"],
                low=possible(row["metric_name"], verdict.get("expected_min")),
                high=possible(row["metric_name"], verdict.get("expected_max")),
                is_anomalous=bool(verdict.get("is_anomalous")),
                reason=public_sentence(verdict) if verdict.get("is_anomalous") else verdict.get("reason") or "",
            )
        )
    return points


def _bucket(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in (*_KEYS, "bucket_start", "bucket_end"))


def _configurations(keys: Sequence[Key]) -> dict[Key, tuple[int, int]]:
    """Return a number for each of the series that differ only in the arguments of the tests that collected them."""
    alike: dict[tuple[str | None, str], list[Key]] = defaultdict(list)
    for key in keys:
        alike[key[0], key[1]].append(key)
    return {
        key: (number, len(group))
        for group in alike.values()
        for number, key in enumerate(sorted(group, key=lambda key: _readable(key[2])), 1)
    }


def _readable(properties: str | None) -> str:
    try:
        return json.dumps(json.loads(properties or "null"), sort_keys=True)
    except ValueError:
        return properties or ""
