"""A retry goes on from the tables that an earlier try finished, and only where these are still what they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Policy
from airflow_provider_elementary.snapshots.prune import prune
from airflow_provider_elementary.snapshots.retain import Retention
from airflow_provider_elementary.snapshots.story import story
from airflow_provider_elementary.snapshots.verify import verify
from tests.stores import local_rest
from tests.tries import ARTIFACTS, RUNS, Sync, new_run, note, taken_up


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    return Sync(tmp_path)


def sealed_again(manifest: Manifest) -> set[str]:
    return {file.table for file in manifest.files if file.snapshot_id == manifest.snapshot_id}


class TestGoingOn:
    def test_finished_tables_are_taken_up_and_the_others_are_read(self, sync: Sync) -> None:
        sync.try_until(files=ARTIFACTS)

        manifest = sync.snapshot()

        assert len(taken_up(manifest)) > 2
        assert taken_up(manifest) & sealed_again(manifest) == set()
        assert taken_up(manifest) | sealed_again(manifest) == {file.table for file in manifest.files}
        assert (manifest.kind, manifest.sequence, len(manifest.earlier_tries)) == ("full", 1, 1)
        assert verify(sync.rest.store, sync.keys, snapshot="all").findings == ()

    def test_the_manifest_says_what_one_try_alone_would_say(self, sync: Sync, tmp_path: Path) -> None:
        policy = Policy(failed_rows_days=100_000, failed_rows_per_test=2, dropped_columns=("dbt_run_results.message",))
        sync.try_until(files=RUNS, policy=policy)

        resumed = sync.snapshot(policy=policy)
        whole = sync.snapshot(policy=policy, store=local_rest(tmp_path / "other").store)

        assert resumed.tables == whole.tables
        assert resumed.held_back == whole.held_back
        assert resumed.cut == whole.cut
        assert [(file.table, file.category, file.rows) for file in resumed.files] == [
            (file.table, file.category, file.rows) for file in whole.files
        ]

    def test_what_came_since_the_first_try_is_in_the_snapshot(self, sync: Sync) -> None:
        sync.try_until(files=RUNS)
        sync.change(*new_run(1))

        manifest = sync.snapshot()

        assert "dbt_invocations" in taken_up(manifest) & sealed_again(manifest)
        assert sync.column("dbt_invocations", "invocation_id").count("new-1") == 1
        assert sync.column("dbt_run_results", "model_execution_id").count("new-1.a") == 1
        assert manifest.tables["dbt_invocations"].new_rows == manifest.tables["dbt_invocations"].rows == 6

    def test_a_replaced_table_that_changed_since_is_read_again(self, sync: Sync) -> None:
        sync.try_until(files=RUNS)
        sync.change("DELETE FROM dbt_models WHERE name = 'orders'")

        manifest = sync.snapshot()

        assert "dbt_models" in sealed_again(manifest) - taken_up(manifest)
        assert sync.column("dbt_models", "name") == ["customers"]

    def test_an_increment_goes_on_too(self, sync: Sync) -> None:
        sync.snapshot(run_key="the run before")
        sync.change(*new_run(1))
        sync.try_until(files=2)

        manifest = sync.snapshot()

        assert (manifest.kind, manifest.sequence) == ("incremental", 2)
        assert {file.table for file in manifest.new_files} == {"dbt_invocations", "dbt_run_results"}
        assert taken_up(manifest) == {"dbt_invocations"}
        assert sync.column("dbt_invocations", "invocation_id").count("new-1") == 1

    def test_the_snapshot_after_it_is_an_increment_like_any_other(self, sync: Sync) -> None:
        sync.try_until(files=ARTIFACTS)
        resumed = sync.snapshot()
        sync.change(*new_run(1))

        after = sync.snapshot(run_key="the run after")

        assert (after.kind, after.epoch) == ("incremental", 1)
        assert {file.table for file in after.new_files} == {"dbt_invocations", "dbt_run_results"}
        assert set(resumed.files) < set(after.files)

    def test_a_third_try_goes_on_from_both_before_it(self, sync: Sync) -> None:
        sync.try_until(files=3)
        sync.try_until(files=3)

        manifest = sync.snapshot()

        assert len(manifest.earlier_tries) == 2
        assert {file.snapshot_id for file in manifest.files} == {manifest.snapshot_id, *manifest.earlier_tries}

    def test_a_try_that_ends_before_it_finished_a_table_leaves_what_was_noted(self, sync: Sync) -> None:
        sync.try_until(files=ARTIFACTS)
        sync.try_until(files=0)

        assert len(taken_up(sync.snapshot())) > 2

    def test_the_log_says_how_much_was_taken_up(self, sync: Sync) -> None:
        began = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        sync.try_until(files=ARTIFACTS)

        told = "\n".join(story(sync.snapshot(), began, began + timedelta(seconds=2)))

        assert "read what was left of 95 rows of 17 tables in 2.0 s, as an earlier try had finished 3 of the" in told

    def test_nothing_of_it_is_lost_by_prune(self, sync: Sync) -> None:
        sync.try_until(files=ARTIFACTS)
        manifest = sync.snapshot()

        prune(sync.rest.store, Retention(), orphan_age=timedelta(0))

        left = {path.relative_to(sync.rest.folder).as_posix() for path in sync.rest.path("data").rglob("*.parquet")}
        assert left == {file.key for file in manifest.files}
        assert verify(sync.rest.store, sync.keys, snapshot="all").findings == ()


def replace_key(sync: Sync) -> None:
    # LocalKeys keep what they were made of; a rotated key of one category is enough.
    sync.keys = LocalKeys({**LocalKeys.generate()})


def change_checkpoint(sync: Sync) -> None:
    facts = json.loads(note(sync).read_text())
    facts["checkpoint"]["manifest"] = facts["checkpoint"]["manifest"].replace('"held_back":[', '"held_back":[{},', 1)
    note(sync).write_text(json.dumps(facts))


def make_checkpoint_up(sync: Sync) -> None:
    facts = json.loads(note(sync).read_text())
    note(sync).write_text(json.dumps({**facts, "checkpoint": ["?"]}))


def break_note(sync: Sync) -> None:
    note(sync).write_text("{")


def remove_a_file(sync: Sync) -> None:
    next(sync.rest.path("data").rglob("*.parquet")).unlink()


class TestStartingAnew:
    @pytest.mark.parametrize(
        "happening",
        [replace_key, change_checkpoint, make_checkpoint_up, break_note, remove_a_file],
        ids=["a replaced key", "a changed checkpoint", "an invented one", "a broken note", "a missing file"],
    )
    def test_what_does_not_hold_is_not_taken_up(self, sync: Sync, happening: Callable[[Sync], None]) -> None:
        sync.try_until(files=ARTIFACTS)
        happening(sync)

        manifest = sync.snapshot()

        assert (taken_up(manifest), manifest.earlier_tries) == (set(), ())
        assert manifest.tables["dbt_run_results"].rows == 25
        assert verify(sync.rest.store, sync.keys, snapshot="all").findings == ()

    @pytest.mark.parametrize(
        "statement",
        [
            "DELETE FROM dbt_invocations WHERE created_at < TIMESTAMP '2026-10-29'",
            "DELETE FROM dbt_invocations WHERE created_at > TIMESTAMP '2026-10-31 06:00:00'",
            "INSERT INTO dbt_invocations (invocation_id, created_at) VALUES ('late', TIMESTAMP '2026-10-28 01:00:00')",
            "ALTER TABLE dbt_invocations DROP COLUMN job_url",
            "DELETE FROM dbt_run_results",
            "DELETE FROM elementary_test_results",
        ],
        ids=["old rows gone", "new rows gone", "late rows", "a column gone", "a table erased", "an unread one erased"],
    )
    def test_a_source_that_is_not_what_it_was_grown_is_read_from_the_beginning(
        self, sync: Sync, statement: str
    ) -> None:
        sync.try_until(files=RUNS)
        sync.change(statement)

        manifest = sync.snapshot()
        after = sync.snapshot(run_key="the run after")

        assert sorted(sync.column("dbt_invocations", "invocation_id"), key=str) == sorted(invocations(sync), key=str)
        assert (after.kind, after.files) == ("incremental", manifest.files)

    @pytest.mark.parametrize(
        "options",
        [
            {"policy": Policy(failed_rows_days=100_000, failed_rows_per_test=1)},
            {"overlap": timedelta(hours=2)},
            {"commit_timeout": timedelta(hours=3)},
            {"run_key": "another run"},
        ],
        ids=["policy", "overlap", "time-out", "run"],
    )
    def test_a_try_for_something_else_starts_anew(self, sync: Sync, options: dict[str, Any]) -> None:
        sync.try_until(files=ARTIFACTS)

        manifest = sync.snapshot(**options)

        assert (taken_up(manifest), manifest.earlier_tries) == (set(), ())

    def test_a_snapshot_that_came_between_is_built_upon_instead(self, sync: Sync) -> None:
        sync.try_until(files=ARTIFACTS)
        between = sync.snapshot(run_key="another run")

        manifest = sync.snapshot()

        assert (manifest.kind, manifest.sequence, manifest.files) == ("incremental", 2, between.files)

    def test_a_try_of_days_ago_is_not_taken_up(self, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
        sync.try_until(files=ARTIFACTS)
        monkeypatch.setattr("airflow_provider_elementary.snapshots.checkpoint._LIFE", timedelta(seconds=-1))

        assert taken_up(sync.snapshot()) == set()

    def test_a_table_with_more_rows_than_memory_recognises_is_read_again(
        self, sync: Sync, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sync.try_until(files=RUNS)
        # One run has five results and one marker, and the window of a small world holds one run.
        monkeypatch.setattr("airflow_provider_elementary.snapshots.plan._WINDOW_ROWS", 4)

        manifest = sync.snapshot()

        assert "dbt_run_results" in sealed_again(manifest) - taken_up(manifest)
        assert "dbt_invocations" in taken_up(manifest)
        assert manifest.tables["dbt_run_results"].rows == 25


def invocations(sync: Sync) -> list[Any]:
    with duckdb.connect(str(sync.path), read_only=True) as connection:
        return [row[0] for row in connection.execute("SELECT invocation_id FROM elementary.dbt_invocations").fetchall()]
