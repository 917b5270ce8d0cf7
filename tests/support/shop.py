"""Builders of verdicts and of a lineage: raw.orders, stg.orders, core.orders, core.revenue, each made from the last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.anomalies.schema import VERDICT_SCHEMA
from airflow_provider_elementary.project.lineage import Lineage, Node

SUNDAY = datetime(2026, 11, 1)
RAW, STAGING, ORDERS, REVENUE, CUSTOMERS = (
    "SHOP.RAW.ORDERS",
    "SHOP.STG.ORDERS",
    "SHOP.CORE.ORDERS",
    "SHOP.CORE.REVENUE",
    "SHOP.CORE.CUSTOMERS",
)


def lineage() -> Lineage:
    """Return who reads whom."""
    nodes = (
        Node("source.orders", RAW, owners=("loader@shop.example",)),
        Node("model.stg_orders", STAGING, reads=("source.orders",)),
        Node("model.orders", ORDERS, owners=("core@shop.example",), tags=("core",), reads=("model.stg_orders",)),
        Node("model.revenue", REVENUE, tags=("finance",), reads=("model.orders",)),
        Node("model.customers", CUSTOMERS),
        Node("exposure.board", "exposure board", reads=("model.revenue",)),
    )
    return Lineage(
        {node.unique_id: node for node in nodes},
        {(ORDERS, "volume_anomalies", None): "error", (REVENUE, "volume_anomalies", None): "warn"},
    )


def verdict(table: str, day: int, *, anomalous: bool = True, **facts: Any) -> dict[str, Any]:
    """Return the verdict on a daily bucket, this number of days after Sunday."""
    start = SUNDAY + timedelta(days=day)
    return {
        "id": f"{table}-{day}",
        "full_table_name": table,
        "column_name": None,
        "metric_name": "row_count",
        "dimension": None,
        "dimension_value": None,
        "metric_properties": None,
        "bucket_start": start,
        "bucket_end": start + timedelta(days=1),
        "metric_value": 10.0 if anomalous else 100.0,
        "score": -4.0 if anomalous else 0.5,
        "expected_value": 100.0,
        "expected_min": 90.0,
        "expected_max": 110.0,
        "is_anomalous": anomalous,
        "kind": "drop" if anomalous else None,
        "reason": f"{table}: too few" if anomalous else "as expected",
        "training_size": 14,
        **facts,
    }


def fine(table: str, day: int, **facts: Any) -> dict[str, Any]:
    """Return a verdict that is as expected."""
    return verdict(table, day, anomalous=False, **facts)


def verdicts(*rows: dict[str, Any]) -> pa.Table:
    """Return verdicts as a detection does."""
    texts = ("id", "full_table_name", "column_name", "metric_name", "dimension", "dimension_value", "metric_properties")
    schema = pa.schema(
        [
            *((name, pa.string()) for name in texts),
            ("bucket_start", pa.timestamp("us")),
            ("bucket_end", pa.timestamp("us")),
            ("metric_value", pa.float64()),
            *VERDICT_SCHEMA,
        ]
    )
    return pa.Table.from_pylist(list(rows), schema=schema)


def tables_of(rows: Sequence[Any]) -> list[tuple[str, tuple[str, ...]]]:
    """Return each incident's root and followers."""
    return [(incident.root, incident.followers) for incident in rows]
