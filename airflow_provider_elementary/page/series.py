"""The series of one table for its charts: a page of them, each with the range that the rule expects."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.project.facts import Point, Series

if TYPE_CHECKING:
    import pyarrow as pa

#: So many charts are on one page.
PAGE = 8
#: So many buckets are drawn of each series, and judged with so many more before them as history.
DRAWN = 90
_HISTORY = 120
#: Parameters of the task that judged, and not of its rule.
_NOT_OF_THE_RULE = frozenset({"method", "days", "shard", "shards"})
_KEYS = ("column_name", "metric_name", "metric_properties")

Key = tuple[str | None, str, str | None]


@dataclass(frozen=True)
class SeriesPage:
    """Some of a table's series.

    :param total: how many series match the search.
    :param note: why there is no expected range, where there is none.
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
) -> SeriesPage:
    """Return one page of a table's series.

    :param history: the table's metrics.
    :param search: only series whose metric or column contains this, any case.
    :param page: from 1.
    :param first: column and metric of the series that come first: those with anomalies.
    :param rule: the parameters of the newest verdicts; without any, no range is expected.
    """
    if not len(history):
        return SeriesPage((), 0, "")
    keys = _series_of(history, search)
    keys.sort(key=lambda key: ((key[0], key[1]) not in first, key[0] is not None, key[0] or "", key[1], key[2] or ""))
    shown = keys[(page - 1) * PAGE : page * PAGE]
    rows = _newest(history, shown)
    verdicts, note = _judge(rows, rule)
    numbers = _configurations(keys)
    series = tuple(Series(key[1], key[0], *numbers[key], tuple(_points(rows.get(key, []), verdicts))) for key in shown)
    return SeriesPage(series, len(keys), note)


def _series_of(history: pa.Table, search: str) -> list[Key]:
    from airflow_provider_elementary.anomalies.explain import RAW_VALUE_METRICS

    found = history.group_by(list(_KEYS)).aggregate([]).to_pylist()
    wanted = search.lower()
    return [
        (row["column_name"], row["metric_name"], row["metric_properties"])
        for row in found
        # The least and the greatest value of a column are values of rows.
        if row["metric_name"] not in RAW_VALUE_METRICS
        and wanted in f"{row['metric_name']} {row['column_name'] or ''}".lower()
    ]


def _newest(history: pa.Table, keys: Sequence[Key]) -> dict[Key, list[dict[str, Any]]]:
    """Return the newest buckets of each series, oldest first; of several rows of one bucket, the newest."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = pa.array(sorted({key[1] for key in keys}), pa.string())
    rows = history.filter(pc.is_in(history["metric_name"], names)).sort_by(
        [("bucket_end", "ascending"), ("updated_at", "ascending")]
    )
    series: dict[Key, dict[tuple[Any, Any], dict[str, Any]]] = {key: {} for key in keys}
    for row in rows.to_pylist():
        buckets = series.get((row["column_name"], row["metric_name"], row["metric_properties"]))
        if buckets is not None and row["bucket_end"] is not None:
            buckets[row["bucket_start"], row["bucket_end"]] = row
    return {key: list(buckets.values())[-DRAWN - _HISTORY :] for key, buckets in series.items()}


def _judge(
    rows: Mapping[Key, Sequence[Mapping[str, Any]]], rule: Mapping[str, Any] | None
) -> tuple[dict[tuple[Any, ...], dict[str, Any]], str]:
    """Judge these buckets as the newest verdicts were judged."""
    import pyarrow as pa

    from airflow_provider_elementary.anomalies import detect
    from airflow_provider_elementary.metrics import METRICS_SCHEMA, scored_metrics

    if rule is None:
        return {}, "No verdicts are in the store yet, so no range is expected. Run ElementaryAnomalyOperator on it."
    parameters = {name: value for name, value in rule.items() if name not in _NOT_OF_THE_RULE}
    every = [row for series in rows.values() for row in series]
    wanted = pa.schema([field for field in METRICS_SCHEMA if every and field.name in every[0]])
    metrics = scored_metrics(pa.Table.from_pylist(every, schema=wanted)) if every else None
    if metrics is None or not len(metrics):
        return {}, ""
    try:
        verdicts = detect(metrics, method=rule.get("method", "elementary"), **parameters)
    except (ElementaryError, TypeError) as error:
        told = str(error) if isinstance(error, ElementaryError) else "its parameters do not fit this version"
        return {}, f"No range is expected, as the rule of the newest verdicts cannot be repeated: {told}"
    return {_bucket(row): row for row in verdicts.to_pylist()}, ""


def _points(rows: Sequence[Mapping[str, Any]], verdicts: Mapping[tuple[Any, ...], Mapping[str, Any]]) -> list[Point]:
    from airflow_provider_elementary.anomalies.explain import public_sentence

    points = []
    for row in rows[-DRAWN:]:
        verdict = verdicts.get(_bucket(row), {})
        points.append(
            Point(
                start=row["bucket_start"],
                end=row["bucket_end"],
                value=row["metric_value"],
                low=verdict.get("expected_min"),
                high=verdict.get("expected_max"),
                is_anomalous=bool(verdict.get("is_anomalous")),
                reason=public_sentence(verdict) if verdict.get("is_anomalous") else verdict.get("reason") or "",
            )
        )
    return points


def _bucket(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in (*_KEYS, "bucket_start", "bucket_end"))


def _configurations(keys: Sequence[Key]) -> dict[Key, tuple[int, int]]:
    """Count through the series that differ only in the arguments of the tests that collected them."""
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
