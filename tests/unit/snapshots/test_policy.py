"""A policy refuses what it does not know, and counts what it excludes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.policy.redaction import (
    TESTED_TABLE_COLUMNS,
    Exclusions,
    FailedRowsLimit,
    count_exported,
    drop_rows,
    is_excluded,
    keyed_hash,
    limit_failed_row_lists,
    redact,
    storage_rules,
)

TAKEN_AT = datetime(2026, 11, 22)
SAMPLES = TABLES["test_result_rows"]
OF_SAMPLES = {"table": "test_result_rows", "category": "failed_rows_sample"}
METRICS = TABLES["data_monitoring_metrics"]
KEY = b"k" * 32


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
        ({"categories": ("metadata", "passwords")}, "categories: metadata, passwords"),
        ({"categories": ()}, "Select at least one category"),
        ({"failed_rows_per_test": -1}, "have to be 0 or more, not -1 and 30"),
        ({"failed_rows_days": -1}, "have to be 0 or more, not 5 and -1"),
        ({"failed_rows_days": 1_000_000}, "Give at most 100000"),
        ({"masked_columns": ("dbt_models.salary",)}, "'dbt_models.salary' is not a column"),
        ({"masked_columns": ("customers.email",)}, "'customers.email' is not a column"),
        ({"masked_columns": ("dbt_models.unique_id",)}, "a text column that identifies no rows"),
        ({"masked_columns": ("dbt_run_results.execution_time",)}, "a text column that identifies no rows"),
        (
            {"masked_columns": ("data_monitoring_metrics.column_name",)},
            "a column that does not decide a row's category",
        ),
        (
            {"hashed_columns": ("dbt_run_results.execution_time",)},
            "execution_time' cannot be used to hash",
        ),
        ({"dropped_columns": ("dbt_run_results.created_at",)}, "without which rows can be identified and dated"),
        (
            {"dropped_columns": ("dbt_models.owner",), "masked_columns": ("dbt_models.owner",)},
            "dbt_models.owner is in both",
        ),
    ],
)
def test_what_is_not_known_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Policy(**arguments)


def test_the_default_takes_six_categories_and_leaves_query_logs_out() -> None:
    assert set(Category) - set(Policy().categories) == {Category.QUERY_LOGS}


def test_so_many_rows_of_each_execution_pass_over_all_batches() -> None:
    exclusions = Exclusions()
    limit = FailedRowsLimit(SAMPLES, Policy(failed_rows_per_test=2), TAKEN_AT, exclusions)

    passed = [
        limit.apply(samples(("a", TAKEN_AT), ("a", TAKEN_AT), ("b", TAKEN_AT))),
        limit.apply(samples(("a", TAKEN_AT), ("b", TAKEN_AT))),
    ]

    assert [batch["elementary_test_results_id"].to_pylist() for batch in passed] == [["a", "a", "b"], ["b"]]
    assert exclusions.to_list() == [{"rule": "failed_rows_per_test=2", **OF_SAMPLES, "rows": 1}]


def test_rows_that_are_too_old_or_of_unknown_age_do_not_pass() -> None:
    exclusions = Exclusions()
    limit = FailedRowsLimit(SAMPLES, Policy(failed_rows_days=30), TAKEN_AT, exclusions)

    passed = limit.apply(
        samples(("new", TAKEN_AT - timedelta(days=30)), ("old", TAKEN_AT - timedelta(days=31)), ("undated", None))
    )

    assert passed["elementary_test_results_id"].to_pylist() == ["new"]
    assert exclusions.to_list() == [{"rule": "failed_rows_days=30", **OF_SAMPLES, "rows": 2}]


@pytest.mark.parametrize(
    ("stored", "expected", "excluded_rows"),
    [
        (json.dumps([{"n": 1}, {"n": 2}, {"n": 3}]), '[{"n": 1}, {"n": 2}]', 1),
        ('{"n": 1}', '[{"n": 1}]', 0),
        ("not JSON", '["not JSON"]', 0),
        (None, None, 0),
    ],
)
def test_samples_in_one_list_are_shortened(stored: str | None, expected: str | None, excluded_rows: int) -> None:
    exclusions = Exclusions()
    batch = pa.RecordBatch.from_pydict({"id": ["a"], "result_rows": pa.array([stored], pa.string())})

    shortened = limit_failed_row_lists(
        batch, TABLES["elementary_test_results"], Policy(failed_rows_per_test=2), exclusions
    )

    assert shortened["result_rows"].to_pylist() == [expected]
    assert sum(exclusions.rows.values()) == excluded_rows


def test_masked_values_are_replaced_and_counted_and_nulls_stay() -> None:
    exclusions = Exclusions()
    batch = pa.RecordBatch.from_pydict({"invocation_id": ["1", "2"], "vars": ['{"password": "x"}', None]})

    masked = redact(batch, TABLES["dbt_invocations"], Policy(), exclusions)

    assert masked.to_pylist() == [{"invocation_id": "1", "vars": "***"}, {"invocation_id": "2", "vars": None}]
    assert exclusions.to_list() == [
        {"rule": "masked", "column": "dbt_invocations.vars", "category": "configuration", "values": 1}
    ]


def test_rows_that_earlier_snapshots_took_count_towards_the_limit() -> None:
    limit = FailedRowsLimit(SAMPLES, Policy(failed_rows_per_test=2), TAKEN_AT, Exclusions(), {"a": 1})

    passed = limit.apply(samples(("a", TAKEN_AT), ("a", TAKEN_AT), ("b", TAKEN_AT)))

    assert passed["elementary_test_results_id"].to_pylist() == ["a", "b"]


def test_hashed_values_stay_apart_and_reveal_nothing_and_nulls_stay() -> None:
    batch = pa.RecordBatch.from_pydict({"id": ["1", "2", "3"], "dimension_value": ["a@x.example", "b@x.example", None]})
    policy = Policy(hashed_columns=("data_monitoring_metrics.dimension_value",))

    hashed = redact(batch, METRICS, policy, Exclusions(), KEY)["dimension_value"].to_pylist()

    assert hashed == [keyed_hash(KEY, "a@x.example"), keyed_hash(KEY, "b@x.example"), None]
    assert len(set(hashed)) == 3
    assert keyed_hash(KEY, "a@x.example") != keyed_hash(b"another key", "a@x.example")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ('{"a": 1, "where_expression": "x = 1"}', f'{{"a": 1, "where_expression": "{keyed_hash(KEY, "x = 1")}"}}'),
        ('{"a": 1, "where_expression": null}', '{"a": 1, "where_expression": null}'),
        ('{"a":1}', '{"a":1}'),
        ("not JSON", keyed_hash(KEY, "not JSON")),
        ("[1]", keyed_hash(KEY, "[1]")),
        (None, None),
    ],
)
def test_one_key_of_a_json_column_is_hashed(stored: str | None, expected: str | None) -> None:
    batch = pa.RecordBatch.from_pydict({"id": ["1"], "metric_properties": pa.array([stored], pa.string())})
    policy = Policy(hashed_columns=("data_monitoring_metrics.metric_properties.where_expression",))

    hashed = redact(batch, METRICS, policy, Exclusions(), KEY)

    assert hashed["metric_properties"].to_pylist() == [expected]


@pytest.mark.parametrize("name", ["DB.CORE.CUSTOMERS", "model.shop.Customers"])
def test_a_table_is_excluded_by_its_full_name_or_its_model_in_any_case(name: str) -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "model_unique_id": ["model.shop.customers", "model.shop.orders", None],
            "database_name": ["db", "db", None],
            "schema_name": ["core", "core", None],
            "table_name": ["customers", "orders", None],
        }
    )

    excluded = is_excluded(batch, Policy(failed_rows_excluded_tables=(name,)))

    assert excluded.to_pylist() == [True, False, False]


def test_samples_of_a_result_that_is_not_known_do_not_pass_where_tables_are_excluded() -> None:
    exclusions = Exclusions()
    policy = Policy(failed_rows_excluded_tables=("db.core.customers",))

    passed = drop_rows(
        samples(("known", TAKEN_AT), ("unknown", TAKEN_AT)),
        SAMPLES,
        Category.FAILED_ROWS_SAMPLE,
        policy,
        exclusions,
        pa.array(["known"]),
    )

    assert passed["elementary_test_results_id"].to_pylist() == ["known"]
    assert exclusions.to_list() == [{"rule": "failed_rows_excluded_tables", **OF_SAMPLES, "rows": 1}]


def test_metrics_of_single_rows_are_left_behind_by_name() -> None:
    exclusions = Exclusions()
    batch = pa.RecordBatch.from_pydict({"id": ["1", "2"], "metric_name": ["max", "row_count"]})

    passed = drop_rows(batch, METRICS, Category.AGGREGATED_METRICS, Policy(dropped_metrics=("max",)), exclusions)

    assert passed["id"].to_pylist() == ["2"]
    assert exclusions.to_list() == [
        {"rule": "dropped metric", "table": "data_monitoring_metrics", "category": "aggregated_metrics", "rows": 1}
    ]


def test_a_policy_without_raw_values_is_narrowed_and_never_widened_by_choices() -> None:
    policy = Policy.without_raw_values(categories=tuple(Category), masked_columns=("dbt_models.owner",))

    assert not {Category.FAILED_ROWS_SAMPLE, Category.QUERY_LOGS} & set(policy.categories)
    assert "dbt_run_results.message" in policy.dropped_columns
    assert policy.masked_columns == ("dbt_models.owner",)


def test_exported_and_excluded_rows_are_counted_by_category() -> None:
    exclusions = Exclusions()
    exclusions.count_rows("failed_rows_per_test=5", SAMPLES, Category.FAILED_ROWS_SAMPLE, 7)
    exclusions.count_values("masked", TABLES["dbt_invocations"], "vars", 3)

    record = count_exported(exclusions.to_list(), {"metadata": 10})

    assert set(record) == set(Category)
    assert record["metadata"] == {"rows": 10, "excluded": {}}
    assert record["failed_rows_sample"] == {"rows": 0, "excluded": {"failed_rows_per_test=5 (rows)": 7}}
    assert record["configuration"]["excluded"] == {"masked (values)": 3}


@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        Policy.without_raw_values(masked_columns=("dbt_models.description",)),
        Policy(categories=(Category.METADATA,), failed_rows_excluded_tables=("a.b.c",), dropped_metrics=("max",)),
    ],
)
def test_a_policy_is_read_as_it_was(policy: Policy) -> None:
    assert Policy.from_dict(policy.to_dict()) == policy


@pytest.mark.parametrize(
    ("name", "one", "other", "same_hash_key", "alike"),
    [
        ("dbt_run_results.message", {}, {"failed_rows_per_test": 1}, False, True),
        ("dbt_run_results.message", {}, {"masked_columns": ("dbt_run_results.message",)}, True, False),
        ("dbt_run_results.message", {}, {"masked_columns": ("dbt_run_results.status",)}, True, True),
        ("dbt_invocations.vars", {}, {"failed_rows_per_test": 1}, False, True),
        ("dbt_run_results.message", {}, {"hashed_columns": ("dbt_run_results.message",)}, True, False),
        *(
            (name.rpartition(".")[0] if json_key else name, hashed, {**hashed, "failed_rows_days": 1}, same, same)
            for same in (True, False)
            for name, json_key in (
                ("dbt_run_results.message", False),
                ("data_monitoring_metrics.metric_properties.where_expression", True),
            )
            for hashed in [{"hashed_columns": (name,)}]
        ),
        ("elementary_test_results.result_rows", {}, {"failed_rows_per_test": 1}, True, False),
        ("elementary_test_results.result_rows", {}, {"failed_rows_days": 1}, True, True),
        ("test_result_rows.result_row", {}, {"failed_rows_per_test": 1}, True, True),
    ],
)
def test_values_are_stored_alike_where_the_same_rules_and_key_are_for_them(
    name: str, one: dict[str, Any], other: dict[str, Any], same_hash_key: bool, alike: bool
) -> None:
    table = TABLES[name.split(".")[0]]
    column = table.column(name.split(".")[1])

    assert column is not None
    one_key, other_key = b"key", b"key" if same_hash_key else b"other"
    rules = storage_rules(table, column, Policy(**one), [], one_key)
    assert (rules == storage_rules(table, column, Policy(**other), [], other_key)) is alike


@pytest.mark.parametrize(
    ("excluded", "columns", "alike"),
    [
        ((), [], True),
        (("a",), [], False),
        (("a",), TESTED_TABLE_COLUMNS[1:], False),
        (("a",), TESTED_TABLE_COLUMNS, True),
    ],
)
def test_samples_are_stored_alike_where_both_know_of_which_table_they_are(
    excluded: tuple[str, ...], columns: Sequence[str], alike: bool
) -> None:
    table, policy = TABLES["elementary_test_results"], Policy(failed_rows_excluded_tables=excluded)
    column = table.column("result_rows")

    assert column is not None
    of_all = storage_rules(table, column, policy, TESTED_TABLE_COLUMNS, None)
    assert (storage_rules(table, column, policy, columns, None) == of_all) is alike


@pytest.mark.parametrize("choices", [{"dropped_rows": []}, {"failed_rows_per_test": None}, {"masked_columns": [1]}])
def test_a_policy_of_another_version_is_refused(choices: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Policy.from_dict(Policy().to_dict() | choices)
