"""Days of the last months that a monthly pattern may repeat."""

from __future__ import annotations

from datetime import date

import pytest

from airflow_provider_elementary.anomalies.robust.model.alternatives import month_lags


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
