"""Reads the conditions that the store itself is evidence of."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_elementary.exceptions import AccessDeniedError, ElementaryError
from airflow_provider_elementary.incidents.conditions import Condition, Kind, project_condition
from airflow_provider_elementary.snapshots.failed_syncs import FailedSync, newest_failure
from airflow_provider_elementary.snapshots.lookup import newest_sequences
from airflow_provider_elementary.snapshots.sync_interval import MOST_READ, is_overdue, newest_syncs, usual_interval
from airflow_provider_elementary.storage.records.report_log import StoredReport, reports_by_subject
from airflow_provider_elementary.times import minute_in_utc, without_zone
from airflow_provider_elementary.words import duration

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Repository

log = logging.getLogger(__name__)

#: How far back the begin of failing access checks is looked for.
_REPORTS = 200
_MARKERS, _SYNC, _FAILED = "commit markers", "sync", "failed sync"


def store_conditions(repository: Repository, before: Iterable[Condition], now: datetime) -> list[Condition]:
    """Return the conditions of syncs, commit markers and access checks; what cannot be read stays as it was.

    :param before: the conditions of the previous run; those of other kinds are left out.
    :param now: UTC without a zone.
    """
    before = list(before)
    known = [condition for condition in before if condition.holds]
    found: list[Condition] = []
    for read in (partial(_of_access, repository, known), partial(_of_snapshots, repository, before, known, now)):
        try:
            found += read()
        except ElementaryError as error:
            log.warning("keeping the earlier conditions of the store: %s", error)
    return sorted(found, key=lambda condition: (condition.started_at, condition.key))


def _of_access(repository: Repository, known: Sequence[Condition]) -> Iterator[Condition]:
    for subject, reports in reports_by_subject(repository, _REPORTS):
        newest = next(reports, None)
        if newest is None:
            continue
        at = without_zone(newest.report.checked_at)
        if not newest.report.failed:
            yield from _ended(known, "access", subject, at)
            continue
        begun = next((each.started_at for each in known if (each.kind, each.subject) == ("access", subject)), None)
        first, times = _first_failed(newest, reports, begun)
        names = ", ".join(finding.name for finding in newest.report.failed[:5])
        yield project_condition(
            "access",
            subject,
            "access",
            "high",
            started_at=begun or first,
            last_seen=at,
            times=times,
            state="fail",
            title=f"The access check of {subject} failed: {names}",
            evidence=f"{newest.report.headline}, at {minute_in_utc(at)}",
        )


def _first_failed(newest: StoredReport, older: Iterator[StoredReport], begun: datetime | None) -> tuple[datetime, int]:
    """Return when a run of failed checks began, and how many they are as far as they are read."""
    first, times = without_zone(newest.report.checked_at), 1
    for each in older:
        if not each.report.failed or (begun is not None and first <= begun):
            break
        first, times = without_zone(each.report.checked_at), times + 1
    return first, times


def _of_snapshots(
    repository: Repository, before: Sequence[Condition], known: Sequence[Condition], now: datetime
) -> Iterator[Condition]:
    numbers = reversed(newest_sequences(repository, MOST_READ))
    documents = newest_syncs(
        (repository.read_signed(number).document for number in numbers),
        lambda document: datetime.fromisoformat(document.created_at),
    )
    taken = [datetime.fromisoformat(document.created_at) for document in documents]
    if (failure := newest_failure(repository)) is not None:
        syncs = list(zip((document.sequence for document in documents), taken, strict=True))
        yield from failure_conditions(failure, syncs, before)
    if not documents:
        return
    problems = [document.consistency.marker_problem if document.consistency else None for document in documents]
    yield from marker_conditions(list(zip(taken, problems, strict=True)), known)
    yield from sync_conditions(taken, known, now)


def marker_conditions(
    snapshots: Sequence[tuple[datetime, str | None]], known: Sequence[Condition]
) -> Iterator[Condition]:
    """Yield the condition that commit markers do not come, or its end.

    :param snapshots: when each was taken, the oldest first, and what is wrong with the markers in words.
    :param known: the conditions that hold so far.
    """
    newest, problem = snapshots[-1]
    if problem is None:
        yield from _ended(known, "markers", _MARKERS, newest)
        return
    first = newest
    for at, earlier in reversed(snapshots):
        if earlier is None:
            break
        first = at
    began = next((each.started_at for each in known if each.kind == "markers"), first)
    yield project_condition(
        "markers",
        _MARKERS,
        "run",
        "normal",
        started_at=began,
        last_seen=newest,
        state="missing",
        title="dbt does not write the commit markers of its runs",
        evidence=problem,
    )


def failure_conditions(
    failure: FailedSync, syncs: Sequence[tuple[int, datetime]], before: Sequence[Condition]
) -> Iterator[Condition]:
    """Yield the condition that syncs fail, over with the first snapshot after the failure.

    By the numbers of snapshots, not by clocks: no older snapshot ends it, whatever its time.

    :param failure: the newest failed attempt.
    :param syncs: number and time of the newest snapshots, the oldest first.
    :param before: the conditions of the previous run, those that are over included.
    """
    of_failures = [each for each in before if (each.kind, each.subject) == ("sync", _FAILED)]
    for earlier in of_failures:
        if earlier.holds and earlier.started_at != failure.since:
            # A snapshot came between it and the newest failure.
            between = (at for number, at in syncs if number <= failure.after and at > earlier.last_seen)
            yield replace(earlier, ended_at=next(between, failure.since))
    later = [taken for number, taken in syncs if number > failure.after]
    same = next((each for each in of_failures if each.started_at == failure.since), None)
    if later and (len(later) == len(syncs) if same is None else not same.holds):
        # It was over long before, or is known to be.
        return
    retried = "; a retry is due" if not failure.is_final else ""
    yield replace(
        project_condition(
            "sync",
            _FAILED,
            # With the report of the check, if it was refused.
            "access" if failure.error == AccessDeniedError.__name__ else "run",
            "high" if failure.is_final else "normal",
            started_at=failure.since,
            last_seen=failure.failed_at,
            times=failure.times,
            state="failed",
            title=f"The sync failed ({failure.error})",
            evidence=f"attempt {failure.attempt} at {minute_in_utc(failure.failed_at)}{retried}"
            + (f": {failure.reason}" if failure.reason else ""),
        ),
        ended_at=max(later[0], failure.failed_at) if later else None,
    )


def sync_conditions(taken: Sequence[datetime], known: Sequence[Condition], now: datetime) -> Iterator[Condition]:
    """Yield the condition that the next snapshot is overdue, or the end of an earlier one.

    :param taken: when the newest snapshots were taken, the oldest first.
    :param known: the conditions that hold so far.
    :param now: UTC without a zone.
    """
    newest = taken[-1]
    yield from _ended([each for each in known if newest > each.last_seen], "sync", _SYNC, newest)
    usual = usual_interval(taken)
    if usual is None or not is_overdue(newest, usual, now):
        return
    same = next((each for each in known if each.kind == "sync" and each.last_seen == newest), None)
    # Snapshots that were removed meanwhile change neither when it was due nor why.
    yield same or project_condition(
        "sync",
        _SYNC,
        "run",
        "high",
        started_at=newest + usual,
        last_seen=newest,
        state="overdue",
        title=f"No snapshot was taken after {minute_in_utc(newest)}",
        evidence=f"the snapshots before were {duration(usual)} apart",
    )


def _ended(known: Iterable[Condition], kind: Kind, subject: str, at: datetime) -> Iterator[Condition]:
    for condition in known:
        if (condition.kind, condition.subject) == (kind, subject) and at >= condition.last_seen:
            yield replace(condition, ended_at=at)
