"""The spread of two weeks, as a veto on alarms of short buckets."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_elementary.anomalies import robust
from airflow_provider_elementary.anomalies.robust.model.long_run import LongRun
from airflow_provider_elementary.anomalies.robust.model.parameters import DAILY, HOURLY, ModelParameters
from airflow_provider_elementary.anomalies.robust.model.transform import COUNT, REAL
from tests.support.metric_series import hourly

#: What the second model says: nothing.
NOTHING = np.full(2, np.nan), np.full(2, np.nan)


def test_the_spread_is_that_of_the_values() -> None:
    long, rows, values = LongRun.empty(1), np.array([0]), np.random.default_rng(1).normal(10, 2, 300)
    for value in [np.nan, *values]:
        long.learn(rows, np.array([value]), np.isfinite([value]), np.array([value]) - 10, HOURLY)
    kinds, ones = np.array([REAL], np.int8), np.ones(1)

    low, high = long.usual(NOTHING, rows, kinds, ones, ones, HOURLY, ModelParameters(long_run=3))

    assert (low[0], high[0]) == pytest.approx((values.mean() - 3 * values.std(), values.mean() + 3 * values.std()))


def test_only_short_buckets_of_an_unknown_metric_are_concerned() -> None:
    long, rows = LongRun(np.full(2, 50.0), np.zeros(2), np.ones(2), np.ones(2)), np.array([0, 1])
    kinds, ones = np.array([REAL, COUNT], np.int8), np.ones(2)

    of_hours, of_days = (
        long.usual(NOTHING, rows, kinds, ones, ones, frequency, ModelParameters())[0] for frequency in (HOURLY, DAILY)
    )

    assert np.isnan([*of_hours, *of_days]).tolist() == [False, True, True, True]


def test_a_forecast_that_explains_a_daily_cycle_has_its_own_errors_for_a_spread() -> None:
    cycle = 1_000 + 500 * np.sin(np.arange(24 * 21) * 2 * np.pi / 24)
    values = cycle + np.random.default_rng(4).normal(0, 8, len(cycle))
    values[-1] += 200

    explained, never = (
        robust.score(hourly([*values], metric_name="average"), unexplained=share)["is_anomalous"].to_pylist()[-1]
        for share in (0.1, 0)
    )

    assert (explained, never) == (True, False)


def test_a_drift_away_from_a_daily_cycle_that_explains_a_series_is_reported() -> None:
    cycle = 1_000 + 500 * np.sin(np.arange(24 * 21) * 2 * np.pi / 24)
    values = cycle + np.random.default_rng(4).normal(0, 8, len(cycle))
    values[-20:] += 16 / 3 * np.arange(20) ** 1.5

    explained, never = (
        robust.score(hourly([*values], metric_name="average"), unexplained=share)["kind"].to_pylist()[-20:]
        for share in (0.1, 0)
    )

    assert ("drift" in explained, "drift" in never) == (True, False)


def test_an_error_of_many_scales_is_flagged_whatever_the_tail_of_the_series() -> None:
    generator = np.random.default_rng(3)
    values, is_wild = generator.normal(100, 1, 400), generator.random(400) < 0.1
    values[is_wild] += generator.uniform(4, 25, is_wild.sum())
    values[-1] = 140.0

    with_limit, without = (
        robust.score(hourly([*values], metric_name="average"), most_scales=most)["is_anomalous"].to_pylist()[-1]
        for most in (10, 0)
    )

    assert (with_limit, without) == (True, False)


@pytest.mark.parametrize(("metric", "kind"), [("average", None), ("row_count", "missing bucket")])
def test_one_hour_without_a_value_is_an_anomaly_of_counts_alone(metric: str, kind: str | None) -> None:
    values = [*np.random.default_rng(3).normal(100, 3, 240).round(), None]

    assert robust.score(hourly(values, metric_name=metric))["kind"].to_pylist()[-1] == kind
