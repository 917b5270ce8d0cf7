"""Snapshots are kept by restic's rules, each with its reasons."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.snapshots.maintenance.retention import ALL, Retention, orphan_age, reasons_to_keep

NEWEST = datetime(2026, 11, 22, 10, 30)
HOURLY = [NEWEST - timedelta(hours=hours) for hours in range(24 * 60)]


def kept(retention: Retention, times: list[datetime]) -> list[datetime]:
    return [time for time, why in zip(times, reasons_to_keep(times, retention), strict=True) if why]


@pytest.mark.parametrize(
    ("rules", "times"),
    [
        ({"keep_last": 3}, ["2026-11-22 10:30", "2026-11-22 09:30", "2026-11-22 08:30"]),
        ({"keep_hourly": 2}, ["2026-11-22 10:30", "2026-11-22 09:30"]),
        ({"keep_daily": 3}, ["2026-11-22 10:30", "2026-11-21 23:30", "2026-11-20 23:30"]),
        # 2026-11-22 is a Sunday, the last day of ISO week 47.
        ({"keep_weekly": 3}, ["2026-11-22 10:30", "2026-11-15 23:30", "2026-11-08 23:30"]),
        ({"keep_monthly": 2}, ["2026-11-22 10:30", "2026-10-31 23:30"]),
        ({"keep_yearly": 1}, ["2026-11-22 10:30"]),
        ({"keep_last": 1, "keep_daily": 2}, ["2026-11-22 10:30", "2026-11-21 23:30"]),
    ],
    ids=str,
)
def test_the_newest_of_each_bucket_is_kept(rules: dict[str, int], times: list[str]) -> None:
    assert [f"{time:%Y-%m-%d %H:%M}" for time in kept(Retention(**rules), HOURLY)] == times


def test_a_rule_with_counts_left_also_keeps_the_oldest_snapshot() -> None:
    reasons = reasons_to_keep(HOURLY, Retention(keep_yearly=3))

    assert {number: why for number, why in enumerate(reasons) if why} == {
        0: ("yearly",),
        len(HOURLY) - 1: ("oldest yearly",),
    }


def test_hours_without_a_snapshot_do_not_count() -> None:
    sparse = [NEWEST, NEWEST - timedelta(days=3), NEWEST - timedelta(days=90)]

    assert kept(Retention(keep_hourly=2), sparse) == sparse[:2]


def test_all_keeps_one_of_every_bucket() -> None:
    assert len(kept(Retention(keep_daily=ALL), HOURLY)) == len({time.date() for time in HOURLY}) + 1


def test_every_rule_that_keeps_a_snapshot_is_a_reason() -> None:
    reasons = reasons_to_keep(HOURLY, Retention(keep_last=1, keep_hourly=1, keep_daily=1, keep_weekly=1))

    assert reasons[0] == ("last", "hourly", "daily", "weekly")


def test_without_a_rule_everything_is_kept() -> None:
    assert set(reasons_to_keep(HOURLY, Retention())) == {("no rule removes any",)}


@given(
    st.lists(st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)), min_size=1, max_size=60),
    st.dictionaries(
        st.sampled_from(["last", "hourly", "daily", "weekly", "monthly", "yearly"]), st.integers(-1, 5), min_size=1
    ),
)
def test_the_newest_always_stays_and_no_rule_keeps_more_than_it_says(
    times: list[datetime], counts: dict[str, int]
) -> None:
    newest_first = sorted(times, reverse=True)

    reasons = reasons_to_keep(newest_first, Retention(**{f"keep_{rule}": count for rule, count in counts.items()}))

    assert reasons[0]
    given_by = [reason.removeprefix("oldest ") for why in reasons for reason in why]
    assert all(given_by.count(rule) <= count for rule, count in counts.items() if count > 0)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"keep_daily": -2}, r"keep_daily=-2 is not a count"),
        ({"category_days": {"samples": 3}}, r"Not days of categories: samples=3"),
        ({"category_days": {Category.RUN_RESULTS: 0}}, r"category_days has to be 1 or more, .*: run_results=0"),
        ({"category_days": {Category.RUN_RESULTS: 10**12}}, r"at most 100000: run_results=1000000000000"),
    ],
)
def test_rules_that_mean_nothing_are_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Retention(**rules)


@pytest.mark.parametrize("hours", [1e300, -5.0, float("nan"), float("-inf")])
def test_an_age_that_no_date_has_is_refused(hours: float) -> None:
    assert orphan_age(1.5) == timedelta(minutes=90)
    with pytest.raises(ConfigurationError, match=r"orphan_hours is .*\. Give 0 to 2400000"):
        orphan_age(hours)


def test_rules_are_json() -> None:
    assert Retention(keep_last=2, category_days={Category.FAILED_ROWS_SAMPLE: 30}).to_dict() == {
        "keep_last": 2,
        "keep_hourly": 0,
        "keep_daily": 0,
        "keep_weekly": 0,
        "keep_monthly": 0,
        "keep_yearly": 0,
        "category_days": {"failed_rows_sample": 30},
    }
