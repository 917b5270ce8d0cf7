"""A little dbt project that ran once a day, as Elementary records it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.source import arrow_schema

World = Mapping[str, pa.Table]
Rows = dict[str, list[dict[str, Any]]]

#: Planted in a small world where a policy must find it; all fake.
SECRET_VAR = "CANARY-dbt-var-7f3a"
FAILED_ROW_VALUE = "CANARY-customer@example.com"
SQL_LITERAL = "CANARY-literal-in-sql"
OWNER_EMAIL = "CANARY-owner@example.com"

#: The day after the last day of a small world.
SMALL_WORLD_END = datetime(2026, 11, 1)


def small_world(days: int = 28) -> World:
    """Make all 17 tables of a little dbt project that ran once a day until :data:`SMALL_WORLD_END`.

    Two models over one source table, three tests: a failing one with a sampled row, an anomaly test with one incident
    in the last bucket, a passing one. About twelve rows a day.
    """
    return dict(_small_world(days))


@cache
def _small_world(days: int) -> World:
    rows: Rows = {name: [] for name in TABLES}
    _describe_project(rows)
    first = SMALL_WORLD_END - timedelta(days=days)
    for day in range(days):
        _run_dbt(rows, day, first + timedelta(days=day, hours=6), is_last=day == days - 1)
    return {name: _table(name, rows[name]) for name in TABLES}


def _table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = arrow_schema(TABLES[name], [column.name for column in TABLES[name].columns])
    unknown = {column for row in rows for column in row} - set(schema.names)
    if unknown:
        raise ValueError(f"{name} has no columns {sorted(unknown)}")
    return pa.Table.from_pylist(rows, schema=schema)


_PROJECT = "shop"
_MODELS = ("orders", "customers")
_TABLE_COLUMNS = {"orders": ("id", "amount"), "customers": ("id", "email")}
_SOURCE = f"source.{_PROJECT}.raw.orders"
_FAILING_TEST = f"test.{_PROJECT}.unique_customers_email"
_ANOMALY_TEST = f"test.{_PROJECT}.volume_anomalies_orders"
_PASSING_TEST = f"test.{_PROJECT}.not_null_orders_id"
_TESTS = {_FAILING_TEST: ("customers", "email"), _ANOMALY_TEST: ("orders", None), _PASSING_TEST: ("orders", "id")}
_OWNERS = json.dumps([OWNER_EMAIL])


def _describe_project(rows: Rows) -> None:
    stamp: dict[str, Any] = {
        "generated_at": f"{SMALL_WORLD_END - timedelta(hours=18):%Y-%m-%d %H:%M:%S}",
        "package_name": _PROJECT,
    }
    place: dict[str, Any] = {"database_name": "shop", "schema_name": "core"}
    for model in _MODELS:
        unique_id = f"model.{_PROJECT}.{model}"
        rows["dbt_models"].append(
            {"unique_id": unique_id, "alias": model, "name": model, "materialization": "table", "owner": _OWNERS}
            | {"tags": "[]", "meta": "{}", "metadata_hash": f"hash-{model}", "depends_on_nodes": json.dumps([_SOURCE])}
            | {"path": f"core/{model}.sql", "access": "protected"}
            | place
            | stamp
        )
        rows["dbt_columns"] += [
            {"unique_id": f"column.{unique_id}.{column}", "parent_unique_id": unique_id, "name": column}
            | {"data_type": "varchar", "table_name": model, "resource_type": "model", "metadata_hash": f"hash-{column}"}
            | {"generated_at": stamp["generated_at"]}
            | place
            for column in _TABLE_COLUMNS[model]
        ]
    for test, (model, column) in _TESTS.items():
        name = test.rpartition(".")[2]
        rows["dbt_tests"].append(
            {"unique_id": test, "name": name, "short_name": name.split("_")[0], "test_column_name": column}
            | {"severity": "ERROR", "type": "generic", "test_params": json.dumps({"where": SQL_LITERAL})}
            | {"parent_model_unique_id": f"model.{_PROJECT}.{model}", "metadata_hash": f"hash-{name}"}
            | {"model_owners": _OWNERS, "quality_dimension": "uniqueness" if column == "email" else "completeness"}
            | place
            | stamp
        )
    named = (
        ("dbt_snapshots", f"snapshot.{_PROJECT}.orders_history", {"name": "orders_history", "owner": _OWNERS}),
        ("dbt_seeds", f"seed.{_PROJECT}.countries", {"name": "countries", "owner": "[]"}),
        ("dbt_exposures", f"exposure.{_PROJECT}.board", {"name": "board", "owner_email": OWNER_EMAIL}),
        ("dbt_metrics", f"metric.{_PROJECT}.revenue", {"name": "revenue", "sql": f"sum(amount) -- {SQL_LITERAL}"}),
    )
    for table, unique_id, facts in named:
        rows[table].append({"unique_id": unique_id, "metadata_hash": f"hash-{unique_id}"} | facts | stamp)
    rows["dbt_sources"].append(
        {"unique_id": _SOURCE, "source_name": "raw", "name": "orders", "identifier": "orders", "owner": _OWNERS}
        | {"database_name": "shop", "schema_name": "raw", "relation_name": '"shop"."raw"."orders"'}
        | {"freshness_warn_after": '{"count": 6, "period": "hour"}', "metadata_hash": "hash-source"}
        | stamp
    )
    rows["dbt_groups"].append(
        {"unique_id": f"group.{_PROJECT}.finance", "name": "finance", "owner_email": OWNER_EMAIL}
        | {"owner_name": "Owner", "generated_at": stamp["generated_at"], "metadata_hash": "hash-group"}
    )
    rows["metadata"].append({"dbt_pkg_version": "0.25.1"})


def _run_dbt(rows: Rows, day: int, started: datetime, *, is_last: bool) -> None:
    invocation = f"00000000-0000-4000-8000-{day:012d}"
    written = started + timedelta(minutes=2)
    text = f"{started:%Y-%m-%d %H:%M:%S}"
    for number, unique_id in enumerate((*(f"model.{_PROJECT}.{model}" for model in _MODELS), *_TESTS)):
        failed = unique_id == _FAILING_TEST
        is_test = unique_id.startswith("test.")
        rows["dbt_run_results"].append(
            {"model_execution_id": f"{invocation}.{unique_id}", "unique_id": unique_id, "invocation_id": invocation}
            | {"generated_at": text, "created_at": written, "name": unique_id.rpartition(".")[2]}
            | {"status": "fail" if failed else "pass" if is_test else "success", "failures": 1 if failed else None}
            | {"message": "Got 1 result" if failed else None, "resource_type": "test" if is_test else "model"}
            | {"execution_time": 0.5 + number, "rows_affected": None if is_test else 1000 + day}
            | {"compiled_code": f"select 1 where x = '{SQL_LITERAL}'", "query_id": f"query-{day}-{number}"}
            | {"full_refresh": False, "materialization": "test" if is_test else "table"}
        )
    row_count = 100.0 if is_last else 1000.0 + 50 * ((day * 7) % 5)
    metrics = (
        ("orders", None, "row_count", row_count),
        ("customers", None, "row_count", 200.0 + day),
        ("customers", "email", "null_percent", 1.0 + day % 3),
    )
    bucket_end = started.replace(hour=0)
    for table, column, metric, value in metrics:
        rows["data_monitoring_metrics"].append(
            {"id": f"{table}.{column}.{metric}.{bucket_end:%Y%m%d}", "full_table_name": f"SHOP.CORE.{table.upper()}"}
            | {"column_name": column, "metric_name": metric, "metric_type": metric, "metric_value": value}
            | {"bucket_start": bucket_end - timedelta(days=1), "bucket_end": bucket_end, "bucket_duration_hours": 24}
            | {"updated_at": started, "created_at": written, "metric_properties": '{"where_expression": null}'}
        )
    _test_results(rows, invocation, started, written, row_count, is_last=is_last)
    rows["dbt_source_freshness_results"].append(
        {"source_freshness_execution_id": f"{invocation}.{_SOURCE}", "unique_id": _SOURCE, "status": "pass"}
        | {"max_loaded_at": started.isoformat(), "snapshotted_at": written.isoformat(), "generated_at": text}
        | {"created_at": written, "max_loaded_at_time_ago_in_s": 120.0, "invocation_id": invocation}
    )
    if day == 0:
        rows["schema_columns_snapshot"] += [
            {"column_state_id": f"{model}.{column}", "full_table_name": f"SHOP.CORE.{model.upper()}"}
            | {"full_column_name": f"SHOP.CORE.{model.upper()}.{column.upper()}", "column_name": column}
            | {"data_type": "VARCHAR", "is_new": False, "detected_at": started, "created_at": written}
            for model in _MODELS
            for column in _TABLE_COLUMNS[model]
        ]
    rows["dbt_invocations"].append(
        {"invocation_id": invocation, "job_name": "nightly", "run_started_at": text, "generated_at": text}
        | {"run_completed_at": f"{written:%Y-%m-%d %H:%M:%S}", "created_at": written + timedelta(seconds=1)}
        | {"command": "build", "dbt_version": "1.11.16", "elementary_version": "0.25.1", "full_refresh": False}
        | {"invocation_vars": "{}", "vars": json.dumps({"api_token": SECRET_VAR}), "target_name": "prod"}
        | {"threads": 4, "project_name": _PROJECT, "orchestrator": "airflow"}
    )


def _test_results(
    rows: Rows,
    invocation: str,
    started: datetime,
    written: datetime,
    row_count: float,
    *,
    is_last: bool,
) -> None:
    for test, (model, column) in _TESTS.items():
        is_anomaly_test = test == _ANOMALY_TEST
        failed = test == _FAILING_TEST or (is_anomaly_test and is_last)
        result = f"{invocation}.{test}"
        rows["elementary_test_results"].append(
            {"id": result, "test_execution_id": result, "test_unique_id": test, "invocation_id": invocation}
            | {"model_unique_id": f"model.{_PROJECT}.{model}", "detected_at": started, "created_at": written}
            | {"database_name": "shop", "schema_name": "core", "table_name": model, "column_name": column}
            | {"test_type": "anomaly_detection" if is_anomaly_test else "dbt_test"}
            | {"test_sub_type": "row_count" if is_anomaly_test else "generic", "owners": _OWNERS, "tags": "[]"}
            | {"test_results_query": f"select '{SQL_LITERAL}'", "test_name": test.rpartition(".")[2]}
            | {"status": "fail" if failed else "pass", "severity": "ERROR", "failures": int(failed)}
            | {"test_results_description": "Got 1 result" if failed else None}
        )
        sample = {"email": FAILED_ROW_VALUE, "n": 2}
        scored = {"metric_name": "row_count", "value": row_count, "average": 1100.0, "is_anomalous": failed}
        if failed or is_anomaly_test:
            rows["test_result_rows"].append(
                {"elementary_test_results_id": result, "row_index": 1, "detected_at": started, "created_at": written}
                | {"result_row": json.dumps(scored if is_anomaly_test else sample)}
                | {"test_type": "anomaly_detection" if is_anomaly_test else "dbt_test"}
            )
