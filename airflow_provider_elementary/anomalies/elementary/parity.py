"""Elementary's stored verdicts beside what its rule says on the metrics that its runs saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from airflow_provider_elementary.anomalies.elementary.parity_configurations import Configurations, read_configurations
from airflow_provider_elementary.anomalies.elementary.parity_runs import CONFIGURED, JUDGED, POINTS, SEEN, TESTED_TABLES
from airflow_provider_elementary.anomalies.elementary.parity_statuses import STATUSES, failures_meet
from airflow_provider_elementary.anomalies.elementary.rounding import rounded
from airflow_provider_elementary.anomalies.elementary.rule import (
    RUN_DETECTION,
    create_verdicts,
    parameters_table,
    run_statistics,
)
from airflow_provider_elementary.anomalies.engine import scoring_connection, sql_text
from airflow_provider_elementary.source import Source, adapter_of, arrow_schema, catalog_table

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
    "data_monitoring_metrics": "upper(full_table_name) IN (SELECT full_table_name FROM judged_tables)",
}


def compare_with_elementary(source: Source, *, adapter: str | None = None) -> pa.Table:
    """Recompute every stored verdict of an anomaly test from the metrics as its run saw them.

    :param source: holds ``elementary_test_results``; what else it lacks makes verdicts that cannot be told.
    :param adapter: dbt's name of the warehouse that computed them (its standard deviation and rounding, its weeks, its
        SQL); by default the one that the source knows of.
    :return: ``elementary_test_results_id``, ``stored`` and ``recomputed`` (status: pass, fail, warn), ``agreement``
        (``agree``, ``disagree``, ``cannot tell``) and ``reason``, in the order in which the tests ran.
    :raises UnknownTableError: the source holds no ``elementary_test_results``.
    """
    with _replayed_runs(source, adapter) as connection:
        connection.execute(_statuses(connection))
        return _fetch(connection, _COMPARISON)


def recompute_scores(source: Source, *, adapter: str | None = None) -> pa.Table:
    """Return every bucket that Elementary's runs scored, as the rule scores it on the metrics that they saw.

    :param source: as for :func:`compare_with_elementary`.
    :return: ``elementary_test_results_id``, ``metric_id``, ``bucket_end``, ``metric_value``, ``score``,
        ``training_avg``, ``training_stddev``, ``training_set_size``, ``min_metric_value``, ``max_metric_value``,
        ``is_anomalous``: the names that ``test_result_rows.result_row`` uses.
    """
    with _replayed_runs(source, adapter) as connection:
        return _fetch(connection, _SCORED_BUCKETS)


@contextmanager
def _replayed_runs(source: Source, adapter: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection on which ``judged`` holds the stored verdicts and ``kept`` the scored buckets of their runs."""
    adapter = adapter or adapter_of(source)
    with scoring_connection() as connection:
        lacking = _load(connection, source, "elementary_test_results")
        connection.execute(TESTED_TABLES)
        for table in ("data_monitoring_metrics", "dbt_invocations", "dbt_run_results", "dbt_models", "dbt_tests"):
            lacking += _load(connection, source, table)
        configurations = read_configurations(_fetch(connection, CONFIGURED), adapter)
        _register(connection, configurations, adapter)
        connection.execute(JUDGED.replace("{lacking}", sql_text(_lack(lacking))))
        connection.execute(SEEN)
        connection.execute(POINTS.replace("{is_excluded}", configurations.exclusions))
        statistics = rounded(connection, run_statistics(adapter), adapter, value="trained")
        create_verdicts(connection, statistics=statistics, detection=RUN_DETECTION)
        connection.execute(_SCORED.replace("{is_kept}", configurations.results))
        yield connection


