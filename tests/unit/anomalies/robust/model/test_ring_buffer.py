"""A ring holds the last buckets, and its median leaves out what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_elementary.anomalies.robust.model.ring_buffer import History, median


def test_a_median_leaves_out_what_is_not_there() -> None:
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan], [5.0, 1.0, 2.0]])

    assert median(values) == pytest.approx([2, np.nan, 2], nan_ok=True)


def test_a_ring_clears_the_buckets_that_were_skipped() -> None:
    ring, rows = History.empty(1, 3, np.float64, np.nan), np.array([0])
    for number in range(3):
        ring.put(rows, number, np.array([float(number)]))

    ring.skip(rows, np.array([2]), 5)

    assert ring.lags(rows, 5, [1, 2, 3])[0] == pytest.approx([np.nan, np.nan, 2], nan_ok=True)
