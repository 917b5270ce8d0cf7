"""Who may write to the bucket cannot make a sync believe that its window holds no other rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_elementary.snapshots import Manifest, open_snapshot
from airflow_provider_elementary.snapshots.manifest import Parent
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.layout import QUARANTINE, manifest_key
from airflow_provider_elementary.storage.outcomes import Outcome
from tests.integration.forgery.test_files import TABLE, file_of
from tests.support.stores import Rest, grow, local_rest, take, world_after
from tests.support.tampering import edit, flip

HEAD = 3


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    """Three snapshots, of which the second has no new row: the windows of the second and the third have digests."""
    directory = tmp_path_factory.mktemp("original")
    rest = local_rest(directory)
    return rest, grow(rest, directory, [3, 3, 4], run_key=None)


@pytest.mark.parametrize("is_of_next", [False, True], ids=["in the newest snapshot", "in one after it"])
def test_a_digest_of_an_outsider_is_not_believed(
    rest: Rest, manifests: list[Manifest], tmp_path: Path, is_of_next: bool
) -> None:
    window = manifests[1].tables[TABLE].window
    assert window is not None
    forged = rest.path(manifest_key(HEAD + is_of_next))
    forged.write_bytes(rest.path(manifest_key(HEAD)).read_bytes())
    edit(forged, lambda facts: facts["tables"][TABLE].update(window=window))
    edit(forged, lambda facts: facts.update(sequence=HEAD + is_of_next))
    world = world_after(5)

    taken = take(rest, tmp_path / "warehouse.duckdb", world)

    # The forged one is moved away, and the snapshot before it is built upon.
    true = manifests[HEAD - 1 if is_of_next else HEAD - 2]
    assert (taken.sequence, taken.parent) == (true.sequence + 1, Parent(true.sequence, true.sha256))
    assert len(list(rest.store.list(QUARANTINE))) == 1
    read = read_all(open_snapshot(rest.repository), TABLE)
    assert sorted(read["model_execution_id"].to_pylist()) == sorted(world[TABLE]["model_execution_id"].to_pylist())


@pytest.mark.parametrize("change", [flip, Path.unlink], ids=["changed", "removed"])
def test_a_file_of_a_window_without_new_rows_is_found_by_verify_and_the_next_run(
    rest: Rest, manifests: list[Manifest], tmp_path: Path, change: Callable[[Path], None]
) -> None:
    file = file_of(manifests[-1])
    change(rest.path(file.key))

    nothing_new = take(rest, tmp_path / "warehouse.duckdb", world_after(4))

    # It is listed as before, with the hash that was signed, and not encrypted again.
    assert (nothing_new.kind, nothing_new.new_files, file in nothing_new.files) == ("incremental", (), True)
    report = verify(rest.repository)
    assert (report.outcome, {finding.object for finding in report.findings}) == (Outcome.DAMAGED, {file.key})
    world = world_after(5)
    assert take(rest, tmp_path / "warehouse.duckdb", world).kind == "full"
    read = read_all(open_snapshot(rest.repository), TABLE)
    assert sorted(read["model_execution_id"].to_pylist()) == sorted(world[TABLE]["model_execution_id"].to_pylist())
