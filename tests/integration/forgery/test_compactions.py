"""Anyone who may write to the bucket cannot make a compaction merge, sign or build upon what is theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import ElementaryError, SnapshotCorruptError
from airflow_provider_elementary.snapshots import Manifest, find_manifest, open_snapshot
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.maintenance import mergeable
from airflow_provider_elementary.snapshots.maintenance.compaction import compact
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.manifest import Parent
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.layout import generation_key, manifest_key
from airflow_provider_elementary.storage.outcomes import Outcome
from tests.integration.forgery import test_chain, test_files
from tests.support.stores import Rest, local_rest, take, world_after_hours
from tests.support.tampering import edit, flip

#: What outsiders append, of each kind, to the true snapshots.
APPENDED = {
    name: test_chain.ATTACKS[name]
    for name in (
        "three unsigned snapshots of no files",
        "three snapshots signed by another key",
        "three snapshots signed for another store",
        "a true manifest after the newest",
        "deep JSON after the newest",
        "a hundred objects after the newest",
        "a forged prune record",
    )
}
HEAD = test_chain.HEAD


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """Let a compaction merge the files of few snapshots."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(mergeable, "SNAPSHOTS", 2)
        yield


@pytest.fixture(scope="module")
def original(few: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    """An hourly sync of four hours of one day."""
    directory = tmp_path_factory.mktemp("compactions")
    rest = local_rest(directory)
    return rest, [
        take(rest, directory / "warehouse.duckdb", world_after_hours(hours), overlap=timedelta(minutes=10))
        for hours in range(1, HEAD + 1)
    ]


@pytest.mark.parametrize("attack", APPENDED.values(), ids=APPENDED)
def test_a_compaction_builds_upon_no_forged_snapshot(
    attack: Callable[[Rest, list[Manifest]], None], rest: Rest, manifests: list[Manifest]
) -> None:
    before = read_all(open_snapshot(rest.repository), test_files.TABLE)
    attack(rest, manifests)

    compact(rest.repository, anchors=[test_chain.anchor(manifests)])

    newest = find_manifest(rest.repository)
    assert (newest.kind, newest.sequence) == ("compaction", HEAD + 1)
    assert newest.parent == Parent(HEAD, manifests[-1].sha256)
    after = read_all(open_snapshot(rest.repository), test_files.TABLE)
    assert sorted(map(str, after.to_pylist())) == sorted(map(str, before.to_pylist()))
    assert verify(rest.repository, snapshot="all").findings == ()


def test_a_compaction_believes_no_outsider_that_there_is_nothing_to_merge(
    rest: Rest, manifests: list[Manifest]
) -> None:
    forged = rest.path(manifest_key(HEAD + 1))
    forged.write_bytes(rest.path(manifest_key(HEAD)).read_bytes())
    edit(forged, lambda facts: facts.update(sequence=HEAD + 1, may_merge=False))

    compact(rest.repository)

    newest = find_manifest(rest.repository)
    assert (newest.kind, newest.parent) == ("compaction", Parent(HEAD, manifests[-1].sha256))


def test_a_compaction_with_nothing_to_merge_still_needs_the_anchor_of_its_task(
    rest: Rest, manifests: list[Manifest]
) -> None:
    compact(rest.repository)
    merged = find_manifest(rest.repository)
    compact(rest.repository, anchors=[Anchor(merged.sequence, merged.sha256)])
    assert find_manifest(rest.repository) == merged

    with pytest.raises(SnapshotCorruptError, match="does not contain"):
        compact(rest.repository, anchors=[Anchor(merged.sequence + 1, "ab" * 32)])


@pytest.mark.parametrize("attack", test_files.ATTACKS.values(), ids=test_files.ATTACKS)
def test_a_compaction_encrypts_no_changed_file_again(
    attack: test_files.Attack, rest: Rest, manifests: list[Manifest]
) -> None:
    attack(rest, manifests)

    with pytest.raises(ElementaryError):
        compact(rest.repository)

    assert find_manifest(rest.repository).sequence == HEAD
    assert not [found.key for found in rest.store.list("data/") if "/merged/" in found.key]


class TestWhatACompactionWrote:
    @pytest.mark.parametrize("change", [flip, Path.unlink], ids=["changed", "removed"])
    def test_that_is_changed_is_read_by_nobody_and_named(
        self, change: Callable[[Path], Any], rest: Rest, manifests: list[Manifest]
    ) -> None:
        compact(rest.repository)
        merged = next(file for file in find_manifest(rest.repository).new_files if file.table == test_files.TABLE)
        change(rest.path(merged.key))

        with pytest.raises(SnapshotCorruptError, match=r"run_results\.parquet"):
            read_all(open_snapshot(rest.repository), test_files.TABLE)
        report = verify(rest.repository)
        assert report.outcome is Outcome.DAMAGED
        assert merged.key in {finding.object for finding in report.findings}
        # The snapshot that it replaced is whole.
        assert read_all(open_snapshot(rest.repository, manifests[-1].snapshot_id), test_files.TABLE).num_rows > 0

    def test_that_is_hidden_takes_no_file_of_the_snapshots_before(self, rest: Rest, manifests: list[Manifest]) -> None:
        compact(rest.repository)
        rest.path(manifest_key(HEAD + 1)).unlink()

        later = datetime.now(UTC) + timedelta(days=100)
        prune(rest.repository, Retention(keep_last=2), now=later, grace=timedelta(0))

        assert find_manifest(rest.repository) == manifests[-1]
        assert verify(rest.repository).findings == ()

    def test_loses_no_generation_to_an_object_that_looks_like_a_later_one(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        compact(rest.repository)
        newest = find_manifest(rest.repository)
        rest.store.put(generation_key(newest.sequence, newest.snapshot_id), b"forged")

        # The first records what goes, the second deletes it.
        for days in (100, 102):
            prune(rest.repository, Retention(keep_last=1), now=datetime.now(UTC) + timedelta(days=days))

        assert not rest.path(manifest_key(1)).exists()
        assert find_manifest(rest.repository) == newest
        assert verify(rest.repository).findings == ()
