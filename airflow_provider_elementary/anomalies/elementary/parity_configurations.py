"""Reads the configurations of stored verdicts from their test_params."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.anomalies.elementary.parameters import ARGUMENTS, AnomalyTestParameters
from airflow_provider_elementary.anomalies.elementary.predicates import (
    METRIC_COLUMNS,
    RESULT_COLUMNS,
    duckdb_predicate,
    sqlglot_dialect,
)
from airflow_provider_elementary.exceptions import ConfigurationError

_TYPES: dict[str, pa.DataType] = {
    "test_params": pa.string(),
    "is_generic": pa.bool_(),
    "vars": pa.string(),
    "configuration": pa.int64(),
    "metric_properties": pa.string(),
    "has_timestamp": pa.bool_(),
    "assumption": pa.string(),
    "problem": pa.string(),
}
_SCHEMA = pa.schema(_TYPES)

#: What Elementary puts into a metric's properties; it writes their JSON with sorted keys.
_PROPERTIES = ("dimensions", "event_timestamp_column", "freshness_column", "timestamp_column", "where_expression")
_DAILY = {"count": 1, "period": "day"}
_NO_FILTER = "1 = 1"


@dataclass(frozen=True)
class Configurations:
    """Configurations, numbered as in the relation ``parameters``.

    :param parameters: each configuration, in the order of its number.
    :param table: which configuration belongs to which ``test_params`` (and ``vars``), or why none does.
    :param exclusions: SQL over ``configuration`` and a metric's columns: whether ``anomaly_exclude_metrics`` holds.
    :param results: SQL over ``configuration`` and a scored bucket's columns: whether ``exclude_final_results`` keeps
        it.
    """

    parameters: list[AnomalyTestParameters]
    table: pa.Table
    exclusions: str
    results: str


def read_configurations(stored: pa.Table, adapter: str | None) -> Configurations:
    """Read every configuration that stored verdicts name.

    :param stored: distinct ``test_params``, ``is_generic`` (the verdict carries only the test's arguments) and
        ``vars`` of the run, both as JSON text.
    :param adapter: dbt's name of the warehouse, for the SQL of predicates.
    """
    dialect = sqlglot_dialect(adapter)
    parameters: list[AnomalyTestParameters] = []
    rows: list[dict[str, object]] = []
    exclusions: list[str] = []
    filters: list[str] = []
    for row in stored.to_pylist():
        try:
            params = _mapping(row["test_params"])
            assumption = None
            if row["is_generic"]:
                params, assumption = _with_variables(params, row["vars"])
                resolved = AnomalyTestParameters.from_arguments(
                    {name: params.get(name) for name in params if name in ARGUMENTS}
                )
            else:
                resolved = AnomalyTestParameters.from_test_params(params)
            exclusion = _predicate(resolved.anomaly_exclude_metrics, METRIC_COLUMNS, dialect)
            result = _predicate(params.get("exclude_final_results"), RESULT_COLUMNS, dialect)
        except ConfigurationError as error:
            rows.append({**row, "problem": f"its configuration cannot be read: {error}"})
            continue
        number = len(parameters)
        parameters.append(resolved)
        exclusions += [f"WHEN {number} THEN {exclusion}"] if exclusion else []
        filters += [f"WHEN {number} THEN {result}"] if result else []
        rows.append(
            {
                **row,
                "configuration": number,
                "metric_properties": metric_properties(params),
                "has_timestamp": bool(params.get("timestamp_column")),
                "assumption": assumption,
            }
        )
    return Configurations(
        parameters=parameters,
        table=pa.Table.from_pylist(rows, schema=_SCHEMA),
        exclusions=f"CASE configuration {' '.join(exclusions)} ELSE FALSE END" if exclusions else "FALSE",
        results=f"CASE configuration {' '.join(filters)} ELSE TRUE END" if filters else "TRUE",
    )


def metric_properties(params: Mapping[str, Any]) -> str:
    """Return the JSON text by which Elementary finds the history of a test with these parameters."""
    properties = {name: params.get(name) for name in _PROPERTIES}
    properties["time_bucket"] = {**_DAILY, **(params.get("time_bucket") or {})}
    return json.dumps(properties, sort_keys=True)


def _with_variables(params: Mapping[str, Any], variables: str | None) -> tuple[Mapping[str, Any], str]:
    """Resolve a test's arguments as far as the schema holds them: given, then the run's variables, then defaults."""
    assumption = "assuming that its model configures nothing"
    if variables is None:
        return params, f"{assumption} and its run's variables change no default"
    known = _mapping(variables)
    package = known.get("elementary")
    known = {**known, **package} if isinstance(package, Mapping) else known
    given = {name: value for name, value in params.items() if value is not None}
    return {**{name: known[name] for name in ARGUMENTS if name in known}, **given}, assumption


def _predicate(text: Any, columns: Mapping[str, str], dialect: str | None) -> str | None:
    if text and not isinstance(text, str):
        raise ConfigurationError(f"An SQL predicate is {type(text).__name__}, not text.")
    return duckdb_predicate(text, columns, dialect) if text and text.strip() != _NO_FILTER else None


def _mapping(text: str | None) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text or "")
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, Mapping):
        raise ConfigurationError("The configuration is not a JSON object.")
    return parsed
