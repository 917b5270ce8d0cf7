"""A sync that fails is recorded in the store, signed, with its reason."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from airflow_provider_elementary.exceptions import (
    AccessDeniedError,
    ConfigurationError,
    StoreError,
    WarehouseError,
)
from airflow_provider_elementary.snapshots import Repository, failed_syncs, open_store
from airflow_provider_elementary.snapshots.failed_syncs import FailedSync, newest_failure, recording_failure
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import RESULTS, result_series
from tests.support.signing import created, entry, new_signer, opened

RUN = "dag/run/snapshot/-1"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return opened(open_store((tmp_path / "store").as_uri()))


def fail(repository: Repository, error: BaseException, run: str = RUN, attempt: int = 1, attempts: int = 1) -> None:
    with (
        pytest.raises(type(error)),
        recording_failure(lambda: repository, run_key=run, attempt=attempt, attempts=attempts),
    ):
        raise error


def newest(repository: Repository) -> FailedSync:
    found = newest_failure(repository)
    assert found is not None
    return found


def test_an_error_of_the_package_is_recorded_with_its_sentence(repository: Repository) -> None:
    fail(repository, WarehouseError("The warehouse is away."), attempt=2, attempts=3)

    found = newest(repository)
    assert (found.error, found.reason) == ("WarehouseError", "The warehouse is away.")
    assert (found.run_key, found.attempt, found.is_final, found.after, found.times) == (RUN, 2, False, 0, 1)


def test_of_other_software_only_the_type_of_the_error_is_recorded(repository: Repository) -> None:
    fail(repository, ValueError("password=hunter2"))

    assert (newest(repository).error, newest(repository).reason) == ("ValueError", "")


def test_a_time_out_that_is_no_exception_is_recorded(repository: Repository) -> None:
    class TaskTimeout(BaseException):
        """As Airflow's."""

    fail(repository, TaskTimeout())

    assert newest(repository).error == "TaskTimeout"


def test_an_error_that_no_retry_fixes_is_final(repository: Repository) -> None:
    fail(repository, ConfigurationError("No such category."), attempt=1, attempts=4)

    assert newest(repository).is_final


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_a_person_who_stops_a_sync_records_nothing(error: BaseException, repository: Repository) -> None:
    fail(repository, error)

    assert newest_failure(repository) is None


def test_a_mistake_in_a_command_is_not_recorded(repository: Repository) -> None:
    with (
        pytest.raises(ConfigurationError),
        recording_failure(lambda: repository, run_key=RUN, mistakes=(ConfigurationError,)),
    ):
        raise ConfigurationError("No such connection.")

    assert newest_failure(repository) is None


def test_failures_in_a_row_are_counted_from_the_first(repository: Repository) -> None:
    for attempt in (1, 2):
        fail(repository, WarehouseError("Away."), attempt=attempt, attempts=2)
    first = newest(repository)
    fail(repository, AccessDeniedError("Refused."), run="dag/next/snapshot/-1")

    assert (first.times, newest(repository).times) == (2, 3)
    assert newest(repository).since == first.since <= first.failed_at


def test_parts_that_fail_together_are_one_failure(repository: Repository) -> None:
    for _ in range(3):
        fail(repository, WarehouseError("Away."))

    assert newest(repository).times == 1
    assert len(list(repository.store.list(RESULTS))) == 1


def test_a_store_that_is_away_hides_no_error(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*arguments: object) -> None:
        raise StoreError("The store is away.")

    monkeypatch.setattr("airflow_provider_elementary.snapshots.failed_syncs.find_head", away)

    with caplog.at_level(logging.WARNING):
        fail(repository, WarehouseError("The warehouse is away."))

    assert "could not record the failed sync: The store is away." in caplog.text


def test_a_store_that_does_not_open_hides_no_error(caplog: pytest.LogCaptureFixture) -> None:
    def opened_never() -> Repository:
        raise OSError("password=secret")

    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(WarehouseError),
        failed_syncs.recording_failure(opened_never, run_key=RUN),
    ):
        raise WarehouseError("The warehouse is away.")

    assert "could not record the failed sync: OSError" in caplog.text


def test_a_store_that_is_silent_does_not_keep_the_failed_sync(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(failed_syncs, "_PATIENCE", 0.1)
    monkeypatch.setattr(failed_syncs, "_record", lambda *arguments: answers.wait())

    with caplog.at_level(logging.WARNING):
        fail(repository, WarehouseError("The warehouse is away."))

    answers.set()
    assert "could not record the failed sync: the store did not answer within 0.1 seconds" in caplog.text


def test_a_record_that_another_key_signed_is_not_believed(tmp_path: Path, repository: Repository) -> None:
    other = open_store((tmp_path / "other").as_uri())
    signer = new_signer()
    store_id = sha256(other.get("store.json") or b"") if created(other, entry(signer, *Role)) else ""
    forged = Repository(other, None, store_id=store_id, signing=signer)
    fail(forged, WarehouseError("Forged."))
    [name] = [found.key for found in other.list(result_series("failures", ""))]
    repository.store.put(name, other.get(name) or b"")

    assert newest_failure(repository) is None
