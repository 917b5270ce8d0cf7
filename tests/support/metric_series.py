"""Builders of metrics as tests need them: one series, a value a bucket."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa

#: A Thursday.
FIRST_DAY = datetime(2026, 10, 1)


def daily(
    values: Sequence[float | None],
    *,
    first: datetime = FIRST_DAY,
    metric_name: str = "row_count",
    full_table_name: str = "SHOP.CORE.ORDERS",
    bucket: timedelta = timedelta(days=1),
    **columns: object,
) -> pa.Table:
    """Return one series with a bucket a day from ``first``; ``columns`` are constant, or a list of a value a bucket."""
    starts = [first + bucket * number for number in range(len(values))]
    given = {
        "full_table_name": full_table_name,
        "column_name": None,
        "metric_name": metric_name,
        "dimension": None,
        "dimension_value": None,
        **columns,
    }
    repeated = {
        name: value if isinstance(value, list) else [value] * len(values)
        for name, value in given.items()
        if name != "updated_at"
    }
    table = {name: pa.array(column, pa.string()) for name, column in repeated.items()}
    table["bucket_start"] = pa.array(starts, pa.timestamp("us"))
    table["bucket_end"] = pa.array([start + bucket for start in starts], pa.timestamp("us"))
    table["metric_value"] = pa.array(values, pa.float64())
    if "updated_at" in columns:
        table["updated_at"] = pa.array(columns["updated_at"], pa.timestamp("us"))
    return pa.table(table)


def hourly(values: Sequence[float | None], **arguments: object) -> pa.Table:
    """Return one series with a bucket an hour."""
    return daily(values, bucket=timedelta(hours=1), **arguments)  # type: ignore[arg-type]
