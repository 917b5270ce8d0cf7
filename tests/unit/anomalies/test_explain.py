"""The sentence that goes with an anomaly."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_elementary.anomalies.elementary.parameters import AnomalyTestParameters
from airflow_provider_elementary.anomalies.explain import amounts, sentence, written_amount

TUESDAY = datetime(2026, 11, 3)
ROW = {
    "full_table_name": "SHOP.CORE.ORDERS",
    "column_name": None,
    "metric_name": "row_count",
    "dimension": None,
    "dimension_value": None,
    "bucket_start": TUESDAY,
    "bucket_end": TUESDAY + timedelta(days=1),
    "metric_value": 12031.0,
    "expected_min": 9799.6,
    "expected_max": 10900.4,
    "training_size": 14,
}


def hour(number: int) -> dict[str, Any]:
    start = TUESDAY + timedelta(hours=number)
    return {"bucket_start": start, "bucket_end": start + timedelta(hours=1)}


@pytest.mark.parametrize(
    ("changes", "seasonality", "expected"),
    [
        (
            {},
            None,
            "orders: row count 12,031 rows on Tue 3 Nov 2026; expected 9,800 to 10,900 from the last 14 buckets",
        ),
        (
            {"training_size": 8},
            "day_of_week",
            "orders: row count 12,031 rows on Tue 3 Nov 2026; expected 9,800 to 10,900 from the last 8 Tuesdays",
        ),
        (
            hour(14),
            "hour_of_day",
            "orders: row count 12,031 rows at 14:00 UTC on Tue 3 Nov 2026; "
            "expected 9,800 to 10,900 from the last 14 buckets at 14:00 UTC",
        ),
        (
            hour(9),
            "hour_of_week",
            "orders: row count 12,031 rows at 09:00 UTC on Tue 3 Nov 2026; "
            "expected 9,800 to 10,900 from the last 14 Tuesdays at 09:00 UTC",
        ),
        (
            {"bucket_start": None, "bucket_end": TUESDAY + timedelta(hours=6, minutes=8)},
            None,
            "orders: row count 12,031 rows in the run at 06:08 UTC on Tue 3 Nov 2026; "
            "expected 9,800 to 10,900 from the last 14 buckets",
        ),
        (
            {"bucket_end": TUESDAY + timedelta(days=7), "column_name": "email", "metric_name": "null_percent",
             "metric_value": 31.667, "expected_min": 0.0, "expected_max": 0.0},
            None,
            "orders.email: null rate 31.667 % from Tue 3 Nov 2026 to Mon 9 Nov 2026; "
            "expected 0 % from the last 14 buckets",
        ),
        (
            {"dimension": "channel; status", "dimension_value": "web; paid", "metric_name": "dimension",
             "metric_value": 3.0, "expected_min": 40.5, "expected_max": 60.0},
            None,
            "orders where channel; status = web; paid: row count of a value 3 rows on Tue 3 Nov 2026; "
            "expected 41 to 60 from the last 14 buckets",
        ),
    ],
)  # fmt: skip
def test_an_anomaly_is_one_sentence(changes: dict[str, Any], seasonality: str | None, expected: str) -> None:
    assert sentence({**ROW, **changes}, AnomalyTestParameters(seasonality=seasonality)) == expected


@pytest.mark.parametrize(
    ("metric", "value", "written"),
    [
        ("freshness", 95_000.0, "1 d 2 h"),
        ("event_freshness", 7_500.0, "2 h 5 min"),
        ("freshness", 63.0, "1 min 3 s"),
        ("freshness", 3_600.0, "1 h"),
        ("execution_time", 12.5, "12.5 s"),
        ("freshness", -120.0, "-2 min"),
        ("null_percent", 0.1, "0.1 %"),
        ("sum", -1234.56, "-1,235"),
        ("average", 1.118, "1.118"),
        ("average", 0.00012345, "0.000123"),
        ("row_count", 0.0, "0"),
        ("row_count", None, "nothing"),
    ],
)
def test_a_value_is_written_in_the_unit_of_its_metric(metric: str, value: float | None, written: str) -> None:
    assert written_amount(metric, value) == written


@pytest.mark.parametrize(
    ("metric", "low", "high", "written"),
    [
        ("failed_rows", 0.0, 0.873, "0"),
        ("row_count", 9799.6, 10_900.4, "9,800 to 10,900"),
        ("row_count", 3.0000000000001, 5.0, "3 to 5"),
        ("null_count", 0.2, 0.8, "0.2 to 0.8"),
        ("average", 0.2, 0.8, "0.2 to 0.8"),
        ("null_percent", 0.0, 0.0, "0 %"),
        ("row_count", None, None, "nothing"),
    ],
)
def test_what_is_expected_of_a_count_are_whole_numbers(
    metric: str, low: float | None, high: float | None, written: str
) -> None:
    assert amounts(metric, low, high) == written
