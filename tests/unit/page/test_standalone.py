"""The charts of the page are drawn as files too."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.schema import VERDICT_SCHEMA
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from airflow_provider_elementary.page.standalone import days_by_table, series_with_range

FIRST = datetime(2026, 8, 3)
SCHEMA = pa.unify_schemas([METRICS_SCHEMA, VERDICT_SCHEMA])
SVG = "{http://www.w3.org/2000/svg}"


def verdicts(*anomalous: int, days: int = 10, table: str = "SHOP.CORE.ORDERS", value: float | None = 5.0) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "full_table_name": table,
            "metric_name": "row_count",
            "bucket_start": FIRST + timedelta(days=day),
            "bucket_end": FIRST + timedelta(days=day + 1),
            "metric_value": value,
            "expected_min": 1.0,
            "expected_max": 9.0,
            "is_anomalous": day in anomalous,
            "reason": f"day {day} & more",
        }
        for day in range(days)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def found(picture: str, kind: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(picture)  # noqa: S314 - written by the code under test
    return [element for element in root.iter() if element.get("class") == kind]


def test_a_grid_has_a_square_for_each_table_and_day() -> None:
    both = pa.concat_tables([verdicts(2, 3), verdicts(3, table="SHOP.CORE.<ITEMS>")])

    picture = days_by_table(both, "Now & then")

    assert [square.findtext(f"{SVG}title") for square in found(picture, "hit")] == [
        "SHOP.CORE.<ITEMS>, 2026-08-06: 1 anomalous",
        "SHOP.CORE.ORDERS, 2026-08-05: 1 anomalous",
        "SHOP.CORE.ORDERS, 2026-08-06: 1 anomalous",
    ]
    assert [title.text for title in found(picture, "title")] == ["Now & then"]


def test_a_series_has_its_line_its_range_and_its_anomalies() -> None:
    picture = series_with_range(verdicts(2, 3), "row_count")

    assert [len(found(picture, kind)) for kind in ("line", "band", "mark")] == [1, 1, 2]
    assert found(picture, "mark")[0].findtext(f"{SVG}title") == "day 2 & more"


@pytest.mark.parametrize("rows", [verdicts(days=0), verdicts(value=None), verdicts(0, days=1)], ids=len)
def test_an_odd_series_is_a_valid_picture(rows: pa.Table) -> None:
    assert ElementTree.fromstring(series_with_range(rows, "row_count")).tag == f"{SVG}svg"  # noqa: S314
    assert ElementTree.fromstring(days_by_table(rows, "days")).tag == f"{SVG}svg"  # noqa: S314
