"""A table is cut into parts of one category each, and the parts together are the table."""

from __future__ import annotations

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.snapshots.capture.partition import Part, parts_of

ALL = tuple(Category)


def all_parts(name: str) -> list[Part]:
    table = TABLES[name]
    return parts_of(table, [column.name for column in table.columns], ALL)


@pytest.mark.parametrize("name", TABLES)
def test_the_parts_hold_every_column(name: str) -> None:
    held = {column for part in all_parts(name) for column in part.columns}

    assert held == {column.name for column in TABLES[name].columns}


@pytest.mark.parametrize("name", TABLES)
def test_each_part_holds_the_columns_that_identify_its_rows(name: str) -> None:
    assert all(TABLES[name].required_columns <= set(part.columns) for part in all_parts(name))


@pytest.mark.parametrize("name", TABLES)
def test_beyond_these_a_column_is_in_one_part_only(name: str) -> None:
    by_column = [part for part in all_parts(name) if part.split is None]
    columns = [column for part in by_column for column in part.columns if column not in TABLES[name].required_columns]

    assert len(columns) == len(set(columns))


def test_rows_are_split_by_the_column_that_decides() -> None:
    batch = pa.RecordBatch.from_pydict({"id": ["a", "b", "c"], "column_name": [None, "email", None]})
    parts = parts_of(TABLES["data_monitoring_metrics"], batch.schema.names, ALL)

    found = {part.category: part.select(batch)["id"].to_pylist() for part in parts}

    assert found == {Category.AGGREGATED_METRICS: ["b"], Category.TABLE_METRICS: ["a", "c"]}


def test_columns_that_hold_nothing_are_as_long_as_the_others() -> None:
    schema = pa.schema([("id", pa.string()), ("column_name", pa.string()), ("dimension", pa.string())])
    batch = pa.RecordBatch.from_pydict(
        {"id": ["a", "b"], "column_name": [None, None], "dimension": [None, None]}, schema
    )
    parts = parts_of(TABLES["data_monitoring_metrics"], batch.schema.names, ALL)

    found = {part.category: part.select(batch) for part in parts}

    assert found[Category.TABLE_METRICS].equals(batch)
    assert found[Category.AGGREGATED_METRICS].equals(batch.slice(0, 0))


def test_a_column_name_may_come_twice() -> None:
    batch = pa.RecordBatch.from_arrays(
        [pa.array([None, "email"]), pa.array([1, 2]), pa.array([3, 4])], names=["column_name", "value", "value"]
    )
    [part] = [
        part
        for part in parts_of(TABLES["data_monitoring_metrics"], ["id", "column_name"], ALL)
        if part.category is Category.TABLE_METRICS
    ]

    assert part.rows(batch).equals(batch.slice(0, 1))


def test_a_sampled_row_of_an_unknown_kind_is_treated_as_a_failed_row() -> None:
    batch = pa.RecordBatch.from_pydict(
        {"result_row": ["1", "2", "3", "4"], "test_type": ["dbt_test", "anomaly_detection", "something new", None]}
    )
    parts = parts_of(TABLES["test_result_rows"], batch.schema.names, ALL)

    found = {part.category: part.select(batch)["result_row"].to_pylist() for part in parts}

    assert found == {Category.FAILED_ROWS_SAMPLE: ["1", "3", "4"], Category.AGGREGATED_METRICS: ["2"]}


def test_without_the_column_that_decides_every_row_is_treated_as_a_failed_row() -> None:
    parts = parts_of(TABLES["test_result_rows"], ["elementary_test_results_id", "result_row"], ALL)

    assert [(part.category, part.split) for part in parts] == [(Category.FAILED_ROWS_SAMPLE, None)]


def test_columns_of_a_category_that_is_out_are_in_no_part() -> None:
    table = TABLES["dbt_run_results"]
    parts = parts_of(table, [column.name for column in table.columns], (Category.RUN_RESULTS,))

    assert not {"compiled_code", "query_id"} & {column for part in parts for column in part.columns}
