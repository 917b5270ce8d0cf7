"""Whatever rows a schema holds, no sync stops, no row is dropped in silence, and what follows reads the snapshot."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.incidents.current import read_dbt_conditions
from airflow_provider_elementary.incidents.evaluate import EvaluationOptions, evaluate
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.project.lineage import read_lineage
from airflow_provider_elementary.snapshots import open_snapshot
from airflow_provider_elementary.snapshots.summary import summary_lines
from tests.support.syncs import after, marker, run_results

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Manifest
    from tests.support.syncs import Sync

EVENTS = tuple(name for name, table in TABLES.items() if table.watermark)
AT = f"TIMESTAMP '{after(minutes=10)}'"


def twice(table: str, **changed: str) -> str:
    replaced = ", ".join(f"{value} AS {column}" for column, value in changed.items())
    return f"INSERT INTO {table} SELECT * {f'REPLACE ({replaced})' if changed else ''} FROM {table}"


def every(column: str, value: str, tables: tuple[str, ...]) -> list[str]:
    return [f"INSERT INTO {table} ({column}) VALUES ({value})" for table in tables]


INPUTS = {
    "rows that lack what names or dates them": [
        *[f"INSERT INTO {table} ({TABLES[table].key[0]}) VALUES ('odd')" for table in EVENTS],
        *every("created_at", AT, EVENTS),
        *every("name", "NULL", ("dbt_models", "dbt_tests", "dbt_sources", "dbt_exposures")),
        "INSERT INTO elementary_test_results (id, status, created_at, test_type, table_name) VALUES "
        f"('o', 'fail', {AT}, 'dbt_test', NULL), ('p', 'fail', {AT}, NULL, 'customers'), ('q', NULL, {AT}, 'odd', '')",
        "INSERT INTO test_result_rows (elementary_test_results_id, row_index, created_at, result_row) VALUES "
        f"('gone', NULL, {AT}, 'x'), ('gone', 1, {AT}, 'x'), ('gone', 1, {AT}, 'x'), (NULL, NULL, {AT}, NULL)",
    ],
    "everything twice": [
        *[twice(table) for table in EVENTS],
        twice("dbt_models", database_name="'ci'"),
        twice("dbt_tests", database_name="'ci'", unique_id="unique_id || '_ci'"),
        run_results("AbC  ", after(minutes=9), "a"),
        marker("abc", after(minutes=11)),
        marker("ABC", after(minutes=40)),
        "INSERT INTO dbt_invocations (invocation_id) VALUES ('abc')",
    ],
    "odd names and text that is no JSON": [
        """UPDATE dbt_models SET alias = 'a.b"c', schema_name = 'x' || chr(10) || 'y', name = repeat('n', 5000)""",
        "UPDATE dbt_models SET depends_on_nodes = '{', tags = '[1,', owner = 'nobody', meta = '[]'",
        """UPDATE dbt_tests SET name = '🙂', test_params = '''x''', model_owners = '{"a":', tags = ''""",
        "UPDATE dbt_tests SET parent_model_unique_id = 'model.shop.gone'",
        "UPDATE elementary_test_results SET table_name = 'tab''le', schema_name = '', database_name = ' '",
        "UPDATE data_monitoring_metrics SET metric_properties = 'nope', dimension = 'd', dimension_value = chr(0)",
        "UPDATE test_result_rows SET result_row = '['",
    ],
    "a circle, buckets that end before they begin, times of dbt that are none": [
        """UPDATE dbt_models SET depends_on_nodes = '["model.shop.orders", "model.shop.customers"]'""",
        "INSERT INTO data_monitoring_metrics (id, full_table_name, metric_name, metric_value, bucket_start, "
        "bucket_end, created_at) VALUES ('a', 'SHOP.CORE.ORDERS', 'row_count', 1e38, DATE '2026-10-31', "
        f"DATE '2026-10-30', {AT}), ('b', 'SHOP.CORE.ORDERS', 'row_count', 1, NULL, NULL, {AT}), "
        f"('c', 'SHOP.CORE.ORDERS', 'row_count', 1, DATE '2099-01-01', DATE '2099-01-02', {AT})",
        "UPDATE dbt_run_results SET generated_at = 'yesterday', rows_affected = -5",
        "UPDATE dbt_invocations SET generated_at = '9999-99-99', run_completed_at = '', run_started_at = 'x'",
        "UPDATE dbt_models SET generated_at = NULL",
    ],
    "columns of other types": [
        "ALTER TABLE dbt_models ALTER tags TYPE VARCHAR[] USING ['a']",
        "ALTER TABLE dbt_run_results ALTER failures TYPE HUGEINT USING 170141183460469231731687303715884105727",
        "ALTER TABLE dbt_run_results ALTER execution_time TYPE VARCHAR USING 'long'",
        "ALTER TABLE dbt_invocations ALTER invocation_id TYPE UUID USING invocation_id::UUID",
    ],
    "no rows at all": [f"DELETE FROM {table}" for table in TABLES],
}


def unaccounted(sync: Sync, manifest: Manifest) -> dict[str, int]:
    """Return how many rows of each table are neither held, nor waiting for their run, nor named as rejected."""
    with duckdb.connect(str(sync.path), read_only=True) as connection:
        rows = {name: connection.sql(f"SELECT count(*) FROM elementary.{name}").fetchall()[0][0] for name in TABLES}
    for name, table in manifest.tables.items():
        rows[name] -= table.rows + table.waiting
    for entry in manifest.rejected:
        rows[entry["table"]] -= entry.get("rows", 0)
    return {name: count for name, count in rows.items() if count}


@pytest.mark.parametrize("changes", INPUTS.values(), ids=INPUTS.keys())
def test_odd_rows_stop_nothing_and_each_is_held_waits_or_is_rejected(sync: Sync, changes: list[str]) -> None:
    sync.snapshot()
    sync.change(*changes)

    second, third = sync.snapshot(), sync.snapshot()

    assert (unaccounted(sync, second), unaccounted(sync, third)) == ({}, {})
    assert third.kind == "incremental" or not third.rows
    snapshot = open_snapshot(sync.repository)
    lineage = read_lineage(snapshot)
    read_dbt_conditions(snapshot)
    with compute_metrics(snapshot) as metrics:
        evaluate(metrics, lineage, EvaluationOptions())


def test_rows_without_a_time_are_taken_by_increments(sync: Sync) -> None:
    sync.snapshot()
    kinds = []
    for run in ("a", "b"):
        sync.change(f"INSERT INTO dbt_run_results (model_execution_id, invocation_id) VALUES ('{run}', '{run}')")
        kinds.append(sync.snapshot().kind)

    assert kinds == ["incremental", "incremental"]
    assert {"a", "b"} <= set(sync.column("dbt_run_results", "model_execution_id"))


def test_a_table_that_is_not_seen_is_named_as_absent_or_hidden(sync: Sync) -> None:
    sync.change("DROP TABLE dbt_seeds", "DROP TABLE dbt_groups")

    lines = summary_lines(sync.snapshot(), datetime(2026, 1, 1), datetime(2026, 1, 2))

    assert "not in the schema, or hidden from this connection: dbt_seeds, dbt_groups" in lines
