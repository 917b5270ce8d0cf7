"""The newest verdicts as the quality of a table."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from airflow_provider_elementary.anomalies.table_quality import Check, TableQuality, table_qualities
from tests.support.shop import CUSTOMERS, ORDERS, REVENUE, fine, verdict, verdicts


def test_only_the_newest_bucket_of_a_metric_counts() -> None:
    [quality] = table_qualities(verdicts(verdict(ORDERS, 0), fine(ORDERS, 1)), 10)

    assert quality == TableQuality(
        ORDERS, row_count=100, checks=(Check("row_count", None, True, expected="90 to 110", actual="100"),)
    )


def test_an_anomaly_is_a_check_that_failed_with_its_reason() -> None:
    [quality] = table_qualities(verdicts(fine(ORDERS, 0), verdict(ORDERS, 1)), 10)

    [check] = quality.checks
    assert (check.success, check.description, check.severity) == (False, f"{ORDERS}: too few", "warn")


def test_nulls_are_counted_by_column() -> None:
    rows = verdicts(fine(ORDERS, 0, metric_name="null_count", column_name="email", metric_value=3.0))

    assert table_qualities(rows, 10)[0].null_counts == {"email": 3}


def test_values_of_single_rows_are_left_out() -> None:
    largest = {"metric_name": "max", "column_name": "amount", "metric_value": 98765.0, "reason": "amount 98765"}
    of_value = {"metric_name": "dimension", "dimension": "email", "dimension_value": "a@b.example"}

    said = str(table_qualities(verdicts(verdict(ORDERS, 0, **largest), verdict(ORDERS, 0, **of_value)), 10))

    assert "98765" not in said
    assert "a@b.example" not in said


def test_an_anomalous_value_of_a_dimension_counts_before_others_of_the_bucket() -> None:
    rows = verdicts(
        verdict(ORDERS, 0, metric_name="dimension", dimension="store", dimension_value="a"),
        fine(ORDERS, 0, metric_name="dimension", dimension="store", dimension_value="b"),
    )

    assert [check.success for check in table_qualities(rows, 10)[0].checks] == [False]


CONTINUES, MOVES = "continues as flagged before", "moves with 6 of 6 values of store, as their table does"


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_the_worst_value_of_a_dimension_counts_in_whatever_order_they_come(order: tuple[str, ...]) -> None:
    of = {"metric_name": "dimension", "dimension": "store"}
    reasons = {"a": CONTINUES}
    rows = [fine(ORDERS, 0, **of, dimension_value=each, reason=reasons.get(each, "as expected")) for each in order]

    [check] = table_qualities(verdicts(*rows), 10)[0].checks

    assert check.success is False


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"reason": CONTINUES}, f"orders: row count is not as expected on Sun 1 Nov 2026: {CONTINUES}"),
        (
            {"metric_name": "max", "column_name": "price", "reason": CONTINUES},
            f"orders.price: largest value is not as expected on Sun 1 Nov 2026: {CONTINUES}",
        ),
        (
            {"metric_name": "dimension", "dimension": "store", "dimension_value": "a@b.example", "reason": MOVES},
            f"orders: a value of store is not as expected on Sun 1 Nov 2026: {MOVES}",
        ),
    ],
    ids=["count", "raw value", "dimension"],
)
def test_what_is_still_off_and_not_flagged_again_says_so(row: dict[str, Any], said: str) -> None:
    [check] = table_qualities(verdicts(fine(ORDERS, 0, **row)), 10)[0].checks

    assert (check.success, check.description) == (False, said)


def test_anomalous_tables_come_first_where_not_all_fit() -> None:
    rows = verdicts(fine(CUSTOMERS, 0), fine(ORDERS, 0), verdict(REVENUE, 0))

    assert [quality.table for quality in table_qualities(rows, 2)] == [REVENUE, CUSTOMERS]


def test_what_was_not_scored_is_left_out() -> None:
    assert table_qualities(verdicts(fine(ORDERS, 0, score=None)), 10) == []
