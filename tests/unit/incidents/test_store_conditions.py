"""Conditions of which the store is evidence: overdue and failed syncs, missing commit markers, failed access checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from airflow_provider_elementary.access import AccessFinding, AccessReport
from airflow_provider_elementary.exceptions import WarehouseError
from airflow_provider_elementary.incidents.conditions import PROJECT, Condition
from airflow_provider_elementary.incidents.store import current_incidents
from airflow_provider_elementary.incidents.store_conditions import (
    failure_conditions,
    marker_conditions,
    store_conditions,
    sync_conditions,
)
from airflow_provider_elementary.snapshots import Repository, open_store
from airflow_provider_elementary.snapshots.failed_syncs import FailedSync, recording_failure
from airflow_provider_elementary.storage.records.report_log import is_worth_recording, record
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


def failure(after: int = 0, hour: float = 0, **facts: object) -> FailedSync:
    at = LAST + hour * AN_HOUR
    known = FailedSync(at, at, 1, after, "dag/run/snapshot/-1", 1, 1, "WarehouseError", "The warehouse is away.")
    return replace(known, **facts)  # type: ignore[arg-type]


#: Snapshots by number and time.
SYNCS = list(enumerate(HOURLY, start=1))
NEWEST = len(SYNCS)


def failing(found: FailedSync, syncs: Sequence[tuple[int, datetime]] = SYNCS, *before: Condition) -> list[Condition]:
    return list(failure_conditions(found, syncs, before))


class TestFailedSyncs:
    def test_a_failed_sync_is_a_condition_with_its_reason(self) -> None:
        [condition] = failing(failure(NEWEST, 1, times=2, since=LAST + AN_HOUR / 2))

        assert (condition.kind, condition.state, condition.severity, condition.times) == ("sync", "failed", "high", 2)
        assert (condition.started_at, condition.last_seen) == (LAST + AN_HOUR / 2, LAST + AN_HOUR)
        assert condition.title == "The sync failed (WarehouseError)"
        assert condition.evidence == "attempt 1 at 2026-11-02 12:00 UTC: The warehouse is away."
        assert condition.holds

    def test_while_a_retry_is_due_its_severity_is_normal(self) -> None:
        [condition] = failing(failure(NEWEST, 1, attempts=3))

        assert condition.severity == "normal"
        assert "a retry is due" in condition.evidence

    def test_only_a_snapshot_after_it_ends_it_whatever_the_clocks_say(self) -> None:
        found = failure(NEWEST, 1)
        [condition] = failing(found)

        # An old success, dated in the future by a clock that was wrong.
        assert failing(found, [*SYNCS[:-1], (NEWEST, LAST + 9 * AN_HOUR)], condition) == [condition]
        later = [*SYNCS, (NEWEST + 1, LAST + 2 * AN_HOUR)]
        [over] = failing(found, later, condition)
        assert over == replace(condition, ended_at=LAST + 2 * AN_HOUR)
        assert failing(found, later, over) == []

    def test_a_failure_after_a_success_is_a_new_condition(self) -> None:
        [first] = failing(failure(NEWEST, 1))
        syncs = [*SYNCS, (NEWEST + 1, LAST + 2 * AN_HOUR)]

        over, again = failing(failure(NEWEST + 1, 3), syncs, first)

        assert over == replace(first, ended_at=LAST + 2 * AN_HOUR)
        assert (again.holds, again.started_at) == (True, LAST + 3 * AN_HOUR)
        assert again.condition_id != first.condition_id

    def test_one_that_was_over_long_before_is_none(self) -> None:
        assert failing(failure(NEWEST - 6, -99), SYNCS[1:]) == []

    def test_a_refused_sync_is_of_the_family_of_the_access_check(self) -> None:
        [condition] = failing(failure(NEWEST, 1, error="AccessDeniedError"))

        assert condition.family == "access"

    def test_the_first_sync_of_a_store_may_fail(self, tmp_path: Path) -> None:
        repository = opened(open_store(tmp_path.as_uri()))
        with (
            pytest.raises(WarehouseError),
            recording_failure(lambda: repository, run_key="dag/run/snapshot/-1"),
        ):
            raise WarehouseError("The warehouse is away.")

        [found] = current_incidents(repository)
        assert (found.status, found.severity, found.title) == ("open", "high", "The sync failed (WarehouseError)")


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

    def test_the_reports_between_failures_need_not_be_stored(self, repository: Repository) -> None:
        finding = AccessFinding("ownership", "fail", "…")
        failed, worth = replace(PASSED, findings=(finding,)), partial(is_worth_recording, repository)

        assert (worth(PASSED, "dwh"), worth(failed, "dwh")) == (False, True)
        record(repository, failed, subject="dwh", run_key="1")
        assert (worth(PASSED, "dwh"), worth(PASSED, "other")) == (True, False)
        record(repository, PASSED, subject="dwh", run_key="2")
        assert not worth(PASSED, "dwh")

    def test_a_report_that_others_wrote_is_no_evidence(self, repository: Repository) -> None:
        self.check(repository, 1, "fail")
        repository.store.put("access/dwh/9999999998", b"not signed")

        assert store_conditions(repository, [], FIRST) == []
