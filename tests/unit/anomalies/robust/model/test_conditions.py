"""What tests, people and the usual spread of a series ask for decides on which side a value is off."""

from __future__ import annotations

import numpy as np

from airflow_provider_elementary.anomalies import robust
from tests.support.metric_series import hourly


def test_a_value_between_its_forecast_and_what_is_usual_is_no_anomaly() -> None:
    values = [*np.random.default_rng(5).normal(100, 1, 400), 2000.0, 2010.0, 1990.0, 2005.0, 1200.0]

    with_usual, without = (
        robust.score(hourly(values, metric_name="average"), long_run=long_run)["kind"].to_pylist()[-1]
        for long_run in (3.25, 0)
    )

    assert (with_usual, without) == (None, "drop")
