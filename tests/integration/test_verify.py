"""Verifying names what is changed, missing, reordered, rolled back, unproved or not decryptable, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import SnapshotCorruptError, SnapshotNotFoundError, WarehouseError
from airflow_provider_elementary.incidents.store_conditions import store_conditions
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, open_snapshot
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.failed_syncs import recording_failure
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.snapshots.verify import VerifyReport, verify
from airflow_provider_elementary.storage.file_binding import WHOLE_BYTES
from airflow_provider_elementary.storage.layout import INDEX, manifest_key, record_key
from airflow_provider_elementary.storage.outcomes import Outcome
from airflow_provider_elementary.times import utc_now
from tests.support.counting_store import CountingStore
from tests.support.signing import opened
from tests.support.stores import Rest, grow, local_rest, take, world_after
from tests.support.tampering import digest_of, edit, edit_generation, edit_signed, flip, rewrite_chain, swap


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    directory = tmp_path_factory.mktemp("original")
    rest = local_rest(directory)
    return rest, grow(rest, directory, [3, 4, 5, 6])


def anchor_of(rest: Rest, sequence: int) -> Anchor:
    return Anchor(sequence, digest_of(rest, sequence))


def found(report: VerifyReport) -> set[tuple[str, str]]:
    return {(finding.damage.value, finding.object) for finding in report.findings}


class TestASoundStore:
    def test_everything_is_read_opened_and_counted(self, rest: Rest, manifests: list[Manifest]) -> None:
        report = verify(rest.repository, snapshot="all", anchors=[anchor_of(rest, 4)])

        files = {file.key: file for manifest in manifests for file in manifest.files}
        assert report.findings == report.notes == ()
        assert (report.manifests, report.files, report.opened) == (4, len(files), len(files))
        assert report.rows == sum(file.rows for file in files.values())
        assert report.size == sum(file.size for file in files.values())

    def test_without_keys_the_hashes_are_checked(self, rest: Rest, manifests: list[Manifest]) -> None:
        report = verify(opened(rest.store))

        assert report.sound
        assert (report.files, report.opened) == (len(manifests[-1].files), 0)

    def test_a_snapshot_is_chosen_by_id_or_time(self, rest: Rest, manifests: list[Manifest]) -> None:
        by_id = verify(opened(rest.store), snapshot=manifests[1].snapshot_id)
        by_time = verify(opened(rest.store), snapshot=manifests[-1].taken_at + timedelta(days=1))

        assert by_id.snapshots == (manifests[1].snapshot_id,)
        assert by_time.snapshots == (manifests[-1].snapshot_id,)

    @pytest.mark.parametrize("snapshot", ["20200101T000000Z-00000000", datetime(2020, 1, 1)], ids=["id", "time"])
    def test_a_snapshot_that_is_not_there_is_an_error(
        self, rest: Rest, manifests: list[Manifest], snapshot: str | datetime
    ) -> None:
        with pytest.raises(SnapshotNotFoundError, match="but 4 others"):
            verify(opened(rest.store), snapshot=snapshot)

    def test_a_newest_manifest_without_an_anchor_gets_a_note(self, rest: Rest, manifests: list[Manifest]) -> None:
        assert verify(opened(rest.store)).notes == ("manifests/0000000004 is not anchored: pass --anchor",)

    def test_a_reader_of_one_category_answers_for_that_one(self, tmp_path: Path) -> None:
        master_keys = LocalKeys.generate()
        rest = Rest(local_rest(tmp_path).store, LocalKeys(master_keys), tmp_path / "store")
        grow(rest, tmp_path, [3])
        reader = LocalKeys({"table_metrics": master_keys["table_metrics"]})

        report = verify(opened(rest.store, reader), categories=[Category.TABLE_METRICS])

        assert report.sound
        assert report.opened == 1


class TestFiles:
    def test_a_flipped_bit_is_a_change_of_that_file(self, rest: Rest, manifests: list[Manifest]) -> None:
        file = next(file for file in manifests[-1].files if file.table == "dbt_models")
        flip(rest.path(file.key))

        report = verify(rest.repository)

        assert found(report) == {("changed", file.key)}
        assert f"instead of {file.sha256}" in report.findings[0].detail

    def test_a_truncated_file_is_found_by_its_size(self, rest: Rest, manifests: list[Manifest]) -> None:
        file = manifests[-1].files[0]
        rest.path(file.key).write_bytes(rest.path(file.key).read_bytes()[:-7])

        report = verify(opened(rest.store))

        assert found(report) == {("changed", file.key)}
        assert f"Has {file.size - 7:,} bytes instead of {file.size:,}" in report.findings[0].detail

    @pytest.mark.parametrize("snapshot", ["latest", "all"])
    @pytest.mark.parametrize("is_empty", [True, False])
    def test_a_file_of_another_size_is_found_by_it(
        self, snapshot: str, is_empty: bool, rest: Rest, manifests: list[Manifest]
    ) -> None:
        file = manifests[-1].files[0]
        size = 0 if is_empty else max(each.size for each in manifests[-1].files) + 1
        rest.path(file.key).write_bytes(bytes(size))

        report = verify(opened(rest.store), snapshot=snapshot)

        assert found(report) == {("changed", file.key)}
        assert f"Has {size:,} bytes instead of {file.size:,}" in report.findings[0].detail

    def test_files_that_were_emptied_cost_one_listing(self, rest: Rest, manifests: list[Manifest]) -> None:
        counted = []
        for emptied in (1, len(manifests[-1].files)):
            for file in manifests[-1].files[:emptied]:
                rest.path(file.key).write_bytes(b"")
            store = CountingStore({found.key: rest.store.get(found.key) or b"" for found in rest.store.list("")})

            assert len(verify(opened(store)).findings) == emptied
            counted.append(store.requests["list"])

        assert counted[0] == counted[1]

    def test_a_file_that_is_too_large_is_not_read_to_its_end(self, rest: Rest, manifests: list[Manifest]) -> None:
        file = manifests[-1].files[0]
        rest.path(file.key).write_bytes(bytes(WHOLE_BYTES + 1))

        [finding] = verify(opened(rest.store)).findings

        assert f"Has at least {WHOLE_BYTES:,} bytes instead of {file.size:,}" in finding.detail

    @pytest.mark.parametrize("snapshot", ["latest", "all"])
    def test_a_file_that_is_gone_is_missing(self, snapshot: str, rest: Rest, manifests: list[Manifest]) -> None:
        file = manifests[-1].files[-1]
        rest.store.delete(file.key)

        assert found(verify(rest.repository, snapshot=snapshot)) == {("missing", file.key)}

    @pytest.mark.parametrize("snapshot", ["latest", "all"])
    @pytest.mark.parametrize(
        "put", [Path.mkdir, lambda path: path.symlink_to("/etc/passwd")], ids=["directory", "link"]
    )
    def test_a_file_is_missing_where_no_file_is_in_its_place(
        self, snapshot: str, put: Callable[[Path], None], rest: Rest, manifests: list[Manifest]
    ) -> None:
        file = manifests[-1].files[-1]
        rest.store.delete(file.key)
        put(rest.path(file.key))

        report = verify(rest.repository, snapshot=snapshot)

        assert found(report) == {("missing", file.key)}
        assert report.findings[0].detail.startswith(f"The object is missing ({file.size:,} bytes of ")

    def test_a_deleted_file_is_missing_from_every_snapshot_that_names_it(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        file = next(file for file in manifests[0].files if file.table == "data_monitoring_metrics")
        rest.store.delete(file.key)

        report = verify(rest.repository, snapshot="all")

        assert found(report) == {("missing", file.key)}
        assert f"named by snapshot {manifests[0].snapshot_id} and 3 more" in report.findings[0].detail

    def test_files_that_changed_places_are_reordered(self, rest: Rest, manifests: list[Manifest]) -> None:
        # Two files of one size: only the hash differs.
        parts = [file for file in manifests[-1].files if file.table == "data_monitoring_metrics"]
        files = next([one, other] for one in parts for other in parts if one.size == other.size and one is not other)
        swap(*(rest.path(file.key) for file in files))

        report = verify(opened(rest.store))

        assert found(report) == {("reordered", file.key) for file in files}

    def test_another_key_does_not_open_them(self, rest: Rest, manifests: list[Manifest]) -> None:
        report = verify(opened(rest.store, LocalKeys(LocalKeys.generate())))

        assert {damage for damage, _ in found(report)} == {"not decryptable"}
        assert len(report.findings) == len({file.category for file in manifests[-1].files})
        assert report.opened == 0

    def test_a_data_key_that_was_exchanged_opens_nothing(self, rest: Rest, manifests: list[Manifest]) -> None:
        edit_generation(rest, 4, lambda facts: facts["keys"].update(metadata=facts["keys"]["configuration"]))

        report = verify(rest.repository)

        assert {damage for damage, _ in found(report)} == {"not decryptable"}

    def test_rows_are_counted_against_the_manifest(self, rest: Rest, manifests: list[Manifest]) -> None:
        edit_signed(
            rest, manifest_key(4), lambda facts: facts["added"].update(rows=[1_000, *facts["added"]["rows"][1:]])
        )

        report = verify(rest.repository)

        assert found(report) == {("changed", manifests[-1].new_files[0].key)}
        assert "instead of 1,000" in report.findings[0].detail


class TestTheChain:
    def test_a_changed_manifest_is_unproved(self, rest: Rest, manifests: list[Manifest]) -> None:
        edit(rest.path(manifest_key(2)), lambda facts: facts.update(run_key="forged"))

        assert found(verify(opened(rest.store))) == {("unproved", manifest_key(2))}

    def test_what_is_no_manifest_is_unproved(self, rest: Rest, manifests: list[Manifest]) -> None:
        rest.path(manifest_key(2)).write_bytes(b"{}")

        assert found(verify(opened(rest.store))) == {("unproved", manifest_key(2))}

    def test_a_manifest_that_its_writer_changed_is_named_by_the_next_one(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        edit_signed(rest, manifest_key(2), lambda facts: facts.update(run_key="another"))

        assert found(verify(opened(rest.store))) == {("changed", manifest_key(2))}

    @pytest.mark.parametrize(("deleted", "named"), [([2], 2), ([2, 3], 2), ([1], 1), ([1, 2, 3], 1)])
    def test_missing_manifests_are_named_by_the_first_of_them(
        self, rest: Rest, manifests: list[Manifest], deleted: list[int], named: int
    ) -> None:
        for sequence in deleted:
            rest.store.delete(manifest_key(sequence))

        assert found(verify(opened(rest.store))) == {("missing", manifest_key(named))}

    def test_manifests_that_changed_places_are_unproved(self, rest: Rest, manifests: list[Manifest]) -> None:
        swap(rest.path(manifest_key(2)), rest.path(manifest_key(3)))

        assert found(verify(opened(rest.store))) == {("unproved", manifest_key(2)), ("unproved", manifest_key(3))}

    @pytest.mark.parametrize(
        "name", ["manifests/0000000004.bak", "prunes/notes.txt", "manifests/9999999999", manifest_key(5), "prunes/9"]
    )
    def test_what_others_put_beside_the_chain_gets_a_note(
        self, rest: Rest, manifests: list[Manifest], name: str
    ) -> None:
        rest.store.put(name, rest.path(manifest_key(2)).read_bytes())

        report = verify(opened(rest.store), anchors=[anchor_of(rest, 4)])

        assert report.outcome is Outcome.SOUND
        [note] = report.notes
        assert note.startswith(f"{name}: ")
        assert note.endswith("ignored")

    def test_reading_goes_on_past_what_is_unexpected(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        for stray in ("manifests/0000000009.bak", "manifests/latest", "prunes/notes.txt"):
            rest.store.put(stray, b"")

        newest = open_snapshot(rest.repository).manifest
        [taken] = grow(rest, tmp_path, [7])

        assert newest == manifests[-1]
        assert (taken.sequence, taken.kind) == (5, "incremental")

    def test_a_chain_that_ends_too_early_is_rolled_back(self, rest: Rest, manifests: list[Manifest]) -> None:
        anchor = anchor_of(rest, 4)
        rest.store.delete(manifest_key(4))

        report = verify(opened(rest.store), anchors=[anchor])

        assert found(report) == {("rolled back", manifest_key(4))}
        assert "The chain ends at number 3, and the anchor names snapshot number" in report.findings[0].detail

    def test_a_rewritten_chain_passes_only_without_an_anchor(self, rest: Rest, manifests: list[Manifest]) -> None:
        anchor = anchor_of(rest, 3)
        rewrite_chain(rest, 2, 4)

        assert verify(opened(rest.store)).sound
        assert found(verify(opened(rest.store), anchors=[anchor])) == {("rewritten", manifest_key(3))}

    def test_a_changed_newest_manifest_is_caught_by_its_anchor(self, rest: Rest, manifests: list[Manifest]) -> None:
        anchor = anchor_of(rest, 4)
        edit(rest.path(manifest_key(4)), lambda facts: facts.update(run_key="forged"))

        assert found(verify(opened(rest.store), anchors=[anchor])) == {("rolled back", manifest_key(4))}

    def test_an_emptied_store_is_rolled_back(self, rest: Rest, manifests: list[Manifest]) -> None:
        anchor = anchor_of(rest, 1)
        for sequence in range(1, 5):
            rest.store.delete(manifest_key(sequence))

        assert verify(opened(rest.store)).outcome is Outcome.DAMAGED
        for page in list(rest.store.list(INDEX)):
            rest.store.delete(page.key)
        assert verify(opened(rest.store), anchors=[anchor]).outcome is Outcome.DAMAGED
        with pytest.raises(SnapshotNotFoundError, match=r"holds no snapshot\. .*check the URI"):
            verify(opened(rest.store))


def remove(path: Path) -> None:
    path.unlink()


def change(path: Path) -> None:
    edit(path, lambda facts: facts.update(retention={"keep_last": 1}))


class TestPrunedStores:
    KEEP_NEWEST = Retention(keep_last=1)

    def test_what_was_pruned_is_accounted_for(self, rest: Rest, manifests: list[Manifest]) -> None:
        anchors = [anchor_of(rest, sequence) for sequence in range(1, 5)]
        prune(rest.repository, self.KEEP_NEWEST)

        report = verify(rest.repository, anchors=anchors)

        assert report.findings == ()
        assert (report.manifests, report.pruned) == (1, 3)

    def test_a_record_forged_to_cover_a_deletion_covers_nothing(self, rest: Rest, manifests: list[Manifest]) -> None:
        rest.path("prunes").mkdir()
        rest.path(record_key(1)).write_bytes(b"{}")
        rest.store.delete(manifest_key(2))

        report = verify(rest.repository)

        assert found(report) == {("missing", manifest_key(2))}

    @pytest.mark.parametrize("spoil", [remove, change], ids=["removed", "changed"])
    def test_a_record_that_is_gone_is_missed_by_the_next_snapshot(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path, spoil: Callable[[Path], None]
    ) -> None:
        prune(rest.repository, Retention(keep_last=3))
        grow(rest, tmp_path, [7])
        spoil(rest.path(record_key(1)))

        assert ("missing", record_key(1)) in found(verify(rest.repository))

    def test_a_record_that_is_gone_is_missed_by_the_next_record(self, rest: Rest, manifests: list[Manifest]) -> None:
        prune(rest.repository, Retention(keep_last=3))
        prune(rest.repository, Retention(keep_last=2))
        rest.store.delete(record_key(1))

        assert found(verify(rest.repository)) == {("changed", record_key(2))}

    def test_a_rollback_to_before_a_prune_is_found_by_its_record(self, rest: Rest, manifests: list[Manifest]) -> None:
        prune(rest.repository, Retention(keep_last=3))
        rest.store.delete(manifest_key(4))

        assert found(verify(rest.repository)) == {("rolled back", manifest_key(4))}


class TestAStoreThatIsNotPinned:
    def test_is_unproved(self, rest: Rest, manifests: list[Manifest]) -> None:
        report = verify(Repository(rest.store))

        assert found(report) == {("unproved", "store.json")}
        assert report.outcome is Outcome.UNPROVED


class TestTheReport:
    def test_an_error_names_what_is_wrong(self, rest: Rest, manifests: list[Manifest]) -> None:
        edit(rest.path(manifest_key(2)), lambda facts: facts.update(run_key="forged"))

        with pytest.raises(SnapshotCorruptError, match=r"1 differences: manifests/0000000002 is unproved"):
            verify(opened(rest.store)).require()

    def test_it_is_json(self, rest: Rest, manifests: list[Manifest]) -> None:
        facts = json.loads(json.dumps(verify(rest.repository).to_dict()))

        assert facts["sound"] is True
        assert facts["head"] == {"sequence": 4, "manifest_sha256": anchor_of(rest, 4).sha256}


def test_a_failed_sync_is_verified_and_over_with_the_next_snapshot(rest: Rest, tmp_path: Path) -> None:
    with (
        pytest.raises(WarehouseError),
        recording_failure(lambda: rest.repository, run_key="dag/run/snapshot/-1"),
    ):
        raise WarehouseError("The warehouse is away.")

    report = verify(rest.repository)
    [failed] = [each for each in store_conditions(rest.repository, [], utc_now()) if each.state == "failed"]
    take(rest, tmp_path / "next.duckdb", world_after(7))
    [over] = [each for each in store_conditions(rest.repository, [failed], utc_now()) if each.state == "failed"]

    assert (report.results, report.findings) == (1, ())
    assert (failed.holds, over.holds) == (True, False)
    assert over.condition_id == failed.condition_id
