"""Declares the tables of the Elementary dbt package (0.25) for each adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES, Column, Table
from airflow_provider_elementary.elementary_schema.table_model import ColumnType
from airflow_provider_elementary.quoting import identifier
from airflow_provider_elementary.source import ARROW_TYPES

Dialect = Literal["duckdb", "postgres"]

_TYPES: Mapping[Dialect, Mapping[ColumnType, str]] = MappingProxyType(
    {
        "duckdb": {
            "string": "VARCHAR",
            "float64": "FLOAT",
            "int64": "BIGINT",
            "boolean": "BOOLEAN",
            "timestamp": "TIMESTAMP",
        },
        "postgres": {
            "string": "varchar(4096)",
            "float64": "double precision",
            "int64": "bigint",
            "boolean": "boolean",
            "timestamp": "timestamp without time zone",
        },
    }
)
#: Types that hold whatever another warehouse held, where the package's own are narrower.
_WIDE: Mapping[Dialect, Mapping[ColumnType, str]] = MappingProxyType(
    {"duckdb": {"float64": "DOUBLE"}, "postgres": {"string": "text"}}
)
#: Declared as a plain integer instead of a long one.
_SHORT_INTEGERS = frozenset(
    {
        ("data_monitoring_metrics", "bucket_duration_hours"),
        ("dbt_invocations", "threads"),
        ("test_result_rows", "row_index"),
    }
)
#: Columns of the package's type `long_string`, which PostgreSQL keeps without a limit.
_LONG_STRINGS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        table: frozenset(columns.split())
        for table, columns in {
            "dbt_columns": "tags meta description",
            "dbt_exposures": "url depends_on_macros depends_on_nodes depends_on_columns description tags meta "
            "original_path raw_queries",
            "dbt_invocations": "invocation_id job_id job_name job_run_id invocation_vars vars selected yaml_selector "
            "cause target_adapter_specific_fields",
            "dbt_metrics": "sql filters time_grains dimensions depends_on_macros depends_on_nodes description tags "
            "meta original_path",
            "dbt_models": "tags meta depends_on_macros depends_on_nodes description original_path",
            "dbt_run_results": "model_execution_id unique_id name message compiled_code",
            "dbt_seeds": "tags meta description original_path",
            "dbt_snapshots": "tags meta depends_on_macros depends_on_nodes description original_path",
            "dbt_source_freshness_results": "filter",
            "dbt_sources": "freshness_filter freshness_description tags meta original_path source_description "
            "description",
            "dbt_tests": "test_params tags model_tags model_owners meta depends_on_macros depends_on_nodes "
            "description original_path",
            "elementary_test_results": "id test_execution_id test_unique_id model_unique_id test_results_description "
            "test_results_query test_name test_params result_rows",
            "metadata": "dbt_pkg_version",
            "test_result_rows": "elementary_test_results_id result_row",
        }.items()
    }
)


def declared_type(dialect: Dialect, table: Table, column: Column, *, widest: bool) -> str:
    """Return the SQL type of a column.

    :param widest: the rows come from another kind of warehouse, whose values the package's own type may not hold.
    """
    if widest and column.type in _WIDE[dialect]:
        return _WIDE[dialect][column.type]
    if (table.name, column.name) in _SHORT_INTEGERS:
        return "integer"
    if dialect == "postgres" and column.name in _LONG_STRINGS.get(table.name, ()):
        return "text"
    return _TYPES[dialect][column.type]


def arrow_type(table: Table, column: Column) -> pa.DataType:
    """Return the Arrow type that fits :func:`declared_type` bit by bit, as PostgreSQL's binary COPY wants it."""
    return pa.int32() if (table.name, column.name) in _SHORT_INTEGERS else ARROW_TYPES[column.type]


def create_tables(
    dialect: Dialect, schema: str, *, widest: bool, held: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> dict[str, str]:
    """Return the statement that makes each table, columns in the package's order.

    :param schema: the schema to make them in.
    :param widest: see :func:`declared_type`.
    :param held: the columns that are to be filled, by table: those that only some adapters have are made for them.
    """
    statements = {}
    for table in TABLES.values():
        columns = ", ".join(
            f"{identifier(column.name, dialect)} {declared_type(dialect, table, column, widest=widest)}"
            for column in table.known_columns
            if column in table.columns or column.name in held.get(table.name, ())
        )
        statements[table.name] = f"CREATE TABLE {qualified(dialect, schema, table.name)} ({columns})"
    return statements


def qualified(dialect: Dialect, schema: str, name: str) -> str:
    """Return the quoted name of a relation."""
    return f"{identifier(schema, dialect)}.{identifier(name, dialect)}"
