"""Reads the configuration of each tested series from stored verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from airflow_provider_elementary import __version__
from airflow_provider_elementary.anomalies.elementary.parameters import AnomalyTestParameters
from airflow_provider_elementary.anomalies.elementary.parity import fetch, load_table, statements_of
from airflow_provider_elementary.anomalies.elementary.parity_configurations import read_configurations
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.metrics.saved_tests import TestsReader
from airflow_provider_elementary.source import Source, adapter_of, arrow_schema, catalog_table

_PERIOD = pa.struct([("period", pa.string()), ("count", pa.int64())])
_SERIES = dict.fromkeys(("full_table_name", "column_name", "metric_name", "metric_properties"), pa.string())
#: One row per series: what identifies it, all values of a dimension together, and its test's parameters.
CONFIGURATIONS_SCHEMA = pa.schema(
    {
        **_SERIES,
        "test_name": pa.string(),
        "anomaly_sensitivity": pa.float64(),
        "anomaly_direction": pa.string(),
        "days_back": pa.int64(),
        "backfill_days": pa.int64(),
        "time_bucket": _PERIOD,
        "seasonality": pa.string(),
        "spike_failure_percent_threshold": pa.float64(),
        "drop_failure_percent_threshold": pa.float64(),
        "fail_on_zero": pa.bool_(),
        "min_value": pa.float64(),
        "detection_delay": _PERIOD,
        "anomaly_exclude_metrics": pa.string(),
        "exclude_detection_period_from_training": pa.bool_(),
    }
)
_PARAMETERS = {
    **{field.name: field.type for field in CONFIGURATIONS_SCHEMA if field.name not in (*_SERIES, "test_name")},
    "time_bucket": pa.string(),
    "time_bucket_count": pa.int64(),
    "detection_delay": pa.int64(),
}
#: One row per test of a series: its parameters (the bucket as period and count, the delay in hours), and when it ran
#: last; where the variables of its run are not known, its arguments too.
TESTS_SCHEMA = pa.schema(
    {
        **_SERIES,
        "test_name": pa.string(),
        **_PARAMETERS,
        **dict.fromkeys(("test_id", "invocation_id"), pa.string()),
        **dict.fromkeys(("ran_at", "created_at"), pa.timestamp("us")),
        "unresolved": pa.string(),
    }
)
_STATEMENTS = statements_of("configured_tests.sql")
_NUMBERED = pa.schema({"configuration": pa.int64(), **_PARAMETERS})
_RESULTS, _COMMANDS = "elementary_test_results", "dbt_invocations"
_INCOMING = arrow_schema(
    catalog_table(_RESULTS),
    [
        *("test_type", "test_sub_type", "test_params", "table_name", "schema_name", "database_name", "column_name"),
        *("test_short_name", "test_unique_id", "invocation_id", "detected_at", "created_at"),
    ],
)
_ROWS_AT_ONCE = 100_000
_REQUIRED = {"test_type", "test_sub_type", "test_params", "table_name", "detected_at"}
_OF_COMMANDS = ("invocation_id", "vars")


def read_test_configurations(source: Source) -> pa.Table:
    """Return the configuration of every series that an anomaly test watched when it ran last.

    Where several tests of one run watch a series, the most sensitive counts. A test whose configuration is not stored
    or cannot be read has no row.

    :param source: holds ``elementary_test_results``; without it there are no rows.
    :return: rows of :data:`CONFIGURATIONS_SCHEMA`.
    """
    tests = read_tests(source, source, None)
    return CONFIGURATIONS_SCHEMA.empty_table() if tests is None else configurations_of_tests(tests)


def configurations_of_tests(tests: pa.Table) -> pa.Table:
    """Return the configuration of every series; see :func:`read_test_configurations`.

    :param tests: of :func:`read_tests`.
    """
    with bounded_connection() as connection:
        connection.register("tests", tests)
        found = fetch(connection, _STATEMENTS["of_newest_run"])
    return found.select(CONFIGURATIONS_SCHEMA.names).cast(CONFIGURATIONS_SCHEMA)


def read_tests(source: Source, new: Source, before: pa.Table | None) -> pa.Table | None:
    """Return every test of each series as it ran last; the same however the rows were divided.

    :param source: holds ``elementary_test_results``.
    :param new: the same with no rows but those since ``before``.
    :param before: what this returned for the rows before; None where all are new.
    :return: rows of :data:`TESTS_SCHEMA`; None where the source does not hold what they are read from.
    """
    if _RESULTS not in source.tables() or not _REQUIRED <= {*source.schema(_RESULTS).names}:
        return None
    tests = before if before is not None else TESTS_SCHEMA.empty_table()
    with bounded_connection() as connection:
        reads = _Reads(connection, source, new)
        if tests["unresolved"].null_count < len(tests):
            tests = reads.merged(_INCOMING.empty_table(), tests)
        for rows in reads.results():
            tests = reads.merged(rows, tests)
    return tests


class _Reads:
    """Reads results some rows at a time: of many it keeps few."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source, new: Source) -> None:
        self._connection, self._source, self._new = connection, source, new
        self._adapter = adapter_of(source)
        load_table(connection, new, _COMMANDS, columns=_OF_COMMANDS, is_needed=False)
        #: What the commands were read of: those of generic tests alone have variables that are arguments of tests.
        self._read: Source | None = None

    def results(self) -> Iterator[pa.Table]:
        if _RESULTS not in self._new.tables():
            return
        held = [name for name in _INCOMING.names if name in self._new.schema(_RESULTS).names]
        waiting: list[pa.RecordBatch] = []
        with self._new.read(_RESULTS, columns=held) as reader:
            for batch in reader:
                waiting.append(batch)
                if sum(map(len, waiting)) >= _ROWS_AT_ONCE:
                    yield _with_all_columns(waiting)
                    waiting = []
        if waiting:
            yield _with_all_columns(waiting)

    def merged(self, rows: pa.Table, tests: pa.Table) -> pa.Table:
        """Return tests as they are with some more rows of results."""
        connection = self._connection
        connection.register("new_results", rows)
        connection.register("before", tests)
        self._load_commands()
        has_commands = str(_COMMANDS in self._source.tables())
        connection.execute(_STATEMENTS["results"].replace("{has_commands}", has_commands))
        read = read_configurations(fetch(connection, _STATEMENTS["configured"]), self._adapter)
        numbered = [{"configuration": number, **_columns(one)} for number, one in enumerate(read.parameters)]
        connection.register("configurations", read.table)
        connection.register("parameters", pa.Table.from_pylist(numbered, schema=_NUMBERED))
        return fetch(connection, _STATEMENTS["newest"]).select(TESTS_SCHEMA.names).cast(TESTS_SCHEMA)

    def _load_commands(self) -> None:
        """Read the commands of the new rows where one is needed, and all where it is not among them."""
        [(_, lacking)] = self._connection.sql(_STATEMENTS["lacking"]).fetchall()
        if lacking and self._read is None:
            self._load(self._new)
        [(lacking, _)] = self._connection.sql(_STATEMENTS["lacking"]).fetchall()
        if lacking and self._read is not self._source:
            self._load(self._source)

    def _load(self, source: Source) -> None:
        self._connection.execute("DROP TABLE dbt_invocations")
        load_table(self._connection, source, _COMMANDS, columns=_OF_COMMANDS)
        self._read = source


