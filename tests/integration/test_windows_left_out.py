"""The signed digest of a window says nothing of what the policy leaves out: it is of what the files hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import cast

import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Policy, open_snapshot
from airflow_provider_elementary.snapshots.capture.partition import Part
from airflow_provider_elementary.snapshots.capture.window import digest_stored, groups_of, window_digest
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.keys import DataKey
from tests.support.counting_store import CountingStore
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.syncs import EVERYTHING, CountedKeys, Sync, after, marker, run_results

SAMPLES, METRICS, RUNS = "test_result_rows", "data_monitoring_metrics", "dbt_run_results"
AT = f"TIMESTAMP '{after(minutes=20)}'"
NEW_RUN = (
    "INSERT INTO elementary_test_results (id, invocation_id, created_at, status, database_name, schema_name, "
    f"table_name) VALUES ('new.test', 'new', {AT}, 'fail', 'db', 's', 't')",
    run_results("new", after(minutes=20), "a", "b"),
    "INSERT INTO data_monitoring_metrics (id, full_table_name, column_name, metric_name, metric_value, created_at) "
    f"VALUES ('x', 'DB.S.T', 'salary', 'secret_metric', 4242, {AT}), ('y', 'DB.S.T', NULL, 'row_count', 1, {AT})",
    "INSERT INTO test_result_rows (elementary_test_results_id, result_row, created_at, test_type) VALUES "
    f"('new.test', 'first', {AT}, 'dbt_test'), ('new.test', 'second', {AT}, 'dbt_test')",
    marker("new", after(minutes=21)),
)

OF_SAMPLE, OF_METRIC = "result_row = '1111' WHERE result_row = 'second'", "metric_value = 7 WHERE id = 'x'"


def without(category: Category) -> Policy:
    return replace(EVERYTHING, categories=tuple(one for one in Category if one is not category))


CASES = {
    "samples off": (without(Category.FAILED_ROWS_SAMPLE), SAMPLES, OF_SAMPLE),
    "beyond the limit": (replace(EVERYTHING, failed_rows_per_test=1), SAMPLES, OF_SAMPLE),
    "too old": (replace(EVERYTHING, failed_rows_days=0), SAMPLES, OF_SAMPLE),
    "of an excluded table": (replace(EVERYTHING, failed_rows_excluded_tables=("db.s.t",)), SAMPLES, OF_SAMPLE),
    "a category by rows": (without(Category.AGGREGATED_METRICS), METRICS, OF_METRIC),
    "a dropped metric": (replace(EVERYTHING, dropped_metrics=("secret_metric",)), METRICS, OF_METRIC),
    "a category by columns": (without(Category.QUERY_LOGS), RUNS, "compiled_code = '7' WHERE invocation_id = 'new'"),
}


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    path = write_duckdb(small_world(days=5), tmp_path / "warehouse.duckdb")
    return Sync(path, CountingStore(), CountedKeys(LocalKeys(LocalKeys.generate())))


def take_new_run(sync: Sync, policy: Policy) -> Manifest:
    """Return the snapshot that has the new run in its window, and a digest of it."""
    sync.snapshot(policy)
    sync.change(*NEW_RUN)
    return sync.snapshot(policy)


@pytest.mark.parametrize(("policy", "table", "change"), CASES.values(), ids=CASES.keys())
def test_a_value_that_is_left_out_changes_no_digest(sync: Sync, policy: Policy, table: str, change: str) -> None:
    before = take_new_run(sync, policy)
    sync.change(f"UPDATE {table} SET {change}")

    found = sync.snapshot(policy)

    assert (found.kind, found.files) == ("incremental", before.files)
    assert found.tables[table].window == before.tables[table].window


@pytest.mark.parametrize("policy", [*(policy for policy, _, _ in CASES.values()), EVERYTHING, Policy()])
def test_a_digest_is_of_what_the_files_hold(sync: Sync, policy: Policy) -> None:
    for manifest in (take_new_run(sync, policy), sync.snapshot(policy)):
        windows = {name: entry.window for name, entry in manifest.tables.items() if entry.window is not None}

        assert {RUNS, METRICS} <= windows.keys()
        assert windows == {name: window_of_files(sync, manifest, name) for name in windows}


def window_of_files(sync: Sync, manifest: Manifest, name: str) -> str:
    """Return the digest of a window from nothing but files, and the data keys that open them."""
    table, opened = TABLES[name], open_snapshot(sync.repository)
    window_from = datetime.fromisoformat(cast(str, manifest.consistency.window_from))
    parts = {
        file.category: Part(name, file.category, file.columns, table.row_split if file.by_rows else None)
        for file in manifest.files
        if file.table == name
    }
    if not parts:
        return window_digest([], window_from)
    data_keys = {category: DataKey(opened.data_key(category), manifest.keys[category.value]) for category in parts}
    batches = read_all(opened, name).combine_chunks().to_batches()
    stored = [
        digest_stored(data_keys, table, group, group[0].rows(batch))
        for batch in batches
        for group in groups_of([*parts.values()])
    ]
    return window_digest(stored, window_from)


@pytest.mark.parametrize(("policy", "table", "change"), CASES.values(), ids=CASES.keys())
def test_a_value_that_is_stored_is_noticed_beside_one_that_is_left_out(
    sync: Sync, policy: Policy, table: str, change: str
) -> None:
    take_new_run(sync, policy)
    sync.change(
        f"UPDATE {table} SET {change}",
        "UPDATE dbt_run_results SET status = 'error' WHERE invocation_id = 'new'",
        "UPDATE data_monitoring_metrics SET metric_value = 2 WHERE id = 'y'",
    )

    assert sync.snapshot(policy).kind == "full"
    assert sync.column(RUNS, "status")[-2:] == ["error", "error"]


def test_a_row_without_a_time_is_taken_where_one_that_is_left_out_goes(sync: Sync) -> None:
    policy = replace(EVERYTHING, dropped_metrics=("secret_metric",))
    take_new_run(sync, policy)
    sync.change(
        "INSERT INTO data_monitoring_metrics SELECT * REPLACE ('z' AS id, NULL AS created_at)"
        " FROM data_monitoring_metrics WHERE id = 'y'",
        "DELETE FROM data_monitoring_metrics WHERE id = 'x'",
    )

    sync.snapshot(policy)

    assert sync.column(METRICS, "id").count("z") == 1


def test_a_row_that_is_no_longer_left_out_is_taken(sync: Sync) -> None:
    policy = replace(EVERYTHING, dropped_metrics=("secret_metric",))
    take_new_run(sync, policy)
    sync.snapshot(policy)
    sync.change("UPDATE data_monitoring_metrics SET metric_name = 'public_metric' WHERE id = 'x'")

    found = sync.snapshot(policy)

    assert found.kind == "incremental"
    assert sync.column(METRICS, "id").count("x") == 1


def test_a_sample_beyond_the_limit_stays_out_where_nothing_is_read_back(sync: Sync) -> None:
    policy = replace(EVERYTHING, failed_rows_per_test=1)
    take_new_run(sync, policy)
    store = cast(CountingStore, sync.store)
    store.reset()

    assert (sync.snapshot(policy).new_files, store.ranges) == ((), 0)
    assert sync.column(SAMPLES, "elementary_test_results_id").count("new.test") == 1
