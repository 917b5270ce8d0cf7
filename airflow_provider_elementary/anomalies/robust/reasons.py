"""A verdict as a sentence: what was seen, what was expected, and from how much history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow_provider_elementary.anomalies.explain import amount, amounts

#: Reasons of buckets that are not flagged, in the order of the places that stand for them.
PLAIN = (
    "as expected",
    "not enough history: {warm_up} buckets are needed before the first verdict",
    "a holiday is not judged",
    "goes on as flagged before",
    "another row of this bucket is newer",
    "earlier than the last bucket that this series was judged on",
)
AS_EXPECTED, TOO_YOUNG, HOLIDAY, CONTINUES, SUPERSEDED, TOO_LATE = range(6)


def sentence(row: Mapping[str, Any]) -> str:
    """Return a flagged bucket as a sentence.

    ``orders: row_count 12,031 on Tue 3 Nov 2026 is a spike; expected 9,800 to 10,900 from the last 58 buckets``

    :param row: the metric's columns, ``kind``, ``expected_min``, ``expected_max``, ``training_size`` and ``run``.
    """
    metric = row["metric_name"]
    value = "has no value" if row["metric_value"] is None else amount(metric, row["metric_value"])
    what = _WHAT[row["kind"]].format(run=row["run"])
    return (
        f"{_subject(row)}: {metric} {value} {_when(row)} {what}; {_expected(row)} from {row['training_size']} buckets"
    )


_WHAT = {
    "spike": "is a spike",
    "drop": "is a drop",
    "late": "is late",
    "level shift": "makes a new level",
    "drift": "has drifted",
    "missing bucket": "where one was due ({run} in a row)",
    "run of zeros": "is zero {run} times in a row",
    "frozen": "is the same {run} times in a row",
}


def _expected(row: Mapping[str, Any]) -> str:
    metric, low, high = row["metric_name"], row["expected_min"], row["expected_max"]
    if high is None:
        return "expected a value, learned"
    if low is None:
        return f"expected at most {amount(metric, high)}"
    return f"expected {amounts(metric, low, high)}"


def _subject(row: Mapping[str, Any]) -> str:
    column = f".{row['column_name']}" if row["column_name"] else ""
    dimension = f" where {row['dimension']} = {row['dimension_value']}" if row["dimension"] else ""
    return f"{row['full_table_name'].rpartition('.')[2].lower()}{column}{dimension}"


def _when(row: Mapping[str, Any]) -> str:
    start, end = row["bucket_start"], row["bucket_end"]
    moment = start or end
    clock = f"at {moment:%H:%M} " if start is None or end - start < timedelta(hours=23) else ""
    return f"{clock}on {moment:%a} {moment.day} {moment:%b %Y}"
