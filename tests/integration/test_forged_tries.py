"""Anyone who may write to the store, with no keys or those of a reader, cannot make a retry adopt a manifest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import SnapshotConflictError
from airflow_provider_elementary.snapshots import KmsKeys, LocalKeys, Manifest, SnapshotSource, find_manifest
from airflow_provider_elementary.snapshots import capture as write
from airflow_provider_elementary.snapshots.capture.commit import _mac
from airflow_provider_elementary.snapshots.manifest import Parent
from airflow_provider_elementary.snapshots.prune import prune
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.snapshots.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.signatures import KeysSigner, read_signature
from tests.support.attempts import ARTIFACTS, RUN, Sync, new_run

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    return Sync(tmp_path)


def is_whole(sync: Sync) -> bool:
    """Return whether the newest snapshot holds the rows that the warehouse does, by their identities."""
    with duckdb.connect(str(sync.path), read_only=True) as connection:
        return all(
            sorted(map(str, sync.column(table, column)))
            == sorted(str(row[0]) for row in connection.execute(f"SELECT {column} FROM elementary.{table}").fetchall())
            for table, column in (
                ("dbt_models", "unique_id"),
                ("dbt_invocations", "invocation_id"),
                ("dbt_run_results", "model_execution_id"),
                ("elementary_test_results", "id"),
                ("data_monitoring_metrics", "id"),
            )
        )


def forged(sync: Sync) -> Manifest:
    """Return a manifest of no files that continues the newest and claims to be of the run."""
    before = find_manifest(sync.rest.repository)
    return replace(
        before,
        snapshot_id=write._new_id(before.taken_at),
        run_key=RUN,
        sequence=before.sequence + 1,
        parent=Parent(before.sequence, sha256(before.to_bytes())),
        files=(),
    )


def without_a_mac(sync: Sync) -> Manifest:
    return replace(forged(sync), mac="")


def with_the_mac_of_another(sync: Sync) -> Manifest:
    return forged(sync)


def with_no_keys(sync: Sync) -> Manifest:
    manifest = replace(forged(sync), keys={})
    return replace(manifest, mac=_mac(manifest, [], sync.rest.store))


def with_a_readers_key(sync: Sync) -> Manifest:
    manifest = forged(sync)
    theirs = SnapshotSource(Repository(sync.rest.store, sync.keys), manifest).data_key(Category.TABLE_METRICS)
    manifest = replace(manifest, keys={"table_metrics": manifest.keys["table_metrics"]})
    return replace(manifest, mac=_mac(manifest, [theirs], sync.rest.store))


def with_a_readers_key_beside_all_wrapped_keys(sync: Sync) -> Manifest:
    manifest = forged(sync)
    theirs = SnapshotSource(Repository(sync.rest.store, sync.keys), manifest).data_key(Category.TABLE_METRICS)
    return replace(manifest, mac=_mac(manifest, [theirs], sync.rest.store))


def with_keys_of_their_own(sync: Sync) -> Manifest:
    theirs = LocalKeys(LocalKeys.generate())
    return under(sync, theirs)


def with_a_mac_that_is_no_text(sync: Sync) -> Manifest:
    return replace(forged(sync), mac="é\ud7ff")


def under(sync: Sync, keys: LocalKeys | KmsKeys) -> Manifest:
    """Return a forged manifest whose data keys and MAC are all made with other master keys."""
    manifest = forged(sync)
    made = {
        category: keys.new_data_key(
            category,
            {
                "application": "airflow-provider-elementary",
                "snapshot": manifest.snapshot_id,
                "category": category.value,
            },
        )
        for category in sync.keys_held()
    }
    manifest = replace(manifest, keys={category.value: key.wrapped for category, key in made.items()})
    return replace(manifest, mac=_mac(manifest, [key.plaintext for key in made.values()], sync.rest.store))


FORGERIES = [
    without_a_mac,
    with_the_mac_of_another,
    with_no_keys,
    with_a_readers_key,
    with_a_readers_key_beside_all_wrapped_keys,
    with_keys_of_their_own,
    with_a_mac_that_is_no_text,
]


class TestAForgedCommit:
    @pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__.replace("_", " "))
    def test_is_neither_returned_nor_signed_for_the_run_that_it_claims(
        self, sync: Sync, forge: Callable[[Sync], Manifest]
    ) -> None:
        signer = KeysSigner(sync.keys)
        sync.snapshot(run_key="the run before", signer=signer)
        sync.rest.store.put(manifest_key(2), forge(sync).to_bytes())

        manifest = sync.snapshot(signer=signer, full_every_days=0)

        assert manifest.sequence == 3
        assert read_signature(sync.rest.store, manifest_key(2)) is None
        assert is_whole(sync)

    def test_under_a_kms_key_of_the_forgers_is_not_even_opened(self, sync: Sync, aws_server: AwsServer) -> None:
        kms, ours, theirs = aws_server.client("kms"), aws_server.create_key(), aws_server.create_key()
        sync.keys = KmsKeys(kms, ours)
        sync.snapshot(run_key="the run before")
        sync.rest.store.put(manifest_key(2), under(sync, KmsKeys(kms, theirs)).to_bytes())

        assert sync.snapshot(full_every_days=0).sequence == 3
        assert is_whole(sync)

    def test_that_is_a_true_one_with_other_facts_leads_to_a_snapshot_more(self, sync: Sync) -> None:
        committed = sync.snapshot()
        sync.rest.store.put(manifest_key(1), replace(committed, reason="another").to_bytes())

        assert sync.snapshot().sequence == 2

    def test_that_is_a_true_one_in_another_place_is_passed_over(self, sync: Sync) -> None:
        first = sync.snapshot()
        sync.rest.store.put(manifest_key(2), replace(first, sequence=2).to_bytes())
        sync.rest.path(manifest_key(1)).unlink()

        assert sync.snapshot(full_every_days=0).sequence == 3

    def test_that_is_a_true_one_of_another_store_is_passed_over(self, sync: Sync, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        other = Sync(tmp_path / "other")
        other.keys = sync.keys
        other.snapshot()
        shutil.copytree(other.rest.folder, sync.rest.folder)

        assert sync.snapshot().sequence == 2


class TestATrueCommit:
    def test_is_returned_to_a_retry_although_other_runs_committed_since(self, sync: Sync) -> None:
        first = sync.snapshot()
        for number in range(7):
            sync.snapshot(run_key=f"run {number}")

        assert sync.snapshot() == first

    def test_is_found_past_a_manifest_that_cannot_be_read(self, sync: Sync) -> None:
        first = sync.snapshot()
        sync.rest.store.put(manifest_key(2), b"{")

        assert sync.snapshot() == first

    def test_that_eight_others_followed_leads_to_a_snapshot_more(self, sync: Sync) -> None:
        sync.snapshot()
        for number in range(8):
            sync.snapshot(run_key=f"run {number}")

        assert sync.snapshot().sequence == 10


class TestOthersBetweenTheAttempts:
    def test_two_runs_that_both_fail_both_commit_the_state_that_they_see(self, sync: Sync) -> None:
        sync.attempt_until(files=ARTIFACTS)
        sync.change(*new_run(1))
        sync.attempt_until(files=ARTIFACTS, run_key="another run")
        sync.change(*new_run(2))

        first = sync.snapshot()
        first_is_whole = is_whole(sync)
        sync.change(*new_run(3))
        second = sync.snapshot(run_key="another run")

        assert first_is_whole
        assert is_whole(sync)
        assert (first.sequence, second.sequence) == (1, 2)
        assert verify(Repository(sync.rest.store, sync.keys), snapshot="all").findings == ()

    def test_a_prune_that_spares_no_orphans_removes_what_an_attempt_left(self, sync: Sync) -> None:
        sync.snapshot(run_key="the run before")
        sync.attempt_until(files=ARTIFACTS, full_every_days=0)
        report = prune(sync.rest.repository, Retention(), orphan_age=timedelta(0))

        assert report.files == ARTIFACTS
        assert sync.snapshot(full_every_days=0).sequence == 2
        assert is_whole(sync)

    def test_files_that_a_prune_removes_in_the_middle_fail_the_attempt_and_not_the_store(self, sync: Sync) -> None:
        def remove_models(table: str, rows: int) -> None:
            for path in sync.rest.path("data").glob("*/dbt_models/metadata.parquet"):
                path.unlink()

        with pytest.raises(SnapshotConflictError, match="was removed or replaced while the snapshot was written"):
            sync.snapshot(rows_read=remove_models)
        nothing_was_committed = list(sync.rest.store.list("manifests/")) == []

        assert nothing_was_committed
        assert (sync.snapshot().sequence, is_whole(sync)) == (1, True)

    def test_a_worker_whose_clock_is_days_late_loses_its_attempt_and_nothing_else(
        self, sync: Sync, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sync.snapshot(run_key="the run before")
        with monkeypatch.context() as late:
            late.setattr(write, "_new_id", lambda taken_at: f"{taken_at - timedelta(days=3):%Y%m%dT%H%M%SZ}-1a7e")
            sync.attempt_until(files=ARTIFACTS, full_every_days=0)
        before = prune(sync.rest.repository, Retention())

        assert before.files > 0
        assert sync.snapshot(full_every_days=0).sequence == 2
        assert is_whole(sync)
