"""How often a series has a bucket, by its first buckets, in whatever order they come."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_provider_elementary.anomalies.robust.series import FREQUENCIES, FirstBuckets

HOUR = 3_600


@pytest.mark.parametrize(
    ("hours", "name"),
    [
        ([12, 12, 12], "12 hours"),
        ([11, 12, 12], "12 hours"),
        ([12, 13, 12], "12 hours"),
        ([12, 12, 11], "12 hours"),
        ([3, 2, 2, 2], "2 hours"),
        ([1, 2, 2, 2], "2 hours"),
        ([23, 24, 24], "day"),
        ([2, 2], "2 hours"),
        ([3, 2], "3 hours"),
        ([1, 6, 24], "hour"),
        ([24, 24, 24, 1, 1, 1, 1], "day"),
        ([0, 0, 0], "other"),
        ([168, 168], "other"),
    ],
)
def test_two_of_the_first_three_buckets_name_the_frequency(hours: list[int], name: str) -> None:
    lengths = np.array(hours) * HOUR
    ends = 1_000_000 * HOUR + np.cumsum(np.maximum(lengths, HOUR))
    order = np.random.default_rng(len(hours)).permutation(len(hours))
    firsts, halves = FirstBuckets.of_nothing(2), FirstBuckets.of_nothing(2)
    # Each bucket twice, as corrected values are further rows of it.
    for row in (*order, *order):
        of_row = np.array([1]), (ends - lengths)[[row]], ends[[row]]
        (halves if row == 0 else firsts).add(*of_row)
    firsts.merge(halves.codes)

    assert [FREQUENCIES[place].name for place in firsts.frequencies()] == ["other", name]
    assert firsts.is_here.tolist() == [False, True]
