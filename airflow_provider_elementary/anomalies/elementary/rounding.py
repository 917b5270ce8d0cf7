"""Reproduces the warehouse's rounding of standard deviations of equal values."""

from __future__ import annotations

import math
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from airflow_provider_elementary.arrow_values import arrow_table_of
from airflow_provider_elementary.warehouses.registry import by_adapter

_SCHEMA = pa.schema(
    [("value", pa.float64()), ("training_size", pa.int64()), ("average", pa.float64()), ("deviation", pa.float64())]
)

# Sums of whole numbers are exact.
_REPEATED = """
WITH repeated AS (
    SELECT {value} AS repeated_value, count(*) AS times
    FROM points
    WHERE {value} <> floor({value})
    GROUP BY series_a, series_b, repeated_value
    HAVING times > 1
)
SELECT repeated_value, max(times) FROM repeated GROUP BY repeated_value
"""

# The relation ``training``, in which equal values have what the warehouse makes of them.
_AS_ROUNDED = """
CREATE TEMP VIEW training AS
SELECT w.* REPLACE (
    coalesce(e.average, w.average) AS average,
    coalesce(e.deviation, w.deviation) AS deviation,
    CASE WHEN e.deviation IS NULL THEN lowest END AS lowest
)
FROM exact_training AS w
LEFT JOIN equal_values AS e ON w.lowest = w.highest AND e.value = w.lowest AND e.training_size = w.training_size
"""


def rounded(
    connection: duckdb.DuckDBPyConnection, statistics: str, adapter: str | None, *, value: str = "value"
) -> tuple[str, ...]:
    """Return the statements that create ``training``, with equal values as the warehouse's own rounding makes them.

    :param connection: holds ``points``, whose repeated values are looked at; it will hold ``equal_values``.
    :param statistics: the statement that creates ``training`` where a deviation of equal values is exactly 0.
    :param adapter: dbt's name of the warehouse.
    :param value: the column of ``points`` that is trained on.
    """
    if not by_adapter(adapter).uses_youngs_cramer:
        return (statistics,)
    repeated = connection.sql(_REPEATED.replace("{value}", value)).fetchall()
    rows = [row for number, times in repeated for row in _youngs_cramer(number, times)]
    connection.register("equal_values", arrow_table_of(rows, _SCHEMA))
    return statistics.replace("VIEW training AS", "VIEW exact_training AS"), _AS_ROUNDED


def _youngs_cramer(value: float, times: int) -> Iterator[dict[str, float]]:
    """Add a value up as PostgreSQL's ``float8_accum`` does, where 0.1 ten times deviates by 1e-17 and has a score."""
    total = squares = 0.0
    for size in range(1, times + 1):
        total += value
        if size > 1:
            residue = value * size - total
            squares += residue * residue / (size * (size - 1.0))
        if squares > 0:
            yield {
                "value": value,
                "training_size": size,
                "average": total / size,
                "deviation": math.sqrt(squares / (size - 1.0)),
            }
