"""The columns of a table, of what dbt, schema tests, tests and metrics say."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.arrow_values import arrow_table_of
from airflow_provider_elementary.project.columns import (
    Columns,
    TableColumn,
    column_schemas,
    columns_of,
    read_columns,
)
from airflow_provider_elementary.project.facts import Test
from tests.support.table_source import TableSource

DOCUMENTED = {"parent_unique_id": "model.shop.orders", "data_type": None, "generated_at": "2026-11-01"}
_, SEEN_SCHEMA = column_schemas()
SEEN = {"full_table_name": "SHOP.ORDERS", "data_type": "INTEGER"}


def not_null(column: str) -> Test:
    return Test("not_null", "not_null", column, "error", None, "pass", None, ())


def test_a_column_is_one_however_its_name_is_written() -> None:
    columns = Columns(
        pa.Table.from_pylist([{**DOCUMENTED, "name": "Id", "description": " the key "}]),
        pa.Table.from_pylist(
            [
                {**SEEN, "column_name": "ID", "detected_at": datetime(2026, 11, 2)},
                {**SEEN, "column_name": "ID", "detected_at": datetime(2026, 11, 3), "data_type": "BIGINT"},
                {**SEEN, "column_name": "other", "detected_at": None, "full_table_name": "SHOP.OTHER"},
            ]
        ),
        (),
    )

    found = columns_of(columns, "SHOP.ORDERS", "model.shop.orders", [not_null("id")], {"iD": 1.5, "mail": None})

    assert found == [
        TableColumn("Id", "BIGINT", "the key", ("not_null",), 1.5, True),
        TableColumn("mail", "", "", (), None, True),
    ]


def test_of_what_was_seen_often_one_row_with_the_newest_type_is_read() -> None:
    seen = [
        ("SHOP.ORDERS", "id", "INTEGER", datetime(2026, 11, 2)),
        ("SHOP.ORDERS", "id", "BIGINT", datetime(2026, 11, 3)),
        ("SHOP.ORDERS", "id", "", datetime(2026, 11, 4)),
        ("SHOP.ORDERS", "id", "DATE", None),
        ("SHOP.ORDERS", "new", None, datetime(2026, 11, 4)),
        ("SHOP.OTHER", "id", "TEXT", datetime(2026, 11, 1)),
    ]
    rows = arrow_table_of([dict(zip(SEEN_SCHEMA.names, row, strict=True)) for row in seen * 3], SEEN_SCHEMA)
    snapshot: Any = TableSource({"schema_columns_snapshot": rows})

    columns = read_columns(snapshot)

    assert (columns.documented.schema, columns.seen.schema) == column_schemas()
    assert sorted(tuple(row.values()) for row in columns.seen.to_pylist()) == [seen[1], seen[4], seen[5]]
    found = columns_of(columns, "SHOP.ORDERS", None, [], {})
    assert [(column.name, column.data_type) for column in found] == [("id", "BIGINT"), ("new", "")]
    without = read_columns(snapshot.without("schema_columns_snapshot", "detected_at"))
    assert without.seen.num_rows == len(rows)
    assert without.seen.schema == SEEN_SCHEMA


def test_a_table_that_is_not_there_imports_no_pandas() -> None:
    program = """
import sys
from airflow_provider_elementary.project.columns import column_schemas, read_columns
from tests.support.table_source import TableSource
read = read_columns(TableSource({}))
print((read.documented.schema, read.seen.schema) == column_schemas(), "pandas" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["True", "False"]
