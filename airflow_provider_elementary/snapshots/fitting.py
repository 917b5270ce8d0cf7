"""Detects values that the declared types of a restore's target cannot hold."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import Table
from airflow_provider_elementary.elementary_schema.ddl import Dialect, declared_type
from airflow_provider_elementary.exceptions import ValueDoesNotFitError

_FLOAT32_MAX = 3.4028235677973366e38
_INT32_MAX = 2**31 - 1
_OTHER: dict[Dialect, str] = {"duckdb": "PostgreSQL", "postgres": "a DuckDB file"}


def require_fit(batch: pa.RecordBatch, table: Table, dialect: Dialect, *, widest: bool) -> None:
    """Refuse a batch with a value that its column cannot hold; the value itself is not shown.

    :param widest: see :func:`~airflow_provider_elementary.elementary_schema.ddl.declared_type`.
    :raises ValueDoesNotFitError: there is one.
    """
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        if (column := table.column(name)) is None:
            continue
        declared = declared_type(dialect, table, column, widest=widest)
        if (kind := _unfit(values, declared, dialect)) is not None:
            remedy = (
                "Correct the row in the warehouse and take a new snapshot"
                if declared == "integer"
                else f"Restore to {_OTHER[dialect]}, which holds it, or correct the row and take a new snapshot"
            )
            raise ValueDoesNotFitError(
                f"Column {table.name}.{name} holds {kind}, which its type {declared} on {dialect} cannot hold. "
                f"Nothing of the restore is there. {remedy}."
            )


def _unfit(values: pa.Array, declared: str, dialect: Dialect) -> str | None:
    """Return the kind of value that does not fit, or None."""
    if pa.types.is_string(values.type):
        if dialect == "postgres" and pc.any(pc.match_substring(values, "\x00")).as_py():
            return "a text with the character NUL (U+0000)"
        if declared == "varchar(4096)" and (pc.max(pc.utf8_length(values)).as_py() or 0) > 4096:
            return "a text of more than 4,096 characters"
    elif declared == "integer" and _exceeds_int32(values):
        return "a whole number of more than 32 bits"
    elif (
        declared == "FLOAT" and pc.any(pc.and_(pc.is_finite(values), pc.greater(pc.abs(values), _FLOAT32_MAX))).as_py()
    ):
        return "a number beyond 32-bit floating point"
    return None


def _exceeds_int32(values: pa.Array) -> bool:
    # The absolute value of the least number of 64 bits is negative again.
    bounds = pc.min_max(values).as_py()
    return bounds["min"] is not None and (bounds["min"] < -_INT32_MAX - 1 or bounds["max"] > _INT32_MAX)
