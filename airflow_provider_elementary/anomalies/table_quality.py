"""Summarises the newest verdicts of each table as quality checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.explain import (
    RAW_VALUE_METRICS,
    is_still_off,
    public_sentence,
    still_off_sentence,
    written_amount,
)
from airflow_provider_elementary.elementary_schema import METRIC_KEYS
from airflow_provider_elementary.metrics import has_names

_COLUMNS = [
    *METRIC_KEYS, "bucket_start", "bucket_end", "metric_value", "expected_min", "expected_max", "is_anomalous", "kind",
    "reason", "score",
]  # fmt: skip


@dataclass(frozen=True)
class Check:
    """Whether the newest scored bucket of a metric is as expected.

    :param metric: the metric's name.
    :param column: the column it measures, or None.
    :param success: whether it is as expected.
    :param expected: the expected range in words; None where it would quote a value of a row.
    :param actual: the value in words; None as ``expected``.
    :param description: the anomaly in words, without raw values; None where there is none.
    :param severity: ``error`` or ``warn``; None where it is as expected.
    """

    metric: str
    column: str | None
    success: bool
    expected: str | None = None
    actual: str | None = None
    description: str | None = None
    severity: str | None = None


@dataclass(frozen=True)
class TableQuality:
    """The newest numbers of a table.

    :param table: its ``full_table_name``.
    :param row_count: rows of the newest bucket, where they are counted.
    :param null_counts: nulls of the newest bucket, by column, where they are counted.
    :param checks: one per monitored metric, by column and metric.
    """

    table: str
    row_count: int | None = None
    null_counts: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


def table_qualities(verdicts: pa.Table, limit: int) -> list[TableQuality]:
    """Return the quality of the scored tables, those with anomalies first, then by name.

    :param verdicts: of one run, enriched or not.
    :param limit: how many tables at most.
    """
    names = [name for name in (*_COLUMNS, "severity") if name in verdicts.column_names]
    scored = has_names(verdicts.filter(pc.is_valid(verdicts["score"])).select(names))
    scored = scored.append_column("is_still_off", is_still_off(scored["reason"]))
    newest: dict[tuple[Any, ...], dict[str, Any]] = {}
    scored = scored.append_column("size", pc.abs(scored["score"]))
    # Of the values of a dimension in one bucket, the worst counts, in whatever order they come.
    order = ("bucket_end", "is_anomalous", "is_still_off", "size")
    for row in scored.sort_by([(name, "ascending") for name in order]).to_pylist():
        newest[tuple(row[name] for name in METRIC_KEYS)] = row
    by_table: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in newest.values():
        by_table[row["full_table_name"]].append(row)
    found = [_quality(table, rows) for table, rows in by_table.items()]
    found.sort(key=lambda quality: (all(check.success for check in quality.checks), quality.table))
    return found[:limit]


def _quality(table: str, rows: list[dict[str, Any]]) -> TableQuality:
    rows.sort(key=lambda row: (row["column_name"] or "", row["metric_name"], row["dimension"] or ""))
    return TableQuality(
        table=table,
        row_count=next((_whole(row) for row in rows if row["metric_name"] == "row_count"), None),
        null_counts={
            row["column_name"]: _whole(row) for row in rows if row["metric_name"] == "null_count" and row["column_name"]
        },
        checks=tuple(_check(row) for row in rows),
    )


def _check(row: Mapping[str, Any]) -> Check:
    metric, is_fine = row["metric_name"], not (row["is_anomalous"] or row["is_still_off"])
    is_raw = row["dimension"] is not None or metric in RAW_VALUE_METRICS
    low, high = written_amount(metric, row["expected_min"]), written_amount(metric, row["expected_max"])
    return Check(
        metric=metric,
        column=row["column_name"],
        success=is_fine,
        expected=None if is_raw else f"{low} to {high}",
        actual=None if is_raw else written_amount(metric, row["metric_value"]),
        description=None if is_fine else (public_sentence if row["is_anomalous"] else still_off_sentence)(row),
        severity=None if is_fine else row.get("severity") or "warn",
    )


def _whole(row: Mapping[str, Any]) -> int:
    return round(row["metric_value"] or 0)
