"""A snapshot in parts is the snapshot of one task, whatever happens to its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from time import sleep

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError, TableReplacedError
from airflow_provider_elementary.snapshots import Manifest, Repository, capture, write_snapshot
from airflow_provider_elementary.snapshots.capture import side_by_side
from airflow_provider_elementary.snapshots.capture.split import split_into_parts
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.parts import PartReference
from airflow_provider_elementary.snapshots.parts import plan_step as plan_module
from airflow_provider_elementary.storage.layout import DATA, PARTS, PLANS
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.times import utc_now
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.parts import POLICY, Parts, facts_of, rows_of
from tests.support.stores import DAYS, Rest, local_rest, world_after

NewParts = Callable[..., Parts]


@pytest.fixture(scope="module")
def warehouses(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The little project's schema after a number of days; the files have the same name."""
    return {
        days: write_duckdb(world_after(days), tmp_path_factory.mktemp(f"day{days}") / "warehouse.duckdb")
        for days in (1, DAYS - 1, DAYS)
    }


@pytest.fixture
def rest(tmp_path: Path) -> Rest:
    return local_rest(tmp_path)


@pytest.fixture
def parts(rest: Rest, warehouses: dict[int, Path]) -> NewParts:
    def new(days: int = DAYS, **options: object) -> Parts:
        @contextmanager
        def open_source() -> Iterator[WarehouseSource]:
            with WarehouseSource(DuckDBWarehouse(warehouses[days], "elementary")) as source:
                yield source

        return Parts(open_source, lambda: rest.repository, **options)  # type: ignore[arg-type]

    return new


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads read ranges of ten rows."""
    monkeypatch.setattr(capture, "split_into_parts", partial(split_into_parts, rows_per_part=10))


def in_one_task(parts: Parts, repository: Repository, **options: object) -> Manifest:
    with parts.open_source() as source:
        return write_snapshot(source, repository, policy=POLICY, **options)  # type: ignore[arg-type]


def numbers(planned: list[PartReference]) -> list[int]:
    return [reference.part for reference in planned]


class TestEqual:
    def test_a_full_snapshot_in_parts_has_the_rows_and_counts_of_one_task(
        self, parts: NewParts, rest: Rest, tmp_path: Path
    ) -> None:
        other = local_rest(tmp_path / "other").repository
        whole = in_one_task(parts(), other)

        manifest = parts().run()

        assert len({file.part for file in manifest.files}) > 3
        assert facts_of(manifest) == facts_of(whole)
        assert rows_of(rest.repository, manifest) == rows_of(other, whole)

    def test_an_increment_is_one_part_and_continues_either_kind(
        self, parts: NewParts, rest: Rest, tmp_path: Path
    ) -> None:
        other = local_rest(tmp_path / "other").repository
        in_one_task(parts(DAYS - 1), other)
        whole = in_one_task(parts(), other)
        parts(DAYS - 1, run_key="first").run()
        run = parts()

        planned = run.plan()
        states = [run.capture(reference) for reference in planned]
        manifest = run.commit(planned[0])
        after = in_one_task(parts(), rest.repository, run_key="third")

        assert (numbers(planned), states, run.in_one_task) == ([0], ["captured"], [])
        assert facts_of(manifest) == facts_of(whole)
        assert rows_of(rest.repository, manifest) == rows_of(other, whole)
        assert (after.kind, after.new_files) == ("incremental", ())

    @pytest.mark.usefixtures("small_ranges")
    def test_threads_read_ranges_in_sessions_of_their_own(
        self, parts: NewParts, rest: Rest, tmp_path: Path, warehouses: dict[int, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(side_by_side, "MOST_THREADS", 3)
        monkeypatch.setattr(side_by_side.os, "cpu_count", lambda: 3)
        other = local_rest(tmp_path / "other").repository
        whole = in_one_task(parts(), other)
        opened: list[WarehouseSource] = []

        opening = Lock()

        def open_source() -> WarehouseSource:
            # Airflow before 3.2 mixes up its answers where two threads of a task ask for a connection at once.
            assert opening.acquire(blocking=False)
            sleep(0.1)
            opened.append(WarehouseSource(DuckDBWarehouse(warehouses[DAYS], "elementary")))
            opening.release()
            return opened[-1]

        manifest = in_one_task(parts(), rest.repository, open_source=open_source)

        assert len(opened) == 2
        assert len({file.part for file in manifest.files}) > 3
        assert facts_of(manifest) == facts_of(whole)
        assert rows_of(rest.repository, manifest) == rows_of(other, whole)

    @pytest.mark.usefixtures("small_ranges")
    def test_a_failing_thread_ends_the_snapshot_with_its_own_error(self, parts: NewParts, rest: Rest) -> None:

        def refuse() -> WarehouseSource:
            raise ConfigurationError("no second session")

        with pytest.raises(ConfigurationError, match="no second session"):
            in_one_task(parts(), rest.repository, open_source=refuse)
        assert not list(rest.store.list("manifests/"))

    @pytest.mark.usefixtures("small_ranges")
    def test_a_thread_that_sees_a_table_without_its_rows_ends_the_snapshot(
        self, parts: NewParts, rest: Rest, warehouses: dict[int, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_elementary.snapshots.capture._ATTEMPTS", 1)

        # Of a DuckDB file nothing names the table: that rows are missing is all there is to see.
        def replaced() -> WarehouseSource:
            return WarehouseSource(DuckDBWarehouse(warehouses[1], "elementary"))

        with pytest.raises(TableReplacedError, match=r"elementary\.\w+.* was replaced, truncated, dropped or purged"):
            in_one_task(parts(), rest.repository, open_source=replaced)
        assert not list(rest.store.list("manifests/"))


class TestRetries:
    def test_a_part_that_is_missing_is_captured_by_the_commit(self, parts: NewParts, rest: Rest) -> None:
        run = parts()
        planned = run.plan()
        for reference in planned[2:]:
            run.capture(reference)

        manifest = run.commit(planned[0])

        assert run.in_one_task == []
        assert rows_of(rest.repository, manifest) == rows_of(rest.repository, in_one_task(parts(), rest.repository))

    def test_a_part_whose_files_were_removed_is_captured_again(self, parts: NewParts, rest: Rest) -> None:
        run = parts()
        planned = run.plan()
        states = [run.capture(reference) for reference in planned]
        gone = next(found.key for found in rest.store.list(DATA) if "/01-" in found.key)
        rest.store.delete(gone)

        again = [run.capture(planned[number]) for number in (1, 2)]
        manifest = run.commit(planned[0])

        assert set(states) == {"captured"}
        assert again == ["captured", "captured before"]
        assert gone not in {file.key for file in manifest.files}
        assert run.in_one_task == []

    def test_two_attempts_at_a_part_count_once(
        self, parts: NewParts, rest: Rest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = parts()
        planned = run.plan()
        for reference in planned:
            run.capture(reference)
        with monkeypatch.context() as patch:
            # An attempt that was taken for dead sees nothing of the one that replaced it.
            patch.setattr("airflow_provider_elementary.snapshots.parts.capture_step.reported", lambda *_: {})
            assert run.capture(planned[1]) == "captured"

        manifest = run.commit(planned[0])

        whole = in_one_task(parts(), rest.repository, run_key="other", full_every_days=0)
        assert facts_of(manifest)["tables"] == facts_of(whole)["tables"]
        assert rows_of(rest.repository, manifest) == rows_of(rest.repository, whole)

    def test_after_the_commit_every_step_returns_what_is_there(self, parts: NewParts, rest: Rest) -> None:
        run = parts()
        planned = run.plan()
        for reference in planned:
            run.capture(reference)
        manifest = run.commit(planned[0])
        objects = sorted(found.key for found in rest.store.list(""))

        again = run.plan()
        states = {run.capture(reference) for reference in again}
        same = run.commit(again[0])

        assert again == planned
        assert states == {"committed before"}
        assert same == manifest
        assert sorted(found.key for found in rest.store.list("")) == objects

    def test_a_cleared_plan_makes_fewer_parts_and_the_earlier_ones_do_not_count(
        self, parts: NewParts, rest: Rest
    ) -> None:
        first = parts()
        before = first.plan()
        for reference in before:
            first.capture(reference)
        run = parts(rows_per_part=1_000_000)

        planned = run.plan()
        left = run.capture(before[-1])
        run.capture(planned[0])
        manifest = run.commit(planned[0])

        assert (numbers(planned), left) == ([0], "captured before")
        assert {file.snapshot_id for file in manifest.files} == {planned[0].plan.removeprefix(PLANS)}

    def test_what_an_earlier_plan_committed_is_found_below_another_runs_snapshot(
        self, parts: NewParts, rest: Rest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(LocalStore, "clock_difference", lambda store: timedelta(0))
        lost, run = parts(), parts(rows_per_part=1_000_000)
        before = lost.plan()
        with monkeypatch.context() as later:
            later.setattr(plan_module, "utc_now", lambda: utc_now() + timedelta(hours=1))
            planned = run.plan()
        committed = lost.commit(before[0])
        in_one_task(parts(), rest.repository, run_key="another run")

        assert run.capture(planned[0]) == "committed before"
        assert run.commit(planned[0]) == committed


class TestOutdated:
    def test_past_its_deadline_a_plan_gives_way_to_one_task(
        self, parts: NewParts, rest: Rest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = parts()
        planned = run.plan()
        run.capture(planned[0])
        later = plan_module.utc_now() + timedelta(hours=25)
        monkeypatch.setattr(plan_module, "utc_now", lambda: later)

        state = run.capture(planned[1])
        manifest = run.commit(planned[0])

        assert (state, run.in_one_task) == ("outdated", ["run"])
        assert {file.part for file in manifest.files} == {""}

    def test_a_table_that_loses_rows_between_parts_makes_one_task_read_it(
        self, parts: NewParts, rest: Rest, caplog: pytest.LogCaptureFixture
    ) -> None:
        run = parts()
        planned = run.plan()
        for reference in planned[:2]:
            run.capture(reference)
        run.open_source = parts(1).open_source
        states = [run.capture(reference) for reference in planned[2:]]

        manifest = run.commit(planned[0])

        assert set(states) == {"captured"}
        assert run.in_one_task == ["run"]
        assert "lost rows while the parts were read" in caplog.text
        after = in_one_task(parts(1), rest.repository, run_key="after", full_every_days=0)
        assert rows_of(rest.repository, manifest) == rows_of(rest.repository, after)

    def test_a_writer_that_came_first_makes_an_increment_plan_again(self, parts: NewParts, rest: Rest) -> None:
        in_one_task(parts(DAYS - 1), rest.repository)
        run = parts()
        planned = run.plan()
        run.capture(planned[0])
        in_one_task(parts(), rest.repository, run_key="another writer")

        manifest = run.commit(planned[0])

        assert run.in_one_task == ["run"]
        assert (manifest.sequence, manifest.kind) == (3, "incremental")

    def test_a_plan_that_nobody_of_the_store_signed_is_not_followed(self, parts: NewParts, rest: Rest) -> None:
        run = parts()
        planned = run.plan()
        rest.path(planned[0].plan).write_bytes(b"forged")

        state = run.capture(planned[0])
        run.commit(planned[0])

        assert (state, run.in_one_task) == ("outdated", ["run"])

    def test_a_report_that_nobody_of_the_store_signed_does_not_count(self, parts: NewParts, rest: Rest) -> None:
        run = parts()
        planned = run.plan()
        for reference in planned:
            run.capture(reference)
        for found in list(rest.store.list(PARTS)):
            rest.path(found.key).write_bytes(b"forged")

        manifest = run.commit(planned[0])

        assert run.in_one_task == []
        assert rows_of(rest.repository, manifest) == rows_of(rest.repository, in_one_task(parts(), rest.repository))

    def test_the_plan_of_another_run_is_not_committed(self, parts: NewParts, rest: Rest) -> None:
        other = parts(run_key="other")
        planned = other.plan()
        run = parts()

        manifest = run.commit(planned[0])

        assert (manifest.run_key, run.in_one_task) == ("run", ["run"])

    @pytest.mark.parametrize(
        "value",
        [
            None,
            [],
            {"plan": "plans/x", "sha256": "0" * 64, "part": 0},
            {"plan": "manifests/20260101T000000Z-00000000", "sha256": "0" * 64, "part": 0},
            {"plan": "plans/20260101T000000Z-00000000", "sha256": "0" * 64, "part": True},
            {"plan": "plans/20260101T000000Z-00000000", "sha256": "short", "part": 0},
        ],
    )
    def test_what_is_no_reference_to_a_part_is_refused(self, value: object) -> None:
        with pytest.raises(ConfigurationError, match="names no part of a plan"):
            PartReference.parse(value)


class TestPrune:
    def test_the_files_of_an_active_plan_stay_and_those_of_an_expired_one_go(self, parts: NewParts, rest: Rest) -> None:
        run = parts()
        planned = run.plan()
        for reference in planned:
            run.capture(reference)
        in_one_task(parts(), rest.repository, run_key="another writer")
        written = {found.key for prefix in (DATA, PLANS, PARTS) for found in rest.store.list(prefix)}
        now = datetime.now(UTC) + timedelta(minutes=1)

        ages = {"orphan_age": timedelta(0), "grace": timedelta(0)}

        prune(rest.repository, Retention(keep_last=1), now=now, **ages)
        kept = {found.key for prefix in (DATA, PLANS, PARTS) for found in rest.store.list(prefix)}
        prune(
            rest.repository,
            Retention(keep_last=1),
            orphan_age=timedelta(0),
            grace=timedelta(0),
            now=now + timedelta(hours=25),
        )
        left = {found.key for prefix in (DATA, PLANS, PARTS) for found in rest.store.list(prefix)}

        assert kept == written
        assert left == {file.key for file in rest.repository.latest().files}


def test_nothing_secret_passes_between_tasks(parts: NewParts) -> None:
    planned = parts().plan()

    assert [PartReference.parse(reference.to_dict()) for reference in planned] == planned
    assert replace(planned[0], part=1).to_dict().keys() == {"plan", "sha256", "part"}
