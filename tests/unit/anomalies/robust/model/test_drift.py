"""Errors on one side add up."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_elementary.anomalies.robust.model.drift import DriftSums
from airflow_provider_elementary.anomalies.robust.model.parameters import ModelParameters


def test_errors_on_one_side_add_up_until_they_are_flagged() -> None:
    p, drift, row, learns = ModelParameters(), DriftSums.empty(1), np.array([0]), np.array([True])
    for _ in range(8):
        drift.learn(row, drift.observe(row, np.array([2.0]), ~learns, p), learns, p)
    before = drift.sums.copy()

    drift.learn(row, drift.observe(row, np.array([2.0]), ~learns, p), learns, p)

    assert before[0] == pytest.approx([10, 0])
    assert drift.sums[0] == pytest.approx([0, 0])
