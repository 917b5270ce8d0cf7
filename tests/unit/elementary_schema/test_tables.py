"""The catalog knows the Elementary schema as the dbt package declares it, and classifies every column once."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category, Kind, Sensitivity, Table

EVERY_TABLE = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


def declared_columns(shared: Path) -> dict[str, list[tuple[str, str]]]:
    declared: dict[str, list[tuple[str, str]]] = {}
    with (shared / "world" / "ddl" / "columns_all_adapters.csv").open() as file:
        for row in csv.DictReader(file):
            if row["kind"] == "table":
                declared.setdefault(row["table"], []).append((row["column"], row["duckdb_type"]))
    return declared


def test_there_are_seventeen_tables_of_four_kinds() -> None:
    kinds = [table.kind for table in TABLES.values()]

    assert {kind: kinds.count(kind) for kind in Kind} == {
        Kind.ARTIFACTS: 9,
        Kind.EVENTS: 6,
        Kind.METRICS: 1,
        Kind.CONFIGURATION: 1,
    }


def test_tables_columns_and_types_are_those_of_the_package(shared: Path) -> None:
    types = {"VARCHAR": "string", "FLOAT": "float64", "INTEGER": "int64", "BIGINT": "int64"}
    declared = {
        name: [(column, types.get(type_name, type_name.lower())) for column, type_name in columns]
        for name, columns in declared_columns(shared).items()
    }

    assert {name: [(c.name, c.type) for c in table.columns] for name, table in TABLES.items()} == declared


@EVERY_TABLE
def test_the_columns_that_identify_and_date_rows_are_in_the_catalog(table: Table) -> None:
    assert table.required_columns <= {column.name for column in table.columns}


@EVERY_TABLE
def test_events_and_metrics_have_a_watermark_and_what_is_replaced_has_none(table: Table) -> None:
    expected = "created_at" if table.kind in (Kind.EVENTS, Kind.METRICS) else None

    assert table.watermark == expected


def test_every_category_has_a_place_in_the_schema() -> None:
    assert {category for table in TABLES.values() for category in table.categories} == set(Category)


@pytest.mark.parametrize(
    ("name", "sensitivity"),
    [
        ("dbt_invocations.vars", Sensitivity.SECRETS),
        ("dbt_invocations.invocation_vars", Sensitivity.SECRETS),
        ("dbt_run_results.compiled_code", Sensitivity.SQL_TEXT),
        ("elementary_test_results.test_results_query", Sensitivity.SQL_TEXT),
        ("elementary_test_results.test_params", Sensitivity.SQL_TEXT),
        ("dbt_run_results.message", Sensitivity.RAW_VALUES),
        ("dbt_run_results.adapter_response", Sensitivity.RAW_VALUES),
        ("dbt_source_freshness_results.error", Sensitivity.RAW_VALUES),
        ("elementary_test_results.test_results_description", Sensitivity.RAW_VALUES),
        ("data_monitoring_metrics.dimension_value", Sensitivity.RAW_VALUES),
        ("data_monitoring_metrics.source_value", Sensitivity.RAW_VALUES),
        ("test_result_rows.result_row", Sensitivity.RAW_VALUES),
        ("dbt_groups.owner_email", Sensitivity.PERSONAL),
        ("dbt_exposures.owner_name", Sensitivity.PERSONAL),
    ],
)
def test_a_sensitive_column_is_marked_with_its_reason(name: str, sensitivity: Sensitivity) -> None:
    table, _, column_name = name.partition(".")

    column = TABLES[table].column(column_name)

    assert column is not None
    assert column.sensitivity is sensitivity


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("dbt_run_results.compiled_code", Category.QUERY_LOGS),
        ("dbt_run_results.query_id", Category.QUERY_LOGS),
        ("elementary_test_results.test_results_query", Category.QUERY_LOGS),
        ("elementary_test_results.result_rows", Category.FAILED_ROWS_SAMPLE),
        ("elementary_test_results.status", Category.RUN_RESULTS),
        ("dbt_invocations.vars", Category.CONFIGURATION),
        ("dbt_models.name", Category.METADATA),
        ("test_result_rows.result_row", Category.FAILED_ROWS_SAMPLE),
    ],
)
def test_a_column_belongs_to_its_category(name: str, category: Category) -> None:
    table, _, column_name = name.partition(".")

    column = TABLES[table].column(column_name)

    assert column is not None
    assert column.category is category


def test_column_names_are_found_in_any_case() -> None:
    assert TABLES["dbt_models"].column("UNIQUE_ID") is TABLES["dbt_models"].column("unique_id")
