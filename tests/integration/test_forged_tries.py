"""Whoever may write to the store, and has no keys or those of a reader, does not lead a retry astray."""

from __future__ import annotations

import hmac
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.exceptions import SnapshotConflictError
from airflow_provider_elementary.snapshots import KmsKeys, LocalKeys, SnapshotSource, find_manifest, write
from airflow_provider_elementary.snapshots.data_keys import OpenKeys
from airflow_provider_elementary.snapshots.keys import DataKey
from airflow_provider_elementary.snapshots.manifest import Parent, manifest_key, sha256
from airflow_provider_elementary.snapshots.prune import prune
from airflow_provider_elementary.snapshots.retain import Retention
from airflow_provider_elementary.snapshots.signature import KeysSigner, read_signature
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.snapshots.vouching import vouch
from tests.tries import ARTIFACTS, RUN, RUNS, Sync, new_run, note, taken_up

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

#: Data keys that an attacker knows, by category.
Known = Mapping[Category, DataKey]


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    return Sync(tmp_path)


def forge(sync: Sync, known: Known) -> None:
    """Note for the next run that a try has finished all tables, and that they consist of no files."""
    before = find_manifest(sync.rest.store)
    checkpoint = replace(
        before,
        snapshot_id=write._new_id(before.taken_at),
        run_key=RUN,
        sequence=0,
        kind="incremental",
        reason=None,
        parent=Parent(before.sequence, sha256(before.to_bytes())),
        files=(),
        keys={category.value: key.wrapped for category, key in known.items()},
        hash_key=None,
    )
    seal = vouch(checkpoint.to_bytes(), OpenKeys(known, None), sync.rest.store, "checkpoint")
    facts = {"manifest": checkpoint.to_bytes().decode(), "seal": seal}
    document = {"run_key": RUN, "snapshot_id": checkpoint.snapshot_id, "sequence": None, "checkpoint": facts}
    key = f"runs/{sha256(RUN.encode())[:32]}.json"
    sync.rest.store.put(key, json.dumps(document).encode())


def forge_commit(sync: Sync) -> None:
    """Put a manifest without files after the newest, and a note by which it is the one of the next run."""
    before = find_manifest(sync.rest.store)
    forged = replace(
        before,
        snapshot_id=write._new_id(before.taken_at),
        run_key=RUN,
        sequence=before.sequence + 1,
        parent=Parent(before.sequence, sha256(before.to_bytes())),
        files=(),
    )
    sync.rest.store.put(manifest_key(forged.sequence), forged.to_bytes())
    seal = hmac.new(b"", forged.to_bytes(), "sha256").hexdigest()
    facts = {"run_key": RUN, "snapshot_id": forged.snapshot_id, "sequence": forged.sequence, "seal": seal}
    sync.rest.store.put(f"runs/{sha256(RUN.encode())[:32]}.json", json.dumps(facts).encode())


def is_whole(sync: Sync) -> bool:
    """Tell whether the newest snapshot holds the rows that the warehouse does, by their identities."""
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


def nothing(sync: Sync) -> Known:
    return {}


def a_readers_key(sync: Sync) -> Known:
    manifest = find_manifest(sync.rest.store)
    plaintext = SnapshotSource(sync.rest.store, manifest, sync.keys).data_key(Category.TABLE_METRICS)
    return {Category.TABLE_METRICS: DataKey(plaintext, manifest.keys["table_metrics"])}


def keys_of_their_own(sync: Sync) -> Known:
    theirs = LocalKeys(LocalKeys.generate())
    return {category: theirs.new_data_key(category, {}) for category in sync.keys_held()}


class TestAForgedCheckpoint:
    @pytest.mark.parametrize(
        "known", [nothing, a_readers_key, keys_of_their_own], ids=["no keys", "a reader's key", "keys of their own"]
    )
    def test_that_leaves_out_all_rows_is_not_taken_up(self, sync: Sync, known: Callable[[Sync], Known]) -> None:
        sync.snapshot(run_key="the run before")
        forge(sync, known(sync))

        manifest = sync.snapshot()

        assert (manifest.kind, manifest.earlier_tries) == ("incremental", ())
        assert is_whole(sync)

    def test_under_a_kms_key_of_the_forgers_is_not_even_opened(self, sync: Sync, aws_server: AwsServer) -> None:
        kms, ours, theirs = aws_server.client("kms"), aws_server.create_key(), aws_server.create_key()
        sync.keys = KmsKeys(kms, ours)
        sync.snapshot(run_key="the run before")
        forge(sync, {category: KmsKeys(kms, theirs).new_data_key(category, {}) for category in sync.keys_held()})

        manifest = sync.snapshot()

        assert (manifest.kind, manifest.earlier_tries) == ("incremental", ())
        assert is_whole(sync)


