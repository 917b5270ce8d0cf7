"""Finds misconfigured Elementary anomaly tests."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.elementary.lint_histories import (
    HISTORY_COLUMNS,
    points_in_window,
    read_histories,
    resets,
)
from airflow_provider_elementary.anomalies.elementary.parameters import ARGUMENTS, SEASONALITIES, AnomalyTestParameters
from airflow_provider_elementary.anomalies.elementary.parity_configurations import metric_properties
from airflow_provider_elementary.anomalies.elementary.rule import SPIKES_ONLY_METRICS
from airflow_provider_elementary.exceptions import ConfigurationError, ElementaryError
from airflow_provider_elementary.source import Source, read_all


@dataclass(frozen=True)
class Finding:
    """One misconfiguration of a test.

    :param rule: ``never fires``, ``too few buckets``, ``ignored parameter``, ``one-sided``, ``history reset`` or
        ``unreadable``.
    :param full_table_name: the table that is monitored.
    :param column_name: the column, or None.
    :param metric_name: the metric, or None where it is all of the test.
    :param test: dbt's ``unique_id`` of the test, or None where it is unknown.
    :param reason: what is so, with the numbers it follows from.
    :param advice: what to do.
    """

    rule: str
    full_table_name: str
    column_name: str | None
    metric_name: str | None
    test: str | None
    reason: str
    advice: str


@dataclass(frozen=True)
class _Monitor:
    """One metric that one test watches, as configured when it last ran."""

    test: str | None
    table: str
    column: str | None
    metric: str | None
    params: Mapping[str, Any]
    parameters: AnomalyTestParameters


def lint(source: Source) -> list[Finding]:
    """Look at every anomaly test as it last ran, and at the history that its metrics have.

    :param source: a warehouse or a snapshot; what it does not hold is not looked at.
    :return: findings, by table.
    """
    monitors, findings = _monitors(source)
    for monitor in monitors:
        findings += [finding for rule in _RULES for finding in rule(monitor)]
    findings += _ignored_arguments(source)
    if _holds(source, "data_monitoring_metrics", HISTORY_COLUMNS):
        with read_histories(source) as connection:
            findings += _resets(connection)
            findings += _too_few(connection, monitors)
    return sorted(
        findings, key=lambda found: (found.full_table_name or "", found.rule, str(found.column_name), found.reason)
    )


def largest_score(size: int) -> float:
    """Return the largest possible score of a point that is one of its own training set of this size."""
    return (size - 1) / math.sqrt(size) if size > 1 else 0.0


def smallest_training(sensitivity: float) -> int:
    """Return how many points it takes at least for a score above this sensitivity."""
    size = 2
    while largest_score(size) <= sensitivity:
        size += 1
    return size


def _never_fires(monitor: _Monitor) -> Iterator[Finding]:
    parameters = monitor.parameters
    if not monitor.params.get("timestamp_column"):
        # There are as many points as there were runs.
        return
    if parameters.exclude_detection_period_from_training:
        # The point is then not among those that it is compared with.
        yield from _nothing_to_train_on(monitor)
        return
    size = _buckets(parameters)
    largest, sensitivity = largest_score(size), parameters.anomaly_sensitivity
    if largest > sensitivity:
        return
    needed = smallest_training(sensitivity)
    period = parameters.time_bucket.period
    what = f"{SEASONALITIES[parameters.seasonality][0]}s alike" if parameters.seasonality else f"{period} buckets"
    but = "; only a value of 0 can fail (fail_on_zero)" if parameters.fail_on_zero else ""
    yield _finding(
        monitor,
        "never fires",
        f"a bucket is one of the {size} {what} that it is compared with, so no score exceeds {largest:.2f}, and "
        f"anomaly_sensitivity is {sensitivity:g}{but}",
        f"Lower anomaly_sensitivity below {largest:.2f}, or lengthen training_period to at least {needed} {what}.",
    )


def _nothing_to_train_on(monitor: _Monitor) -> Iterator[Finding]:
    days_back, backfill_days = monitor.parameters.days_back, monitor.parameters.backfill_days
    if _buckets(replace(monitor.parameters, days_back=max(days_back - backfill_days, 0))) >= 2:
        return
    yield _finding(
        monitor,
        "never fires",
        f"exclude_detection_period_from_training leaves fewer than 2 buckets to compare with: the training period has "
        f"{days_back} days, of which the detection period takes the last {backfill_days}",
        "Lengthen training_period by several times the detection period.",
    )


def _contradiction(monitor: _Monitor) -> Iterator[Finding]:
    """Find a metric that has to be too high for one condition and too low for another."""
    parameters = monitor.parameters
    is_alternative = parameters.anomaly_direction == "both" and parameters.spike_percent is not None
    if (
        monitor.metric in SPIKES_ONLY_METRICS
        and parameters.drop_percent is not None
        and parameters.anomaly_direction != "spike"
        and not is_alternative
    ):
        yield _finding(
            monitor,
            "never fires",
            f"drop_failure_percent_threshold demands a drop, and {monitor.metric} only ever fails when it is too high",
            "Set spike_failure_percent_threshold instead.",
        )


def _buckets(parameters: AnomalyTestParameters) -> int:
    """Return how many buckets a full training window holds; a longer period's window starts where the period does."""
    hours = parameters.days_back * 24
    if parameters.seasonality:
        season = {"day_of_week": 7 * 24, "hour_of_day": 24, "hour_of_week": 7 * 24}[parameters.seasonality]
        return hours // season
    length = parameters.time_bucket.microseconds // 3_600_000_000
    return hours // length + (parameters.time_bucket.period in ("week", "month"))


