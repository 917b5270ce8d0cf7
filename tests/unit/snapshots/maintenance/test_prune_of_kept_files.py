"""A prune removes what tasks kept of small files where files expired, or where no run of the task replaced it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ElementaryError, StoreError, StoreRefusedError
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.storage.kept_files import _TIME, KeptFiles
from airflow_provider_elementary.storage.layout import kept_key
from airflow_provider_elementary.storage.object_store.store import Fetched, Store, UndeletedObject
from tests.support.stores import Rest, grow, local_rest

NOW = datetime.now(UTC)
KEPT = kept_key("dag/task/-1")


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    """A store of one snapshot, of which a task keeps small files."""
    found = local_rest(tmp_path)
    grow(found, tmp_path, [3], run_key=None)
    run(found)
    return found


def run(rest: Rest) -> None:
    """Read every table as a task does."""
    repository = rest.repository
    with repository.one_task("dag/task/-1"):
        source = repository.source()
        for table in source.tables():
            with source.read(table) as reader:
                reader.read_all()


def is_there(rest: Rest) -> bool:
    return rest.repository.store.get(KEPT) is not None


def test_what_a_run_kept_is_read_by_the_next_one_and_stays(rest: Rest) -> None:
    before = rest.repository.store.get(KEPT)
    assert before is not None
    assert len(before) > len(KeptFiles().stored())

    prune(rest.repository, Retention(keep_last=1), now=NOW)

    assert is_there(rest)


def test_what_no_run_replaced_for_two_days_goes(rest: Rest) -> None:
    prune(rest.repository, Retention(keep_last=1), now=NOW + timedelta(hours=47))
    assert is_there(rest)

    prune(rest.repository, Retention(keep_last=1), now=NOW + timedelta(hours=49), dry_run=True)
    assert is_there(rest)
    prune(rest.repository, Retention(keep_last=1), now=NOW + timedelta(hours=49))

    assert not is_there(rest)


def test_what_an_outsider_put_there_goes(rest: Rest) -> None:
    rest.repository.store.put(KEPT, b"nothing")

    prune(rest.repository, Retention(keep_last=1), now=NOW)

    assert not is_there(rest)


@pytest.mark.parametrize("error", [StoreRefusedError, StoreError])
def test_what_cannot_be_read_stops_no_prune(
    rest: Rest, monkeypatch: pytest.MonkeyPatch, error: type[ElementaryError]
) -> None:
    outsider, repository = f"{KEPT}-of-an-outsider", rest.repository
    repository.store.put(outsider, b"nothing")
    asked = type(repository.store).get_capped

    def refuse(store: Store, key: str, limit: int) -> Fetched | None:
        if key == outsider:
            raise error("AccessDenied")
        return asked(store, key, limit)

    monkeypatch.setattr(type(repository.store), "get_capped", refuse)
    prune(repository, Retention(keep_last=1), now=NOW + timedelta(hours=49))

    assert not is_there(rest)
    assert rest.path(outsider).exists()


def test_names_of_outsiders_cost_a_prune_few_requests_and_hide_nothing(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = rest.repository
    young = _TIME.pack(int((NOW + timedelta(days=99)).timestamp()))
    for number in range(100):
        repository.store.put(f"results/kept/0-{number:03d}", young)
    asked, read = type(repository.store).get_capped, []

    def count(store: Store, key: str, limit: int) -> Fetched | None:
        read.append(key.startswith("results/kept/"))
        return asked(store, key, limit)

    monkeypatch.setattr(type(repository.store), "get_capped", count)
    for hours in range(49, 59):
        read.clear()
        prune(rest.repository, Retention(keep_last=1), now=NOW + timedelta(hours=hours))
        assert sum(read) <= 64

    assert not is_there(rest)


def test_nothing_is_kept_of_files_that_a_prune_expired(rest: Rest) -> None:
    later = NOW + timedelta(hours=30)
    rule = Retention(keep_last=1, category_days={Category.TABLE_METRICS: 1})
    prune(rest.repository, rule, now=later)
    assert is_there(rest)

    # A day later, when no reader may be at them, the files go.
    run(rest)
    prune(rest.repository, rule, now=later + timedelta(hours=25), orphan_age=timedelta(days=9))

    assert not is_there(rest)


def test_no_crash_leaves_a_copy_of_a_file_that_expired(rest: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    later = NOW + timedelta(hours=30)
    rule = Retention(keep_last=1, category_days={Category.TABLE_METRICS: 1})
    prune(rest.repository, rule, now=later)
    run(rest)
    repository = rest.repository
    delete = type(repository.store).delete_many

    def crash_after_files(store: Store, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        undeleted = delete(store, keys)
        if any(key.startswith("data/") for key in keys):
            raise KeyboardInterrupt
        return undeleted

    monkeypatch.setattr(type(repository.store), "delete_many", crash_after_files)
    with pytest.raises(KeyboardInterrupt):
        prune(repository, rule, now=later + timedelta(hours=25), orphan_age=timedelta(days=9))

    assert not is_there(rest)
