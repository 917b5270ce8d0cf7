"""The links of a snapshot task."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elementary.links import elementary as links
from airflow_provider_elementary.links.elementary import (
    ElementaryBacktestLink,
    ElementaryIncidentLink,
    ElementaryManifestLink,
    ElementaryPageLink,
    incident_address,
    manifest_address,
)
from airflow_provider_elementary.operators.backtest import ElementaryBacktestOperator
from airflow_provider_elementary.operators.incidents import ElementaryIncidentOperator
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
            "https://s3.console.aws.amazon.com/s3/object/bucket?prefix=elementary%2Fmanifests%2F0000000007",
        ),
        (
            {"store": "s3://bucket", "sequence": 1},
            "https://s3.console.aws.amazon.com/s3/object/bucket?prefix=manifests%2F0000000001",
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

    assert "0000000007" in ElementaryManifestLink().get_link(task, ti_key=TASK)


def test_the_picture_of_a_backtest_is_below_airflows_own_address_on_its_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.com/airflow/")
    monkeypatch.setattr(links, "airflow_version", "3.3.2")
    task = ElementaryBacktestOperator(task_id="backtest", store_conn_id="archive")
    before = ElementaryBacktestLink().get_link(task, ti_key=TASK)
    task.summary = {"store": "s3://bucket/elementary"}

    address = ElementaryBacktestLink().get_link(task, ti_key=TASK)

    assert before == ""
    assert address == "https://example.com/airflow/plugin/elementary/elementary/backtests?store=archive"


@pytest.mark.parametrize(
    ("version", "frame"),
    [
        *(("3.1.8", ""), ("3.2.2", ""), ("3.3.1", ""), ("3.3.1.post1", ""), ("3.2.10", "")),
        *((newer, "/plugin/elementary") for newer in ("3.3.2", "3.3.2rc1", "3.3.10", "3.4.0", "3.10.0", "4.0")),
    ],
)
def test_an_incident_opens_in_airflows_frame_where_that_has_addresses(
    version: str, frame: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://example.com/airflow/")
    monkeypatch.setattr(links, "airflow_version", version)

    address = incident_address("00ff", "archive & co")

    assert incident_address("00ff", None) == f"https://example.com/airflow{frame}/elementary/incident?id=00ff"
    assert address == f"https://example.com/airflow{frame}/elementary/incident?id=00ff&store=archive+%26+co"


@pytest.mark.parametrize(
    ("changed", "address"),
    [
        ([], ""),
        (["00ff"], "/plugin/elementary/elementary/incident?id=00ff&store=archive"),
        (["00ff", "00ee"], "/plugin/elementary/elementary/incidents?store=archive"),
    ],
)
def test_a_task_links_to_its_incident_or_to_the_list_of_several(
    changed: list[str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "")
    monkeypatch.setattr(links, "airflow_version", "3.3.2")
    task = ElementaryIncidentOperator(task_id="incidents", store_conn_id="archive", verdicts=[])
    before = ElementaryIncidentLink().get_link(task, ti_key=TASK)
    task.summary = {"changes": [{"incident_id": name} for name in changed]}

    assert before == ""
    assert ElementaryIncidentLink().get_link(task, ti_key=TASK) == address
