"""Metrics, incidents and lint on a real schema, by the truth of what was done to its sources."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.anomalies.elementary.lint import lint
from airflow_provider_elementary.incidents.conditions import PROJECT
from airflow_provider_elementary.incidents.current import current_conditions, read_dbt_conditions
from airflow_provider_elementary.incidents.origins import with_origins
from airflow_provider_elementary.incidents.tracking import track_incidents
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.project.lineage import read_lineage
from tests.support.datasets import world_a
from tests.support.incidents import require_conditions_of_failing_tests
from tests.support.table_source import TableSource


@pytest.fixture(scope="module")
def source(shared: Path) -> TableSource:
    return TableSource(world_a(shared))


@pytest.fixture(scope="module")
def metrics(source: TableSource) -> pa.Table:
    with compute_metrics(source) as reader:
        return reader.read_all()


@pytest.fixture(scope="module")
def incidents(source: TableSource, metrics: pa.Table) -> list[Any]:
    verdicts = score_recent(metrics.to_reader(), method="elementary", days=90, parameters={}).verdicts
    lineage = read_lineage(source)
    conditions = current_conditions(verdicts, lineage, read_dbt_conditions(source))
    return track_incidents(with_origins(conditions, (), lineage, source, "duckdb"), lineage)


def days_of(metrics: pa.Table, metric: str, table: str, *, value: float) -> list[str]:
    return sorted(
        f"{row['bucket_start']:%m-%d}"
        for row in metrics.to_pylist()
        if (row["metric_name"], row["full_table_name"]) == (metric, table) and row["metric_value"] == value
    )


def test_each_collected_monitor_is_there_once(metrics: pa.Table, source: TableSource) -> None:
    collected = set(source.held["data_monitoring_metrics"]["id"].to_pylist())

    assert len(collected) == 7131
    assert sum(id_ in collected for id_ in metrics["id"].to_pylist()) == 7131
    assert len(set(metrics["id"].to_pylist())) == len(metrics)


def test_days_without_an_invocation_are_seen(metrics: pa.Table) -> None:
    assert days_of(metrics, "invocations", "JAFFLE_OPS", value=0.0) == ["10-10", "10-11"]


@pytest.mark.parametrize(
    ("table", "day"),
    [("RAW_SUPPORT.TICKETS", "10-16"), ("RAW_SHOP.ORDERS", "10-20"), ("RAW_SHOP.PAYMENTS", "10-29")],
)
def test_changes_of_the_schema_are_seen_on_their_day(metrics: pa.Table, table: str, day: str) -> None:
    assert days_of(metrics, "schema_changes", f"JAFFLE.{table}", value=1.0) == [day]


def test_the_slow_model_stands_out_against_its_median(metrics: pa.Table) -> None:
    ratios = {
        (row["full_table_name"], row["bucket_start"]): row["metric_value"]
        for row in metrics.to_pylist()
        if row["metric_name"] == "execution_time_ratio"
    }

    assert max(ratios, key=lambda key: ratios[key]) == ("JAFFLE.MARTS.MART_CUSTOMER_LTV", datetime(2026, 11, 14))


def test_the_outliers_of_one_day_are_one_incident_with_its_followers(incidents: list[Any]) -> None:
    [outliers] = [found for found in incidents if found.root.endswith("RAW_SHOP.ORDERS") and len(found.conditions) > 5]

    assert outliers.started_at == datetime(2026, 11, 12)
    # Of its conditions only the test that warns still holds.
    assert (outliers.status, outliers.severity) == ("open", "normal")
    assert "JAFFLE.MARTS.MART_DAILY_REVENUE" in outliers.followers
    assert "exposure cfo_revenue_board" in outliers.downstream


def test_what_the_events_lack_is_followed_into_the_sessions(incidents: list[Any]) -> None:
    [nulls] = [found for found in incidents if found.started_at == datetime(2026, 10, 13)]

    assert (nulls.root, nulls.followers) == ("JAFFLE.RAW_WEB.EVENTS", ("JAFFLE.CORE.FCT_SESSIONS",))


def test_each_test_with_a_bad_newest_result_is_of_an_open_incident(source: TableSource, incidents: list[Any]) -> None:
    assert len(require_conditions_of_failing_tests(source, incidents)) == 11


def test_two_days_without_dbt_are_one_incident_of_the_project(incidents: list[Any]) -> None:
    [silence] = [found for found in incidents if found.cause.subject == "silence"]

    assert (silence.root, silence.status, silence.started_at) == (PROJECT, "resolved", datetime(2026, 10, 10))


@pytest.mark.parametrize(
    ("day", "root"),
    [
        ("10-02", "RAW_WEB.EVENTS"),
        ("10-06", "RAW_SHOP.PAYMENTS"),
        ("10-16", "RAW_SUPPORT.TICKETS"),
        ("10-20", "RAW_SHOP.ORDERS"),
        ("10-27", "RAW_SHOP.CUSTOMERS"),
        ("10-29", "RAW_SHOP.PAYMENTS"),
        ("11-04", "RAW_SHOP.ORDER_ITEMS"),
        ("11-06", "RAW_SHOP.ORDERS"),
        ("11-07", "MARTS.MART_PRODUCT_SALES"),
        ("11-12", "RAW_SHOP.ORDERS"),
        ("11-14", "MARTS.MART_CUSTOMER_LTV"),
        ("11-17", "RAW_SHOP.ORDERS"),
        ("11-19", "RAW_WEB.EVENTS"),
        # The drift shows in tests that fail together on the last day; of one of them it is known what it reads.
        ("11-22", "RAW_SUPPORT.TICKETS"),
    ],
)
def test_the_root_is_the_table_that_it_was_done_to(incidents: list[Any], day: str, root: str) -> None:
    assert f"JAFFLE.{root}" in {found.root for found in incidents if f"{found.started_at:%m-%d}" == day}


def test_the_same_input_four_times_changes_nothing(source: TableSource, metrics: pa.Table) -> None:
    lineage, of_dbt = read_lineage(source), read_dbt_conditions(source)
    verdicts = score_recent(metrics.to_reader(), method="elementary", days=60, parameters={}).verdicts
    runs = [track_incidents(current_conditions(verdicts, lineage, of_dbt), lineage)]
    for _ in range(3):
        known = [condition for found in runs[-1] for condition in found.conditions]
        runs.append(track_incidents(current_conditions(verdicts, lineage, of_dbt, known), lineage, runs[-1]))

    assert {found.transition for found in runs[0]} == {"opened", "past"}
    assert {found.transition for found in runs[1]} == {"continues", "past"}
    assert runs[1] == runs[2] == runs[3]


def test_lint_finds_the_monitors_that_have_too_little_to_compare_with(source: TableSource) -> None:
    found = {(finding.rule, finding.full_table_name) for finding in lint(source)}

    assert found == {("too few buckets", "JAFFLE.CORE.DIM_VIP"), ("too few buckets", "JAFFLE.CORE.FCT_TICKETS")}
