"""The newest row of each key."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema.newest import newest_rows, newest_sql

ROWS = [
    {"unique_id": "test.a", "generated_at": "2026-11-02", "name": "new"},
    {"unique_id": "test.a", "generated_at": "2026-11-01", "name": "old"},
    {"unique_id": "test.b", "generated_at": None, "name": "undated"},
    {"unique_id": None, "generated_at": "2026-11-03", "name": "no key"},
    {"unique_id": " ", "generated_at": "2026-11-03", "name": "blank key"},
]


def test_the_newest_row_of_each_key_is_kept_in_the_order_of_time() -> None:
    assert [row["name"] for row in newest_rows("dbt_tests", ROWS)] == ["undated", "new"]


def test_of_equally_new_rows_the_last_is_kept() -> None:
    assert newest_rows("dbt_tests", [ROWS[0], {**ROWS[0], "name": "later"}]) == [{**ROWS[0], "name": "later"}]


def test_a_key_can_be_extended() -> None:
    rows = newest_rows("dbt_tests", ROWS[:2], within=lambda row: row["name"])

    assert [row["name"] for row in rows] == ["old", "new"]


@pytest.mark.parametrize(
    ("table", "key", "time"),
    [("dbt_tests", "unique_id", "generated_at"), ("elementary_test_results", "id", "created_at")],
)
def test_the_facts_of_the_table_name_key_and_time(table: str, key: str, time: str) -> None:
    rows = [{key: "a", time: "2026-11-02"}, {key: "a", time: "2026-11-01"}]

    assert newest_rows(table, rows) == [rows[0]]


def test_the_sql_selects_the_same_rows() -> None:
    with duckdb.connect(":memory:") as connection:
        connection.register("dbt_tests", pa.Table.from_pylist(ROWS))
        found = connection.sql(newest_sql("dbt_tests")).to_arrow_table().to_pylist()

    assert sorted(row["name"] for row in found) == ["new", "undated"]
