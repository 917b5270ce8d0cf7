"""The history of access reports: what is kept, what it is compared with, and that a retry counts once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.access import AccessFinding, AccessReport
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.snapshots import Repository, open_store
from airflow_provider_elementary.storage.documents import MAX_BYTES
from airflow_provider_elementary.storage.records.report_log import newest_reports, record
from tests.support.signing import SIGNER, STORE_ID, opened, signed

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
def repository(tmp_path: Path) -> Repository:
    return opened(open_store(tmp_path.as_uri()))


def test_the_first_report_has_none_before_it(repository: Repository) -> None:
    recorded = record(repository, MONDAY, subject="dwh", run_key="monday")

    assert (recorded.previous, bool(recorded.drift)) == (None, False)
    assert [found.key for found in repository.store.list("access/")] == ["access/dwh/9999999998"]


def test_a_report_is_compared_with_the_one_before(repository: Repository) -> None:
    record(repository, MONDAY, subject="dwh", run_key="monday")

    recorded = record(repository, TUESDAY, subject="dwh", run_key="tuesday")

    assert recorded.previous == MONDAY
    assert recorded.drift.appeared == ("reachable role: wide", "ownership: fail", "ownership: raw.users")


def test_a_second_attempt_is_compared_to_the_run_before_and_replaces_nothing(repository: Repository) -> None:
    record(repository, MONDAY, subject="dwh", run_key="monday")
    record(repository, TUESDAY, subject="dwh", run_key="tuesday")

    later = replace(TUESDAY, checked_at=TUESDAY.checked_at + timedelta(hours=1))
    again = record(repository, later, subject="dwh", run_key="tuesday")

    assert again.previous == MONDAY
    assert len(list(repository.store.list("access/"))) == 3


def test_another_connection_has_a_history_of_its_own(repository: Repository) -> None:
    record(repository, MONDAY, subject="dwh", run_key="monday")

    assert record(repository, TUESDAY, subject="dwh/2", run_key="tuesday").previous is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format_version":2}', b"x" * (MAX_BYTES + 1)])
def test_a_report_that_others_wrote_is_passed_over(content: bytes, repository: Repository) -> None:
    record(repository, MONDAY, subject="dwh", run_key="monday")
    forged = "access/dwh/9999999997"
    repository.store.put(forged, content)

    recorded = record(repository, TUESDAY, subject="dwh", run_key="tuesday")

    assert (recorded.previous, recorded.key) == (MONDAY, forged)
    assert len(list(repository.store.list("quarantine/"))) == 1


def test_an_earlier_report_put_in_place_of_the_newest_is_passed_over(repository: Repository) -> None:
    first = record(repository, MONDAY, subject="dwh", run_key="monday")
    second = record(repository, TUESDAY, subject="dwh", run_key="tuesday")
    repository.store.put(second.key, repository.store.get(first.key) or b"")

    assert record(repository, TUESDAY, subject="dwh", run_key="wednesday").previous == MONDAY


def test_a_signed_report_that_is_none_stops(repository: Repository) -> None:
    name = "access/dwh/9999999998"
    repository.store.put(name, signed(SIGNER, STORE_ID, name, b'{"format_version":2}'))

    with pytest.raises(SnapshotCorruptError, match=f"{name} is not a valid access report"):
        record(repository, TUESDAY, subject="dwh", run_key="tuesday")


def test_the_newest_reports_are_those_of_all_subjects_failed_or_not(repository: Repository) -> None:
    record(repository, MONDAY, subject="zoo", run_key="monday")
    record(repository, TUESDAY, subject="dwh", run_key="tuesday")

    found = newest_reports(repository, 5)
    assert [(each.subject, each.report) for each in found] == [("dwh", TUESDAY), ("zoo", MONDAY)]


def test_many_reports_of_one_connection_hide_no_other(repository: Repository) -> None:
    record(repository, MONDAY, subject="failing", run_key="monday")
    for hour in range(4):
        later = replace(TUESDAY, checked_at=TUESDAY.checked_at + timedelta(hours=hour))
        record(repository, later, subject="dwh", run_key=f"run {hour}")

    found = [each.subject for each in newest_reports(repository, 3)]
    assert found == ["dwh", "dwh", "failing"]
    assert [each.subject for each in newest_reports(repository, 1)] == ["dwh", "failing"]


def test_a_clock_that_was_ahead_makes_no_report_the_newest(repository: Repository) -> None:
    ahead = replace(MONDAY, checked_at=TUESDAY.checked_at + timedelta(days=9))
    record(repository, ahead, subject="dwh", run_key="monday")
    record(repository, TUESDAY, subject="dwh", run_key="tuesday")

    assert [each.report for each in newest_reports(repository, 5)] == [TUESDAY, ahead]


def test_a_store_without_reports_has_no_newest(repository: Repository) -> None:
    assert newest_reports(repository, 1) == []
