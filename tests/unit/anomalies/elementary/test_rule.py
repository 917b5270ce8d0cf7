"""Elementary's rule, parameter by parameter: the last bucket of a series against its training window."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest

from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.exceptions import ConfigurationError
from tests.support.metric_series import daily, hourly

#: Thirteen ordinary days around 100, then one that the test chooses.
CALM = [100.0, 101, 99, 100.5, 99.5, 100, 101, 99, 100, 100.5, 99.5, 100, 100]


def last_verdict(values: list[float | None], metric_name: str = "row_count", **parameters: Any) -> dict[str, Any]:
    return detect(daily(values, metric_name=metric_name), **parameters).to_pylist()[-1]


def test_the_score_is_the_distance_from_the_average_in_sample_standard_deviations() -> None:
    values = [*CALM, 110.0]

    verdict = last_verdict(values)

    average, deviation = statistics.fmean(values), statistics.stdev(values)
    assert verdict["score"] == pytest.approx((110 - average) / deviation, rel=1e-12)
    assert verdict["expected_value"] == pytest.approx(average, rel=1e-12)
    assert verdict["expected_min"] == pytest.approx(average - 3 * deviation, rel=1e-12)
    assert verdict["expected_max"] == pytest.approx(average + 3 * deviation, rel=1e-12)
    assert verdict["training_size"] == 14


@pytest.mark.parametrize(
    ("adapter", "deviation"),
    [
        ("snowflake", statistics.stdev([*CALM, 110.0])),
        ("clickhouse", statistics.pstdev([*CALM, 110.0])),
        ("dremio", statistics.pstdev([*CALM, 110.0])),
        ("vertica", round(statistics.stdev([*CALM, 110.0]), 6)),
    ],
)
def test_the_standard_deviation_is_that_of_the_adapter(adapter: str, deviation: float) -> None:
    verdict = last_verdict([*CALM, 110.0], adapter=adapter)

    assert verdict["score"] == pytest.approx((110 - verdict["expected_value"]) / deviation, rel=1e-12)


@pytest.mark.parametrize("value", [1e12, 0.1, 1 / 3, 7e-9, 123456789.123])
def test_equal_values_score_exactly_zero(value: float) -> None:
    scores = detect(daily([value] * 30))["score"].to_pylist()

    assert scores == [None, *[0.0] * 29]


@pytest.mark.parametrize("change", [1.0, 1e9])
def test_any_change_after_thirteen_equal_values_scores_the_same(change: float) -> None:
    verdict = last_verdict([5000.0] * 13 + [5000.0 + change])

    assert verdict["score"] == pytest.approx(13 / math.sqrt(14), rel=1e-9)
    assert verdict["is_anomalous"]


@pytest.mark.parametrize(("size", "fires"), [(7, False), (10, False), (11, True), (14, True)])
def test_sensitivity_3_needs_eleven_values_to_fire(size: int, fires: bool) -> None:
    verdict = last_verdict([10.0] * (size - 1) + [1e6])

    assert verdict["score"] == pytest.approx((size - 1) / math.sqrt(size), rel=1e-9)
    assert verdict["is_anomalous"] is fires


def test_a_single_value_has_no_score() -> None:
    verdict = last_verdict([5.0])

    assert (verdict["score"], verdict["expected_min"], verdict["is_anomalous"]) == (None, None, False)
    assert verdict["training_size"] == 1
    assert verdict["reason"] == "not enough history to compare with: fewer than two values in the training window"


def test_a_missing_value_is_no_training_point_and_has_no_score() -> None:
    verdicts = detect(daily([*CALM[:5], None, *CALM[5:]])).to_pylist()

    assert (verdicts[5]["score"], verdicts[5]["reason"]) == (None, "no value in this bucket")
    assert verdicts[-1]["training_size"] == 13


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e200])
def test_a_value_that_cannot_be_squared_is_a_missing_one(value: float) -> None:
    verdicts = detect(daily([*CALM, value, 100.0])).to_pylist()

    assert verdicts[-2]["score"] is None
    assert verdicts[-1]["training_size"] == 13


@pytest.mark.parametrize(
    ("value", "parameters", "kind"),
    [
        (110.0, {}, "spike"),
        (90.0, {}, "drop"),
        (101.0, {}, None),
        (110.0, {"anomaly_sensitivity": 3.4}, None),
        (104.0, {"anomaly_sensitivity": 1}, "spike"),
        (104.0, {"sensitivity": 1}, "spike"),
        (110.0, {"anomaly_direction": "spike"}, "spike"),
        (110.0, {"anomaly_direction": "DROP"}, None),
        (90.0, {"anomaly_direction": "drop"}, "drop"),
        (90.0, {"anomaly_direction": "spike"}, None),
        (0.0, {"fail_on_zero": True}, "zero"),
        (0.0, {"fail_on_zero": True, "anomaly_direction": "spike"}, "zero"),
        (0.0, {"fail_on_zero": True, "min_value": 50}, "zero"),
        (0.0, {}, "drop"),
        (110.0, {"min_value": 110}, "spike"),
        (110.0, {"min_value": 110.5}, None),
        (90.0, {"min_value": 95}, None),
    ],
)
def test_a_bucket_is_anomalous_as_its_parameters_say(
    value: float, parameters: dict[str, Any], kind: str | None
) -> None:
    verdict = last_verdict([*CALM, value], **parameters)

    assert (verdict["is_anomalous"], verdict["kind"]) == (kind is not None, kind)


@pytest.mark.parametrize(
    ("value", "small_changes", "kind"),
    [
        (110.0, {"spike_failure_percent_threshold": 5}, "spike"),
        (110.0, {"spike_failure_percent_threshold": 20}, None),
        (90.0, {"drop_failure_percent_threshold": 5}, "drop"),
        (90.0, {"drop_failure_percent_threshold": 20}, None),
        (110.0, {"spike_failure_percent_threshold": 5, "drop_failure_percent_threshold": 5}, "spike"),
        (90.0, {"spike_failure_percent_threshold": 5, "drop_failure_percent_threshold": 5}, "drop"),
        # With one percentage and both directions, the other direction can never fail.
        (50.0, {"spike_failure_percent_threshold": 5}, None),
        (150.0, {"drop_failure_percent_threshold": 5}, None),
        # A threshold of 0 is none at all.
        (50.0, {"spike_failure_percent_threshold": 0}, "drop"),
    ],
)
def test_small_changes_are_ignored_both_ways_only_with_both_percentages(
    value: float, small_changes: dict[str, float], kind: str | None
) -> None:
    verdict = last_verdict([*CALM, value], ignore_small_changes=small_changes)

    assert verdict["kind"] == kind


@pytest.mark.parametrize(
    ("direction", "value", "kind"), [("spike", 110.0, "spike"), ("drop", 90.0, "drop"), ("spike", 90.0, None)]
)
def test_the_percentage_of_the_other_direction_does_not_matter_to_one_direction(
    direction: str, value: float, kind: str | None
) -> None:
    other = {"spike": "drop_failure_percent_threshold", "drop": "spike_failure_percent_threshold"}[direction]

    verdict = last_verdict([*CALM, value], anomaly_direction=direction, ignore_small_changes={other: 90})

    assert verdict["kind"] == kind


def test_the_percentages_widen_the_expected_range() -> None:
    widened = {"spike_failure_percent_threshold": 50, "drop_failure_percent_threshold": 40}

    verdict = last_verdict([*CALM, 100.0], ignore_small_changes=widened)

    assert verdict["expected_max"] == pytest.approx(1.5 * verdict["expected_value"])
    assert verdict["expected_min"] == pytest.approx(0.6 * verdict["expected_value"])


@pytest.mark.parametrize("metric_name", ["freshness", "event_freshness"])
@pytest.mark.parametrize("direction", ["both", "spike", "drop"])
@pytest.mark.parametrize(("value", "kind"), [(110.0, "spike"), (50.0, None)])
def test_freshness_is_only_ever_too_high(metric_name: str, direction: str, value: float, kind: str | None) -> None:
    verdict = last_verdict([*CALM, value], metric_name, anomaly_direction=direction)

    assert verdict["kind"] == kind


@pytest.mark.parametrize(
    ("metric_name", "is_floored"),
    [("row_count", True), ("null_percent", True), ("freshness", True), ("sum", False), ("min", False),
     ("max", False), ("average", False), ("standard_deviation", False), ("variance", False)],
)  # fmt: skip
def test_the_expected_range_stops_at_zero_unless_the_metric_can_be_negative(metric_name: str, is_floored: bool) -> None:
    verdict = last_verdict([0.0, 1, 0, 2, 0, 1, 9], metric_name)

    assert (verdict["expected_min"] == 0) is is_floored
    assert verdict["expected_min"] <= 0


@pytest.mark.parametrize(
    ("parameters", "training_size"),
    [
        ({}, 14),
        ({"days_back": 7}, 7),
        ({"training_period": {"period": "day", "count": 10}}, 10),
        ({"training_period": {"period": "week", "count": 3}}, 21),
        ({"training_period": {"period": "month", "count": 1}}, 30),
        ({"training_period": {"period": "hour", "count": 25}}, 2),
        ({"seasonality": "day_of_week"}, 6),
        ({"seasonality": "day_of_week", "days_back": 2}, 2),
        ({"exclude_detection_period_from_training": True}, 12),
        ({"exclude_detection_period_from_training": True, "backfill_days": 5}, 9),
        ({"exclude_detection_period_from_training": True, "detection_period": {"period": "week", "count": 1}}, 7),
        ({"min_training_set_size": 40}, 14),
    ],
)
def test_the_training_window_is_as_long_as_the_parameters_say(parameters: dict[str, Any], training_size: int) -> None:
    verdict = last_verdict([float(number % 7) for number in range(42)], **parameters)

    assert verdict["training_size"] == training_size


@pytest.mark.parametrize(
    ("parameters", "training_size"),
    [
        # The window begins at midnight, so late in the day it is longer: the run at the last bucket's end is at 20:00.
        ({"days_back": 2}, 2 * 24 + 20),
        ({"days_back": 2, "seasonality": "hour_of_day"}, 3),
        ({"days_back": 2, "seasonality": "hour_of_week"}, 3),
    ],
)
def test_hourly_buckets_are_compared_since_midnight_and_by_season(
    parameters: dict[str, Any], training_size: int
) -> None:
    metrics = hourly([1.0] * (24 * 20 + 20))

    verdict = detect(metrics, time_bucket={"period": "hour", "count": 1}, **parameters).to_pylist()[-1]

    assert verdict["training_size"] == training_size


def test_a_weekday_is_compared_with_its_own_kind() -> None:
    weekly = [10.0 if (day % 7) in (2, 3) else 1000.0 for day in range(70)]

    verdicts = detect(daily([*weekly[:67], 10.0]), seasonality="day_of_week", anomaly_sensitivity=2).to_pylist()

    assert [verdict["score"] for verdict in verdicts[7:-1]] == [0.0] * 60
    assert (verdicts[-1]["training_size"], verdicts[-1]["kind"]) == (10, "drop")


def test_buckets_left_out_by_a_predicate_are_neither_scored_nor_trained_on() -> None:
    metrics = daily([*CALM[:-1], 900.0, 110.0])

    verdicts = detect(metrics, anomaly_exclude_metrics="metric_date = '2026-10-13' and metric_value > 500").to_pylist()

    assert (verdicts[12]["score"], verdicts[12]["reason"]) == (None, "left out by anomaly_exclude_metrics")
    assert (verdicts[13]["training_size"], verdicts[13]["kind"]) == (13, "spike")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"anomaly_direction": "up"}, "anomaly_direction 'up' is unknown. Use one of both, spike, drop."),
        ({"days_bak": 14}, "Elementary's anomaly tests have no parameter 'days_bak'."),
        (
            {"seasonality": "month"},
            "seasonality 'month' is unknown. Use one of day_of_week, hour_of_day, hour_of_week.",
        ),
        (
            {"seasonality": "hour_of_day"},
            "seasonality hour_of_day does not fit a time_bucket of 1 day. Use a time_bucket of 1 hour.",
        ),
        ({"anomaly_sensitivity": "high"}, "anomaly_sensitivity is str 'high'. Use a number."),
        ({"days_back": -1}, "days_back is -1.0. Use a number of at least 0."),
        (
            {"time_bucket": {"period": "year"}},
            "time_bucket has the unknown period 'year'. Use one of hour, day, week, month.",
        ),
        ({"anomaly_exclude_metrics": "metric_value >"}, "The SQL predicate cannot be parsed"),
    ],
)
def test_a_parameter_that_elementary_would_refuse_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        last_verdict(CALM, **parameters)

    assert str(refusal.value).startswith(message)
