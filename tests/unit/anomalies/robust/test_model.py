"""The parts of method="robust" that have an answer to compare with."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elementary.anomalies.robust import transform as scales
from airflow_provider_elementary.anomalies.robust.alternatives import month_lags
from airflow_provider_elementary.anomalies.robust.drift import Drift
from airflow_provider_elementary.anomalies.robust.parameters import Parameters
from airflow_provider_elementary.anomalies.robust.ring_buffer import History, median
from airflow_provider_elementary.anomalies.robust.tails import Tails, scales_of, surprise, two_sided, upper

EVERY_KIND = np.arange(5, dtype=np.int8)


@pytest.mark.parametrize(
    ("degrees", "size", "probability"),
    [(2, 4.302653, 0.05), (4, 2.776445, 0.05), (10, 3.169273, 0.01), (40, 3.550966, 0.001)],
)
def test_the_tail_of_t_is_as_in_the_tables(degrees: int, size: float, probability: float) -> None:
    assert two_sided(np.array(size), degrees) == pytest.approx(probability, rel=1e-3)


def test_the_upper_tail_is_half_of_both_above_and_the_rest_below() -> None:
    assert upper(np.array([2.0, -2.0]), 40).sum() == pytest.approx(1)


def test_a_surprise_has_the_size_that_it_came_from() -> None:
    sizes = np.array([0.5, 2.0, 4.0, 7.0])

    assert scales_of(surprise(two_sided(sizes, 40)), 40) == pytest.approx(sizes, abs=0.01)


def test_an_error_at_the_reach_is_as_surprising_as_the_alarm() -> None:
    p = Parameters()
    tails, rows = Tails(np.array([900.0]), np.array([60.0]), np.array([30.0])), np.array([0])

    reach = tails.reach(rows, np.array([p.alarm]), p)

    assert tails.calibrate(rows, reach, p) == pytest.approx(p.alarm)


def test_a_tail_full_of_large_errors_makes_the_next_less_surprising() -> None:
    p = Parameters()
    tails, both = Tails.empty(2), np.array([0, 1])
    for _ in range(30):
        tails.learn(both, np.array([1.0, 6.0]), np.array([True, True]), p)

    calm, wild = tails.calibrate(both, np.array([6.0, 6.0]), p)

    assert wild < calm - 1


def test_errors_on_one_side_add_up_until_they_are_flagged() -> None:
    p, drift, row, learns = Parameters(), Drift.empty(1), np.array([0]), np.array([True])
    for _ in range(8):
        drift.learn(row, drift.observe(row, np.array([2.0]), ~learns, p), learns, p)
    before = drift.sums.copy()

    drift.learn(row, drift.observe(row, np.array([2.0]), ~learns, p), learns, p)

    assert before[0] == pytest.approx([10, 0])
    assert drift.sums[0] == pytest.approx([0, 0])


@given(st.floats(0, 100), st.floats(0.1, 1e6))
def test_a_value_comes_back_from_its_scale(value: float, unit: float) -> None:
    values, units = np.full(5, value), np.full(5, unit)

    back = scales.from_scale(scales.to_scale(values, EVERY_KIND, units), EVERY_KIND, units)

    assert back == pytest.approx(values, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("row_count", scales.COUNT),
        ("null_count", scales.COUNT),
        ("count_true", scales.COUNT),
        ("null_percent", scales.PERCENT),
        ("success_rate", scales.PERCENT),
        ("freshness", scales.DURATION),
        ("event_freshness", scales.DURATION),
        ("execution_time", scales.DURATION),
        ("source_age", scales.DURATION),
        ("sum", scales.SUM),
        ("average", scales.REAL),
        ("my_own_metric", scales.REAL),
    ],
)
def test_a_metric_s_definition_decides_its_scale(metric: str, kind: int) -> None:
    assert scales.kind_of(metric) == kind


def test_a_median_leaves_out_what_is_not_there() -> None:
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan], [5.0, 1.0, 2.0]])

    assert median(values) == pytest.approx([2, np.nan, 2], nan_ok=True)


def test_a_ring_clears_the_buckets_that_were_skipped() -> None:
    ring, rows = History.empty(1, 3, np.float64, np.nan), np.array([0])
    for number in range(3):
        ring.put(rows, number, np.array([float(number)]))

    ring.skip(rows, np.array([2]), 5)

    assert ring.lags(rows, 5, [1, 2, 3])[0] == pytest.approx([np.nan, np.nan, 2], nan_ok=True)


@pytest.mark.parametrize(
    ("day", "lags"),
    [
        (date(2026, 3, 15), [28, 31, 59, 90]),
        (date(2026, 3, 31), [31, 59, 90]),
        (date(2026, 2, 1), [28, 31, 59, 62, 90, 92]),
    ],
)
def test_the_same_day_of_the_last_months_is_counted_from_start_and_end(day: date, lags: list[int]) -> None:
    assert sorted(month_lags(day)) == lags
