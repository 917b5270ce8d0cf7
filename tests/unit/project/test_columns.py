"""The columns of a table, of what dbt, schema tests, tests and metrics say."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from airflow_provider_elementary.project.columns import Columns, TableColumn, columns_of
from airflow_provider_elementary.project.facts import Test

DOCUMENTED = {"parent_unique_id": "model.shop.orders", "data_type": None, "generated_at": "2026-11-01"}
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
