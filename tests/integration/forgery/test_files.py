"""Who may write to the bucket, with a data key or without, cannot give a snapshot other rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ElementaryError,
    PrunedMeanwhileError,
    SnapshotCorruptError,
    StoreRefusedError,
)
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.snapshots import Manifest, open_snapshot
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.snapshots.restore import restore
from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.encrypted_parquet import encrypted_file
from airflow_provider_elementary.storage.outcomes import Outcome, outcome_of
from tests.support.encrypted_files import chunks, opened, with_forged_rows
from tests.support.stores import Rest, grow, local_rest, take, world_after

TABLE = "dbt_run_results"
Attack = Callable[[Rest, list[Manifest]], None]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    directory = tmp_path_factory.mktemp("original")
    rest = local_rest(directory)
    return rest, grow(rest, directory, [3, 4])


def file_of(manifest: Manifest, table: str = TABLE, category: Category = Category.RUN_RESULTS) -> FileEntry:
    """Return the newest file of a category of a table."""
    return [file for file in manifest.files if (file.table, file.category) == (table, category)][-1]


def other_category(manifest: Manifest) -> FileEntry:
    return next(file for file in manifest.files if file.category is not Category.RUN_RESULTS and file.rows)


def target(rest: Rest, manifests: list[Manifest]) -> Path:
    return rest.path(file_of(manifests[-1]).key)


def data_key(rest: Rest) -> bytes:
    return open_snapshot(rest.repository).data_key(Category.RUN_RESULTS)


def changed(change: Callable[[bytes], bytes]) -> Attack:
    def attack(rest: Rest, manifests: list[Manifest]) -> None:
        path = target(rest, manifests)
        path.write_bytes(change(path.read_bytes()))

    return attack


def content_of(choose: Callable[[list[Manifest]], FileEntry]) -> Attack:
    def attack(rest: Rest, manifests: list[Manifest]) -> None:
        target(rest, manifests).write_bytes(rest.path(choose(manifests).key).read_bytes())

    return attack


def forged_under_its_footer(rest: Rest, manifests: list[Manifest]) -> None:
    path, key = target(rest, manifests), data_key(rest)
    path.write_bytes(with_forged_rows(path.read_bytes(), next(iter(chunks(path.read_bytes(), key))), key))


def rows_left_out(rest: Rest, manifests: list[Manifest]) -> None:
    """Write the file again without its last row, as who has the data key can."""
    path, key = target(rest, manifests), data_key(rest)
    rows = opened(path.read_bytes(), key).read()
    forged = io.BytesIO()
    with encrypted_file(forged, rows.schema, key, frozenset()) as file:
        for batch in rows.slice(0, rows.num_rows - 1).to_batches():
            file.write(batch)
    path.write_bytes(forged.getvalue())


def of_another_store(rest: Rest, manifests: list[Manifest]) -> None:
    """Put the file that another store of the same master keys has of the same rows."""
    other = Rest(type(rest.store)(rest.folder.parent / "other"), rest.keys, rest.folder.parent / "other")
    taken = grow(other, rest.folder.parent, [3, 4])
    target(rest, manifests).write_bytes(other.path(file_of(taken[-1]).key).read_bytes())


def a_link_to_the_same_bytes(rest: Rest, manifests: list[Manifest]) -> None:
    path = target(rest, manifests)
    moved = path.rename(rest.folder.parent / "moved.parquet")
    path.symlink_to(moved)


def its_folder_elsewhere(rest: Rest, manifests: list[Manifest]) -> None:
    folder = target(rest, manifests).parent
    moved = folder.rename(rest.folder.parent / "moved")
    folder.symlink_to(moved)


ATTACKS: Mapping[str, Attack] = {
    "a bit": changed(lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:]),
    "a bit of the footer": changed(lambda content: content[:-50] + bytes([content[-50] ^ 1]) + content[-49:]),
    "zeros": changed(lambda content: bytes(len(content))),
    "padding": changed(lambda content: content + bytes(100)),
    "cut short": changed(lambda content: content[:-10]),
    "empty": changed(lambda content: b""),
    "file of the snapshot before": content_of(lambda manifests: file_of(manifests[0])),
    "file of another table": content_of(lambda manifests: file_of(manifests[-1], "dbt_invocations")),
    "file of another category": content_of(lambda manifests: other_category(manifests[-1])),
    "file of another store": of_another_store,
    "rows forged with the data key under the same footer": forged_under_its_footer,
    "rows left out with the data key": rows_left_out,
    "removed": lambda rest, manifests: target(rest, manifests).unlink(),
    "a link to the same bytes": a_link_to_the_same_bytes,
    "its folder is a link": its_folder_elsewhere,
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
class TestChangedFiles:
    def test_are_not_read_measured_or_restored(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path, attack: Attack
    ) -> None:
        attack(rest, manifests)
        source = open_snapshot(rest.repository)

        with pytest.raises(ElementaryError, match=r"run_results\.parquet|on the way to"):
            read_all(source, TABLE)
        with pytest.raises(ElementaryError), compute_metrics(source) as metrics:
            metrics.read_all()
        with pytest.raises(ElementaryError):
            restore(rest.repository, DuckDBTarget(tmp_path / "restored.duckdb"))

        assert not (tmp_path / "restored.duckdb").exists()

    def test_are_found_by_verify(self, rest: Rest, manifests: list[Manifest], attack: Attack) -> None:
        attack(rest, manifests)

        report = verify(rest.repository)

        assert report.outcome is Outcome.DAMAGED
        assert file_of(manifests[-1]).key in {finding.object for finding in report.findings}

    def test_are_not_encrypted_again_by_the_next_sync(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path, attack: Attack
    ) -> None:
        attack(rest, manifests)
        world = world_after(5)
        if attack is its_folder_elsewhere:
            with pytest.raises(StoreRefusedError, match="on the way to"):
                take(rest, tmp_path / "warehouse.duckdb", world)
            return

        taken = take(rest, tmp_path / "warehouse.duckdb", world)

        assert taken.kind == "full"
        read: pa.Table = read_all(open_snapshot(rest.repository), TABLE)
        assert sorted(read["model_execution_id"].to_pylist()) == sorted(world[TABLE]["model_execution_id"].to_pylist())


def test_a_file_that_no_damage_touches_is_still_read(rest: Rest, manifests: list[Manifest]) -> None:
    ATTACKS["zeros"](rest, manifests)

    assert read_all(open_snapshot(rest.repository), "dbt_models").num_rows > 0
    with pytest.raises(SnapshotCorruptError, match="is not the file that was written"):
        read_all(open_snapshot(rest.repository), TABLE)


def test_a_file_that_is_gone_is_damage(rest: Rest, manifests: list[Manifest]) -> None:
    target(rest, manifests).unlink()

    with pytest.raises(SnapshotCorruptError, match="is missing, and no prune record says"):
        read_all(open_snapshot(rest.repository), TABLE)


def test_a_snapshot_that_is_pruned_while_it_is_read_says_so(rest: Rest, manifests: list[Manifest]) -> None:
    source = open_snapshot(rest.repository, manifests[0].snapshot_id)
    later = datetime.now(UTC) + timedelta(days=400)
    take(rest, rest.folder.parent / "warehouse.duckdb", world_after(9), full_every_days=0)
    prune(rest.repository, Retention(keep_last=1), now=later, orphan_age=timedelta(0), grace=timedelta(0))

    with pytest.raises(PrunedMeanwhileError, match="was pruned while it was read"):
        read_all(source, TABLE)


@pytest.mark.parametrize("snapshot", ["all", "the oldest"])
def test_a_snapshot_that_is_pruned_while_it_is_verified_is_no_damage(
    snapshot: str, rest: Rest, manifests: list[Manifest]
) -> None:
    take(rest, rest.folder.parent / "warehouse.duckdb", world_after(9), full_every_days=0)
    later = datetime.now(UTC) + timedelta(days=400)

    def prune_first(entries: Sequence[Any], _: str) -> Iterator[Any]:
        prune(rest.repository, Retention(keep_last=1), now=later, orphan_age=timedelta(0), grace=timedelta(0))
        yield from entries

    if snapshot == "all":
        report = verify(rest.repository, snapshot=snapshot, progress=prune_first)
        assert report.findings == ()
        assert any("were pruned while the store was verified" in note for note in report.notes)
    else:
        with pytest.raises(PrunedMeanwhileError, match="was pruned while it was verified"):
            verify(rest.repository, snapshot=manifests[0].snapshot_id, progress=prune_first)
        assert outcome_of(PrunedMeanwhileError("")) is Outcome.PRUNED_MEANWHILE


def test_what_else_is_wrong_is_found_though_the_verified_snapshot_is_pruned(
    rest: Rest, manifests: list[Manifest]
) -> None:
    take(rest, rest.folder.parent / "warehouse.duckdb", world_after(9), full_every_days=0)
    later = datetime.now(UTC) + timedelta(days=400)

    def prune_first(entries: Sequence[Any], _: str) -> Iterator[Any]:
        prune(rest.repository, Retention(keep_last=1), now=later, orphan_age=timedelta(0), grace=timedelta(0))
        yield from entries

    report = verify(
        rest.repository, snapshot=manifests[0].snapshot_id, anchors=[Anchor(99, "0" * 64)], progress=prune_first
    )

    assert report.outcome is Outcome.DAMAGED
    assert "1 snapshots were pruned while the store was verified" in report.notes


def test_a_file_that_is_removed_while_a_prune_ran_is_still_damage(rest: Rest, manifests: list[Manifest]) -> None:
    newest = take(rest, rest.folder.parent / "warehouse.duckdb", world_after(9), full_every_days=0)
    later = datetime.now(UTC) + timedelta(days=400)

    def prune_and_remove(entries: Sequence[Any], _: str) -> Iterator[Any]:
        prune(rest.repository, Retention(keep_last=1), now=later, orphan_age=timedelta(0), grace=timedelta(0))
        yield from entries

    rest.path(newest.files[0].key).unlink()
    report = verify(rest.repository, snapshot="all", progress=prune_and_remove)

    assert [(found.damage.value, found.object) for found in report.findings] == [("missing", newest.files[0].key)]
