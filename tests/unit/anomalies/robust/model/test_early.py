"""What is flagged before a series has enough history, and what is left alone then."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from airflow_provider_elementary.anomalies import robust
from tests.support.metric_series import daily

ROWS = [1000.0, 1010, 990, 1005, 995, 1000, 980, 1020, 1003, 991]


@pytest.mark.parametrize(
    ("metric", "values", "kind"),
    [
        ("row_count", [*ROWS, 0.0], "drop"),
        ("row_count", [*ROWS, None], "missing bucket"),
        ("row_count", [*ROWS, 9000.0], "spike"),
        ("row_count", [*ROWS, 1500.0], None),
        ("row_count", [*ROWS[:7], 0.0], None),
        ("row_count", [0.0, *ROWS, 0.0], None),
        ("row_count", [*ROWS[:5], None, *ROWS, None], None),
        ("row_count", [1.0, 2, 1, 3, 1, 2, 1, 1, 2, 0], None),
        ("average", [3.0, 2.8, 3.2, 3.1] * 3 + [80.0], "spike"),
        ("average", [3.0, 2.8, 3.2, 3.1] * 3 + [30.0], None),
        ("null_percent", [2.0] * 10 + [40.0], "spike"),
        ("null_percent", [2.0] * 10 + [20.0], None),
        ("freshness", [3600.0] * 10 + [36_000.0], "late"),
        ("freshness", [3600.0] * 10 + [360.0], None),
    ],
)
def test_only_what_is_beyond_doubt_is_flagged_early(metric: str, values: list[float | None], kind: str | None) -> None:
    verdicts = robust.score(daily(values, metric_name=metric))

    assert verdicts["kind"].to_pylist() == [None] * (len(values) - 1) + [kind]


def test_an_early_range_is_what_was_seen() -> None:
    [reason] = robust.score(daily([*ROWS, 9000.0]))["reason"].to_pylist()[-1:]

    assert reason.endswith("is a spike; expected 980 to 1,020, from 10 earlier buckets")


def test_the_zeros_before_the_first_row_of_a_table_are_no_habit() -> None:
    volume, failures = (
        robust.score(daily([*[0.0] * 60, 643.0], metric_name=name))["kind"].to_pylist()[-1]
        for name in ("row_count", "failed_rows")
    )

    assert (volume, failures) == (None, "spike")


@pytest.mark.parametrize("hours", [6, 12])
def test_buckets_that_divide_a_day_have_seasons(hours: int) -> None:
    a_day, days = 24 // hours, 40
    wobble = np.random.default_rng(1).normal(1, 0.02, a_day * days)
    values = [float(round((1000 if number % a_day else 100) * wobble[number])) for number in range(a_day * days)]
    values[-1] = 1800.0

    verdicts = robust.score(daily(values, bucket=timedelta(hours=hours)))

    assert [number for number, kind in enumerate(verdicts["kind"].to_pylist()) if kind] == [len(values) - 1]
