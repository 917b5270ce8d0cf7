"""What the Elementary page says of statuses that dbt may write, tests without a table, two targets, and odd rows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.snapshots import LocalKeys
from airflow_provider_elementary.source import arrow_schema
from tests.support.little_project import SMALL_WORLD_END, small_world
from tests.support.page import add_results, fill_store
from tests.support.page_answers import VIEWS, words

Rows = dict[str, list[dict[str, Any]]]
Shown = Callable[[Callable[[Rows], None]], str]
LONE = "test.shop.unique_customers_email"


@pytest.fixture
def shown(
    tmp_path: Path, admin: TestClient, master_keys: dict[str, str], stores: Callable[..., None]
) -> Callable[[Callable[[Rows], None], str], str]:
    """Write a small world, bent by a function, into a store, and return what a view says of it."""

    def show(bend: Callable[[Rows], None], view: str = "tables") -> str:
        rows = {name: table.to_pylist() for name, table in small_world(days=5).items()}
        for row in rows["elementary_test_results"]:
            row["status"] = "pass"
        bend(rows)
        world = {
            name: pa.Table.from_pylist(found, schema=arrow_schema(TABLES[name], [c.name for c in TABLES[name].columns]))
            for name, found in rows.items()
        }
        keys = LocalKeys(master_keys)
        uri = fill_store(tmp_path, keys, world=world, snapshots=1, with_results=False)
        add_results(uri, keys)
        stores(uri)
        response = admin.get(f"/elementary/{view}")
        assert response.status_code == 200
        return words(response.text)

    return show


def last(rows: Rows, table: str, **wanted: Any) -> list[dict[str, Any]]:
    """Return the rows of the last day with these values."""
    return [
        row
        for row in rows[table]
        if row["created_at"].date() == SMALL_WORLD_END.replace(day=1).date().replace(month=10, day=31)
        and all(row[name] == value for name, value in wanted.items())
    ]


#: What is said of each status, of the last run of a model, of the last result of a test, and of a source's last check.
OF_A_RUN = (
    ("success", "SHOP.CORE.ORDERS ✓ healthy"),
    ("reused", "SHOP.CORE.ORDERS ✓ healthy"),
    ("NO-OP  ", "SHOP.CORE.ORDERS ✓ healthy"),
    ("Partial Success", "SHOP.CORE.ORDERS ✕ failing the last run ended with partial success"),
    ("ERROR  ", "SHOP.CORE.ORDERS ✕ failing the last run failed"),
    ("runtime error", "SHOP.CORE.ORDERS ✕ failing the last run ended with runtime error"),
    ("odd", "SHOP.CORE.ORDERS ✕ failing the last run ended with the unknown status odd"),
    (None, "SHOP.CORE.ORDERS ✕ failing the last run ended with no status"),
    ("skipped", "SHOP.CORE.ORDERS ! warning the last run was skipped"),
)
OF_A_TEST = (
    ("Pass ", "SHOP.CORE.CUSTOMERS ✓ healthy 1 test passes"),
    ("reused", "SHOP.CORE.CUSTOMERS ✓ healthy 1 test passes"),
    ("WARN", "SHOP.CORE.CUSTOMERS ! warning 1 of 1 test warns"),
    ("skipped", "SHOP.CORE.CUSTOMERS ! warning 1 of 1 test was skipped"),
    ("runtime error", "SHOP.CORE.CUSTOMERS ✕ failing 1 of 1 test fails"),
    ("odd", "SHOP.CORE.CUSTOMERS ✕ failing 1 of 1 test fails (unknown status: odd)"),
    (None, "SHOP.CORE.CUSTOMERS ✕ failing 1 of 1 test fails (unknown status: no status)"),
)
OF_A_SOURCE = (
    ("pass", "SHOP.RAW.ORDERS ✓ healthy"),
    ("Warn", "SHOP.RAW.ORDERS ! warning the last freshness check ended with warn"),
    ("error", "SHOP.RAW.ORDERS ✕ failing the last freshness check ended with error"),
    ("Runtime Error", "SHOP.RAW.ORDERS ✕ failing the last freshness check ended with runtime error"),
)


@pytest.mark.parametrize(
    ("run", "test", "source"), [*zip(OF_A_RUN, cycle(OF_A_TEST), cycle(OF_A_SOURCE), strict=False)]
)
def test_a_status_is_shown_as_what_it_is(run: Any, test: Any, source: Any, shown: Any) -> None:
    def bend(rows: Rows) -> None:
        for row in last(rows, "dbt_run_results", name="orders"):
            row["status"] = run[0]
        for row in last(rows, "elementary_test_results", test_unique_id=LONE):
            row["status"] = test[0]
        for row in last(rows, "dbt_source_freshness_results"):
            row["status"] = source[0]

    said = shown(bend)

    assert [says for _, says in (run, test, source) if says not in said] == []


def test_a_failing_test_that_is_skipped_next_fails_still(shown: Any) -> None:
    def bend(rows: Rows) -> None:
        for row in rows["elementary_test_results"]:
            row["status"] = "fail"
        for row in last(rows, "elementary_test_results"):
            row["status"] = "skipped"

    assert "SHOP.CORE.CUSTOMERS ✕ failing 1 of 1 test fails" in shown(bend)


def lone_test(rows: Rows) -> None:
    """Let a test fail that belongs to several models."""
    for row in rows["elementary_test_results"]:
        if row["test_unique_id"] == LONE:
            row |= {"table_name": None, "database_name": None, "schema_name": None, "model_unique_id": None}
            row |= {"status": "fail"}
    for row in rows["dbt_tests"]:
        if row["unique_id"] == LONE:
            row["parent_model_unique_id"] = None


@pytest.mark.parametrize("view", ["", "tables", "incidents", f"table?name=test {LONE}"])
def test_a_failing_test_without_a_table_is_shown(view: str, shown: Any) -> None:
    text = shown(lone_test, view)

    assert f"test {LONE}" in text
    assert "✕ failing 1 of 1 test fails" in text


def test_a_failing_unit_test_is_shown(shown: Any) -> None:
    def bend(rows: Rows) -> None:
        [row] = last(rows, "dbt_run_results", name="orders")
        facts = {"unique_id": "unit_test.shop.orders.sums", "model_execution_id": "unit", "status": "fail"}
        rows["dbt_run_results"].append(row | facts | {"resource_type": "unit_test", "name": "sums"})

    assert "test unit_test.shop.orders.sums ✕ failing 1 of 1 test fails" in shown(bend)


def ci(rows: Rows) -> None:
    """Let CI run the same project into a database of its own, where all that it does fails."""
    for row in rows["dbt_invocations"]:
        row |= {"target_database": "shop", "target_schema": "core"}
    for table in ("dbt_invocations", "dbt_run_results", "elementary_test_results"):
        copies = [dict(row) for row in rows[table]]
        for row in copies:
            row["invocation_id"] = f"ci-{row['invocation_id']}"
            for name in ("id", "test_execution_id", "model_execution_id"):
                if row.get(name):
                    row[name] = f"ci-{row[name]}"
            for name in ("database_name", "target_database"):
                if row.get(name):
                    row[name] = "ci"
            if table != "dbt_invocations":
                row["status"] = "error"
        rows[table] += copies


def test_what_ci_does_is_not_shown_of_productions_table(shown: Any) -> None:
    text = shown(ci)

    assert "SHOP.CORE.CUSTOMERS ✓ healthy" in text
    assert "CI.CORE.CUSTOMERS ✕ failing 1 of 1 test fails, 1 open incident 1 model" in text


def test_a_neighbour_is_the_one_of_the_same_target(shown: Any) -> None:
    def bend(rows: Rows) -> None:
        ci(rows)
        for row in rows["dbt_models"]:
            if row["alias"] == "customers":
                row["depends_on_nodes"] = '["model.shop.orders"]'

    text = shown(bend, "table?name=CI.CORE.CUSTOMERS")
    assert "CI.CORE.ORDERS ✕ failing" in text
    assert "SHOP.CORE.ORDERS" not in text


def test_rows_without_names_ids_and_times_leave_every_view(shown: Any, admin: TestClient) -> None:
    def bend(rows: Rows) -> None:
        for table, found in rows.items():
            first = dict(found[0])
            for name in (column.name for column in TABLES[table].columns):
                found.append(first | {name: None})
                if isinstance(first.get(name), str):
                    found += [first | {name: ""}, first | {name: "None"}]

    assert "found an unexpected" not in shown(bend)
    assert {view: admin.get(view).status_code for view in VIEWS} == dict.fromkeys(VIEWS, 200)
