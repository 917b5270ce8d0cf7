"""Metrics of what newer versions of dbt write, of tests without a table, and of rows that lack what names them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.metrics import compute_metrics
from tests.support.dbt_project import MONDAY, ORDERS, invocation, project, result, run, values
from tests.support.table_source import TableSource

LONE = "test test.shop.lone"


@pytest.mark.parametrize("status", ["error", "FAIL ", "partial success", "Runtime_Error", "odd", None, ""])
def test_a_run_that_is_not_known_to_be_good_has_failed(status: Any) -> None:
    source = project(dbt_run_results=[run(0), run(0, hour=1, status=status)])

    assert values(source, "failed_runs") == {"Mon 02": 1}
    assert values(source, "success_rate") == {"Mon 02": 50}


@pytest.mark.parametrize("status", ["reused", "no-op", "NO_OP"])
def test_a_node_that_dbt_had_not_to_build_is_well_and_took_no_time(status: str) -> None:
    source = project(dbt_run_results=[run(0, execution_time=8.0), run(0, hour=1, status=status, execution_time=0.0)])

    assert values(source, "success_rate") == {"Mon 02": 100}
    assert values(source, "execution_time") == {"Mon 02": 8}


@pytest.mark.parametrize(
    ("status", "rates"), [("Pass  ", (100, 0)), ("reused", (100, 0)), ("odd", (0, 100)), (None, (0, 100))]
)
def test_a_test_with_an_unknown_status_has_failed(status: Any, rates: tuple[int, int]) -> None:
    source = project(elementary_test_results=[result(0, status)])

    found = tuple(values(source, f"test_{name}_rate")["Mon 02"] for name in ("pass", "fail"))
    assert found == rates
    assert values(source, "health_score") == {"Mon 02": rates[0], "Mon 02 other": rates[0]}


@pytest.mark.parametrize(
    ("status", "rate"), [("pass", 100), ("WARN", 0), ("error", 0), ("runtime error", 0), (None, 0)]
)
def test_a_freshness_check_without_an_age_counts_in_the_rate(status: Any, rate: int) -> None:
    source_table = {
        "unique_id": "source.shop.raw.orders",
        "database_name": "shop",
        "schema_name": "raw",
        "name": "orders",
    }
    check = {"source_freshness_execution_id": "1", "unique_id": "source.shop.raw.orders", "status": status}
    check |= {"created_at": MONDAY, "generated_at": f"{MONDAY:%Y-%m-%d %H:%M:%S}"}
    source = project(dbt_sources=[source_table], dbt_source_freshness_results=[check])

    assert values(source, "freshness_pass_rate", "SHOP.RAW.ORDERS") == {"Mon 02": rate}


@pytest.mark.parametrize("table", [None, "", "  "])
def test_a_test_without_a_table_has_series_of_its_own(table: str | None) -> None:
    lone = result(0, "fail", test="test.shop.lone", table_name=table, failures=3)
    source = project(elementary_test_results=[lone, result(0, "pass")])

    assert values(source, "test_fail_rate", LONE) == {"Mon 02": 100}
    assert values(source, "failed_rows", LONE) == {"Mon 02": 3}
    assert values(source, "test_fail_rate") == {"Mon 02": 0}


def test_a_unit_test_is_known_from_dbts_run_results_alone() -> None:
    source = project(
        dbt_run_results=[run(0, unique_id="unit_test.shop.orders.sums", resource_type="unit_test", status="fail")],
        elementary_test_results=[],
    )

    assert values(source, "test_fail_rate", "test unit_test.shop.orders.sums") == {"Mon 02": 100}


def test_a_test_that_names_no_table_is_one_of_its_models_table() -> None:
    nameless = result(0, "fail", table_name=None, model_unique_id="model.shop.orders")

    assert values(project(elementary_test_results=[nameless]), "test_fail_rate") == {"Mon 02": 100}


def two_targets(*, artifacts: Sequence[str]) -> TableSource:
    """Return a project that production and CI write into one Elementary schema, the newest artifact last."""
    models = [
        {"unique_id": "model.shop.orders", "alias": "orders", "database_name": name, "schema_name": "core"}
        | {"generated_at": f"2026-11-0{number}"}
        for number, name in enumerate(artifacts, 1)
    ]
    runs, invocations, results = [], [], []
    for hour, database in enumerate(("shop", "ci")):
        for day in (0, 1):
            invoked = {"invocation_id": f"{day}-{hour}", "target_database": database.upper(), "target_schema": "core"}
            invocations.append(invocation(day, hour) | invoked)
            runs.append(run(day, hour=hour, rows_affected=1000 if hour == 0 else 1, invocation_id=f"{day}-{hour}"))
            results.append(
                result(day, "fail" if hour else "pass", hour=hour, database_name=database)
                | {"model_unique_id": "model.shop.orders", "invocation_id": f"{day}-{hour}"}
            )
    return project(
        dbt_models=models, dbt_run_results=runs, dbt_invocations=invocations, elementary_test_results=results
    )


@pytest.mark.parametrize("artifacts", [("shop",), ("ci",), ("shop", "ci"), ("ci", "shop")])
def test_two_targets_are_never_added_up(artifacts: Sequence[str]) -> None:
    source = two_targets(artifacts=artifacts)

    assert values(source, "rows_affected") == {"Mon 02": 1000}
    assert values(source, "rows_affected", "CI.CORE.ORDERS") == {"Mon 02": 1}
    assert values(source, "test_flakiness") == {"Tue 03": 0}
    assert values(source, "test_fail_rate", "CI.CORE.ORDERS") == {"Mon 02": 100, "Tue 03": 100}


def test_a_run_whose_target_is_not_known_belongs_to_none_of_two_databases() -> None:
    source = two_targets(artifacts=("shop", "ci")).without("dbt_invocations", "target_database")
    source = source.without("dbt_invocations", "target_schema")

    assert values(source, "rows_affected") == {}


def monitor(**facts: Any) -> dict[str, Any]:
    known = {"id": "1", "full_table_name": ORDERS, "metric_name": "row_count", "metric_value": 5.0}
    return {**known, "bucket_start": MONDAY, "bucket_end": MONDAY, "updated_at": MONDAY, "created_at": MONDAY, **facts}


@pytest.mark.parametrize("column", ["full_table_name", "metric_name"])
@pytest.mark.parametrize("blank", [None, "", " "])
def test_monitors_without_names_are_counted_and_left_out(
    column: str, blank: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    source = project(data_monitoring_metrics=[monitor(), monitor(id="2", **{column: blank})])

    with caplog.at_level(logging.WARNING), compute_metrics(source) as metrics:
        assert metrics.read_all()["full_table_name"].to_pylist() == [ORDERS]
    assert "left out 1 row of data_monitoring_metrics without full_table_name or metric_name" in caplog.text


def test_monitors_without_an_id_are_all_kept() -> None:
    source = project(data_monitoring_metrics=[monitor(id=None), monitor(id=None, metric_name="freshness")])

    with compute_metrics(source) as metrics:
        assert metrics.read_all().num_rows == 2


def test_a_number_that_is_none_or_infinite_is_no_value() -> None:
    runs = [run(0, hour=hour, execution_time=value) for hour, value in enumerate((math.nan, math.inf, 4.0))]
    source = project(dbt_run_results=runs, data_monitoring_metrics=[monitor(metric_value=math.inf)])

    assert values(project(dbt_run_results=runs), "execution_time") == {"Mon 02": 4}
    with compute_metrics(source) as metrics:
        found = [row["metric_value"] for row in metrics.read_all().to_pylist() if row["metric_name"] == "row_count"]
    assert found == [None]


@pytest.mark.parametrize("method", ["elementary", "robust"])
@pytest.mark.parametrize(
    "monitors", [[], [monitor(metric_name=None)], [monitor(full_table_name=None)], [monitor(metric_value=None)]]
)
def test_both_methods_give_the_verdicts_of_nothing_as_a_table(method: Any, monitors: list[dict[str, Any]]) -> None:
    full = project(data_monitoring_metrics=[monitor()])
    with compute_metrics(full) as rows:
        wanted = score_recent(rows, method=method, days=2, parameters={}).verdicts.schema
    with compute_metrics(project(data_monitoring_metrics=monitors)) as rows:
        found = score_recent(rows, method=method, days=2, parameters={}).verdicts

    assert found.schema == wanted
    assert not any(found["is_anomalous"].to_pylist())


@pytest.mark.parametrize("shard", range(4))
@pytest.mark.parametrize("method", ["elementary", "robust"])
def test_a_shard_without_tables_has_no_verdicts(method: Any, shard: int) -> None:
    with compute_metrics(project(data_monitoring_metrics=[monitor()])) as rows:
        found = score_recent(rows, method=method, days=2, parameters={}, shard=shard, shards=4)

    assert found.verdicts.num_rows in (0, 1)
    assert found.tables == {ORDERS}


def test_the_robust_method_scores_metrics_without_a_name() -> None:
    with compute_metrics(project(data_monitoring_metrics=[monitor()])) as rows:
        metrics = rows.read_all()
    nameless = metrics.set_column(
        metrics.column_names.index("metric_name"), "metric_name", [[None] * metrics.num_rows]
    ).cast(metrics.schema)

    assert detect(nameless, method="robust").num_rows == 1
