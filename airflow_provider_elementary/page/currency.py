"""Says whether a store is current: overdue syncs, failed attempts, silent dbt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_elementary.page.rendering import ago, moment
from airflow_provider_elementary.snapshots.sync_interval import is_overdue, newest_syncs, usual_interval
from airflow_provider_elementary.words import duration, plural

if TYPE_CHECKING:
    from airflow_provider_elementary.page.store_reader import StoreReader
    from airflow_provider_elementary.project.project import Project
    from airflow_provider_elementary.snapshots import Manifest

#: dbt is silent after this many of its usual intervals without anything new.
_SILENT_INTERVALS = 2
#: A project that runs several times a day is silent after a day, not after an hour without a change.
_SHORTEST_SILENCE = timedelta(days=1)


@dataclass(frozen=True)
class SyncAttempts:
    """What Airflow knows of the task that took the newest snapshot.

    :param failed: number of its newest runs in a row that failed.
    :param last_failed_at: when the newest of them ended.
    :param next_at: when the DAG is due next; None without a schedule.
    :param is_paused: whether its schedule is paused.
    """

    dag_id: str
    task_id: str
    failed: int
    last_failed_at: datetime | None
    next_at: datetime | None
    is_paused: bool


#: Returns what Airflow knows of a task, by DAG and task; None where it knows nothing.
FindAttempts = Callable[[str, str], SyncAttempts | None]


@dataclass(frozen=True)
class Currency:
    """How current the contents of a store are.

    :param schedule: when the next sync is due, in words; empty where that is not known.
    :param stale: why what is shown is too old to be called good, in sentences; empty if it is current.
    """

    schedule: str
    stale: tuple[str, ...]


def currency_of(
    reader: StoreReader,
    sequences: Sequence[int],
    manifest: Manifest | None,
    project: Project | None,
    now: datetime | None = None,
) -> Currency:
    """Return how current a store is.

    :param sequences: the numbers of its snapshots, oldest first.
    :param manifest: of its newest snapshot.
    :param project: in that snapshot.
    """
    if manifest is None:
        return Currency("", ())
    now = now or datetime.now(UTC)
    syncs = newest_syncs((reader.manifest(number) for number in reversed(sequences)), lambda found: found.taken_at)
    interval = usual_interval([found.taken_at for found in syncs])
    attempts = _attempts(reader, syncs[-1])
    stale = [*_failed(attempts, manifest), *_overdue(attempts, manifest, interval, now)]
    return Currency(_schedule(attempts, interval), (*stale, *_silent(project, now)))


def _attempts(reader: StoreReader, manifest: Manifest) -> SyncAttempts | None:
    # Written by a task: DAG, run, task and place among mapped tasks. A run's id may hold slashes.
    parts = manifest.run_key.split("/")
    return reader.find_attempts(parts[0], parts[-2]) if reader.find_attempts and len(parts) >= 4 else None


def _failed(attempts: SyncAttempts | None, manifest: Manifest) -> list[str]:
    if attempts is None or not attempts.failed:
        return []
    when = f", the last at {moment(attempts.last_failed_at)} UTC" if attempts.last_failed_at else ""
    return [
        f"The last {plural(attempts.failed, 'sync')} failed (DAG {attempts.dag_id}, task {attempts.task_id}){when}. "
        f"What is shown is as of {moment(manifest.taken_at)} UTC. See the log of the task."
    ]


def _overdue(attempts: SyncAttempts | None, manifest: Manifest, interval: timedelta | None, now: datetime) -> list[str]:
    as_of = f"What is shown is as of {moment(manifest.taken_at)} UTC"
    if interval is None or not is_overdue(manifest.taken_at, interval, now):
        return []
    if attempts and attempts.is_paused:
        return [f"The sync is paused: DAG {attempts.dag_id} is switched off. {as_of}. Switch the DAG on."]
    return [
        f"The sync is overdue: the newest snapshot was taken {ago(manifest.taken_at, now)}, and one was taken "
        f"every {duration(interval)} before. {as_of}. See the runs of the DAG that takes snapshots."
    ]


def _silent(project: Project | None, now: datetime) -> list[str]:
    newest = project.invocation.at if project and project.invocation else None
    if project is None or newest is None:
        return []
    limit = _SILENT_INTERVALS * max(project.usual_interval or _SHORTEST_SILENCE, _SHORTEST_SILENCE)
    if now - newest.replace(tzinfo=UTC) <= limit:
        return []
    return [
        f"dbt's newest results are of {moment(newest)} UTC, {ago(newest, now)}: the states below are as of then. Check "
        "that dbt still runs and writes to the Elementary schema."
    ]


def _schedule(attempts: SyncAttempts | None, interval: timedelta | None) -> str:
    if attempts and attempts.is_paused:
        return "its DAG is paused"
    if attempts and attempts.next_at:
        return f"next due {moment(attempts.next_at)} UTC"
    return f"usually every {duration(interval)}" if interval else ""
