"""What a warehouse's own rounding makes of equal values, whose standard deviation is not 0 everywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator

import duckdb
import pyarrow as pa

#: Adapters whose sums of squares are added up as PostgreSQL does it.
YOUNGS_CRAMER = frozenset({"postgres"})

_SCHEMA = pa.schema(
    [("value", pa.float64()), ("training_size", pa.int64()), ("average", pa.float64()), ("deviation", pa.float64())]
)

# Sums of whole numbers are exact.
_REPEATED = """
WITH repeated AS (
    SELECT trained, count(*) AS times
    FROM points
    WHERE trained <> floor(trained)
    GROUP BY series_a, series_b, trained
    HAVING times > 1
)
SELECT trained, max(times) FROM repeated GROUP BY trained
"""


def register_equal_values(connection: duckdb.DuckDBPyConnection, adapter: str | None) -> None:
    """Create the relation ``equal_values``: average and deviation of equal values, where that is not exactly 0.

    :param connection: holds ``points``, whose repeated values are looked at.
    :param adapter: dbt's name of the warehouse.
    """
    repeated = connection.sql(_REPEATED).fetchall() if adapter in YOUNGS_CRAMER else []
    rows = [row for value, times in repeated for row in _youngs_cramer(value, times)]
    connection.register("equal_values", pa.Table.from_pylist(rows, schema=_SCHEMA))


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
