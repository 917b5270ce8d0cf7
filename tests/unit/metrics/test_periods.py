"""Periods: every day that a calendar has is in one."""

from __future__ import annotations

from datetime import date

import pytest

from airflow_provider_elementary.metrics.periods import Arrangement


@pytest.mark.parametrize("day", [date.min, date(1990, 1, 1), date(2026, 2, 28), date(9999, 12, 29), date.max])
@pytest.mark.parametrize("today", [date(2026, 3, 2), date.max])
def test_every_day_is_in_a_period(day: date, today: date) -> None:
    assert Arrangement([], today).of(day).has(day)
