"""A sync reads back no file of its window where the digest in the snapshot before shows that its rows are all there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Policy
from tests.support.counting_store import CountingStore
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.syncs import EVERYTHING, CountedKeys, Sync, after, marker, run_results

RESULT = (
    "INSERT INTO elementary_test_results (id, invocation_id, created_at, status) "
    f"VALUES ('new.test', 'new', TIMESTAMP '{after(minutes=20)}', 'fail')"
)
SAMPLE = (
    "INSERT INTO test_result_rows (elementary_test_results_id, result_row, created_at, test_type) "
    f"VALUES ('new.test', '{{}}', TIMESTAMP '{after(minutes=20)}', 'dbt_test')"
)
NEW_RUN = (RESULT, SAMPLE, run_results("new", after(minutes=20), "a", "b"), marker("new", after(minutes=21)))


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    """Return a warehouse whose newest run was taken by the second snapshot, so that the window has a digest."""
    path = write_duckdb(small_world(days=5), tmp_path / "warehouse.duckdb")
    found = Sync(path, CountingStore(), CountedKeys(LocalKeys(LocalKeys.generate())))
    found.snapshot()
    found.change(*NEW_RUN)
    assert found.snapshot().kind == "incremental"
    return found


def take(sync: Sync, policy: Policy = EVERYTHING) -> tuple[Manifest, int]:
    """Take a snapshot; return it, and how often a file was read for it."""
    store = cast(CountingStore, sync.store)
    store.reset()
    return sync.snapshot(policy), store.ranges


def test_nothing_new_reads_no_file_back(sync: Sync) -> None:
    before, _ = take(sync)

    found, reads = take(sync)

    assert (found.kind, found.files, found.tables, reads) == ("incremental", before.files, before.tables, 0)
    assert set(filter(None, (found.tables[name].window for name in TABLES if name in found.tables)))


def test_a_new_run_has_only_its_tables_read_back(sync: Sync) -> None:
    sync.change(run_results("next", after(minutes=40), "a", "b"), marker("next", after(minutes=41)))

    found, reads = take(sync)

    assert (found.kind, found.tables["dbt_run_results"].new_rows) == ("incremental", 2)
    assert reads
    assert [sync.column("dbt_run_results", "model_execution_id").count(f"{run}.a") for run in ("new", "next")] == [1, 1]


def test_a_new_sample_has_those_before_read_back(sync: Sync) -> None:
    policy = replace(EVERYTHING, failed_rows_per_test=1)
    take(sync, policy)
    take(sync, policy)
    sync.change(SAMPLE.replace(str(after(minutes=20)), str(after(minutes=30))), marker("next", after(minutes=41)))

    found, reads = take(sync, policy)

    # One was taken of this test already.
    assert (found.kind, sync.column("test_result_rows", "elementary_test_results_id").count("new.test")) == (
        "incremental",
        1,
    )
    assert reads


@pytest.mark.parametrize(
    ("change", "kind", "taken"),
    [
        ("UPDATE dbt_run_results SET status = 'error' WHERE invocation_id = 'new'", "full", ["error", "error"]),
        ("DELETE FROM dbt_run_results WHERE model_execution_id = 'new.a'", "full", ["success"]),
        (run_results("new", after(minutes=10), "c"), "incremental", ["success"] * 3),
        (run_results("new", after(minutes=20), "a"), "incremental", ["success"] * 3),
        (
            "DELETE FROM dbt_run_results WHERE model_execution_id = 'new.a'; "
            + run_results("new", after(minutes=20), "c"),
            "full",
            ["success"] * 2,
        ),
    ],
    ids=["updated in place", "deleted", "written late", "written twice", "one in place of another"],
)
def test_rows_of_the_window_that_are_others_are_found(sync: Sync, change: str, kind: str, taken: list[str]) -> None:
    take(sync)
    sync.change(change)

    found, reads = take(sync)

    assert (found.kind, sync.column("dbt_run_results", "status")[-len(taken) :]) == (kind, taken)
    assert reads


def test_rows_that_waited_are_taken(sync: Sync) -> None:
    sync.change(run_results("next", after(minutes=30), "a"))
    waiting, _ = take(sync)
    sync.change(marker("next", after(minutes=31)))

    taken, _ = take(sync)

    assert (waiting.tables["dbt_run_results"].waiting, taken.tables["dbt_run_results"].new_rows) == (1, 1)
    assert sync.column("dbt_run_results", "model_execution_id").count("next.a") == 1


@pytest.mark.parametrize("policy", [replace(EVERYTHING, hashed_columns=("dbt_run_results.status",)), EVERYTHING])
def test_a_digest_depends_on_the_data_keys(tmp_path: Path, policy: Policy) -> None:
    path = write_duckdb(small_world(days=5), tmp_path / "warehouse.duckdb")
    found = []
    for _ in range(2):
        sync = Sync(path, CountingStore(), CountedKeys(LocalKeys(LocalKeys.generate())))
        sync.snapshot(policy)
        found.append(sync.snapshot(policy).tables["dbt_run_results"].window)

    assert None not in found
    assert found[0] != found[1]


def test_before_the_window_only_samples_are_read(sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    of_monitor = SAMPLE.replace("dbt_test", "anomaly_detection")
    sync.change(of_monitor, marker("monitor", after(minutes=22)))
    older = take(sync)[0].new_files
    sync.change(run_results("later", after(hours=3), "a"), marker("later", after(hours=3, minutes=1)))
    take(sync)
    sync.change(SAMPLE.replace(str(after(minutes=20)), str(after(hours=3))), marker("next", after(hours=3, minutes=2)))
    read, ask = set[str](), sync.store.get_range

    def note(key: str, start: int, length: int) -> bytes:
        read.add(key)
        return ask(key, start, length)

    monkeypatch.setattr(sync.store, "get_range", note)
    found, _ = take(sync)

    assert found.kind == "incremental"
    assert any("/test_result_rows/failed_rows_sample" in key for key in read)
    assert [file.category for file in older if file.table == "test_result_rows"] == [Category.AGGREGATED_METRICS]
    assert not read & {file.key for file in older if file.table == "test_result_rows"}
