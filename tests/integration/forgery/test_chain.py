"""Anyone who may write to the bucket cannot make a command believe, build upon or remove a snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import SnapshotCorruptError, SnapshotOverdueError
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.snapshots import Manifest, find_manifest, open_snapshot
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.diff import diff
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.manifest import Parent
from airflow_provider_elementary.snapshots.restore import restore
from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.layout import index_key, manifest_key, record_key, signer_key
from airflow_provider_elementary.storage.outcomes import Outcome
from tests.support.signing import SIGNER, new_signer, signed
from tests.support.stores import Rest, grow, local_rest, take, world_after

#: Long after the snapshots of a test were taken: nothing is too young to be an orphan.
LATER = datetime.now(UTC) + timedelta(days=100)
HEAD = 4


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    directory = tmp_path_factory.mktemp("original")
    rest = local_rest(directory)
    return rest, grow(rest, directory, [3, 4, 5, 6])


def put(rest: Rest, name: str, content: bytes) -> None:
    rest.path(name).parent.mkdir(parents=True, exist_ok=True)
    rest.path(name).write_bytes(content)


def body_of(rest: Rest, **changes: Any) -> bytes:
    facts = {**json.loads(rest.path(manifest_key(HEAD)).read_bytes().partition(b"\n")[2]), **changes}
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()


def three_empty_snapshots(sign: Callable[[Rest, str, bytes], bytes]) -> Callable[[Rest, list[Manifest]], None]:
    """Append manifests of no files, taken later, each with the right parent."""

    def attack(rest: Rest, manifests: list[Manifest]) -> None:
        parent = manifests[-1].sha256
        for number in range(HEAD + 1, HEAD + 4):
            created_at = (manifests[-1].taken_at + timedelta(hours=number)).replace(tzinfo=None).isoformat()
            body = body_of(
                rest,
                sequence=number,
                lists=[],
                added=[],
                created_at=created_at,
                parent={"sequence": number - 1, "sha256": parent},
            )
            put(rest, manifest_key(number), sign(rest, manifest_key(number), body))

    return attack


def by_a_key_of_their_own(rest: Rest, name: str, body: bytes) -> bytes:
    return signed(new_signer(), rest.repository.trust.store_id, name, body)


def for_another_store(rest: Rest, name: str, body: bytes) -> bytes:
    return signed(SIGNER, "ab" * 32, name, body)


def with_a_true_line(rest: Rest, name: str, body: bytes) -> bytes:
    return rest.path(manifest_key(HEAD)).read_bytes().partition(b"\n")[0] + b"\n" + body


def objects(*names: str, content: bytes | None = None) -> Callable[[Rest, list[Manifest]], None]:
    """Put the same content, that of the oldest true manifest by default, under each of the names."""

    def attack(rest: Rest, manifests: list[Manifest]) -> None:
        for name in names:
            put(rest, name, rest.path(manifest_key(1)).read_bytes() if content is None else content)

    return attack


def forged_record(rest: Rest, manifests: list[Manifest]) -> None:
    """Record, unsigned, that every snapshot but the newest was pruned and every file expired."""
    stones = [
        {"sequence": one.sequence, "snapshot_id": one.snapshot_id, "created_at": one.created_at, "sha256": one.sha256}
        for one in manifests[:-1]
    ]
    facts = {"sequence": 1, "snapshots": stones, "expired": [{"key": file.key} for file in manifests[-1].files]}
    put(rest, record_key(1), json.dumps(facts).encode())


def in_other_digits(name: str) -> str:
    """Return a name with Arabic digits, which `int` reads too."""
    return "".join(chr(0x660 + int(each)) if each.isdigit() else each for each in name)


NEXT = manifest_key(HEAD + 1)
LAST_NUMBER = 9_999_999_999
ATTACKS: Mapping[str, Callable[[Rest, list[Manifest]], None]] = {
    "three unsigned snapshots of no files": three_empty_snapshots(lambda _, __, body: body),
    "three snapshots signed by another key": three_empty_snapshots(by_a_key_of_their_own),
    "three snapshots signed for another store": three_empty_snapshots(for_another_store),
    "three snapshots under a true signature": three_empty_snapshots(with_a_true_line),
    "a true manifest after the newest": objects(NEXT),
    "a true manifest with the largest number": objects(manifest_key(LAST_NUMBER)),
    "an empty object after the newest": objects(NEXT, content=b""),
    "deep JSON after the newest": objects(NEXT, content=b'{"a":' * 200_000),
    "Infinity after the newest": objects(NEXT, content=b'{"sequence": Infinity}'),
    "fields that come twice after the newest": objects(NEXT, content=b'{"sequence": 5, "sequence": 5}'),
    "55 MB after the newest": objects(NEXT, content=b" " * 55_000_000),
    "a hundred objects after the newest": objects(*(manifest_key(HEAD + 1 + place) for place in range(100))),
    "a hundred objects far beyond": objects(*(manifest_key(1000 + 3 * place) for place in range(100))),
    "names that are no numbers": objects("manifests/latest", "manifests/0000000005.json", "prunes/notes.txt"),
    "names that are almost numbers": objects(
        *("manifests/0000000000", "manifests/0000000005 ", "prunes/0000000000", "signers/0000000000"),
        *map(in_other_digits, (NEXT, record_key(1), signer_key(1), index_key(16, 0))),
        *(index_key(16, LAST_NUMBER), index_key(256, LAST_NUMBER), "data/99999999T999999Z-00000000/x"),
    ),
    "the newest manifest with another line end after itself": lambda rest, _: put(
        rest, NEXT, rest.path(manifest_key(HEAD)).read_bytes().replace(b"\n", b"\r\n", 1)
    ),
    "a forged prune record": forged_record,
    "a prune record with the largest number": objects(record_key(LAST_NUMBER)),
    "deep JSON as the first prune record": objects(record_key(1), content=b"[" * 200_000),
    "a signature of format 1": objects("signatures/manifests/9999999999.json", content=b"{}"),
}


def anchor(manifests: list[Manifest]) -> Anchor:
    return Anchor(HEAD, manifests[-1].sha256)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
class TestForgedDocuments:
    def test_are_not_read_restored_compared_or_measured(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path, attack: Callable[[Rest, list[Manifest]], None]
    ) -> None:
        attack(rest, manifests)

        source = open_snapshot(rest.repository, anchor=anchor(manifests))
        report = restore(rest.repository, DuckDBTarget(tmp_path / "restored.duckdb"))

        assert source.manifest == manifests[-1]
        assert report.rows > 0
        assert report.expired == ()
        assert diff(rest.repository, manifests[0].snapshot_id).after == manifests[-1].snapshot_id
        with compute_metrics(source) as metrics:
            assert metrics.read_all().num_rows > 0

    def test_forged_documents_are_not_built_upon(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path, attack: Callable[[Rest, list[Manifest]], None]
    ) -> None:
        attack(rest, manifests)

        taken = take(rest, tmp_path / "warehouse.duckdb", world_after(7), anchor=anchor(manifests))

        assert (taken.sequence, taken.kind) == (HEAD + 1, "incremental")
        assert taken.parent == Parent(HEAD, manifests[-1].sha256)
        assert find_manifest(rest.repository) == taken
        assert verify(rest.repository, snapshot="all").findings == ()

    def test_are_listed_by_verify_and_make_nothing_unsound(
        self, rest: Rest, manifests: list[Manifest], attack: Callable[[Rest, list[Manifest]], None]
    ) -> None:
        attack(rest, manifests)

        report = verify(rest.repository, snapshot="all", anchors=[anchor(manifests)])

        assert report.outcome is Outcome.SOUND
        assert report.head is not None
        assert report.head.sequence == HEAD

    @pytest.mark.parametrize("retention", [{"keep_last": 3}, {"keep_daily": 1}, {"keep_last": 4}], ids=str)
    def test_make_prune_remove_no_snapshot_that_the_rules_keep(
        self,
        rest: Rest,
        manifests: list[Manifest],
        attack: Callable[[Rest, list[Manifest]], None],
        retention: dict[str, int],
    ) -> None:
        expected = prune(rest.repository, Retention(**retention), dry_run=True, now=LATER)
        attack(rest, manifests)

        report = prune(
            rest.repository, Retention(**retention), now=LATER, anchors=[anchor(manifests)], grace=timedelta(0)
        )

        kept = {decision.sequence for decision in expected.kept}
        assert {decision.sequence for decision in report.kept} == kept
        for manifest in manifests:
            if manifest.sequence in kept:
                assert all(rest.path(file.key).exists() for file in manifest.files)
        assert verify(rest.repository, snapshot="all").findings == ()


class TestAHiddenNewestSnapshot:
    def hide(self, rest: Rest, *numbers: int) -> dict[int, bytes]:
        hidden = {number: rest.path(manifest_key(number)).read_bytes() for number in numbers}
        for number in numbers:
            rest.path(manifest_key(number)).unlink()
        return hidden

    def hide_page(self, rest: Rest) -> None:
        """Remove the page that lists the hidden ones too: who may delete objects may delete it."""
        rest.path(index_key(4, 0)).unlink()

    def test_is_found_by_its_anchor_and_stops_what_reads_and_prunes(
        self, rest: Rest, manifests: list[Manifest]
    ) -> None:
        self.hide(rest, 3, 4)

        with pytest.raises(SnapshotCorruptError, match="it ends at number 2, and snapshot number 4 was recorded"):
            open_snapshot(rest.repository, anchor=anchor(manifests))
        with pytest.raises(SnapshotCorruptError, match="nothing was pruned: manifests/0000000004 is rolled back"):
            prune(rest.repository, Retention(keep_last=1), anchors=[anchor(manifests)], now=LATER)
        report = verify(rest.repository, anchors=[anchor(manifests)])
        assert report.outcome is Outcome.DAMAGED

    def test_is_found_by_the_page_that_was_written_with_it(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        self.hide(rest, HEAD)

        with pytest.raises(SnapshotCorruptError, match="it ends at number 3, and snapshot number 4 was recorded"):
            take(rest, tmp_path / "warehouse.duckdb", world_after(7))

    def test_is_found_by_its_age_where_nobody_recorded_it(self, rest: Rest, manifests: list[Manifest]) -> None:
        with pytest.raises(SnapshotOverdueError, match="and at most 0:00:00 is accepted"):
            open_snapshot(rest.repository, max_age=timedelta(0))

    def test_loses_no_file_to_a_prune_that_does_not_know_of_it(self, rest: Rest, manifests: list[Manifest]) -> None:
        hidden = self.hide(rest, HEAD)
        with pytest.raises(SnapshotCorruptError, match="nothing was pruned"):
            prune(rest.repository, Retention(), now=LATER, orphan_age=timedelta(0), grace=timedelta(0))
        self.hide_page(rest)
        # Ids name seconds: the hidden one was begun later.
        written = {file.key for file in manifests[-1].new_files if manifests[-1].taken_at > manifests[-2].taken_at}

        prune(rest.repository, Retention(), now=LATER, orphan_age=timedelta(0), grace=timedelta(0))
        put(rest, manifest_key(HEAD), hidden[HEAD])

        assert all(rest.path(key).exists() for key in written)

    def test_makes_the_next_one_full_with_new_keys_and_fails_its_task(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        self.hide(rest, 3, 4)

        for attempt in range(2):
            with pytest.raises(SnapshotCorruptError, match=r"was committed to .* in full and with new data keys"):
                take(rest, tmp_path / "warehouse.duckdb", world_after(7), anchor=anchor(manifests), run_key="run")
            assert find_manifest(rest.repository).sequence == HEAD + 1, attempt

        taken = find_manifest(rest.repository)
        assert (taken.kind, taken.lost_until, taken.parent) == ("full", HEAD, Parent(2, manifests[1].sha256))
        assert not {key.ciphertext for key in taken.keys.values()} & {
            key.ciphertext for manifest in manifests for key in manifest.keys.values()
        }
        assert verify(rest.repository, snapshot="all").findings == ()

    def test_that_is_recorded_as_lost_makes_no_further_snapshot_full(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        self.hide(rest, 3, 4)
        with pytest.raises(SnapshotCorruptError):
            take(rest, tmp_path / "warehouse.duckdb", world_after(7), anchor=anchor(manifests))

        following = take(rest, tmp_path / "warehouse.duckdb", world_after(8), anchor=anchor(manifests))

        assert (following.kind, following.sequence) == ("incremental", HEAD + 2)

    def test_that_was_forked_around_and_comes_back_is_damage(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        hidden = self.hide(rest, 3, 4)
        self.hide_page(rest)
        fork = take(rest, tmp_path / "warehouse.duckdb", world_after(7))
        put(rest, manifest_key(4), hidden[4])

        report = verify(rest.repository, anchors=[anchor(manifests)])

        assert fork.sequence == 3
        assert report.outcome is Outcome.DAMAGED
