"""Tests what a detection does to the process that it runs in."""

from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import sys
from datetime import datetime, timedelta
from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.arrow_values import arrow_table_of
from airflow_provider_elementary.metrics import METRICS_SCHEMA

first = datetime(2026, 1, 1)
rows = [
    {
        "full_table_name": "SHOP.CORE.ORDERS", "metric_name": metric, "column_name": column, "dimension": dimension,
        "dimension_value": value, "bucket_start": first + timedelta(days=day),
        "bucket_end": first + timedelta(days=day + 1),
        "metric_value": 5000.0 if day == 59 else 100.0 + day % 7, "updated_at": first + timedelta(days=day + 1),
    }
    for metric, column, dimension, value in (
        ("row_count", None, None, None), ("null_percent", "email", None, None), ("dimension", None, "channel", "web"),
    )
    for day in range(60)
]
verdicts = detect(arrow_table_of(rows, METRICS_SCHEMA), sys.argv[1])
found = [row["metric_name"] for row in verdicts.to_pylist() if row["is_anomalous"]]
print(len(found) > 1, "pandas" in sys.modules)
"""


@pytest.mark.parametrize("method", ["elementary", "robust"])
def test_neither_method_imports_pandas(method: str) -> None:
    ended = subprocess.run([sys.executable, "-c", _PROGRAM, method], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["True", "False"]
