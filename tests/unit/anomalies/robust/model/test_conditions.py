"""What tests, people and the usual spread of a series ask for decides on which side a value is off."""

from __future__ import annotations

import numpy as np

from airflow_provider_elementary.anomalies import robust
from tests.support.metric_series import daily, hourly


def test_a_value_between_its_forecast_and_what_is_usual_is_no_anomaly() -> None:
    values = [*np.random.default_rng(5).normal(100, 1, 400), 2000.0, 2010.0, 1990.0, 2005.0, 1200.0]

    with_usual, without = (
        robust.score(hourly(values, metric_name="average"), long_run=long_run)["kind"].to_pylist()[-1]
        for long_run in (3.25, 0)
    )

    assert (with_usual, without) == (None, "drop")


def test_a_value_on_a_day_that_is_always_empty_is_an_anomaly_however_usual_its_size() -> None:
    week = [1000.0] * 5 + [0.0] * 2
    values = [
        value * factor for value, factor in zip(week * 12, np.random.default_rng(6).normal(1, 0.03, 84), strict=True)
    ]
    values[-1] = 1010.0

    assert robust.score(daily(np.round(values)))["kind"].to_pylist()[-1] == "spike"


def test_a_run_of_empty_hours_is_reported_although_one_of_them_would_be_usual() -> None:
    values = [*np.random.default_rng(0).negative_binomial(2, 0.25, 24 * 14), *[0] * 10]

    assert "run of zeros" in robust.score(hourly([float(value) for value in values]))["kind"].to_pylist()[-10:]


def test_an_average_that_drifts_is_reported_although_the_last_value_drifts_along() -> None:
    noise = np.random.default_rng(8).normal(0, 1.0, 110)
    values = 100 + noise + np.maximum(np.arange(110) - 90, 0) * 0.8

    kinds = robust.score(daily([*values], metric_name="average"))["kind"].to_pylist()

    assert "drift" in kinds[90:]
