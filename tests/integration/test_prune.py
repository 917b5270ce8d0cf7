"""Pruning removes what no rule keeps and nothing else, says so in a record, and may be broken off at any point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO
from unittest.mock import patch

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    SnapshotConflictError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreError,
)
from airflow_provider_elementary.snapshots import Manifest, Store, open_snapshot
from airflow_provider_elementary.snapshots.maintenance.prune import GRACE, PruneReport
from airflow_provider_elementary.snapshots.maintenance.prune import prune as prune_with_grace
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.manifest import Parent
from airflow_provider_elementary.snapshots.prune_record import RECORD, PruneRecord, newest_record
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import manifest_key, record_key
from airflow_provider_elementary.storage.object_store.store import Fetched, StoredObject, UndeletedObject
from airflow_provider_elementary.storage.records import results
from airflow_provider_elementary.storage.records.results import write_result
from tests.support.signing import opened
from tests.support.stores import Rest, grow, local_rest

#: Long after the snapshots of a test were taken.
LATER = datetime.now(UTC) + timedelta(days=100)
KEEP_TWO = Retention(keep_last=2)
NO_RULE = Retention()
#: Deletes at once; :class:`TestGrace` has what waits.
prune = partial(prune_with_grace, grace=timedelta(0))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    """A full snapshot, an increment, a full snapshot, an increment."""
    directory = tmp_path_factory.mktemp("original")
    rest = local_rest(directory)
    first = grow(rest, directory, [3, 4], run_key=None)
    return rest, first + grow(rest, directory, [5], full_every_days=0) + grow(rest, directory, [6])


def keys_below(store: Store, prefix: str) -> set[str]:
    return {found.key for found in store.list(prefix)}


def named_by(manifests: list[Manifest]) -> set[str]:
    return {file.key for manifest in manifests for file in manifest.files}


def write_metrics(rest: Rest, snapshot_id: str, day: int) -> str:
    """Write metrics of a snapshot as if they had been computed on that day."""
    schema = pa.schema([("full_table_name", pa.string()), ("column_name", pa.string())])
    rows = pa.table({"full_table_name": ["A"], "column_name": [None]}, schema)
    origin = {"store": rest.store.uri, "snapshot_id": snapshot_id}
    with patch.object(results, "_now", return_value=datetime(2026, 11, day, tzinfo=UTC)):
        result = write_result(
            rest.repository, "metrics", rows.to_reader(), run_key=f"run {day}", origin=origin, parameters={}
        )
    return result.key


class BreakingStore:
    """A store whose power goes out after a number of deletions."""

    def __init__(self, store: Store, deletions: int) -> None:
        self._store = store
        self._left = deletions
        self.uri = store.uri

    def delete(self, key: str) -> None:
        if not self._left:
            raise StoreError("power cut")
        self._left -= 1
        self._store.delete(key)

    def delete_many(self, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        for key in keys:
            self.delete(key)
        return ()

    def describe(self) -> dict[str, str]:
        return self._store.describe()

    def clock_difference(self) -> timedelta | None:
        return self._store.clock_difference()

    def create(self, key: str) -> AbstractContextManager[BinaryIO]:
        return self._store.create(key)

    def put(self, key: str, content: bytes) -> None:
        self._store.put(key, content)

    def put_if_absent(self, key: str, content: bytes) -> bool:
        return self._store.put_if_absent(key, content)

    def get(self, key: str) -> bytes | None:
        return self._store.get(key)

    def get_capped(self, key: str, limit: int) -> Fetched | None:
        return self._store.get_capped(key, limit)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        return self._store.get_range(key, start, length)

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        return self._store.list(prefix, after)

    def discard_unfinished(self, before: datetime, *, dry_run: bool = False) -> Sequence[str]:
        return self._store.discard_unfinished(before, dry_run=dry_run)


class TestSnapshots:
    def test_what_no_rule_keeps_goes_with_the_files_that_nobody_else_names(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        report = prune(rest.repository, KEEP_TWO)

        assert [decision.sequence for decision in report.removed] == [2, 1]
        assert keys_below(rest.store, "manifests/") == {"manifests/0000000003", "manifests/0000000004"}
        assert keys_below(rest.store, "data/") == named_by(manifests[2:])
        assert report.files == len(named_by(manifests[:2]) - named_by(manifests[2:]))

    def test_an_increment_keeps_the_files_of_the_snapshots_before_it(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        before = read_all(open_snapshot(rest.repository), "data_monitoring_metrics")

        prune(rest.repository, Retention(keep_last=1))

        assert manifests[-1].kind == "incremental"
        assert read_all(open_snapshot(rest.repository), "data_monitoring_metrics").equals(before)
        assert verify(rest.repository, snapshot="all").sound

    def test_each_snapshot_is_listed_with_its_reasons(self, rest: Rest, manifests: list[Manifest]) -> None:
        report = prune(rest.repository, Retention(keep_last=2, keep_yearly=1), dry_run=True)

        assert [(decision.sequence, decision.reasons) for decision in report.snapshots] == [
            (4, ("last", "yearly")),
            (3, ("last",)),
            (2, ()),
            (1, ()),
        ]

    def test_a_dry_run_says_the_same_and_removes_nothing(self, rest: Rest, manifests: list[Manifest]) -> None:
        before = {path: path.read_bytes() for path in rest.folder.rglob("*") if path.is_file()}

        planned = prune(rest.repository, KEEP_TWO, dry_run=True, now=LATER)
        unchanged = {path: path.read_bytes() for path in rest.folder.rglob("*") if path.is_file()} == before
        done = prune(rest.repository, KEEP_TWO, now=LATER)

        assert unchanged
        assert (planned.files, planned.size) == (done.files, done.size)
        assert planned.snapshots == done.snapshots

    def test_the_record_names_what_was_removed(self, rest: Rest, manifests: list[Manifest]) -> None:
        report = prune(rest.repository, KEEP_TWO)

        stored = newest_record(rest.repository)
        assert stored is not None
        assert (stored.document.key, stored.sha256) == (report.record, report.record_sha256)
        assert [stone.snapshot_id for stone in stored.document.snapshots] == [m.snapshot_id for m in manifests[:2]]
        assert stored.document.head.sequence == 4

    def test_where_nothing_goes_there_is_no_record(self, rest: Rest, manifests: list[Manifest]) -> None:
        assert prune(rest.repository, Retention(keep_last=10)).record is None

    def test_an_empty_store_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SnapshotNotFoundError, match="holds no snapshots"):
            prune(local_rest(tmp_path).repository, KEEP_TWO)

    def test_a_second_prune_at_the_same_time_is_an_error(
        self, rest: Rest, manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rest.path(record_key(1)).parent.mkdir()
        put_if_absent, documents = rest.store.put_if_absent, rest.repository.documents

        def conflicting(key: str, content: bytes) -> bool:
            other = PruneRecord(1, "2026-11-01T00:00:00", None, Parent(4, manifests[-1].sha256), {}, (), ())
            _, theirs = documents.encode(key, RECORD, other, Role.STORE)
            return put_if_absent(key, theirs if "prunes" in key else content) and put_if_absent(key, content)

        monkeypatch.setattr(rest.store, "put_if_absent", conflicting)

        with pytest.raises(SnapshotConflictError, match=r"Another prune wrote .* at the same time"):
            prune(rest.repository, KEEP_TWO)


class TestWhatCrashesLeft:
    def test_files_of_a_snapshot_that_was_never_committed_go_when_they_are_old(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        orphan = "data/20200101T000000Z-0badf00d/dbt_models/metadata.parquet"
        rest.store.put(orphan, b"half a file")

        report = prune(rest.repository, NO_RULE)

        assert (report.files, report.size) == (1, 11)
        assert keys_below(rest.store, "data/") == named_by(manifests)

    def test_files_of_a_snapshot_in_the_making_stay(self, rest: Rest, manifests: list[Manifest]) -> None:
        young = f"data/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-0badf00d/dbt_models/metadata.parquet"
        rest.store.put(young, b"half a file")

        assert prune(rest.repository, KEEP_TWO).files > 0
        assert young in keys_below(rest.store, "data/")

    def test_what_we_did_not_write_stays(self, rest: Rest, manifests: list[Manifest]) -> None:
        rest.store.put("data/of somebody else", b"")

        prune(rest.repository, NO_RULE, now=LATER)

        assert "data/of somebody else" in keys_below(rest.store, "data/")

    def test_files_that_were_never_finished_go_when_they_are_old(self, rest: Rest, manifests: list[Manifest]) -> None:
        with rest.store.create("data/in the making") as file:
            file.write(b"half a file")
            planned = prune(rest.repository, NO_RULE, now=LATER, dry_run=True)
            early = prune(rest.repository, NO_RULE)

        # What a killed writer leaves is what is there while one writes.
        left = rest.path("data/.partial-killed")
        left.write_bytes(b"half a file")
        late = prune(rest.repository, NO_RULE, now=LATER)

        assert (planned.uploads, early.uploads, late.uploads) == (1, 0, 1)
        assert not left.exists()

    def test_a_manifest_that_was_moved_keeps_everything(self, rest: Rest, manifests: list[Manifest]) -> None:
        rest.path(manifest_key(2)).rename(rest.path("manifests/2.json.moved"))

        with pytest.raises(SnapshotCorruptError, match="manifests/0000000002 is missing"):
            prune(rest.repository, KEEP_TWO, now=LATER)

        assert keys_below(rest.store, "data/") == named_by(manifests)

    def test_results_go_with_the_snapshot_that_they_are_of(self, rest: Rest, manifests: list[Manifest]) -> None:
        gone = write_metrics(rest, manifests[0].snapshot_id, 1)
        kept = write_metrics(rest, manifests[2].snapshot_id, 3)
        newest = write_metrics(rest, manifests[3].snapshot_id, 4)

        report = prune(rest.repository, KEEP_TWO, now=LATER)

        left = keys_below(rest.store, "results/")
        assert report.results == 1
        assert {kept, newest} <= left
        assert not any(key.startswith(gone.removesuffix(".json")) for key in left)


class TestBrokenOff:
    @pytest.mark.parametrize("deletions", range(0, 14, 2))
    def test_the_store_is_sound_at_any_point_and_the_next_prune_ends_it(
        self, rest: Rest, manifests: list[Manifest], deletions: int
    ) -> None:
        with pytest.raises(StoreError, match="power cut"):
            prune(opened(BreakingStore(rest.store, deletions), rest.keys), KEEP_TWO)
        between = verify(rest.repository, snapshot="latest")

        prune(rest.repository, KEEP_TWO, now=LATER)

        assert between.findings == ()
        assert verify(rest.repository, snapshot="all").findings == ()
        assert keys_below(rest.store, "data/") == named_by(manifests[2:])
        assert len(keys_below(rest.store, "manifests/")) == 2


class TestGrace:
    def test_what_was_pruned_is_listed_no_more_and_readable_for_a_day(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        reading = open_snapshot(rest.repository, manifests[0].snapshot_id)
        before = keys_below(rest.store, "")

        report = prune_with_grace(rest.repository, KEEP_TWO)
        within = prune_with_grace(rest.repository, KEEP_TWO, now=datetime.now(UTC) + GRACE - timedelta(minutes=1))

        assert (len(report.removed), report.waiting, report.files) == (2, 2, 0)
        assert (within.record, within.waiting, within.files) == (None, 2, 0)
        assert keys_below(rest.store, "") == before | {report.record}
        assert read_all(reading, "dbt_run_results").num_rows > 0
        with pytest.raises(SnapshotNotFoundError):
            open_snapshot(rest.repository, manifests[0].snapshot_id)

    def test_the_first_prune_after_it_deletes_manifests_and_files(self, rest: Rest, manifests: list[Manifest]) -> None:
        prune_with_grace(rest.repository, KEEP_TWO)

        report = prune_with_grace(rest.repository, KEEP_TWO, now=datetime.now(UTC) + GRACE + timedelta(minutes=1))

        assert (report.record, report.waiting) == (None, 0)
        assert report.files == len(named_by(manifests[:2]) - named_by(manifests[2:]))
        assert keys_below(rest.store, "manifests/") == {manifest_key(3), manifest_key(4)}
        assert keys_below(rest.store, "data/") == named_by(manifests[2:])
        assert verify(rest.repository, snapshot="all").findings == ()

    def test_expired_files_can_still_be_read_by_who_opened_them(self, rest: Rest, manifests: list[Manifest]) -> None:
        reading, retention = open_snapshot(rest.repository), TestCategoryDays.RETENTION
        first = prune_with_grace(rest.repository, retention, now=LATER)

        kept = read_all(reading, "test_result_rows").num_rows
        second = prune_with_grace(rest.repository, retention, now=LATER + GRACE)

        assert (first.files, second.files) == (0, sum(first.expired.values()))
        assert kept > read_all(open_snapshot(rest.repository), "test_result_rows").num_rows

    def test_objects_that_cannot_be_deleted_are_named_and_the_others_go(
        self, rest: Rest, manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        doomed = next(file.key for file in manifests[0].files)

        def delete_many(keys: Sequence[str]) -> Sequence[UndeletedObject]:
            real([key for key in keys if key != doomed])
            return [UndeletedObject(doomed, "AccessDenied")] if doomed in keys else []

        real = rest.store.delete_many
        monkeypatch.setattr(rest.store, "delete_many", delete_many)

        with pytest.raises(StoreError, match=rf"could not be deleted: {doomed} \(AccessDenied\)\. The others were"):
            prune(rest.repository, KEEP_TWO)

        assert keys_below(rest.store, "data/") == named_by(manifests[2:]) | {doomed}


class TestEpochs:
    def test_the_last_snapshot_of_each_epoch_stays(self, rest: Rest, tmp_path: Path) -> None:
        grow(rest, tmp_path, [2])

        report = prune(rest.repository, Retention(keep_last=1))

        assert [(kept.sequence, kept.reasons) for kept in report.kept] == [(5, ("last",)), (4, ("last of epoch 1",))]


class TestCategoryDays:
    RETENTION = Retention(keep_last=10, category_days={Category.FAILED_ROWS_SAMPLE: 30})

    @pytest.fixture
    def report(self, rest: Rest) -> PruneReport:
        return prune(rest.repository, self.RETENTION, now=LATER)

    def test_data_whose_days_are_over_goes_from_snapshots_that_stay(
        self, rest: Rest, manifests: list[Manifest], report: PruneReport
    ) -> None:
        samples = {f.key for m in manifests for f in m.files if f.category is Category.FAILED_ROWS_SAMPLE}

        assert report.expired == {"failed_rows_sample": len(samples)}
        assert len(report.kept) == 4
        assert keys_below(rest.store, "data/") == named_by(manifests) - samples

    def test_the_store_still_verifies(self, rest: Rest, manifests: list[Manifest], report: PruneReport) -> None:
        verified = verify(rest.repository, snapshot="all")

        assert verified.findings == ()
        assert any("files expired" in note for note in verified.notes)

    def test_other_deletions_are_still_reported(
        self, rest: Rest, manifests: list[Manifest], report: PruneReport
    ) -> None:
        other = next(file for file in manifests[-1].files if file.category is Category.TABLE_METRICS)
        rest.store.delete(other.key)

        assert [finding.object for finding in verify(rest.repository).findings] == [other.key]

    def test_the_rest_of_a_snapshot_can_still_be_read(
        self, rest: Rest, manifests: list[Manifest], report: PruneReport
    ) -> None:
        snapshot = open_snapshot(rest.repository)

        assert set(read_all(snapshot, "test_result_rows")["test_type"].to_pylist()) == {"anomaly_detection"}
        assert "result_rows" not in snapshot.schema("elementary_test_results").names

    def test_a_later_prune_keeps_the_list_of_expired_files(
        self, rest: Rest, manifests: list[Manifest], report: PruneReport
    ) -> None:
        again = prune(rest.repository, self.RETENTION, now=LATER)
        prune(rest.repository, Retention(keep_last=2), now=LATER)

        assert (again.record, again.expired) == (None, {})
        assert verify(rest.repository, snapshot="all").findings == ()

    def test_a_file_that_a_young_snapshot_names_stays(self, rest: Rest, manifests: list[Manifest]) -> None:
        shared = {f.key for f in manifests[3].files if f.category is Category.FAILED_ROWS_SAMPLE}
        young = manifests[3].taken_at + timedelta(days=29)

        prune(rest.repository, self.RETENTION, now=young)

        assert shared <= keys_below(rest.store, "data/")