class TestATrueCheckpointInAnotherPlace:
    def test_that_of_another_run_is_not_taken_up(self, sync: Sync) -> None:
        sync.try_until(files=ARTIFACTS, run_key="another run")
        facts = json.loads(note(sync).read_text())
        sync.rest.store.put(f"runs/{sha256(RUN.encode())[:32]}.json", json.dumps({**facts, "run_key": RUN}).encode())

        assert sync.snapshot().earlier_tries == ()
        assert is_whole(sync)

    def test_that_of_another_store_is_not_taken_up_with_all_its_files(self, sync: Sync, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        other = Sync(tmp_path / "other")
        other.keys = sync.keys
        other.try_until(files=RUNS)
        shutil.copytree(other.rest.folder, sync.rest.folder)

        assert sync.snapshot().earlier_tries == ()
        assert is_whole(sync)

    def test_an_older_one_of_the_same_run_only_costs_time(self, sync: Sync) -> None:
        sync.try_until(files=ARTIFACTS)
        older = note(sync).read_bytes()
        sync.change(*new_run(1))
        sync.try_until(files=RUNS)
        note(sync).write_bytes(older)

        manifest = sync.snapshot()

        assert len(manifest.earlier_tries) == 1
        assert is_whole(sync)
        assert verify(sync.rest.store, sync.keys, snapshot="all").findings == ()


class TestAForgedCommit:
    def test_is_neither_returned_nor_signed_for_the_run_that_it_claims(self, sync: Sync) -> None:
        signer = KeysSigner(sync.keys)
        sync.snapshot(run_key="the run before", signer=signer)
        forge_commit(sync)

        manifest = sync.snapshot(signer=signer, full_every_days=0)

        assert manifest.sequence == 3
        assert read_signature(sync.rest.store, manifest_key(2)) is None
        assert is_whole(sync)

    def test_a_note_changed_after_a_true_commit_leads_to_a_snapshot_more(self, sync: Sync) -> None:
        committed = sync.snapshot()
        facts = json.loads(note(sync).read_text())
        note(sync).write_text(json.dumps({**facts, "seal": "0" * 64}))

        assert (committed.sequence, sync.snapshot().sequence) == (1, 2)


class TestOthersBetweenTheTries:
    def test_two_runs_that_are_both_cut_short_both_commit_the_state_that_they_see(self, sync: Sync) -> None:
        sync.try_until(files=ARTIFACTS)
        sync.change(*new_run(1))
        sync.try_until(files=RUNS, run_key="another run")
        sync.change(*new_run(2))

        first = sync.snapshot()
        first_is_whole = is_whole(sync)
        sync.change(*new_run(3))
        second = sync.snapshot(run_key="another run")

        assert first_is_whole
        assert is_whole(sync)
        assert (taken_up(first) != set(), second.earlier_tries) == (True, ())
        assert verify(sync.rest.store, sync.keys, snapshot="all").findings == ()

    def test_a_prune_that_spares_no_orphans_costs_the_earlier_try(self, sync: Sync) -> None:
        sync.snapshot(run_key="the run before")
        sync.try_until(files=ARTIFACTS, full_every_days=0)
        prune(sync.rest.store, Retention(), orphan_age=timedelta(0))

        assert sync.snapshot(full_every_days=0).earlier_tries == ()
        assert is_whole(sync)

    def test_files_that_a_prune_removes_in_the_middle_fail_the_try_and_not_the_store(self, sync: Sync) -> None:
        def remove_models(table: str, rows: int) -> None:
            for path in sync.rest.path("data").glob("*/dbt_models/metadata.parquet"):
                path.unlink()

        with pytest.raises(SnapshotConflictError, match="as this snapshot wrote it, found that it is gone"):
            sync.snapshot(rows_read=remove_models)
        nothing_was_committed = list(sync.rest.store.list("manifests/")) == []

        assert nothing_was_committed
        assert (sync.snapshot().earlier_tries, is_whole(sync)) == ((), True)

    def test_a_worker_whose_clock_is_days_late_loses_its_try_and_nothing_else(
        self, sync: Sync, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sync.snapshot(run_key="the run before")
        with monkeypatch.context() as late:
            late.setattr(write, "_new_id", lambda taken_at: f"{taken_at - timedelta(days=3):%Y%m%dT%H%M%SZ}-1a7e")
            sync.try_until(files=ARTIFACTS, full_every_days=0)
        before = prune(sync.rest.store, Retention())

        assert before.files > 0
        assert sync.snapshot(full_every_days=0).earlier_tries == ()
        assert is_whole(sync)
