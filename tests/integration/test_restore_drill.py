"""Tests that the restore drill compares every table with the manifest and with the snapshot's files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import KeyUnavailableError, SnapshotCorruptError
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, SnapshotSource, open_store
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.restore_drill import drill
from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget
from airflow_provider_elementary.source import reader_of
from tests.support.signing import opened
from tests.support.stores import Rest, grow, local_rest


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    folder = tmp_path_factory.mktemp("original")
    rest = local_rest(folder)
    return rest, grow(rest, folder, [3, 4, 5])


@pytest.fixture
def spoiled(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a statement run on the restored file before it is compared, as a fault in restoring would have it."""
    original = DuckDBTarget.open

    def spoil(statement: str) -> None:
        from contextlib import contextmanager

        @contextmanager
        def open_and_spoil(self: DuckDBTarget) -> Iterator[Any]:
            with original(self) as session:
                yield session
            with duckdb.connect(str(self.path)) as connection:
                connection.execute(statement)

        monkeypatch.setattr(DuckDBTarget, "open", open_and_spoil)

    return spoil


@pytest.mark.parametrize("which", [0, 2])
def test_a_full_and_an_incremental_snapshot_pass(rest: Rest, manifests: list[Manifest], which: int) -> None:
    report = drill(rest.repository, snapshot=manifests[which].snapshot_id)

    assert report.passed
    assert (report.sequence, report.tables) == (
        which + 1,
        sum(table.rows > 0 for table in manifests[which].tables.values()),
    )
    assert report.rows == sum(table.rows for table in manifests[which].tables.values())


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        ("DELETE FROM elementary.dbt_invocations WHERE rowid = 0", "dbt_invocations has 4 rows instead of 5"),
        (
            "UPDATE elementary.data_monitoring_metrics SET metric_name = 'other' WHERE rowid = 0",
            "data_monitoring_metrics has other values than the files of the snapshot",
        ),
        (
            "UPDATE elementary.dbt_models SET owner = NULL",
            "dbt_models has other values than the files of the snapshot",
        ),
    ],
)
def test_a_lost_row_and_a_changed_value_are_named(
    rest: Rest, manifests: list[Manifest], spoiled: Any, statement: str, difference: str
) -> None:
    spoiled(statement)

    report = drill(rest.repository)

    assert report.differences == (difference,)
    with pytest.raises(SnapshotCorruptError, match="differs from what it holds"):
        report.require()


def test_rows_of_an_expired_category_are_not_missed(rest: Rest, manifests: list[Manifest]) -> None:
    later = datetime.now(UTC) + timedelta(days=60)
    prune(rest.repository, Retention(keep_last=3, category_days={Category.FAILED_ROWS_SAMPLE: 30}), now=later)

    report = drill(rest.repository)

    assert report.passed
    assert report.expired == ("failed_rows_sample",)
    assert report.rows < sum(table.rows for table in manifests[2].tables.values())


def test_the_key_of_a_category_without_files_is_not_missed(tmp_path: Path) -> None:
    masters = LocalKeys.generate()
    rest = Rest(open_store((tmp_path / "store").as_uri()), LocalKeys(masters), tmp_path / "store")
    grow(rest, tmp_path, [3, 4])
    later = datetime.now(UTC) + timedelta(days=60)
    prune(rest.repository, Retention(keep_last=2, category_days={Category.FAILED_ROWS_SAMPLE: 30}), now=later)
    gone = Category.FAILED_ROWS_SAMPLE.value

    report = drill(opened(rest.store, LocalKeys({**masters, gone: LocalKeys.generate()[gone]})))

    assert report.passed
    assert report.expired == (gone,)


def test_a_file_that_is_damaged_after_it_was_restored_is_an_error_of_ours(
    rest: Rest, manifests: list[Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    intact, restored = SnapshotSource.read, set[str]()

    def read(self: SnapshotSource, table: str) -> pa.RecordBatchReader:
        def damaged() -> Iterator[pa.RecordBatch]:
            raise SnapshotCorruptError(f"{table} is damaged.")
            yield

        if table in restored:
            return reader_of(self.schema(table), damaged())
        restored.add(table)
        return intact(self, table)

    monkeypatch.setattr(SnapshotSource, "read", read)

    with pytest.raises(SnapshotCorruptError, match="is damaged"):
        drill(rest.repository)


def test_a_key_that_is_missing_fails_the_drill(rest: Rest, manifests: list[Manifest], tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailableError):
        drill(opened(rest.store, LocalKeys(LocalKeys.generate())), folder=tmp_path)

    assert list(tmp_path.glob("elementary-drill-*")) == []
