"""The links of a snapshot task."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elementary.links.elementary import (
    ElementaryBacktestLink,
    ElementaryManifestLink,
    ElementaryPageLink,
    manifest_address,
)
from airflow_provider_elementary.operators.backtest import ElementaryBacktestOperator
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator

SUMMARY = {"store": "s3://bucket/elementary", "sequence": 7}
TASK: Any = SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1)


def test_a_snapshot_task_has_both_links() -> None:
    assert [link.name for link in ElementarySnapshotOperator.operator_extra_links] == [
        "Elementary page",
        "Snapshot manifest",
    ]


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://airflow.example.com", "https://airflow.example.com/plugin/elementary"),
        ("https://example.com/airflow/", "https://example.com/airflow/plugin/elementary"),
        ("", "/plugin/elementary"),
    ],
)
def test_the_page_is_below_airflows_own_address(base_url: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)

    assert ElementaryPageLink().get_link(TASK, ti_key=TASK) == address


@pytest.mark.parametrize(
    ("summary", "address"),
    [
        (
            SUMMARY,
            "https://s3.console.aws.amazon.com/s3/object/bucket?prefix=elementary%2Fmanifests%2F0000000007.json",
        ),
        (
            {"store": "s3://bucket", "sequence": 1},
            "https://s3.console.aws.amazon.com/s3/object/bucket?prefix=manifests%2F0000000001.json",
        ),
        ({"store": "file:///srv/elementary", "sequence": 7}, ""),
        ({}, ""),
    ],
)
def test_the_manifest_is_shown_by_the_s3_console(summary: dict[str, Any], address: str) -> None:
    assert manifest_address(summary) == address


def snapshot_task() -> ElementarySnapshotOperator:
    return ElementarySnapshotOperator(task_id="snapshot")


def test_a_task_that_made_no_snapshot_has_no_manifest() -> None:
    assert ElementaryManifestLink().get_link(snapshot_task(), ti_key=TASK) == ""


def test_the_manifest_is_the_one_that_the_task_wrote() -> None:
    task = snapshot_task()
    task.summary = SUMMARY

    assert "0000000007.json" in ElementaryManifestLink().get_link(task, ti_key=TASK)


def test_the_picture_of_a_backtest_is_below_airflows_own_address_on_its_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.com/airflow/")
    task = ElementaryBacktestOperator(task_id="backtest", store_conn_id="archive")
    before = ElementaryBacktestLink().get_link(task, ti_key=TASK)
    task.summary = {"store": "s3://bucket/elementary"}

    address = ElementaryBacktestLink().get_link(task, ti_key=TASK)

    assert before == ""
    assert address == "https://example.com/airflow/elementary/backtests?store=archive"
