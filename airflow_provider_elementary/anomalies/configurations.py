"""Matches series with the resolved configurations of their dbt tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.elementary.parameters import ARGUMENTS, IGNORED, AnomalyTestParameters, whole
from airflow_provider_elementary.anomalies.elementary.predicates import (
    METRIC_COLUMNS,
    duckdb_predicate,
    sqlglot_dialect,
)
from airflow_provider_elementary.anomalies.schema import SERIES_COLUMNS
from airflow_provider_elementary.arrow_values import array_of, array_of_numbers, is_one_of, numpy_of
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.metrics.definitions import COLLECTED
from airflow_provider_elementary.metrics.registry import METRICS

#: What identifies a series.
KEYS = (*SERIES_COLUMNS, "metric_properties")
#: Names in a database are compared in any case.
_ANY_CASE = ("full_table_name", "column_name", "metric_name")
#: The two conditions of ``ignore_small_changes``, as columns of their own.
_SMALL_CHANGES = ("spike_failure_percent_threshold", "drop_failure_percent_threshold")
_PARAMETER_COLUMNS = frozenset({*ARGUMENTS, *IGNORED, *_SMALL_CHANGES})
#: Facts of a test beside its parameters.
TEST_NAME = "test_name"
#: How a series without a test is scored: a change of less than a quarter is none.
QUIET: Mapping[str, Any] = {"ignore_small_changes": dict.fromkeys(_SMALL_CHANGES, 25)}
#: By how much earlier a training period begins, which is where a period of the time bucket does, or a day.
_PERIODS = {"hour": timedelta(days=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=31)}
#: Metrics that no test collects: they are computed from what dbt did.
COMPUTED = frozenset(METRICS) - {metric.name for metric in COLLECTED}


@dataclass(frozen=True)
class SeriesConfigurations:
    """The configuration of each series.

    :ivar parameters: each configuration once; the first is that of a series without a test, the second the quiet one.
    :ivar tests: the name of the test of each, None without one.
    :ivar table: the key columns that identify series, normalised, and ``configuration``: a place in ``parameters``.
    :ivar without_test: the place in ``parameters`` of a collected metric that no row names.
    """

    parameters: list[AnomalyTestParameters]
    tests: list[str | None]
    table: pa.Table | None
    without_test: int

    @classmethod
    def of(cls, configurations: pa.Table | None, arguments: Mapping[str, Any]) -> SeriesConfigurations:
        """Resolve configurations.

        :param configurations: one row per series: some of :data:`KEYS`, and test arguments by Elementary's names; null
            is not given. ``days_back`` is resolved, so not stretched by a seasonality again.
        :param arguments: of every series, where its row gives none.
        :raises ConfigurationError: a column or value is none that Elementary accepts, or two rows of one series differ.
        """
        defaults = [
            AnomalyTestParameters.from_arguments(arguments),
            AnomalyTestParameters.from_arguments({**QUIET, **arguments}),
        ]
        tests: list[str | None] = [None, None]
        if configurations is None:
            return cls(defaults, tests, None, 0)
        keys = [name for name in KEYS if name in configurations.column_names]
        given = [name for name in configurations.column_names if name not in keys]
        unknown = sorted(set(given) - _PARAMETER_COLUMNS - {TEST_NAME})
        if unknown or "full_table_name" not in keys:
            fact = f"do not know {', '.join(unknown)}" if unknown else "lack full_table_name"
            raise ConfigurationError(
                f"The configurations {fact}. Their columns are {', '.join(KEYS)}, {TEST_NAME}, "
                f"{', '.join(sorted(_PARAMETER_COLUMNS))}."
            )
        places: dict[str, int] = {}
        parameters, numbers = list(defaults), []
        for row in configurations.select(given).to_pylist():
            test = row.pop(TEST_NAME, None)
            text = json.dumps([test, row], sort_keys=True, default=str)
            if text not in places:
                places[text] = len(parameters)
                parameters.append(_resolved(row, arguments))
                tests.append(test)
            numbers.append(places[text])
        numbered = configurations.select(keys).append_column("configuration", array_of(numbers, pa.int64()))
        return cls(parameters, tests, _each_once(numbered), 1)

    def numbers(self, connection: duckdb.DuckDBPyConnection, rows: str) -> str:
        """Return SQL that adds ``configuration`` to a relation with the columns of metrics.

        :param connection: gets the relation ``series_configurations``.
        :param rows: the relation's name.
        """
        default = f"CASE WHEN lower(m.metric_name) IN {tuple(sorted(COMPUTED))} THEN 1 ELSE {self.without_test} END"
        if self.table is None or not self.table.num_rows:
            return f"SELECT m.*, ({default})::BIGINT AS configuration FROM {rows} AS m"  # noqa: S608 - constants
        connection.register("series_configurations", self.table)
        keys = [name for name in self.table.column_names if name in KEYS]
        matches = " AND ".join(f"{_sql(name)} IS NOT DISTINCT FROM c.{name}" for name in keys)
        return (
            f"SELECT m.*, coalesce(c.configuration, {default})::BIGINT AS configuration "  # noqa: S608 - constants
            f"FROM {rows} AS m LEFT JOIN series_configurations AS c ON {matches}"
        )

    def of_series(self, keys: pa.Table) -> npt.NDArray[np.int64]:
        """Return the configuration of each series.

        :param keys: one row per series, with :data:`KEYS`.
        """
        if self.table is None or not self.table.num_rows:
            names = pc.utf8_lower(keys["metric_name"].cast(pa.string()))
            is_computed = numpy_of(is_one_of(names, *COMPUTED))
            return np.where(is_computed, 1, self.without_test).astype(np.int64)
        with bounded_connection() as connection:
            ordered = keys.select(KEYS).append_column("place", array_of_numbers(np.arange(keys.num_rows)))
            connection.register("keys", ordered)
            query = self.numbers(connection, "keys")
            found = connection.sql(f"SELECT configuration FROM ({query}) ORDER BY place").to_arrow_table()  # noqa: S608
        numbers: npt.NDArray[np.int64] = numpy_of(found["configuration"])
        return numbers

    def excluded(self, adapter: str | None) -> str:
        """Return SQL over ``configuration`` and a metric's columns: whether ``anomaly_exclude_metrics`` holds.

        :param adapter: dbt's name of the warehouse whose SQL the predicates are.
        """
        dialect = sqlglot_dialect(adapter)
        cases = [
            f"WHEN {number} THEN {duckdb_predicate(parameters.anomaly_exclude_metrics, METRIC_COLUMNS, dialect)}"
            for number, parameters in enumerate(self.parameters)
            if parameters.anomaly_exclude_metrics
        ]
        return f"coalesce(CASE configuration {' '.join(cases)} ELSE FALSE END, FALSE)" if cases else "FALSE"

    @property
    def has_exclusions(self) -> bool:
        """Whether any configuration excludes metrics."""
        return any(parameters.anomaly_exclude_metrics for parameters in self.parameters)

    @property
    def longest_look_back(self) -> timedelta:
        """How long before the end of a bucket the longest training and detection period begin."""
        return max(
            timedelta(days=one.days_back + one.backfill_days) + _PERIODS[one.time_bucket.period]
            for one in self.parameters
        )


def without_arguments(configurations: pa.Table | None, arguments: Mapping[str, Any]) -> pa.Table | None:
    """Return configurations without the parameters that are given otherwise, as for a backtest of another setting."""
    if configurations is None:
        return None
    names = {name for name, value in arguments.items() if value is not None}
    for alias, *others in (
        ("training_period", "days_back"),
        ("detection_period", "backfill_days"),
        ("sensitivity", "anomaly_sensitivity"),
        ("ignore_small_changes", *_SMALL_CHANGES),
    ):
        if names & {alias, *others}:
            names |= {alias, *others}
    return configurations.drop_columns([name for name in configurations.column_names if name in names])


def _resolved(row: Mapping[str, Any], arguments: Mapping[str, Any]) -> AnomalyTestParameters:
    given = {name: _value(value) for name, value in row.items() if value is not None}
    small = {name: given.pop(name) for name in _SMALL_CHANGES if name in given}
    if small:
        given["ignore_small_changes"] = {**(given.get("ignore_small_changes") or {}), **small}
    rest = dict(arguments)
    for one, other in (("days_back", "training_period"), ("backfill_days", "detection_period")):
        if one in given or other in given:
            rest.pop(one, None)
            rest.pop(other, None)
    parameters = AnomalyTestParameters.from_arguments({**rest, **given})
    if "days_back" in given and "training_period" not in given:
        parameters = replace(parameters, days_back=whole("days_back", given["days_back"]))
    return parameters


def _value(value: Any) -> Any:
    """Return an argument's value; one that is a mapping may be JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _sql(name: str) -> str:
    return f"upper(nullif(m.{name}, ''))" if name in _ANY_CASE else f"m.{name}"


def _each_once(numbered: pa.Table) -> pa.Table:
    """Return each series once, its names in the form in which they are compared."""
    if not numbered.num_rows:
        return numbered
    keys = [name for name in numbered.column_names if name != "configuration"]
    names = ", ".join(f"{_sql(name)} AS {name}" for name in keys)
    with bounded_connection() as connection:
        connection.register("numbered", numbered)
        query = f"SELECT DISTINCT {names}, configuration FROM numbered AS m"  # noqa: S608 - constants
        distinct: pa.Table = connection.sql(query).to_arrow_table()
        connection.register("series", distinct)
        query = f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(keys)} FROM series)"  # noqa: S608 - constants
        [[series]] = connection.sql(query).fetchall()
    if series < len(distinct):
        raise ConfigurationError(
            f"{len(distinct) - series} rows of the configurations are of a series that another row configures "
            "differently. Give one row per series."
        )
    return distinct
