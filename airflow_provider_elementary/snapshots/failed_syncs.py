"""Records failed syncs in the store, and reads the newest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ElementaryError, SnapshotCorruptError
from airflow_provider_elementary.snapshots.lookup import find_head
from airflow_provider_elementary.storage.records.result_document import Result
from airflow_provider_elementary.storage.records.result_files import ResultNames
from airflow_provider_elementary.storage.records.results import commit_result, newest_result
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

#: All syncs of a store are one series: whichever succeeds next, the store is current again.
_SERIES = ""
_LONGEST_REASON = 500
#: The seconds that the record of a failure may take: the store may be what is silent, and a late task must end.
_PATIENCE = 15


@dataclass(frozen=True)
class FailedSync:
    """The newest failed attempt to take a snapshot.

    :param failed_at: UTC without a zone.
    :param since: when the first attempt failed after the snapshot before.
    :param times: how many attempts failed since then.
    :param after: the number of the newest snapshot then; 0 where there was none.
    :param run_key: of the run that failed.
    :param attempt: which attempt of the run it was, from 1.
    :param attempts: how many the run has at most; no more than ``attempt`` where no retry can help.
    :param error: the type of the error.
    :param reason: the error in a sentence; empty where it is of other software, whose text may hold a secret.
    """

    failed_at: datetime
    since: datetime
    times: int
    after: int
    run_key: str
    attempt: int
    attempts: int
    error: str
    reason: str

    @property
    def is_final(self) -> bool:
        """Whether no retry follows."""
        return self.attempt >= self.attempts


@contextmanager
def recording_failure(
    open_repository: Callable[[], Repository],
    *,
    run_key: str,
    attempt: int = 1,
    attempts: int = 1,
    mistakes: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Record in the store that the sync in the block failed, and raise its error; a process that is killed cannot.

    :param open_repository: returns the store.
    :param run_key: of the run that takes the snapshot.
    :param attempt: which attempt of the run this is, from 1.
    :param attempts: how many the run has at most.
    :param mistakes: errors that are not recorded: those of the arguments of a command.
    """
    not_recorded: tuple[type[BaseException], ...] = (SystemExit, KeyboardInterrupt, GeneratorExit, *mistakes)
    try:
        yield
    except not_recorded:
        raise
    # Airflow's time-out of a task is no Exception.
    except BaseException as error:
        _record_in_time(open_repository, error, run_key, attempt, attempts)
        raise


def newest_failure(repository: Repository) -> FailedSync | None:
    """Return the newest failed attempt that is recorded, whether or not a snapshot was taken since; None without one.

    :raises SnapshotCorruptError: its record is signed, and not valid.
    """
    found = newest_result(repository, "failures", _SERIES)
    return _failure_of(found) if found is not None else None


def _record_in_time(
    open_repository: Callable[[], Repository], error: BaseException, run_key: str, attempt: int, attempts: int
) -> None:
    refused: list[Exception] = []

    def work(repository: Repository) -> None:
        try:
            _record(repository, error, run_key, attempt, attempts)
        except Exception as raised:
            refused.append(raised)

    try:
        # Opened in this thread: Airflow resolves connections only in the thread of the task.
        repository = open_repository()
        repository.open_clients()
        thread = threading.Thread(target=work, args=(repository,), name="failed sync", daemon=True)
    except Exception as raised:
        refused.append(raised)
    else:
        thread.start()
        thread.join(_PATIENCE)
        if thread.is_alive():
            log.warning("could not record the failed sync: the store did not answer within %g seconds", _PATIENCE)
    for found in refused:
        # The store itself may have failed: then the sync's own error is the one to raise, and it is logged once.
        if str(found) != str(error):
            said = str(found) if isinstance(found, ElementaryError) else type(found).__name__
            log.warning("could not record the failed sync: %s", said)


def _record(repository: Repository, error: BaseException, run_key: str, attempt: int, attempts: int) -> None:
    head = find_head(repository)
    if head is not None and head.document.run_key == run_key and not isinstance(error, ElementaryError):
        # The snapshot was taken; what failed after it is not the sync.
        return
    now, after = utc_now().replace(microsecond=0), head.document.sequence if head else 0
    before = newest_failure(repository)
    is_same = before is not None and before.after == after
    # The parts of one snapshot fail together.
    is_same_attempt = before is not None and (before.run_key, before.attempt) == (run_key, attempt)
    permanent = isinstance(error, ElementaryError) and error.permanent
    failure = FailedSync(
        failed_at=now,
        since=before.since if before is not None and is_same else now,
        times=(before.times if before is not None and is_same else 0) + (not is_same_attempt),
        after=after,
        run_key=run_key,
        attempt=attempt,
        attempts=attempt if permanent else attempts,
        error=type(error).__name__,
        reason=str(error)[:_LONGEST_REASON] if isinstance(error, ElementaryError) else "",
    )
    commit_result(
        repository,
        ResultNames("failures", _SERIES, f"{run_key}#{attempt}"),
        (),
        {},
        # Prune removes it with the snapshot.
        origin={"snapshot_id": head.document.snapshot_id} if head else {},
        parameters=asdict(failure),
    )
    log.info("recorded the failed sync in %s", repository.uri)


def _failure_of(result: Result) -> FailedSync:
    facts: dict[str, Any] = dict(result.parameters)
    try:
        times = {name: datetime.fromisoformat(facts[name]) for name in ("failed_at", "since")}
        return FailedSync(**{**facts, **times})
    except (KeyError, TypeError, ValueError):
        raise SnapshotCorruptError(f"{result.key} is not a valid record of a failed sync. Remove it.") from None
