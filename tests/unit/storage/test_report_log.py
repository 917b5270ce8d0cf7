"""The history of access reports: what is kept, what it is compared with, and that a retry counts once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.access import AccessFinding, AccessReport
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.snapshots import open_store
from airflow_provider_elementary.storage.report_log import newest_report, newest_reports, record
from airflow_provider_elementary.storage.store import Store

MONDAY = AccessReport(
    dialect="postgres",
    database="dwh",
    schema="elementary",
    user="reader",
    roles=(),
    checked_at=datetime(2026, 11, 23, 4, tzinfo=UTC),
    findings=(AccessFinding("ownership", "pass", "nothing is owned"),),
)
TUESDAY = replace(
    MONDAY,
    roles=("wide",),
    checked_at=MONDAY.checked_at + timedelta(days=1),
    findings=(AccessFinding("ownership", "fail", "raw.users", "…", ("raw.users",)),),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path.as_uri())


def test_the_first_report_has_none_before_it(store: Store) -> None:
    recorded = record(store, MONDAY, subject="dwh", run_key="monday")

    assert (recorded.previous, bool(recorded.drift)) == (None, False)
    assert [found.key for found in store.list("access/")] == ["access/dwh/20261123T040000000000Z.json"]


def test_a_report_is_compared_with_the_one_before(store: Store) -> None:
    record(store, MONDAY, subject="dwh", run_key="monday")

    recorded = record(store, TUESDAY, subject="dwh", run_key="tuesday")

    assert recorded.previous == MONDAY
    assert recorded.drift.appeared == ("reachable role: wide", "ownership: fail", "ownership: raw.users")


def test_a_second_attempt_replaces_the_first_and_is_compared_to_the_run_before(store: Store) -> None:
    record(store, MONDAY, subject="dwh", run_key="monday")
    record(store, TUESDAY, subject="dwh", run_key="tuesday")

    again = record(
        store, replace(TUESDAY, checked_at=TUESDAY.checked_at + timedelta(hours=1)), subject="dwh", run_key="tuesday"
    )

    assert again.previous == MONDAY
    assert len(list(store.list("access/"))) == 2


def test_another_connection_has_a_history_of_its_own(store: Store) -> None:
    record(store, MONDAY, subject="dwh", run_key="monday")

    assert record(store, TUESDAY, subject="dwh/2", run_key="tuesday").previous is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format_version":2}'])
def test_a_report_that_was_tampered_with_stops(content: bytes, store: Store) -> None:
    store.put("access/dwh/20261123T040000000000Z.json", content)

    with pytest.raises(
        SnapshotCorruptError, match=r"20261123T040000000000Z\.json is (not a valid access report|in format 2)"
    ):
        record(store, TUESDAY, subject="dwh", run_key="tuesday")


def test_the_newest_reports_are_those_of_all_subjects_failed_or_not(store: Store) -> None:
    record(store, MONDAY, subject="zoo", run_key="monday")
    record(store, TUESDAY, subject="dwh", run_key="tuesday")

    assert [(found.subject, found.report) for found in newest_reports(store, 5)] == [("dwh", TUESDAY), ("zoo", MONDAY)]
    assert [found.subject for found in newest_reports(store, 1)] == ["dwh"]


def test_a_store_without_reports_has_no_newest(store: Store) -> None:
    assert newest_report(store) is None
