"""Compares Elementary's stored verdicts with those recomputed by its rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files

import duckdb
import pyarrow as pa

from airflow_provider_elementary.anomalies.elementary.parity_configurations import Configurations, read_configurations
from airflow_provider_elementary.anomalies.elementary.predicates import duckdb_predicate
from airflow_provider_elementary.anomalies.elementary.rounding import rounded
from airflow_provider_elementary.anomalies.elementary.rule import (
    RUN_DETECTION,
    SEASON,
    SIGNED_METRICS,
    SPIKES_ONLY_METRICS,
    create_verdicts,
    parameters_table,
    run_statistics,
)
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.elementary_schema.statuses import status_sql
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.quoting import literal
from airflow_provider_elementary.source import Source, adapter_of, arrow_schema, catalog_table, with_own_errors

#: What is read of each table; the first names are those without which no verdict can be recomputed.
_READ: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "elementary_test_results": (
        ("id", "test_execution_id", "invocation_id", "test_type", "test_sub_type", "test_params", "detected_at",
         "created_at", "table_name", "column_name", "status"),
        ("database_name", "schema_name", "model_unique_id", "test_unique_id", "test_short_name", "severity",
         "failures"),
    ),
    "data_monitoring_metrics": (
        ("id", "full_table_name", "column_name", "metric_name", "metric_value", "bucket_start", "bucket_end",
         "updated_at", "metric_properties"),
        ("dimension", "dimension_value", "created_at"),
    ),
    "dbt_invocations": (("invocation_id", "run_started_at"), ("run_completed_at", "vars")),
    "dbt_run_results": (
        ("unique_id", "invocation_id", "generated_at", "created_at", "full_refresh"),
        ("materialization",),
    ),
    "dbt_models": ((), ("unique_id", "materialization")),
    "dbt_tests": ((), ("unique_id", "warn_if", "error_if", "generated_at")),
}  # fmt: skip

#: Only these rows are kept of a table while it is read.
_KEPT = {
    "elementary_test_results": "test_type = 'anomaly_detection'",
    "data_monitoring_metrics": "upper(full_table_name) IN (SELECT full_table_name FROM tested_tables)",
}


_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def statements_of(file: str) -> dict[str, str]:
    """Return the statements of a file of this package by name."""
    _, *parts = _NAME.split(files(__package__).joinpath(file).read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


_STATEMENTS = statements_of("parity.sql")


def compare_with_elementary(source: Source, *, adapter: str | None = None) -> pa.Table:
    """Recompute every stored verdict of an anomaly test from the metrics as its run saw them.

    :param source: holds ``elementary_test_results``; what else it lacks leaves verdicts unknown.
    :param adapter: dbt's name of the warehouse that computed them (its standard deviation and rounding, its weeks, its
        SQL); by default the one that the source knows of.
    :return: ``elementary_test_results_id``, ``stored`` and ``recomputed`` (status: pass, fail, warn), ``agreement``
        (``agree``, ``disagree``, ``cannot tell``) and ``reason``, in the order in which the tests ran.
    :raises UnknownTableError: the source holds no ``elementary_test_results``.
    """
    with replayed_runs(source, adapter) as connection:
        connection.execute(_answers(connection))
        return fetch(connection, _STATEMENTS["comparison"])


@contextmanager
def replayed_runs(source: Source, adapter: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with the stored verdicts in ``test_results`` and the buckets of their runs in ``scored``."""
    adapter = adapter or adapter_of(source)
    with bounded_connection() as connection:
        lacking = load_table(connection, source, "elementary_test_results")
        connection.execute(_STATEMENTS["tested_tables"])
        for table in ("data_monitoring_metrics", "dbt_invocations", "dbt_run_results", "dbt_models", "dbt_tests"):
            lacking += load_table(connection, source, table)
        configurations = read_configurations(fetch(connection, _STATEMENTS["configured"]), adapter)
        _register(connection, configurations, adapter)
        connection.execute(_statement("test_results", status=status_sql("status"), lacking=_sql(_lack(lacking))))
        connection.execute(_STATEMENTS["seen"])
        connection.execute(
            _statement(
                "points",
                signed_metrics=str(SIGNED_METRICS),
                spikes_only_metrics=str(SPIKES_ONLY_METRICS),
                season=SEASON,
                is_excluded=configurations.exclusions,
            )
        )
        statistics = rounded(connection, run_statistics(adapter), adapter, value="trained")
        create_verdicts(connection, statistics=statistics, detection=RUN_DETECTION)
        connection.execute(_statement("scored", is_kept=configurations.results))
        yield connection