def _load(connection: duckdb.DuckDBPyConnection, source: Source, table: str) -> list[str]:
    """Copy what is needed of a table; return the columns (or the table) without which nothing can be told."""
    required, useful = _READ[table]
    held = source.schema(table).names if table in source.tables() or table == "elementary_test_results" else []
    wanted = arrow_schema(catalog_table(table), [*required, *useful])
    columns = [name for name in wanted.names if name in held]
    connection.register("incoming", wanted.empty_table())
    connection.execute(f"CREATE TEMP TABLE {table} AS FROM incoming")
    connection.unregister("incoming")
    if not held:
        return [table] if required else []
    with source.read(table, columns=columns) as reader:
        connection.register("incoming", reader)
        rows = _KEPT.get(table, "TRUE")
        connection.execute(f"INSERT INTO {table} BY NAME FROM incoming WHERE {rows}")
        connection.unregister("incoming")
    return [f"{table}.{name}" for name in required if name not in columns]


def _fetch(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    table: pa.Table = connection.sql(query).to_arrow_table()
    return table


def _register(connection: duckdb.DuckDBPyConnection, configurations: Configurations, adapter: str | None) -> None:
    connection.register("configurations", configurations.table)
    connection.register("parameters", parameters_table(configurations.parameters, adapter))


def _statuses(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the view of what dbt makes of the anomalies, with the conditions that the tests declare."""
    declared = _fetch(connection, "SELECT DISTINCT warn_if, error_if FROM dbt_tests").to_pydict()
    is_error, is_warning = (failures_meet(column, declared[column]) for column in ("error_if", "warn_if"))
    return STATUSES.replace("{is_error}", is_error).replace("{is_warning}", is_warning)


def _lack(lacking: Sequence[str]) -> str | None:
    if not lacking:
        return None
    return f"the source does not hold {', '.join(lacking)}, without which a run cannot be repeated"


_SCORED = """
CREATE TEMP VIEW scored AS
SELECT *, coalesce({is_kept}, FALSE) AS is_kept
FROM (
    SELECT
        *,
        average AS training_avg,
        deviation AS training_stddev,
        training_size AS training_set_size,
        score AS anomaly_score
    FROM verdicts
    WHERE value IS NOT NULL AND average IS NOT NULL
)
"""

_SCORED_BUCKETS = """
SELECT
    elementary_test_results_id,
    metric_id,
    bucket_end,
    metric_value,
    score,
    training_avg,
    training_stddev,
    training_set_size,
    expected_min AS min_metric_value,
    expected_max AS max_metric_value,
    is_anomalous
FROM scored
WHERE is_kept
ORDER BY elementary_test_results_id, bucket_end, metric_id
"""

_COMPARISON = """
WITH told AS (
    SELECT
        *,
        coalesce(failures, CASE WHEN status = answer THEN anomalies WHEN status = 'pass' THEN 0 ELSE anomalies END)
            AS stored_anomalies,
        anomalies = stored_anomalies AND answer = status AS is_same,
        CASE
            WHEN problem IS NOT NULL THEN problem
            WHEN buckets IS NULL THEN 'no metrics of this test are left as its run saw them'
            WHEN ended = 0 THEN 'no bucket that its run scored has an end, so their order is not known'
            WHEN NOT is_same AND assumption IS NOT NULL THEN assumption || ', under which it would not pass'
            WHEN NOT is_same AND replaced > 0 THEN format(
                'the values of {} of its {} buckets are those that a later test of its run measured',
                replaced, buckets
            )
            WHEN NOT is_same AND anomalies = stored_anomalies AND NOT coalesce(is_declared, FALSE)
                THEN 'its anomalies are as stored, but what warn_if and error_if its run went by is not known'
        END AS doubt,
        format('{} of {} buckets anomalous', anomalies, buckets)
            || coalesce(format(', largest score {:.3f}', largest), ', none with enough history') AS found
    FROM answers
)
SELECT
    id AS elementary_test_results_id,
    status AS stored,
    CASE WHEN doubt IS NULL THEN answer END AS recomputed,
    CASE WHEN doubt IS NOT NULL THEN 'cannot tell' WHEN is_same THEN 'agree' ELSE 'disagree' END AS agreement,
    CASE
        WHEN doubt IS NOT NULL THEN doubt
        WHEN is_same THEN found || coalesce('; ' || assumption, '')
        ELSE format('{}; Elementary stored {}', found, stored_anomalies)
    END AS reason
FROM told
ORDER BY detected_at, id
"""
