"""Explains verdicts in sentences with units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.elementary.parameters import Parameters
from airflow_provider_elementary.metrics.definitions import Family
from airflow_provider_elementary.metrics.registry import family_of, names_of

#: The reason of every bucket that is scored and not anomalous.
AS_EXPECTED = "as expected"
NO_VALUE = "no value in this bucket"
NO_END = "the bucket has no end"
EXCLUDED = "left out by anomaly_exclude_metrics"
TOO_OLD = "before the training window of the run"
NOT_COMPLETE = "not complete when the run started"
NOT_ENOUGH = "not enough history to compare with: fewer than two values in the training window"

#: Reasons of the robust method's buckets that are not flagged, in the order of the numbers below.
ROBUST_REASONS = (
    AS_EXPECTED,
    "not enough history: {warm_up} buckets are needed before the first verdict",
    "a holiday is not scored",
    "continues as flagged before",
    "another row of this bucket is newer",
    "earlier than the last bucket of this series that was scored",
)
EXPECTED, TOO_YOUNG, HOLIDAY, CONTINUES, SUPERSEDED, TOO_LATE = range(len(ROBUST_REASONS))

#: Metrics whose value is that of a single row.
RAW_VALUE_METRICS = frozenset(names_of(lambda metric: metric.is_raw))


def with_sentences(verdicts: pa.Table, metrics: pa.Table, points: pa.Array[Any], parameters: Parameters) -> pa.Table:
    """Return verdicts whose ``reason`` is a sentence for each anomaly, and as before for all others.

    :param points: the rows of ``metrics`` that the verdicts are on.
    :param parameters: the configuration under which they were scored.
    """
    is_anomalous = verdicts["is_anomalous"].combine_chunks()
    if not pc.any(is_anomalous).as_py():
        return verdicts
    rows = metrics.take(points.filter(is_anomalous))
    for name in ("expected_min", "expected_max", "training_size"):
        rows = rows.append_column(name, verdicts[name].filter(is_anomalous))
    sentences = pa.array([sentence(row, parameters) for row in rows.to_pylist()], pa.string())
    explained = pc.replace_with_mask(verdicts["reason"], is_anomalous, sentences)
    return verdicts.set_column(verdicts.column_names.index("reason"), "reason", explained)


def sentence(row: Mapping[str, Any], parameters: Parameters) -> str:
    """Return a scored bucket as a sentence.

    ``orders: row_count 12,031 on Tue 3 Nov 2026; expected 9,800 to 10,900 from the last 14 buckets``

    :param row: the metric's columns, ``expected_min``, ``expected_max`` and ``training_size``.
    :param parameters: the configuration under which it was scored; its seasonality names the buckets compared with.
    """
    metric = row["metric_name"]
    value = amount(metric, row["metric_value"])
    expected = amounts(metric, row["expected_min"], row["expected_max"])
    return (
        f"{_subject(row)}: {metric} {value} {_when(row['bucket_start'], row['bucket_end'])}; "
        f"expected {expected} from the last {_training(row, parameters)}"
    )


def robust_sentence(row: Mapping[str, Any]) -> str:
    """Return a bucket that the robust method flagged as a sentence.

    ``orders: row_count 12,031 on Tue 3 Nov 2026 is a spike; expected 9,800 to 10,900 from 58 buckets``

    :param row: the metric's columns, ``kind``, ``expected_min``, ``expected_max``, ``training_size`` and ``run``.
    """
    metric, low, high = row["metric_name"], row["expected_min"], row["expected_max"]
    value = "has no value" if row["metric_value"] is None else amount(metric, row["metric_value"])
    what = _ROBUST_KINDS[row["kind"]].format(run=row["run"])
    if high is None:
        expected = "expected a value, learned"
    elif low is None:
        expected = f"expected at most {amount(metric, high)}"
    else:
        expected = f"expected {amounts(metric, low, high)}"
    when = _moment(row["bucket_start"], row["bucket_end"])
    return f"{_subject(row)}: {metric} {value} {when} {what}; {expected} from {row['training_size']} buckets"


_ROBUST_KINDS = {
    "spike": "is a spike",
    "drop": "is a drop",
    "late": "is late",
    "level shift": "makes a new level",
    "drift": "has drifted",
    "missing bucket": "where one was due ({run} in a row)",
    "run of zeros": "is zero {run} times in a row",
    "frozen": "is the same {run} times in a row",
}


def public_sentence(verdict: Mapping[str, Any]) -> str:
    """Return an anomaly as a sentence without raw values, for logs, XCom and alerts.

    Values of dimensions, minima and maxima are raw values: their sentences say only that there is an anomaly.

    :param verdict: the columns of a verdict.
    """
    when = _when(verdict["bucket_start"], verdict["bucket_end"])
    metric, kind = verdict["metric_name"], verdict["kind"]
    if verdict["dimension"]:
        return f"{_table(verdict)}: {kind} of a value of {verdict['dimension']} {when}"
    if metric in RAW_VALUE_METRICS:
        return f"{_subject(verdict)}: {kind} of {metric} {when}"
    return str(verdict["reason"])


def amount(metric: str, value: float | None) -> str:
    """Return a metric's value in its unit, as a person would write it: ``12,031``, ``31.7 %``, ``2 h 5 min``."""
    return "nothing" if value is None else _WRITTEN.get(family_of(metric), _number)(value)


