"""Commit markers that do not come: nothing waits for them in silence."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_elementary.snapshots import LocalKeys, Manifest, open_store
from airflow_provider_elementary.snapshots.summary import problems
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.syncs import (
    LAST_MARKER,
    CountedKeys,
    Sync,
    after,
    marker,
    run_results,
)

if TYPE_CHECKING:
    pass


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    path = write_duckdb(small_world(days=5), tmp_path / "warehouse.duckdb")
    return Sync(path, open_store((tmp_path / "store").as_uri()), CountedKeys(LocalKeys(LocalKeys.generate())))


def rejected(manifest: Manifest) -> list[tuple[str, str, int]]:
    return [
        (f"{entry['table']}.{entry['column']}", entry["kind"], entry.get("rows", entry.get("values", 0)))
        for entry in manifest.rejected
    ]


class TestMissingMarkers:
    def test_markers_that_never_came_are_said_and_nothing_waits(self, sync: Sync) -> None:
        sync.change("DELETE FROM dbt_invocations")

        manifest = sync.snapshot()

        assert manifest.consistency is not None
        assert manifest.consistency.waiting_count == 0
        assert manifest.tables["dbt_run_results"].rows == 25
        assert problems(manifest) == [
            "no dbt_invocations row came for 5 runs in the last 30 days: dbt_invocations autoupload is probably off; "
            "set disable_dbt_invocation_autoupload to false, and check that Elementary's on-run-end hook ends well. "
            "Rows are taken without waiting"
        ]

    def test_markers_that_stopped_coming_are_said_with_the_time(self, sync: Sync) -> None:
        stopped = LAST_MARKER - timedelta(days=4)
        sync.change(f"DELETE FROM dbt_invocations WHERE created_at > TIMESTAMP '{stopped}'")

        manifest = sync.snapshot()

        [sentence] = problems(manifest)
        assert sentence.startswith(
            f"no dbt_invocations row came for 4 runs since {stopped}: dbt_invocations autoupload"
        )
        assert sum(entry.waiting for entry in manifest.tables.values()) == 0

    def test_markers_that_stopped_long_ago_are_said_for_the_days_that_are_counted(self, sync: Sync) -> None:
        sync.change(
            "UPDATE dbt_invocations SET invocation_id = invocation_id || ' of old', "
            "created_at = created_at - INTERVAL 40 DAY, generated_at = NULL, run_completed_at = NULL"
        )

        [sentence] = problems(sync.snapshot())

        assert sentence.startswith("no dbt_invocations row came for 5 runs in the last 30 days: dbt_invocations")

    def test_markers_that_come_again_are_waited_for_again(self, sync: Sync) -> None:
        sync.change(f"DELETE FROM dbt_invocations WHERE created_at < TIMESTAMP '{LAST_MARKER}'")
        sync.snapshot()
        sync.change(run_results("half", after(minutes=30), "a"))

        second = sync.snapshot()

        assert second.consistency is not None
        assert (second.consistency.waiting, problems(second)) == (("half",), [])

    def test_one_killed_run_is_not_taken_for_markers_that_never_come(self, sync: Sync) -> None:
        sync.change(run_results("killed", after(minutes=30), "a"), run_results("half", after(hours=8), "a"))

        manifest = sync.snapshot()

        assert manifest.consistency is not None
        assert manifest.consistency.waiting == ("half",)
        [sentence] = problems(manifest)
        assert sentence.startswith("no dbt_invocations row came for 2 runs since")
        assert "taken 6 hours later" in sentence

    def test_a_job_without_markers_is_diagnosed_next_to_one_that_writes_them(self, sync: Sync) -> None:
        for day in range(4):
            ended = LAST_MARKER - timedelta(days=day, hours=2)
            sync.change(run_results(f"prod {day}", ended, "a"))
        # The newest run of prod is younger than the time-out; "half" still writes.
        sync.change(
            run_results("prod 4", after(hours=1), "a"),
            run_results("half", after(hours=3), "a"),
            "UPDATE dbt_invocations SET generated_at = NULL, run_completed_at = NULL",
        )

        manifest = sync.snapshot()

        [sentence] = problems(manifest)
        assert sentence.startswith("no dbt_invocations row came for 3 runs within 7 days: other runs have one")
        assert "disable_dbt_invocation_autoupload" in sentence
        assert manifest.consistency is not None
        assert manifest.consistency.incomplete == tuple(f"prod {day}" for day in range(5))
        assert manifest.consistency.waiting == ("half",)

    def test_two_killed_runs_between_markers_are_no_diagnosis(self, sync: Sync) -> None:
        for day in range(1, 3):
            sync.change(run_results(f"killed {day}", LAST_MARKER - timedelta(days=day, hours=2), "a"))

        assert problems(sync.snapshot()) == []

    def test_markers_without_an_id_are_said(self, sync: Sync) -> None:
        sync.change("UPDATE dbt_invocations SET invocation_id = NULL")

        [sentence] = problems(sync.snapshot())

        assert "its rows name no run of the schema" in sentence

    def test_ids_of_another_spelling_match(self, sync: Sync) -> None:
        sync.change("UPDATE dbt_invocations SET invocation_id = upper(invocation_id) || '  '")

        manifest = sync.snapshot()

        assert problems(manifest) == []
        assert manifest.consistency is not None
        assert (manifest.consistency.waiting_count, manifest.consistency.incomplete_count) == (0, 0)

    @pytest.mark.parametrize(("days", "waiting"), [(50, ()), (70, ("late",))])
    def test_an_increment_finds_markers_of_sixty_days(self, sync: Sync, days: int, waiting: tuple[str, ...]) -> None:
        sync.change(marker("late", LAST_MARKER - timedelta(days=days)))
        sync.snapshot()
        sync.change(run_results("late", after(minutes=30), "a"), marker("next", after(minutes=31)))

        increment = sync.snapshot()
        full = sync.snapshot(full_every_days=0)

        assert increment.kind == "incremental"
        assert [found.consistency.waiting for found in (increment, full) if found.consistency] == [waiting, ()]

    def test_an_increment_keeps_what_older_markers_said(self, sync: Sync) -> None:
        sync.change(
            "UPDATE dbt_invocations SET created_at = created_at - INTERVAL 100 DAY, "
            "generated_at = strftime(created_at - INTERVAL 100 DAY, '%Y-%m-%d %H:%M:%S'), run_completed_at = NULL",
            marker("ahead", LAST_MARKER - timedelta(days=99)),
            "UPDATE dbt_invocations SET generated_at = strftime(created_at - INTERVAL 5 HOUR, '%Y-%m-%d %H:%M:%S') "
            "WHERE invocation_id = 'ahead'",
        )
        full = sync.snapshot()
        sync.change(run_results("new", after(minutes=30), "a"))

        increment = sync.snapshot()

        assert (full.kind, increment.kind) == ("full", "incremental")
        for found in (full.consistency, increment.consistency):
            assert found is not None
            assert found.zones_apart == timedelta(hours=5).total_seconds()
            assert found.committed_until == (LAST_MARKER - timedelta(days=99)).isoformat()

    def test_a_schema_without_a_table_of_markers_says_so(self, sync: Sync) -> None:
        sync.change("DROP TABLE dbt_invocations")

        [sentence] = problems(sync.snapshot())

        assert sentence.startswith("the schema has no table dbt_invocations that can be used")

    def test_markers_without_a_time_still_let_the_metrics_of_their_runs_pass(self, sync: Sync) -> None:
        sync.change("UPDATE dbt_invocations SET created_at = NULL")

        manifest = sync.snapshot()

        assert manifest.tables["data_monitoring_metrics"].waiting == 0
