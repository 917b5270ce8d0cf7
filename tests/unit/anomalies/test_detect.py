"""Tests which columns a detection takes, and what it does to its process."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.anomalies.backtest import by_metric
from airflow_provider_elementary.anomalies.detect import Method
from airflow_provider_elementary.anomalies.schema import is_of_incident
from airflow_provider_elementary.arrow_values import numpy_of

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


#: DuckDB opens Arrow's datasets, and those of a release before 26 import pandas.
_BEFORE_26 = pytest.mark.skipif(int(pa.__version__.split(".")[0]) < 26, reason="datasets of this Arrow import pandas")


@pytest.mark.parametrize("method", [pytest.param("elementary", marks=_BEFORE_26), "robust"])
def test_neither_method_imports_pandas(method: str) -> None:
    ended = subprocess.run([sys.executable, "-c", _PROGRAM, method], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["True", "False"]


TEXTS = ("full_table_name", "column_name", "metric_name", "dimension", "dimension_value")


def metrics(tables: int, values: tuple[str | None, ...]) -> pa.Table:
    """Return metrics that all rise on their last day, as a caller makes them of rows."""
    first = datetime(2026, 1, 1)
    return pa.Table.from_pylist(
        [
            {
                **{"full_table_name": f"SHOP.CORE.T{table}", "column_name": None},
                **{"metric_name": "dimension" if value else "row_count"},
                **{"dimension": value and "channel", "dimension_value": value},
                **{"bucket_start": first + timedelta(days=day), "bucket_end": first + timedelta(days=day + 1)},
                **{"metric_value": 5000.0 + len(value or "") if day == 59 else 100.0 + day % 7},
            }
            for table in range(tables)
            for value in values
            for day in range(60)
        ]
    )


def of_texts(rows: pa.Table, kind: pa.DataType) -> pa.Table:
    for place, name in enumerate(rows.column_names):
        if name in TEXTS:
            rows = rows.set_column(place, name, rows[name].cast(pa.large_string()).cast(kind))
    return rows


def said(verdicts: pa.Table) -> list[Any]:
    return verdicts.select(["is_anomalous", "kind", "reason", "score"]).to_pylist()


@pytest.mark.parametrize("method", ["elementary", "robust"])
@pytest.mark.parametrize(
    "given",
    [metrics(6, (None,)), metrics(2, (None, "app", "shop", "web")), metrics(2, ("app", "shop", "web", "phone"))],
    ids=["tables", "tables with values", "values"],
)
def test_every_type_that_texts_come_in_gets_the_same_verdicts(method: Method, given: pa.Table) -> None:
    expected = detect(of_texts(given, pa.string()), method)
    assert numpy_of(expected["is_anomalous"]).any()
    of_dictionary = (pa.dictionary(pa.int32(), kind) for kind in (pa.string(), pa.large_string()))
    # As they are given, columns without a text have no type.
    for rows in (given, *(of_texts(given, kind) for kind in (pa.large_string(), *of_dictionary))):
        found = detect(rows, method)

        assert said(found) == said(expected)
        assert numpy_of(is_of_incident(found)).tolist() == numpy_of(is_of_incident(expected)).tolist()
        assert by_metric(found).to_pylist() == by_metric(expected).to_pylist()