def amounts(metric: str, low: float | None, high: float | None) -> str:
    """Return a range of expected values: ``9,800 to 10,900``, of counts the whole numbers within, ``0``.

    :param low: None, as ``high``, where nothing is expected.
    """
    if family_of(metric) == "count" and low is not None and high is not None:
        low, high = _whole_within(low, high)
    first, last = amount(metric, low), amount(metric, high)
    return first if first == last else f"{first} to {last}"


def _whole_within(low: float, high: float) -> tuple[float, float]:
    """Return the smallest and the largest whole number of a range; the range itself where it holds none."""
    first, last = (float(f"{bound:.9g}") for bound in (low, high))
    return (math.ceil(first), math.floor(last)) if math.ceil(first) <= math.floor(last) else (low, high)


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:,.3f}" if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _percent(value: float) -> str:
    return f"{_number(round(value, 3))} %"


def _duration(seconds: float) -> str:
    """Two units are enough for a person: ``3 d 4 h``, ``2 h 5 min``, ``1 min 3 s``, ``12.5 s``."""
    if abs(seconds) < 60:
        return f"{_number(round(seconds, 3))} s"
    sign, rest = ("-" if seconds < 0 else ""), round(abs(seconds))
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append((count, unit))
    return sign + " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)


#: How values are written; those of all other families are plain numbers.
_WRITTEN: Mapping[Family, Callable[[float], str]] = {"percent": _percent, "duration": _duration}


def _table(row: Mapping[str, Any]) -> str:
    return str(row["full_table_name"]).rpartition(".")[2].lower()


def _subject(row: Mapping[str, Any]) -> str:
    column = f".{row['column_name']}" if row["column_name"] else ""
    dimension = f" where {row['dimension']} = {row['dimension_value']}" if row["dimension"] else ""
    return f"{_table(row)}{column}{dimension}"


def _when(start: datetime | None, end: datetime) -> str:
    if start is None:
        return f"in the run at {end:%H:%M} on {_day(end)}"
    length = end - start
    if length < timedelta(days=1):
        return f"at {start:%H:%M} on {_day(start)}"
    if length == timedelta(days=1):
        return f"on {_day(start)}"
    return f"from {_day(start)} to {_day(end - timedelta(microseconds=1))}"


def _moment(start: datetime | None, end: datetime) -> str:
    clock = f"at {start or end:%H:%M} " if start is None or end - start < timedelta(hours=23) else ""
    return f"{clock}on {_day(start or end)}"


def _day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b %Y}"


def _training(row: Mapping[str, Any], parameters: Parameters) -> str:
    start = row["bucket_start"] or row["bucket_end"]
    size = row["training_size"]
    return {
        "day_of_week": f"{size} {start:%A}s",
        "hour_of_day": f"{size} buckets at {start:%H:%M}",
        "hour_of_week": f"{size} {start:%A}s at {start:%H:%M}",
    }.get(parameters.seasonality or "", f"{size} buckets")
