"""Errors are as surprising as the tables of Student say, and as the series was wild before."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_elementary.anomalies.robust.model.parameters import ModelParameters
from airflow_provider_elementary.anomalies.robust.model.tails import Tails, scales_of, surprise, two_sided, upper


@pytest.mark.parametrize(
    ("degrees", "size", "probability"),
    [(2, 4.302653, 0.05), (4, 2.776445, 0.05), (10, 3.169273, 0.01), (40, 3.550966, 0.001)],
)
def test_the_tail_of_t_is_as_in_the_tables(degrees: int, size: float, probability: float) -> None:
    assert two_sided(np.array(size), degrees) == pytest.approx(probability, rel=1e-3)


def test_the_upper_tail_is_half_of_both_above_and_the_rest_below() -> None:
    assert upper(np.array([2.0, -2.0]), two_sided(np.array([2.0, -2.0]), 40)).sum() == pytest.approx(1)


def test_a_surprise_has_the_size_that_it_came_from() -> None:
    sizes = np.array([0.5, 2.0, 4.0, 7.0, 30.0, 400.0])

    assert scales_of(surprise(two_sided(sizes, 40)), 40) == pytest.approx(sizes, rel=0.01)


def test_an_error_at_the_reach_is_as_surprising_as_the_alarm() -> None:
    p = ModelParameters()
    tails, rows = Tails(np.array([900.0]), np.array([60.0]), np.array([30.0])), np.array([0])

    reach = tails.reach(rows, np.array([p.alarm]), p)

    assert tails.calibrate(rows, reach, p) == pytest.approx(p.alarm)


def test_a_tail_full_of_large_errors_makes_the_next_less_surprising() -> None:
    p = ModelParameters()
    tails, both = Tails.empty(2), np.array([0, 1])
    for _ in range(30):
        tails.learn(both, np.array([1.0, 6.0]), np.array([True, True]), p)

    calm, wild = tails.calibrate(both, np.array([6.0, 6.0]), p)

    assert wild < calm - 1
