"""Whether a store is up to date is said in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elementary.page.currency import Currency, SyncAttempts, currency_of

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FINE = SyncAttempts("nightly", "snapshot", 0, None, NOW + HOUR, is_paused=False)


def currency(
    ages: Sequence[timedelta],
    attempts: SyncAttempts | None = None,
    dbt: timedelta = timedelta(0),
    every: timedelta | None = None,
    run_key: str = "nightly/scheduled__2026/11/22/snapshot/-1",
) -> Currency:
    """Return the currency of a store whose snapshots, oldest first, are of these ages."""
    manifests = [SimpleNamespace(taken_at=NOW - age, run_key=run_key) for age in ages]
    asked: list[tuple[str, str]] = []

    def find_attempts(*task: str) -> SyncAttempts | None:
        asked.append((task[0], task[1]))
        return attempts

    reader: Any = SimpleNamespace(manifest=lambda number: manifests[number], find_attempts=find_attempts)
    project: Any = SimpleNamespace(
        invocation=SimpleNamespace(at=(NOW - dbt).replace(tzinfo=None)), usual_interval=every
    )
    found = currency_of(reader, range(len(manifests)), manifests[-1] if manifests else None, project, NOW)  # type: ignore[arg-type]
    assert set(asked) <= {("nightly", "snapshot")}
    return found


def test_a_store_that_is_synced_as_usual_is_current() -> None:
    assert currency([HOUR * 4, HOUR * 3, HOUR * 2, HOUR]) == Currency("usually every 1 hour", ())


def test_a_store_without_snapshots_says_nothing() -> None:
    assert currency([]) == Currency("", ())


def test_a_sync_later_than_twice_its_interval_is_overdue() -> None:
    [sentence] = currency([HOUR * 6, HOUR * 5, HOUR * 4, HOUR * 3]).stale

    assert sentence.startswith(
        "The sync is overdue: the newest snapshot was taken 3 hours ago, and one was taken every"
    )
    assert "as of 2026-11-22 09:00 UTC" in sentence


@pytest.mark.parametrize(
    "ages", [[HOUR * 99], [HOUR * 99, HOUR * 98], [HOUR * 99 - timedelta(seconds=n) for n in range(5)]]
)
def test_snapshots_taken_by_hand_have_no_schedule(ages: list[timedelta]) -> None:
    assert currency(ages) == Currency("", ())


def test_failed_syncs_are_named_with_their_task() -> None:
    failed = replace(FINE, failed=2, last_failed_at=NOW)

    [sentence] = currency([HOUR * 4, HOUR * 3, HOUR * 2, HOUR], failed).stale

    assert sentence.startswith(
        "The last 2 syncs failed (DAG nightly, task snapshot), the last at 2026-11-22 12:00 UTC."
    )


def test_the_schedule_of_the_dag_is_shown() -> None:
    assert currency([HOUR], FINE).schedule == "next due 2026-11-22 13:00 UTC"
    assert currency([HOUR], replace(FINE, next_at=None)).schedule == ""


def test_a_paused_dag_is_named_as_the_cause() -> None:
    found = currency([HOUR * 6, HOUR * 5, HOUR * 4, HOUR * 3], replace(FINE, is_paused=True))

    assert found.schedule == "its DAG is paused"
    assert found.stale[0].startswith("The sync is paused: DAG nightly is switched off.")


def test_a_snapshot_of_the_command_line_is_of_no_task() -> None:
    assert currency([HOUR], replace(FINE, failed=3), run_key="20261122T110000Z-00c0ffee").stale == ()


@pytest.mark.parametrize(
    ("silence", "every", "is_stale"),
    [
        (47 * HOUR, None, False),
        (49 * HOUR, None, True),
        (49 * HOUR, HOUR, True),
        (10 * 24 * HOUR, 7 * 24 * HOUR, False),
    ],
)
def test_old_results_of_dbt_are_not_current(silence: timedelta, every: timedelta | None, is_stale: bool) -> None:
    stale = currency([HOUR], dbt=silence, every=every).stale

    assert bool(stale) is is_stale
    assert all(sentence.startswith("dbt's newest results are of ") for sentence in stale)
