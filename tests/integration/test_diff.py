"""The comparison of two snapshots reports changes of the dbt project and of row counts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.exceptions import KeyUnavailableError
from airflow_provider_elementary.snapshots import LocalKeys
from airflow_provider_elementary.snapshots.diff import DiffReport, RowCount, diff
from tests.support.little_project import OWNER_EMAIL, World
from tests.support.signing import opened
from tests.support.stores import Rest, local_rest, take, world_after

MODEL, NEW_MODEL, OLD_MODEL = "model.shop.orders", "model.shop.refunds", "model.shop.customers"


def edited(table: pa.Table, changes: dict[str, dict[str, Any]]) -> pa.Table:
    """Return a table with other values in some rows, by their unique id."""
    rows = [{**row, **changes.get(row["unique_id"], {})} for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, schema=table.schema)


def without(table: pa.Table, unique_id: str) -> pa.Table:
    return pa.Table.from_pylist([row for row in table.to_pylist() if row["unique_id"] != unique_id], table.schema)


def with_copy(table: pa.Table, original: str, **changes: Any) -> pa.Table:
    row = next(row for row in table.to_pylist() if row["unique_id"] == original)
    return pa.concat_tables([table, pa.Table.from_pylist([{**row, **changes}], table.schema)])


def changed_world() -> World:
    """The little project after two more days of work on it."""
    world = dict(world_after(5))
    models = with_copy(world["dbt_models"], MODEL, unique_id=NEW_MODEL, name="refunds", tags='["finance", "new"]')
    models = without(models, OLD_MODEL)
    world["dbt_models"] = edited(models, {MODEL: {"description": "now with refunds", "metadata_hash": "hash-2"}})
    world["dbt_columns"] = edited(
        world["dbt_columns"], {f"column.{MODEL}.amount": {"data_type": "decimal", "metadata_hash": "hash-2"}}
    )
    world["dbt_tests"] = edited(
        world["dbt_tests"],
        {
            "test.shop.not_null_orders_id": {
                "severity": "WARN",
                "model_owners": '["new@example.com"]',
                "metadata_hash": "2",
            }
        },
    )
    return world


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, LocalKeys, str, str]:
    directory = tmp_path_factory.mktemp("compared")
    master_keys = LocalKeys.generate()
    rest = replace(local_rest(directory), keys=LocalKeys(master_keys))
    before = take(rest, directory / "warehouse.duckdb", world_after(3))
    after = take(rest, directory / "warehouse.duckdb", changed_world())
    return rest, LocalKeys({"run_results": master_keys["run_results"]}), before.snapshot_id, after.snapshot_id


@pytest.fixture
def report(compared: tuple[Rest, LocalKeys, str, str]) -> DiffReport:
    rest, _, before, after = compared
    return diff(rest.repository, before, after)


def names(report: DiffReport, direction: str) -> set[tuple[str, str]]:
    return {(change.kind, change.name) for change in report.changes if change.direction == direction}


def test_what_is_new_appeared(report: DiffReport) -> None:
    assert names(report, "appeared") == {
        ("model", NEW_MODEL),
        ("owner", "new@example.com"),
        ("tag", "finance"),
        ("tag", "new"),
    }


def test_what_is_gone_vanished(report: DiffReport) -> None:
    assert names(report, "vanished") == {("model", OLD_MODEL)}


def test_what_changed_is_reported_field_by_field(report: DiffReport) -> None:
    changes = {change.name: (change.before, change.after) for change in report.changes if change.direction == "changed"}

    assert changes == {
        MODEL: ({"description": None}, {"description": "now with refunds"}),
        f"column.{MODEL}.amount": ({"data_type": "varchar"}, {"data_type": "decimal"}),
        "test.shop.not_null_orders_id": (
            {"severity": "ERROR", "model_owners": json.dumps([OWNER_EMAIL])},
            {"severity": "WARN", "model_owners": '["new@example.com"]'},
        ),
    }


def test_rows_of_each_table_are_counted(report: DiffReport) -> None:
    assert report.rows["dbt_invocations"] == RowCount(3, 5)
    assert report.rows["dbt_models"] == RowCount(2, 2)


def test_changes_are_counted_by_kind(report: DiffReport) -> None:
    assert report.counts["model"] == {"appeared": 1, "changed": 1, "vanished": 1}


def test_a_snapshot_does_not_differ_from_itself(compared: tuple[Rest, LocalKeys, str, str]) -> None:
    rest, _, before, _ = compared

    assert diff(rest.repository, before, before).changes == ()


def test_the_other_way_round_everything_is_the_opposite(
    compared: tuple[Rest, LocalKeys, str, str], report: DiffReport
) -> None:
    rest, _, before, after = compared

    back = diff(rest.repository, after, before)

    assert names(back, "vanished") == names(report, "appeared")
    assert names(back, "appeared") == names(report, "vanished")


def test_it_is_json(report: DiffReport) -> None:
    assert json.loads(json.dumps(report.to_dict()))["counts"] == report.counts


def test_keys_that_open_nothing_of_the_project_are_an_error(compared: tuple[Rest, LocalKeys, str, str]) -> None:
    rest, reader, before, after = compared

    with pytest.raises(KeyUnavailableError, match="No key opens Metadata or Configuration"):
        diff(opened(rest.store, reader), before, after)


def test_without_a_second_the_latest_is_compared(
    compared: tuple[Rest, LocalKeys, str, str],
) -> None:
    rest, _, before, after = compared

    report = diff(rest.repository, before)

    assert (report.before, report.after) == (before, after)
