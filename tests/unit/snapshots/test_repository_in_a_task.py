"""A task opens its snapshot by the number that a result names, and what it kept hides no manifest that was replaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import (
    AnomaliesFoundError,
    ElementaryError,
    PrunedMeanwhileError,
    SnapshotNotFoundError,
    StoreError,
    StoreRefusedError,
)
from airflow_provider_elementary.snapshots import Manifest
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.storage.kept_files import KeptFiles
from airflow_provider_elementary.storage.layout import kept_key, manifest_key
from tests.support.counting_store import CountingStore
from tests.support.signing import opened
from tests.support.stores import Rest, grow, local_rest


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    """A store of four snapshots, each of them full."""
    folder = tmp_path_factory.mktemp("original")
    rest = local_rest(folder)
    return rest, grow(rest, folder, [3, 4, 5, 6], run_key=None, full_every_days=0)


@pytest.mark.parametrize("number", [None, 1, 2, 3, 4, 5, 0, -1, True, "2", 2.0, {}], ids=repr)
def test_the_snapshot_of_an_id_is_opened_whatever_number_is_said(
    original: tuple[Rest, list[Manifest]], number: Any
) -> None:
    rest, manifests = original

    assert rest.repository.shared_source(manifests[1].snapshot_id, number).manifest == manifests[1]


def test_an_id_that_no_snapshot_has_is_not_found_by_a_number(original: tuple[Rest, list[Manifest]]) -> None:
    with pytest.raises(SnapshotNotFoundError):
        original[0].repository.shared_source("20260101T000000Z-00000000", 2)


def test_a_snapshot_that_was_pruned_is_not_opened_by_its_number(tmp_path: Path) -> None:
    rest = local_rest(tmp_path)
    manifests = grow(rest, tmp_path, [3, 4], run_key=None, full_every_days=0)
    prune(rest.repository, Retention(keep_last=1), now=datetime.now(UTC) + timedelta(days=9))

    with pytest.raises(SnapshotNotFoundError):
        rest.repository.shared_source(manifests[0].snapshot_id, 1)


def test_a_snapshot_that_an_earlier_prune_removed_is_not_opened_by_its_number(tmp_path: Path) -> None:
    rest = local_rest(tmp_path)
    manifests = grow(rest, tmp_path, [3, 4, 5, 6], run_key=None)
    for days, count in ((0, 2), (2, 1)):
        prune(rest.repository, Retention(keep_last=count), now=datetime.now(UTC) + timedelta(days=days))
    # The list of the newest builds upon it: its manifest stays.
    assert rest.path(manifest_key(1)).exists()

    for number in (1, 2, 3):
        with pytest.raises(SnapshotNotFoundError):
            rest.repository.shared_source(manifests[number - 1].snapshot_id, number)
    assert rest.repository.shared_source(manifests[3].snapshot_id, 4).manifest == manifests[3]


def test_a_snapshot_that_is_pruned_during_a_task_is_not_called_damaged(tmp_path: Path) -> None:
    rest = local_rest(tmp_path)
    first, _ = grow(rest, tmp_path, [3, 4], run_key=None, full_every_days=0)
    repository = rest.repository
    with repository.one_task("task"):
        source = repository.source(first.snapshot_id)
        for days in (3, 6):
            prune(rest.repository, Retention(keep_last=1), now=datetime.now(UTC) + timedelta(days=days))

        with pytest.raises(PrunedMeanwhileError):
            source.read(source.tables()[0]).read_all()


def test_a_manifest_that_was_kept_is_used_only_where_the_one_after_it_names_it(tmp_path: Path) -> None:
    rest = local_rest(tmp_path)
    grow(rest, tmp_path, [3, 4, 5], run_key=None)
    kept, other = rest.path(manifest_key(2)).read_bytes(), rest.path(manifest_key(1)).read_bytes()
    files = KeptFiles()
    for content in (kept, other):
        files.keep_document("", content)
    rest.repository.store.put(kept_key("task"), files.stored())

    # Without the one after it, nothing says that it is still the one of its number.
    rest.path(manifest_key(2)).unlink()
    repository = rest.repository
    with repository.one_task("task"):
        with pytest.raises(SnapshotNotFoundError):
            repository.read_signed(2)
        assert repository.read_signed(3).document.sequence == 3
        assert repository.read_signed(2).document.sequence == 2


@pytest.mark.parametrize(
    ("error", "is_kept"), [(AnomaliesFoundError, True), (StoreError, False), (StoreRefusedError, False)]
)
def test_a_task_that_fails_keeps_what_it_read_unless_the_store_failed(
    tmp_path: Path, error: type[ElementaryError], is_kept: bool
) -> None:
    rest = local_rest(tmp_path)
    grow(rest, tmp_path, [3], run_key=None)
    repository = rest.repository

    def fail() -> None:
        with repository.one_task("task"):
            repository.latest()
            raise error("It failed.")

    with pytest.raises(error):
        fail()

    assert rest.path(kept_key("task")).exists() == is_kept


def test_the_next_run_of_a_task_asks_for_no_generation(tmp_path: Path) -> None:
    rest = local_rest(tmp_path)
    grow(rest, tmp_path, [3], run_key=None)
    store = CountingStore({found.key: rest.store.get(found.key) or b"" for found in rest.store.list("")})
    asked = []
    for _ in range(2):
        repository = opened(store, rest.keys)
        store.reset()
        with repository.one_task("task"):
            repository.latest()
        asked.append(store.requests["get"])

    assert asked[1] == asked[0] - 1


def test_a_generation_of_an_outsider_that_was_kept_is_not_used(tmp_path: Path) -> None:
    rest = local_rest(tmp_path)
    manifest = grow(rest, tmp_path, [3], run_key=None)[0]
    [generation] = rest.folder.glob("generations/*")
    line, _, body = generation.read_bytes().partition(b"\n")
    files = KeptFiles()
    files.keep_document("", b"elementary-signed 2 " + line.split()[2] + b" " + bytes(32).hex().encode() + b"\n" + body)
    rest.repository.store.put(kept_key("task"), files.stored())
    repository = rest.repository

    with repository.one_task("task"):
        assert repository.latest() == manifest
