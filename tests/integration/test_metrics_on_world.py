"""Metrics, incidents and lint on a real schema, by the truth of what was done to its sources."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.anomalies.elementary.lint import lint
from airflow_provider_elementary.incidents import track_incidents
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.project.lineage import read_lineage
from tests.support.datasets import world_a
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
    return track_incidents(verdicts, read_lineage(source))


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
    [outliers] = [found for found in incidents if found.root == "JAFFLE.CORE.FCT_ORDERS" and found.anomalies > 5]

    assert (outliers.started_at, outliers.severity) == (datetime(2026, 11, 12), "error")
    assert "JAFFLE.MARTS.MART_DAILY_REVENUE" in outliers.followers
    assert "exposure cfo_revenue_board" in outliers.downstream


def test_what_the_events_lack_is_followed_into_the_sessions(incidents: list[Any]) -> None:
    [nulls] = [found for found in incidents if found.started_at == datetime(2026, 10, 13)]

    assert (nulls.root, nulls.followers) == ("JAFFLE.RAW_WEB.EVENTS", ("JAFFLE.CORE.FCT_SESSIONS",))


def test_lint_finds_the_monitors_that_have_too_little_to_compare_with(source: TableSource) -> None:
    found = {(finding.rule, finding.full_table_name) for finding in lint(source)}

    assert found == {("too few buckets", "JAFFLE.CORE.DIM_VIP"), ("too few buckets", "JAFFLE.CORE.FCT_TICKETS")}
