"""The tests and charts that the view of one incident shows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.page.series import page_of_series
from airflow_provider_elementary.page.views import incidents as view
from airflow_provider_elementary.project.outcomes import Outcomes
from tests.support.incidents import ORDERS, anomaly, failing_test, incident
from tests.support.metric_series import FIRST_DAY, daily

NAMES = ("unique_id", "full_table_name", "name", "short_name", "column_name", "severity", "quality_dimension", "status")
CONFIGURED = ("warn_if", "error_if")


def test_a_test_that_is_named_like_the_project_is_not_of_each_incident(monkeypatch: pytest.MonkeyPatch) -> None:
    held = failing_test()
    ids = (held.subject, "test.shop.shop.1111111111", "test.shop.test.2222222222")
    rows = [
        dict.fromkeys((*NAMES, *CONFIGURED, "tested_at", "recent", "times"))
        | {"unique_id": each, "name": each.split(".")[2], "full_table_name": ORDERS}
        for each in ids
    ]
    outcomes = Outcomes(pa.Table.from_pylist(rows), pa.table({}), (), ())
    monkeypatch.setattr(view, "outcomes_of", lambda *_: outcomes)
    asked: Any = SimpleNamespace(reader=None)

    found = view._tests(asked, asked, incident(conditions=(held,)), [])

    assert [test.name for test in found] == ["not_null_orders_id"]


def test_a_column_that_is_not_on_the_first_page_of_its_metric_has_a_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"metric_name": "null_percent", "metric_properties": None, "updated_at": [FIRST_DAY] * 2}
    history = pa.concat_tables([daily([1.0, 2.0], column_name=f"c{number:02}", **columns) for number in range(30)])

    def charts_of(reader: Any, status: Any, table: Any, search: str, page: int, problems: Any) -> Any:
        return page_of_series(history, search=search, page=page, first=frozenset(), rule=None)

    monkeypatch.setattr(view, "charts_of", charts_of)
    status: Any = SimpleNamespace(table=lambda name: SimpleNamespace(full_name=name), reader=None)

    found = view._charts(status, status, incident(conditions=(anomaly(metric="c29.null_percent"),)), [])

    assert [chart.series.title for chart in found] == ["Null rate of c29"]
