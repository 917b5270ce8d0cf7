"""Conditions of which the store is evidence: overdue syncs, missing commit markers, failed access checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.access import AccessFinding, AccessReport
from airflow_provider_elementary.incidents.conditions import PROJECT, Condition
from airflow_provider_elementary.incidents.store_conditions import (
    marker_conditions,
    store_conditions,
    sync_conditions,
)
from airflow_provider_elementary.snapshots import Repository, open_store
from airflow_provider_elementary.storage.records.report_log import record
from tests.support.signing import opened

FIRST = datetime(2026, 11, 2, 6)
AN_HOUR = timedelta(hours=1)
HOURLY = [FIRST + number * AN_HOUR for number in range(6)]
LAST = HOURLY[-1]
PROBLEM = "7 runs have no commit marker. Switch the upload of invocations on."


def overdue(now: datetime, known: Sequence[Condition] = (), taken: Sequence[datetime] = HOURLY) -> list[Condition]:
    return list(sync_conditions(taken, known, now))


class TestSyncs:
    def test_a_sync_is_overdue_two_intervals_after_the_last(self) -> None:
        assert overdue(LAST + 2 * AN_HOUR) == []

        [condition] = overdue(LAST + 2 * AN_HOUR + timedelta(minutes=1))
        assert (condition.kind, condition.table, condition.state) == ("sync", PROJECT, "overdue")
        assert (condition.started_at, condition.holds) == (LAST + AN_HOUR, True)

    def test_it_stays_the_same_condition_until_a_snapshot_is_taken(self) -> None:
        [condition] = overdue(LAST + 3 * AN_HOUR)

        assert overdue(LAST + 30 * AN_HOUR, [condition], HOURLY[1:]) == [condition]
        taken = LAST + 31 * AN_HOUR
        assert overdue(taken, [condition], [*HOURLY, taken]) == [replace(condition, ended_at=taken)]

    @pytest.mark.parametrize("taken", [HOURLY[:1], HOURLY[:3], [FIRST + timedelta(seconds=n) for n in range(6)]])
    def test_without_a_known_interval_nothing_is_overdue(self, taken: Sequence[datetime]) -> None:
        assert overdue(FIRST + timedelta(days=99), taken=taken) == []

    def test_snapshots_taken_by_hand_do_not_change_the_interval(self) -> None:
        by_hand = sorted([*HOURLY, *(LAST + timedelta(minutes=n) for n in (1, 2))])

        assert overdue(LAST + 2 * AN_HOUR, taken=by_hand) == []


class TestMarkers:
    def test_markers_are_missing_since_the_first_snapshot_that_says_so(self) -> None:
        [condition] = marker_conditions([(HOURLY[0], None), (HOURLY[1], PROBLEM), (HOURLY[2], PROBLEM)], [])

        assert (condition.started_at, condition.last_seen) == (HOURLY[1], HOURLY[2])
        assert (condition.severity, condition.evidence) == ("normal", PROBLEM)

    def test_it_ends_with_the_first_snapshot_without_the_problem(self) -> None:
        [condition] = marker_conditions([(HOURLY[0], PROBLEM)], [])

        assert list(marker_conditions([(HOURLY[0], PROBLEM), (HOURLY[1], None)], [condition])) == [
            replace(condition, ended_at=HOURLY[1])
        ]
        assert list(marker_conditions([(HOURLY[1], None)], [])) == []


PASSED = AccessReport(
    dialect="postgres",
    database="dwh",
    schema="elementary",
    user="reader",
    roles=(),
    checked_at=FIRST.replace(tzinfo=UTC),
    findings=(AccessFinding("ownership", "pass", "nothing is owned"),),
)


class TestAccess:
    @pytest.fixture
    def repository(self, tmp_path: Path) -> Repository:
        return opened(open_store(tmp_path.as_uri()))

    def check(self, repository: Repository, hour: int, status: str, subject: str = "dwh") -> None:
        finding = AccessFinding("ownership", status, "…")  # type: ignore[arg-type]
        report = replace(PASSED, checked_at=PASSED.checked_at + hour * AN_HOUR, findings=(finding,))
        record(repository, report, subject=subject, run_key=f"{subject}-{hour}")

    def test_failed_checks_are_a_condition_from_the_first_to_the_next_that_passes(self, repository: Repository) -> None:
        self.check(repository, 0, "pass")
        self.check(repository, 1, "fail")
        self.check(repository, 2, "fail")

        [condition] = store_conditions(repository, [], FIRST)
        assert (condition.kind, condition.subject, condition.severity) == ("access", "dwh", "high")
        assert (condition.started_at, condition.last_seen) == (FIRST + AN_HOUR, FIRST + 2 * AN_HOUR)
        assert condition.title == "The access check of dwh failed: ownership"
        assert store_conditions(repository, [condition], FIRST) == [condition]

        self.check(repository, 3, "pass")
        assert store_conditions(repository, [condition], FIRST) == [replace(condition, ended_at=FIRST + 3 * AN_HOUR)]

    def test_a_connection_that_passes_says_nothing_of_another(self, repository: Repository) -> None:
        self.check(repository, 1, "fail", "dwh/a b")
        self.check(repository, 2, "pass")

        assert [each.subject for each in store_conditions(repository, [], FIRST)] == ["dwh/a b"]

    @pytest.mark.parametrize("status", ["pass", "warning", "unknown", "not applicable"])
    def test_a_check_that_did_not_fail_is_none(self, status: str, repository: Repository) -> None:
        self.check(repository, 1, status)

        assert store_conditions(repository, [], FIRST) == []

    def test_a_report_that_others_wrote_is_no_evidence(self, repository: Repository) -> None:
        self.check(repository, 1, "fail")
        repository.store.put("access/dwh/9999999998", b"not signed")

        assert store_conditions(repository, [], FIRST) == []
