"""Validates SQL predicates by an allow-list and renders them for DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import duckdb

from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.warehouses.registry import by_adapter

# sqlglot is imported where it is used: the page imports the detector and configures nothing.
if TYPE_CHECKING:
    from sqlglot import exp

#: What ``anomaly_exclude_metrics`` may name: columns of the metrics, and the two that Elementary adds.
METRIC_COLUMNS: Mapping[str, str] = {
    "full_table_name": "VARCHAR",
    "column_name": "VARCHAR",
    "metric_name": "VARCHAR",
    "metric_value": "DOUBLE",
    "bucket_start": "TIMESTAMP",
    "bucket_end": "TIMESTAMP",
    "dimension": "VARCHAR",
    "dimension_value": "VARCHAR",
    "metric_time_bucket": "TIMESTAMP",
    "metric_date": "DATE",
}

#: What ``exclude_final_results`` may name: the columns of a scored bucket.
RESULT_COLUMNS: Mapping[str, str] = {
    **METRIC_COLUMNS,
    "value": "DOUBLE",
    "average": "DOUBLE",
    "training_avg": "DOUBLE",
    "training_stddev": "DOUBLE",
    "training_set_size": "BIGINT",
    "anomaly_score": "DOUBLE",
    "is_anomalous": "BOOLEAN",
}

#: Days of the week are numbered differently by each warehouse, so they are not among them.
_EXTRACTED = frozenset({"YEAR", "QUARTER", "MONTH", "DAY", "HOUR"})


def duckdb_predicate(text: str, columns: Mapping[str, str], dialect: str | None = None) -> str:
    """Return a predicate as DuckDB SQL that is null, not an error, where a value does not convert.

    :param text: the predicate as configured.
    :param columns: the columns that it may name, in lower case, and their types.
    :param dialect: sqlglot's name of the warehouse's SQL; None for what most of them share.
    :raises ConfigurationError: it cannot be parsed, or holds more than comparisons of these columns.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        predicate = sqlglot.parse_one(text, read=dialect)
    except (SqlglotError, RecursionError):
        raise ConfigurationError("The SQL predicate cannot be parsed.") from None
    for node in predicate.walk():
        refused = _refusal(node, columns)
        if refused:
            raise ConfigurationError(f"The predicate contains {refused}. Use comparisons over metric columns only.")
    for column in list(predicate.find_all(exp.Column)):
        column.set("this", exp.to_identifier(column.name.lower(), quoted=True))
    rendered = f"TRY({predicate.sql(dialect='duckdb', comments=False)})"
    typed = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items())
    with bounded_connection() as connection:
        try:
            connection.sql(f"SELECT coalesce({rendered}, FALSE) FROM (SELECT {typed})")  # noqa: S608 - both are checked
        except duckdb.Error:
            raise ConfigurationError("The predicate does not fit the types of the metric columns.") from None
    return rendered


def sqlglot_dialect(adapter: str | None) -> str | None:
    """Return sqlglot's name of the SQL of a dbt adapter: its own name where the registry has no row of it."""
    return by_adapter(adapter).dialect or adapter or None


@cache
def _allowed() -> tuple[type[exp.Expr], ...]:
    from sqlglot import exp

    return (
        exp.And, exp.Or, exp.Not, exp.Paren, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null,
        exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.Is, exp.Like, exp.ILike, exp.Tuple,
        exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Abs, exp.Lower, exp.Upper, exp.Coalesce, exp.Case, exp.If,
        exp.Cast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.Date, exp.TsOrDsToDate,
        exp.DateTrunc, exp.TimestampTrunc, exp.Extract, exp.Year, exp.Month, exp.Day,
    )  # fmt: skip


def _refusal(node: exp.Expr, columns: Mapping[str, str]) -> str | None:
    from sqlglot import exp

    if not isinstance(node, _allowed()):
        return type(node).__name__
    if isinstance(node, exp.Column) and (node.table or node.name.lower() not in columns):
        return f"the column {node.name!r}"
    if isinstance(node, exp.Extract) and node.name.upper() not in _EXTRACTED:
        return f"EXTRACT of {node.name.upper()}"
    return None
