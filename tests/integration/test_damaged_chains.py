"""A manifest that is missing, cut short, empty or in another place is reported, and costs nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ElementaryError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    UnprovedError,
)
from airflow_provider_elementary.snapshots import Manifest, Repository, find_manifest, open_snapshot
from airflow_provider_elementary.snapshots.chain import Anchor, Damage, check_chain, read_chain
from airflow_provider_elementary.snapshots.diff import diff
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.layout import GENESIS, MANIFESTS, manifest_key
from airflow_provider_elementary.storage.trust import introduce
from tests.support.counting_store import CountingStore, SyntheticChain
from tests.support.signing import SIGNER, STORE_ID, entry, new_signer, opened
from tests.support.stores import Rest, grow, local_rest, take, world_after
from tests.support.tampering import edit_signed, swap

MIDDLE, NEWEST = manifest_key(2), manifest_key(4)
#: Long after the snapshots of a test were taken: nothing is too young to be an orphan.
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    """A full snapshot, an increment, a full snapshot, an increment."""
    directory = tmp_path_factory.mktemp("original")
    rest = local_rest(directory)
    before = grow(rest, directory, [3, 4])
    return rest, before + grow(rest, directory, [5], full_every_days=0) + grow(rest, directory, [6])


def objects(rest: Rest) -> set[str]:
    return {found.key for found in rest.store.list("")}


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def fill_with_another_document(path: Path) -> None:
    path.write_bytes(b"[]")


def move_to_the_end(path: Path) -> None:
    path.rename(path.with_name("0000000009"))


def move_aside(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}.aside"))


def swap_with_the_first(path: Path) -> None:
    swap(path, path.with_name("0000000001"))


def list_snapshots(rest: Rest) -> int:
    """Run the command in the store's name, without keys."""
    store_id = sha256(rest.path(GENESIS).read_bytes())
    connection = {"conn_type": "elementary_store", "extra": {"uri": rest.store.uri, "store_id": store_id}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_DAMAGED", json.dumps(connection))
        return main(["snapshot", "list", "--store-conn-id", "damaged"])


DAMAGES = [remove, truncate, empty, fill_with_another_document, move_to_the_end, move_aside, swap_with_the_first]

#: What only reads or adds: it may pass over a damage that does not concern it.
ACTIONS: Mapping[str, Callable[[Rest, list[Manifest], Path], object]] = {
    "open the newest": lambda rest, _, __: open_snapshot(rest.repository),
    "open one by id": lambda rest, taken, _: open_snapshot(rest.repository, taken[0].snapshot_id),
    "open one by time": lambda rest, _, __: open_snapshot(rest.repository, LATER),
    "diff": lambda rest, taken, _: diff(rest.repository, taken[0].snapshot_id),
    "take": lambda rest, _, directory: take(rest, directory / "warehouse.duckdb", world_after(7)),
    "list": lambda rest, _, __: list_snapshots(rest),
}


def anchor_of(manifest: Manifest) -> Anchor:
    return Anchor(manifest.sequence, manifest.sha256)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", [MIDDLE, NEWEST], ids=["middle", "newest"])
class TestAnyDamage:
    def test_stops_what_relies_on_the_whole_chain(
        self, rest: Rest, manifests: list[Manifest], damage: Callable[[Path], None], place: str
    ) -> None:
        damage(rest.path(place))
        there = objects(rest)
        anchors = [anchor_of(manifests[-1])]

        with pytest.raises(SnapshotCorruptError, match="manifests/000000000"):
            verify(opened(rest.store), anchors=anchors).require()
        with pytest.raises(SnapshotCorruptError, match=r"nothing was pruned: manifests/000000000"):
            prune(rest.repository, Retention(keep_last=1), anchors=anchors, now=LATER)
        assert objects(rest) == there

    def test_makes_nothing_else_fail_but_in_words_or_remove_anything(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path, damage: Callable[[Path], None], place: str
    ) -> None:
        damage(rest.path(place))
        there = objects(rest) - {place}

        for act in ACTIONS.values():
            with suppress(ElementaryError):
                act(rest, manifests, tmp_path)

        assert objects(rest) >= there


class TestReading:
    def test_a_snapshot_is_found_by_its_id_past_newer_ones_that_cannot_be_read(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        truncate(rest.path(NEWEST))

        assert find_manifest(rest.repository, manifests[1].snapshot_id) == manifests[1]

    def test_one_that_is_not_found_may_be_among_those_that_cannot_be_read(self, rest: Rest) -> None:
        truncate(rest.path(MIDDLE))

        with pytest.raises(SnapshotNotFoundError, match=r"but 3 others, .* and 1 manifest that cannot be read"):
            find_manifest(rest.repository, "20260101T000000Z-00000000")

    def test_as_of_a_time_none_is_chosen_where_another_may_be_meant(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        truncate(rest.path(MIDDLE))
        for number in (3, 4):
            edit_signed(rest, manifest_key(number), lambda facts: facts.update(created_at="2099-01-01T00:00:00"))

        with pytest.raises(UnprovedError, match="The signature of manifests/0000000002 by key"):
            find_manifest(rest.repository, manifests[1].taken_at)
        assert find_manifest(rest.repository, LATER).sequence == 4

    def test_the_list_names_what_it_lacks(self, rest: Rest, capsys: pytest.CaptureFixture[str]) -> None:
        move_to_the_end(rest.path(manifest_key(3)))
        truncate(rest.path(MIDDLE))

        assert list_snapshots(rest) == 0

        printed = capsys.readouterr().out
        assert "note: manifests/0000000002 is unproved" in printed
        assert "note: manifests/0000000003 is missing" in printed


class TestALostManifest:
    def test_that_comes_back_is_whole(self, rest: Rest, manifests: list[Manifest]) -> None:
        lost = rest.path(MIDDLE).read_bytes()
        remove(rest.path(MIDDLE))
        with pytest.raises(SnapshotCorruptError, match=r"manifests/0000000002 is missing"):
            prune(rest.repository, Retention(keep_last=1), now=LATER)
        rest.path(MIDDLE).write_bytes(lost)

        assert verify(rest.repository, snapshot="all").findings == ()

    @pytest.mark.parametrize("lost", [[2], [1, 2]], ids=str)
    def test_is_given_up_by_its_number_and_the_record_says_so(self, rest: Rest, lost: list[int]) -> None:
        for number in lost:
            remove(rest.path(manifest_key(number)))

        report = prune(rest.repository, Retention(), acknowledge_loss=lost, now=LATER)
        again = prune(rest.repository, Retention(), now=LATER)

        assert (report.acknowledged_losses, report.removed, again.acknowledged_losses) == (tuple(lost), (), ())
        assert verify(rest.repository, snapshot="all").findings == ()

    def test_of_a_full_snapshot_takes_those_with_it_that_add_to_it(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        remove(rest.path(manifest_key(3)))

        with pytest.raises(SnapshotCorruptError, match="number 4, adds to the list of one that is lost"):
            prune(rest.repository, Retention(), acknowledge_loss=[3], now=LATER)
        taken = take(rest, tmp_path / "warehouse.duckdb", world_after(7))
        report = prune(rest.repository, Retention(), acknowledge_loss=[3], now=LATER, grace=timedelta(0))

        assert (taken.kind, [decision.sequence for decision in report.removed]) == ("full", [4])
        assert verify(rest.repository, snapshot="all").findings == ()
        held = {found.key for found in rest.store.list("data/")}
        assert held == {file.key for manifest in (*manifests[:2], taken) for file in manifest.files}

    def test_that_was_pruned_and_is_still_listed_is_named_and_stops_a_prune(self) -> None:
        chain = SyntheticChain(CountingStore())
        chain.grow(10)
        for days in (0, 2):
            prune(chain.repository(), Retention(keep_last=2), now=LATER + timedelta(days=days))
        assert chain.newest is not None
        gone = manifest_key(chain.newest.lists[0])
        del chain.store.objects[gone]
        # A full one after it, so that the newest snapshot does not need it.
        chain.syncs = 168
        chain.grow(11)
        files = {key for key in chain.store.objects if key.startswith("data/")}

        findings, _ = check_chain(read_chain(chain.repository()))
        assert [(found.damage, found.object) for found in findings] == [(Damage.MISSING, gone)]
        for days in (3, 5):
            with pytest.raises(SnapshotCorruptError, match=f"nothing was pruned: {gone} is missing"):
                prune(chain.repository(), Retention(), now=LATER + timedelta(days=days))
        assert files == {key for key in chain.store.objects if key.startswith("data/")}

        number = int(gone.removeprefix(MANIFESTS))
        report = prune(chain.repository(), Retention(), acknowledge_loss=[number], now=LATER + timedelta(days=6))
        assert [decision.sequence for decision in report.removed] == [10, 9]
        assert check_chain(read_chain(chain.repository()))[0] == []

    @pytest.mark.parametrize("number", [0, 2, 4, 5], ids=["none", "there", "the newest", "beyond"])
    def test_is_not_given_up_where_it_is_not_lost(self, rest: Rest, number: int) -> None:
        with pytest.raises(ConfigurationError, match=f"{number}: not a missing manifest below the newest, 4"):
            prune(rest.repository, Retention(keep_last=1), acknowledge_loss=[number])

        assert rest.path(MIDDLE).exists()

    def test_that_a_stolen_key_recorded_as_pruned_is_acknowledged_once(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        for days in (0, 2):
            prune(rest.repository, Retention(keep_last=2), now=LATER + timedelta(days=days))
        signer, stolen = new_signer(), (SIGNER.key_id,)
        head = manifests[-1].sha256
        introduce(
            *(rest.repository.documents, entry(signer)), first_number=5, head=head, retired=stolen, revoked=stolen
        )
        writer = Repository(rest.store, rest.keys, store_id=STORE_ID, signing=signer)
        with pytest.raises(SnapshotCorruptError, match=r"manifests/0000000001 is missing"):
            prune(writer, Retention(keep_last=2), now=LATER + timedelta(days=3))

        prune(writer, Retention(keep_last=2), acknowledge_loss=range(1, 3), now=LATER + timedelta(days=3))

        assert verify(Repository(rest.store, rest.keys, store_id=STORE_ID), snapshot="all").findings == ()
