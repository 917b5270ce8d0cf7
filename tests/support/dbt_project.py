"""Builds rows as dbt's runs and tests write them, for a project of two models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.source import arrow_schema
from tests.support.table_source import TableSource

MONDAY = datetime(2026, 11, 2, 6)
ORDERS, PAYMENTS = "SHOP.CORE.ORDERS", "SHOP.CORE.PAYMENTS"

_MODELS = [
    {"unique_id": f"model.shop.{name}", "alias": name, "database_name": "shop", "schema_name": "core"}
    for name in ("orders", "payments")
]


def run(day: int, *, model: str = "orders", status: str = "success", hour: int = 0, **facts: Any) -> dict[str, Any]:
    """Return a run result of a model, this number of days after Monday."""
    moment = MONDAY + timedelta(days=day, hours=hour)
    return {
        "model_execution_id": f"{model}-{day}-{hour}",
        "unique_id": f"model.shop.{model}",
        "status": status,
        "generated_at": f"{moment:%Y-%m-%d %H:%M:%S}",
        "created_at": moment + timedelta(hours=2),
        **facts,
    }


def result(day: int, status: str, *, test: str = "not_null", hour: int = 0, **facts: Any) -> dict[str, Any]:
    """Return a test result on ``orders``."""
    moment = MONDAY + timedelta(days=day, hours=hour)
    return {
        "id": f"{test}-{day}-{hour}",
        "test_execution_id": f"{test}-{day}-{hour}",
        "test_unique_id": test,
        "detected_at": moment,
        "created_at": moment,
        "database_name": "shop",
        "schema_name": "core",
        "table_name": "orders",
        "test_type": "dbt_test",
        "test_sub_type": "generic",
        "status": status,
        **facts,
    }


def invocation(day: int, hour: int = 0) -> dict[str, Any]:
    """Return an invocation."""
    moment = f"{MONDAY + timedelta(days=day, hours=hour):%Y-%m-%d %H:%M:%S}"
    return {
        "invocation_id": f"{day}-{hour}",
        "project_name": "shop",
        "run_started_at": moment,
        "generated_at": moment,
        "created_at": MONDAY + timedelta(days=day, hours=hour + 1),
    }


def project(**tables: Sequence[Mapping[str, Any]]) -> TableSource:
    """Return a source that holds the two models and these tables."""
    held = {"dbt_models": _MODELS, **tables}
    return TableSource({name: rows_table(name, rows) for name, rows in held.items()})


def values(source: TableSource, metric: str, table: str = ORDERS, **arguments: Any) -> dict[str, Any]:
    """Return a metric's value by day (and value of its dimension), rounded."""
    with compute_metrics(source, **arguments) as reader:
        rows = reader.read_all().to_pylist()
    return {
        f"{row['bucket_start']:%a %d}" + (f" {row['dimension_value']}" if row["dimension_value"] else ""): round(
            row["metric_value"], 3
        )
        for row in sorted(rows, key=lambda row: (row["bucket_start"], row["dimension_value"] or ""))
        if (row["metric_name"], row["full_table_name"]) == (metric, table)
    }


def rows_table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table with every column that Elementary declares."""
    schema = arrow_schema(TABLES[name], [column.name for column in TABLES[name].columns])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