def _one_sided(monitor: _Monitor) -> Iterator[Finding]:
    parameters = monitor.parameters
    spike, drop = parameters.spike_percent, parameters.drop_percent
    if (
        parameters.anomaly_direction != "both"
        or monitor.metric in SPIKES_ONLY_METRICS
        or (spike is None) == (drop is None)
    ):
        return
    given, missing = ("spike", "drop") if drop is None else ("drop", "spike")
    yield _finding(
        monitor,
        "one-sided",
        f"ignore_small_changes sets {given}_failure_percent_threshold alone, which every anomaly then has to exceed: "
        f"with anomaly_direction both, a {missing} can never fail",
        f"Set {missing}_failure_percent_threshold too, or anomaly_direction to {given}.",
    )


def _ignored_direction(monitor: _Monitor) -> Iterator[Finding]:
    if monitor.metric in SPIKES_ONLY_METRICS and monitor.parameters.anomaly_direction == "drop":
        yield _finding(
            monitor,
            "ignored parameter",
            f"anomaly_direction drop has no effect: {monitor.metric} only ever fails when it is too high",
            "Leave anomaly_direction out.",
        )


def _ignored_values(monitor: _Monitor) -> Iterator[Finding]:
    """Find values that the package accepts and that do nothing, or not what they say."""
    params, parameters = monitor.params, monitor.parameters
    for name in ("fail_on_zero", "exclude_detection_period_from_training"):
        if isinstance(given := params.get(name), str) and given.lower() in ("false", "no", "0"):
            yield _ignored(
                monitor,
                f"{name} is the text {given.lower()!r}, and any text counts as true",
                f"Write {name}: false without quotes.",
            )
    if params.get("seasonality") and not parameters.seasonality:
        yield _ignored(
            monitor,
            "seasonality has no effect: the package accepts it in any case, and knows it in lower case alone",
            f"Write seasonality: {str(params['seasonality']).lower()}.",
        )
    small_changes = params.get("ignore_small_changes") or {}
    for direction, other in (("spike", "drop"), ("drop", "spike")):
        name = f"{direction}_failure_percent_threshold"
        if small_changes.get(name) == 0:
            yield _ignored(monitor, f"{name} 0 has no effect: it is taken for none", f"Leave {name} out.")
        elif small_changes.get(name) and parameters.anomaly_direction == other:
            yield _ignored(
                monitor,
                f"{name} has no effect with anomaly_direction {other}",
                f"Leave it out, or set {other}_failure_percent_threshold.",
            )
    if parameters.detection_delay and not params.get("timestamp_column"):
        yield _ignored(
            monitor,
            "detection_delay has no effect without a timestamp_column: the table is scored as it is when the test runs",
            "Name a timestamp_column, or leave detection_delay out.",
        )


_RULES: tuple[Callable[[_Monitor], Iterator[Finding]], ...] = (
    _never_fires,
    _contradiction,
    _one_sided,
    _ignored_direction,
    _ignored_values,
)


def _ignored(monitor: _Monitor, reason: str, advice: str) -> Finding:
    return _finding(monitor, "ignored parameter", reason, advice)


def _finding(monitor: _Monitor, rule: str, reason: str, advice: str) -> Finding:
    return Finding(rule, monitor.table, monitor.column, monitor.metric, monitor.test, reason, advice)


_RESULTS = ("test_unique_id", "database_name", "schema_name", "table_name", "column_name", "test_type",
            "test_sub_type", "test_params", "detected_at")  # fmt: skip