def _with_all_columns(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    held = pa.Table.from_batches(batches)
    nothing = pa.nulls(held.num_rows)
    columns = [held[name] if name in held.column_names else nothing for name in _INCOMING.names]
    return pa.table(columns, names=_INCOMING.names).cast(_INCOMING)


#: How the tests of a source are saved with its metrics.
TESTS = TestsReader(__version__, TESTS_SCHEMA, read_tests)


def _columns(parameters: AnomalyTestParameters) -> Mapping[str, Any]:
    return {
        "anomaly_sensitivity": parameters.anomaly_sensitivity,
        "anomaly_direction": parameters.anomaly_direction,
        "days_back": parameters.days_back,
        "backfill_days": parameters.backfill_days,
        "time_bucket": parameters.time_bucket.period,
        "time_bucket_count": parameters.time_bucket.count,
        "seasonality": parameters.seasonality,
        "spike_failure_percent_threshold": parameters.spike_percent,
        "drop_failure_percent_threshold": parameters.drop_percent,
        "fail_on_zero": parameters.fail_on_zero,
        "min_value": parameters.min_value,
        "detection_delay": round(parameters.detection_delay.total_seconds() / 3600),
        "anomaly_exclude_metrics": parameters.anomaly_exclude_metrics,
        "exclude_detection_period_from_training": parameters.exclude_detection_period_from_training,
    }
