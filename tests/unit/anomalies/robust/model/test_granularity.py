"""The rows that a percentage is of, as far as it shows, and what follows for its alarms."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_elementary.anomalies import robust
from airflow_provider_elementary.anomalies.robust.model.granularity import fewest_rows
from tests.support.metric_series import daily


@pytest.mark.parametrize(
    ("percent", "rows"),
    [(0.826, 121), (2.326, 43), (50.0, 2), (99.174, 121), (100 / 3, 3), (41.1053, 10_000), (0.0, 0), (100.0, 0)],
)
def test_a_percentage_shows_of_how_few_rows_it_is(percent: float, rows: int) -> None:
    assert fewest_rows(np.array([percent])) == [rows]


@pytest.mark.parametrize(
    ("percent", "is_anomalous"), [(0.826, False), (2.326, False), (33.333, True), (41.105, True), (100.0, True)]
)
def test_one_row_is_no_anomaly_where_there_was_none(percent: float, is_anomalous: bool) -> None:
    verdicts = robust.score(daily([*[0.0] * 60, percent], metric_name="null_percent"))

    assert verdicts["is_anomalous"].to_pylist()[-1] is is_anomalous


def test_one_odd_percentage_does_not_make_a_small_table_large() -> None:
    one_of_48 = [0.0, 0.0, 2.083, 0.0]

    verdicts = robust.score(daily([*one_of_48 * 15, 41.1053, *one_of_48 * 5], metric_name="null_percent"))

    assert [number for number, is_one in enumerate(verdicts["is_anomalous"].to_pylist()) if is_one] == [60]


def test_a_percentage_of_few_rows_varies_more_than_one_of_many() -> None:
    generator = np.random.default_rng(1)
    of_40 = [round(100 * generator.binomial(40, 0.1) / 40, 3) for _ in range(300)]
    of_many = [round(float(generator.normal(10, 0.1)), 3) for _ in range(300)]

    few, many = (
        robust.score(daily([*values, 17.5], metric_name="null_percent"))["is_anomalous"].to_pylist()
        for values in (of_40, of_many)
    )

    assert sum(few) <= 3
    assert (sum(many[:-1]), many[-1]) == (0, True)
