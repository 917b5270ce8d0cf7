"""Anyone who may write to the store, with no keys or those of a reader, cannot make a retry adopt a manifest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from airflow_provider_elementary.exceptions import SnapshotConflictError
from airflow_provider_elementary.snapshots import capture as write
from airflow_provider_elementary.snapshots.lookup import read_signed
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.manifest import Parent
from airflow_provider_elementary.snapshots.manifest_document import MANIFEST, AddedFiles, ManifestDocument
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.layout import manifest_key
from tests.support.attempts import ARTIFACTS, RUN, Sync, new_run
from tests.support.signing import SIGNER, new_signer, opened, signed


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


def forged(sync: Sync) -> ManifestDocument:
    """Return a manifest of no files that continues the newest and claims to be of the run."""
    before = read_signed(sync.rest.repository, 1)
    return replace(
        before.document,
        snapshot_id=write.new_id(before.document.taken_at),
        run_key=RUN,
        sequence=2,
        lists=(),
        parent=Parent(1, before.sha256),
        added=AddedFiles(),
    )


def unsigned(sync: Sync) -> bytes:
    return MANIFEST.write(forged(sync))


def signed_by_a_outsiders_key(sync: Sync) -> bytes:
    return signed(new_signer(), sync.rest.repository.trust.store_id, manifest_key(2), unsigned(sync))


def signed_for_another_store(sync: Sync) -> bytes:
    return signed(SIGNER, "ab" * 32, manifest_key(2), unsigned(sync))


def signed_for_another_place(sync: Sync) -> bytes:
    return signed(SIGNER, sync.rest.repository.trust.store_id, manifest_key(3), unsigned(sync))


def with_the_signature_of_another(sync: Sync) -> bytes:
    line, _, _ = sync.rest.path(manifest_key(1)).read_bytes().partition(b"\n")
    return line + b"\n" + unsigned(sync)


FORGERIES = [
    unsigned,
    signed_by_a_outsiders_key,
    signed_for_another_store,
    signed_for_another_place,
    with_the_signature_of_another,
]


class TestAForgedCommit:
    @pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__.replace("_", " "))
    def test_is_neither_returned_nor_built_upon_for_the_run_that_it_claims(
        self, sync: Sync, forge: Callable[[Sync], bytes]
    ) -> None:
        first = sync.snapshot(run_key="the run before")
        forgery = forge(sync)
        sync.rest.store.put(manifest_key(2), forgery)

        manifest = sync.snapshot(full_every_days=0)

        assert (manifest.sequence, manifest.parent) == (2, Parent(1, first.sha256))
        assert is_whole(sync)
        [aside] = sync.rest.store.list("quarantine/")
        assert sync.rest.store.get(aside.key) == forgery


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
        assert verify(opened(sync.rest.store, sync.keys), snapshot="all").findings == ()

    def test_a_prune_that_spares_no_orphans_removes_what_an_attempt_left(self, sync: Sync) -> None:
        sync.snapshot(run_key="the run before")
        sync.attempt_until(files=ARTIFACTS, full_every_days=0)
        early = prune(sync.rest.repository, Retention(), orphan_age=timedelta(0))
        time.sleep(1.1)  # ids name seconds
        taken = sync.snapshot(full_every_days=0)
        late = prune(sync.rest.repository, Retention(), orphan_age=timedelta(0))

        assert (early.files, late.files) == (0, ARTIFACTS)
        assert taken.sequence == 2
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
            late.setattr(write, "new_id", lambda taken_at: f"{taken_at - timedelta(days=3):%Y%m%dT%H%M%SZ}-1a7e")
            sync.attempt_until(files=ARTIFACTS, full_every_days=0)
        before = prune(sync.rest.repository, Retention())

        assert before.files > 0
        assert sync.snapshot(full_every_days=0).sequence == 2
        assert is_whole(sync)