def load_table(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: str,
    *,
    columns: Sequence[str] | None = None,
    is_needed: bool = True,
) -> list[str]:
    """Copy what is needed of a table; return the columns (or the table) without which every verdict is unknown.

    :param columns: those to copy; None for all that a verdict is made from.
    :param is_needed: whether its rows say anything; else it is empty, and not read.
    """
    required, useful = ((), columns) if columns is not None else _READ[table]
    is_held = table in source.tables() or (table == "elementary_test_results" and columns is None)
    held = source.schema(table).names if is_held else []
    wanted = arrow_schema(catalog_table(table), [*required, *useful])
    named = [name for name in wanted.names if name in held]
    connection.register("incoming", wanted.empty_table())
    connection.execute(f"CREATE TEMP TABLE {table} AS FROM incoming")
    connection.unregister("incoming")
    if not held:
        return [table] if required else []
    if not is_needed:
        return []
    with source.read(table, columns=named) as reader, with_own_errors(reader) as read:
        connection.register("incoming", read)
        rows = _KEPT.get(table, "TRUE")
        connection.execute(f"INSERT INTO {table} BY NAME FROM incoming WHERE {rows}")
        connection.unregister("incoming")
    return [f"{table}.{name}" for name in required if name not in named]


def fetch(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """Run a query."""
    table: pa.Table = connection.sql(query).to_arrow_table()
    return table


def _statement(name: str, **texts: str) -> str:
    """Return a statement of parity.sql with texts of this package put in for the names in braces."""
    statement = _STATEMENTS[name]
    for placeholder, text in texts.items():
        statement = statement.replace(f"{{{placeholder}}}", text)
    return statement


def _register(connection: duckdb.DuckDBPyConnection, configurations: Configurations, adapter: str | None) -> None:
    connection.register("configurations", configurations.table)
    connection.register("parameters", parameters_table(configurations.parameters, adapter))


def _answers(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the view of what dbt makes of the anomalies, with the conditions that the tests declare."""
    declared = fetch(connection, "SELECT DISTINCT warn_if, error_if FROM dbt_tests").to_pydict()
    is_error, is_warning = (_failures_meet(column, declared[column]) for column in ("error_if", "warn_if"))
    return _statement("answers", is_error=is_error, is_warning=is_warning)


def _lack(lacking: Sequence[str]) -> str | None:
    if not lacking:
        return None
    return f"the source does not hold {', '.join(lacking)}, without which a run cannot be repeated"


def _failures_meet(column: str, conditions: Iterable[str | None]) -> str:
    """Return SQL over ``total``: whether it meets the condition in a column, null where that is unknown.

    :param column: the column that holds the condition, as in ``> 10``.
    :param conditions: every condition that the column holds.
    """
    known = []
    for condition in sorted({text for text in conditions if text}):
        try:
            predicate = duckdb_predicate(f"total {condition}", {"total": "BIGINT"})
        except ConfigurationError:
            continue
        known.append(f"WHEN {_sql(condition)} THEN {predicate}")
    return f"CASE {column} {' '.join(known)} END" if known else "CAST(NULL AS BOOLEAN)"


def _sql(text: str | None) -> str:
    return "NULL" if text is None else literal(text, "duckdb")
