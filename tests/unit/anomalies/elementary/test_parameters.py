"""How a test's arguments resolve to one configuration, and how a stored one is read."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_elementary.anomalies.elementary.parameters import AnomalyTestParameters, PeriodCount
from airflow_provider_elementary.exceptions import ConfigurationError

STORED = {
    "timestamp_column": "ordered_at",
    "time_bucket": {"period": "day", "count": 1},
    "days_back": 98,
    "backfill_days": 2,
    "anomaly_sensitivity": 3,
    "anomaly_direction": "both",
    "seasonality": "day_of_week",
    "ignore_small_changes": {"spike_failure_percent_threshold": None, "drop_failure_percent_threshold": 20},
    "fail_on_zero": False,
    "min_value": None,
    "detection_delay": {"period": "hour", "count": 0},
    "anomaly_exclude_metrics": None,
    "exclude_final_results": "1 = 1",
    "exclude_detection_period_from_training": None,
}


def test_the_defaults_are_those_of_the_package() -> None:
    assert dataclasses.asdict(AnomalyTestParameters.from_arguments({})) == {
        "anomaly_sensitivity": 3,
        "anomaly_direction": "both",
        "days_back": 14,
        "backfill_days": 2,
        "time_bucket": {"period": "day", "count": 1},
        "seasonality": None,
        "spike_percent": None,
        "drop_percent": None,
        "fail_on_zero": False,
        "min_value": None,
        "detection_delay": timedelta(),
        "anomaly_exclude_metrics": None,
        "exclude_detection_period_from_training": False,
    }


@pytest.mark.parametrize(
    ("arguments", "days_back", "backfill_days"),
    [
        ({"training_period": {"period": "week", "count": 2}}, 14, 2),
        ({"training_period": {"period": "month", "count": 2}, "days_back": 3}, 60, 2),
        ({"detection_period": {"period": "hour", "count": 25}}, 14, 2),
        ({"detection_period": {"count": 4}}, 14, 4),
        ({"backfill_days": 1}, 14, 1),
        ({"time_bucket": {"period": "week", "count": 1}}, 14, 7),
        ({"time_bucket": {"period": "month", "count": 1}}, 14, 30),
        ({"time_bucket": {"period": "hour", "count": 6}}, 14, 2),
        ({"seasonality": "day_of_week", "days_back": 12}, 84, 2),
        ({"seasonality": "hour_of_week", "time_bucket": {"period": "hour", "count": 1}}, 98, 2),
        ({"seasonality": "hour_of_day", "time_bucket": {"period": "hour"}}, 14, 2),
    ],
)
def test_periods_become_whole_days(arguments: dict[str, Any], days_back: int, backfill_days: int) -> None:
    parameters = AnomalyTestParameters.from_arguments(arguments)

    assert (parameters.days_back, parameters.backfill_days) == (days_back, backfill_days)


def test_the_days_of_a_stored_configuration_are_final() -> None:
    parameters = AnomalyTestParameters.from_test_params(STORED)

    assert parameters == AnomalyTestParameters(days_back=98, seasonality="day_of_week", drop_percent=20)


def test_a_stored_delay_is_a_length_of_time() -> None:
    delayed = AnomalyTestParameters.from_test_params({**STORED, "detection_delay": {"period": "day", "count": 2}})

    assert delayed.detection_delay == timedelta(days=2)


def test_a_configuration_that_was_never_resolved_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="lacks anomaly_sensitivity, anomaly_direction, days_back"):
        AnomalyTestParameters.from_test_params({"timestamp_column": "opened_at", "dimensions": ["device"]})


def test_a_period_is_as_long_as_elementary_takes_it_to_be() -> None:
    assert [PeriodCount("hour", 2).microseconds, PeriodCount("month", 1).microseconds] == [
        7_200_000_000,
        2_592_000_000_000,
    ]
