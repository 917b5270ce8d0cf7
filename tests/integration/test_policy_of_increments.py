"""A policy holds over increments as it does in a full snapshot."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_elementary.snapshots import (
    LocalKeys,
    Policy,
    open_snapshot,
    open_store,
    write_snapshot,
)
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import copy_duckdb_world
from tests.support.little_project import FAILED_ROW_VALUE
from tests.support.signing import opened
from tests.support.syncs import LAST_MARKER, Sync, after, marker

if TYPE_CHECKING:
    pass


class TestPolicy:
    def test_samples_of_an_excluded_table_stay_in_the_warehouse(self, sync: Sync) -> None:
        policy = Policy(failed_rows_days=100_000, failed_rows_excluded_tables=("SHOP.CORE.Customers",))

        manifest = sync.snapshot(policy)

        assert set(sync.column("test_result_rows", "test_type")) == {"anomaly_detection"}
        assert {
            "rule": "failed_rows_excluded_tables",
            "table": "test_result_rows",
            "category": "failed_rows_sample",
            "rows": 5,
        } in manifest.exclusions

    def test_samples_of_one_test_are_limited_over_increments(self, sync: Sync) -> None:
        result = "00000000-0000-4000-8000-000000000004.test.shop.unique_customers_email"
        policy = Policy(failed_rows_days=100_000, failed_rows_per_test=2)
        sync.snapshot(policy)
        sync.change(
            *[
                "INSERT INTO test_result_rows (elementary_test_results_id, result_row, created_at, test_type) "
                f"VALUES ('{result}', '{{\"n\": {number}}}', TIMESTAMP '{LAST_MARKER}', 'dbt_test')"
                for number in range(3)
            ]
        )

        second = sync.snapshot(policy)

        assert second.kind == "incremental"
        assert sync.column("test_result_rows", "elementary_test_results_id").count(result) == 2

    def test_files_of_samples_that_are_all_too_old_are_not_carried(self, sync: Sync) -> None:
        policy = Policy(failed_rows_days=10)
        sync.snapshot(policy)
        sync.change(marker("new", after(days=15)))

        second = sync.snapshot(policy)

        assert second.kind == "incremental"
        assert FAILED_ROW_VALUE not in "".join(sync.column("test_result_rows", "result_row"))

    def test_hashed_values_go_on_over_full_snapshots(self, sync: Sync) -> None:
        sync.change("UPDATE data_monitoring_metrics SET dimension_value = 'a@customer.example'")
        policy = Policy(hashed_columns=("data_monitoring_metrics.dimension_value",))
        first = sync.snapshot(policy)

        second = sync.snapshot(policy, full_every_days=0)

        assert first.hash_key == second.hash_key is not None
        hashed = {*sync.column("data_monitoring_metrics", "dimension_value", first.snapshot_id)}
        assert hashed == {*sync.column("data_monitoring_metrics", "dimension_value", second.snapshot_id)}
        assert len(hashed) == 1
        assert "customer" not in str(hashed)

    def test_a_dropped_column_is_not_there_and_counted(self, sync: Sync) -> None:
        manifest = sync.snapshot(Policy(dropped_columns=("dbt_run_results.message",)))

        snapshot = open_snapshot(sync.repository)

        assert "message" not in snapshot.schema("dbt_run_results").names
        assert {
            "rule": "dropped",
            "column": "dbt_run_results.message",
            "category": "run_results",
            "values": 25,
        } in manifest.exclusions

    def test_an_unknown_column_is_quarantined_and_counted(self, sync: Sync) -> None:
        sync.change("ALTER TABLE dbt_groups ADD COLUMN salary VARCHAR DEFAULT 'secret'")

        manifest = sync.snapshot()

        assert manifest.tables["dbt_groups"].unknown_columns == ("salary",)
        assert {
            "rule": "quarantined",
            "column": "dbt_groups.salary",
            "category": None,
            "values": 1,
        } in manifest.exclusions

    def test_without_raw_values_no_canary_of_a_real_schema_leaves(self, shared: Path, tmp_path: Path) -> None:
        # World A: canaries in samples, SQL, errors, parameters; customers' addresses as dimension values. What dbt
        # makes of a test's arguments in the test's name (CANARY_A_LITERAL) stays: names identify tests.
        path = copy_duckdb_world(shared, tmp_path)
        store, keys = open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate())
        with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
            manifest = write_snapshot(source, opened(store, keys), policy=Policy.without_raw_values())

        snapshot = open_snapshot(opened(store, keys))
        left = "\n".join(
            json.dumps(read_all(snapshot, table).to_pylist(), default=str) for table in snapshot.tables()
        ) + json.dumps(manifest.exclusions)

        assert re.findall(r"CANARY-|@mail\.example|@leak\.example|DE8937040044", left) == []
        assert not {"min", "max", "sum"} & {*read_all(snapshot, "data_monitoring_metrics")["metric_name"].to_pylist()}
        assert len(left) > 1_000_000
