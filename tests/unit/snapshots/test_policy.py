"""A policy refuses what it does not know, and counts what it holds back."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.catalog import TABLES, Category
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.snapshots.policy import (
    FailedRowsLimit,
    HeldBack,
    Policy,
    limit_failed_row_lists,
    mask_columns,
)

TAKEN_AT = datetime(2026, 11, 22)
SAMPLES = TABLES["test_result_rows"]


def samples(*rows: tuple[str, datetime | None]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "elementary_test_results_id": [execution for execution, _ in rows],
            "created_at": pa.array([created for _, created in rows], pa.timestamp("us")),
        }
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"categories": ("metadata", "passwords")}, "found metadata, passwords"),
        ({"categories": ()}, "Expected at least one category to take"),
        ({"failed_rows_per_test": -1}, "of 0 or more, found -1 and 30"),
        ({"failed_rows_days": -1}, "of 0 or more, found 5 and -1"),
        ({"masked_columns": ("dbt_models.salary",)}, "found 'dbt_models.salary'"),
        ({"masked_columns": ("customers.email",)}, "found 'customers.email'"),
        ({"masked_columns": ("dbt_models.unique_id",)}, "a text column that identifies no rows"),
        ({"masked_columns": ("dbt_run_results.execution_time",)}, "a text column that identifies no rows"),
    ],
)
def test_what_is_not_known_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Policy(**arguments)


def test_the_default_takes_six_categories_and_leaves_query_logs_out() -> None:
    assert set(Category) - set(Policy().categories) == {Category.QUERY_LOGS}


def test_so_many_rows_of_each_execution_pass_over_all_batches() -> None:
    held_back = HeldBack()
    limit = FailedRowsLimit(SAMPLES, Policy(failed_rows_per_test=2), TAKEN_AT, held_back)

    passed = [
        limit.apply(samples(("a", TAKEN_AT), ("a", TAKEN_AT), ("b", TAKEN_AT))),
        limit.apply(samples(("a", TAKEN_AT), ("b", TAKEN_AT))),
    ]

    assert [batch["elementary_test_results_id"].to_pylist() for batch in passed] == [["a", "a", "b"], ["b"]]
    assert held_back.to_list() == [{"rule": "failed_rows_per_test=2", "table": "test_result_rows", "rows": 1}]


def test_rows_that_are_too_old_or_of_unknown_age_do_not_pass() -> None:
    held_back = HeldBack()
    limit = FailedRowsLimit(SAMPLES, Policy(failed_rows_days=30), TAKEN_AT, held_back)

    passed = limit.apply(
        samples(("new", TAKEN_AT - timedelta(days=30)), ("old", TAKEN_AT - timedelta(days=31)), ("undated", None))
    )

    assert passed["elementary_test_results_id"].to_pylist() == ["new"]
    assert held_back.to_list() == [{"rule": "failed_rows_days=30", "table": "test_result_rows", "rows": 2}]


@pytest.mark.parametrize(
    ("stored", "expected", "rows_held_back"),
    [
        (json.dumps([{"n": 1}, {"n": 2}, {"n": 3}]), '[{"n": 1}, {"n": 2}]', 1),
        ('{"n": 1}', '[{"n": 1}]', 0),
        ("not JSON", '["not JSON"]', 0),
        (None, None, 0),
    ],
)
def test_samples_in_one_list_are_shortened(stored: str | None, expected: str | None, rows_held_back: int) -> None:
    held_back = HeldBack()
    batch = pa.RecordBatch.from_pydict({"id": ["a"], "result_rows": pa.array([stored], pa.string())})

    shortened = limit_failed_row_lists(
        batch, TABLES["elementary_test_results"], Policy(failed_rows_per_test=2), held_back
    )

    assert shortened["result_rows"].to_pylist() == [expected]
    assert sum(held_back.rows.values()) == rows_held_back


def test_masked_values_are_replaced_and_counted_and_nulls_stay() -> None:
    held_back = HeldBack()
    batch = pa.RecordBatch.from_pydict({"invocation_id": ["1", "2"], "vars": ['{"password": "x"}', None]})

    masked = mask_columns(batch, TABLES["dbt_invocations"], Policy(), held_back)

    assert masked.to_pylist() == [{"invocation_id": "1", "vars": "***"}, {"invocation_id": "2", "vars": None}]
    assert held_back.to_list() == [{"rule": "masked", "column": "dbt_invocations.vars", "values": 1}]