def _monitors(source: Source) -> tuple[list[_Monitor], list[Finding]]:
    """Return what is monitored as of its last run, and what of it cannot be read."""
    if not _holds(source, "elementary_test_results", _RESULTS):
        return [], []
    latest: dict[tuple[Any, ...], dict[str, Any]] = {}
    with source.read("elementary_test_results", columns=list(_RESULTS)) as reader:
        for batch in reader:
            for row in batch.filter(pc.equal(batch["test_type"], "anomaly_detection")).to_pylist():
                key = (row["test_unique_id"], row["column_name"], row["test_sub_type"])
                if key not in latest or _seen(row) >= _seen(latest[key]):
                    latest[key] = row
    monitors, findings = [], []
    for row in latest.values():
        table = ".".join(filter(None, (row["database_name"], row["schema_name"], row["table_name"]))).upper()
        is_generic = row["test_sub_type"] == "generic"
        metric = "dimension" if is_generic else row["test_sub_type"]
        try:
            params = _json(row["test_params"])
            parameters = (
                AnomalyTestParameters.from_arguments({name: params[name] for name in params if name in ARGUMENTS})
                if is_generic
                else AnomalyTestParameters.from_test_params(params)
            )
        except ConfigurationError as error:
            findings.append(
                Finding("unreadable", table, row["column_name"], metric, row["test_unique_id"], str(error),
                        "Check the test's arguments.")
            )  # fmt: skip
            continue
        monitors.append(_Monitor(row["test_unique_id"], table, row["column_name"], metric, params, parameters))
    return monitors, findings


def _seen(row: Mapping[str, Any]) -> datetime:
    found: datetime = row["detected_at"] or datetime.min
    return found


_TESTS = ("unique_id", "generated_at", "test_params", "test_column_name", "parent_model_unique_id", "short_name",
          "database_name", "schema_name")  # fmt: skip


#: Tests that accept a direction and do not pass it on.
_WITHOUT_DIRECTION = ("freshness_anomalies", "event_freshness_anomalies")


def _ignored_arguments(source: Source) -> Iterator[Finding]:
    """Find arguments that the package accepts and drops; only the tests' own declarations still have them."""
    if not _holds(source, "dbt_tests", _TESTS):
        return
    for row in read_all(source, "dbt_tests", _TESTS).to_pylist():
        try:
            given = _json(row["test_params"])
        except ConfigurationError:
            continue
        parent = (row["parent_model_unique_id"] or "").rpartition(".")[2]
        table = ".".join(filter(None, (row["database_name"], row["schema_name"], parent))).upper()
        for reason, advice in _dropped(row["short_name"], given):
            yield Finding("ignored parameter", table, row["test_column_name"], None, row["unique_id"], reason, advice)


def _dropped(test: str | None, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if given.get("min_training_set_size") is not None:
        yield (
            "min_training_set_size has no effect: the package accepts it and does not use it; two values are enough "
            "for a score",
            "Leave min_training_set_size out; a longer training_period makes early verdicts no rarer.",
        )
    if test in _WITHOUT_DIRECTION and given.get("anomaly_direction") is not None:
        yield (
            f"anomaly_direction has no effect: {test} accepts it and does not pass it on, and only ever fails when the "
            "table is too old",
            "Leave anomaly_direction out.",
        )


def _resets(connection: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    for row in resets(connection):
        old, new = (_json(row[name]) for name in ("old_properties", "new_properties"))
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        yield Finding(
            "history reset",
            row["full_table_name"],
            row["column_name"],
            row["metric_name"],
            None,
            f"on {row['first_at']:%Y-%m-%d} the test's {', '.join(changed)} changed, and with it the key of its "
            f"history: {row['lost']:,} buckets are no longer compared with, {row['gained']:,} have come since",
            "Do not rely on its verdicts until the training period is full again, and change such arguments rarely.",
        )


def _too_few(connection: duckdb.DuckDBPyConnection, monitors: list[_Monitor]) -> Iterator[Finding]:
    """Find monitors that could fire with a full window, and whose window is not full enough."""
    looked_at = [
        monitor
        for monitor in monitors
        if monitor.metric and not monitor.parameters.exclude_detection_period_from_training
    ]
    windows = [
        {
            "full_table_name": monitor.table,
            "column_name": monitor.column,
            "metric_name": monitor.metric,
            "metric_properties": metric_properties(monitor.params),
            "days_back": monitor.parameters.days_back,
            "seasonality": monitor.parameters.seasonality,
        }
        for monitor in looked_at
    ]
    for monitor, points in zip(looked_at, points_in_window(connection, windows), strict=True):
        sensitivity = monitor.parameters.anomaly_sensitivity
        needed = smallest_training(sensitivity)
        held = "1 bucket" if points == 1 else f"{points} buckets"
        could = not monitor.params.get("timestamp_column") or _buckets(monitor.parameters) >= needed
        if could and 0 < points < needed:
            yield _finding(
                monitor,
                "too few buckets",
                f"its training window holds {held} to compare with, so no score "
                f"exceeds {largest_score(points):.2f}, and anomaly_sensitivity is {sensitivity:g}",
                f"Wait until there are {needed}, lengthen training_period, or lower anomaly_sensitivity.",
            )


def _holds(source: Source, table: str, columns: tuple[str, ...]) -> bool:
    try:
        return set(columns) <= set(source.schema(table).names)
    except ElementaryError:
        return False


def _json(text: str | None) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text or "{}")
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, Mapping):
        raise ConfigurationError("The arguments are not a JSON object.")
    return parsed
