"""An anchor counts only if a key of the store signed it, wherever it comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import SnapshotCorruptError, UnprovedError
from airflow_provider_elementary.snapshots import Manifest, Repository, find_manifest, write_snapshot
from airflow_provider_elementary.snapshots.anchors import read_anchor, sign_anchor
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.store_setup import rotate_signing_key
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.layout import signer_key
from airflow_provider_elementary.storage.outcomes import Outcome
from airflow_provider_elementary.storage.signed_documents import Documents
from airflow_provider_elementary.storage.signers import Ed25519Signer
from airflow_provider_elementary.storage.trust import introduce
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.signing import SIGNER, STORE_ID, entry, new_signer, opened, signed
from tests.support.stores import Rest, grow, local_rest, world_after


@dataclass(frozen=True)
class Rotated:
    """A store whose signing key was replaced."""

    rest: Rest
    signer: Ed25519Signer
    manifest: Manifest
    anchor: str

    @property
    def writer(self) -> Repository:
        return Repository(self.rest.store, self.rest.keys, store_id=STORE_ID, signing=self.signer)

    @property
    def reader(self) -> Repository:
        return Repository(self.rest.store, self.rest.keys, store_id=STORE_ID)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, Manifest]:
    directory = tmp_path_factory.mktemp("anchors")
    rest = local_rest(directory)
    return rest, grow(rest, directory, [3])[0]


def test_a_signed_statement_comes_back_through_json(taken: tuple[Rest, Manifest]) -> None:
    rest, manifest = taken

    statement = json.loads(json.dumps({"anchor": sign_anchor(rest.repository, manifest)}))["anchor"]

    reader = Repository(rest.store, store_id=STORE_ID)
    assert read_anchor(reader, statement, "XCom") == Anchor(1, manifest.sha256, "XCom")


@pytest.mark.parametrize(
    "statement",
    [None, 7, True, [], {}, "", "1:ab", "\ud800", {"sequence": 99, "sha256": "ab" * 32}],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_signed_statement_is_unproved(statement: Any, taken: tuple[Rest, Manifest]) -> None:
    with pytest.raises(UnprovedError):
        read_anchor(taken[0].repository, statement)


BODY = b'{"created_at":"2026-11-22T00:00:00","format_version":2,"sequence":99,"sha256":"ab"}'


def test_a_statement_by_a_foreign_key_is_unproved(taken: tuple[Rest, Manifest]) -> None:
    statement = signed(new_signer(), STORE_ID, "anchor", BODY).decode()

    with pytest.raises(UnprovedError, match="not known to this store"):
        read_anchor(taken[0].repository, statement)


@pytest.mark.parametrize(("store_id", "name"), [("cd" * 32, "anchor"), (STORE_ID, "manifests/0000000099")])
def test_a_statement_for_another_store_or_name_is_unproved(
    store_id: str, name: str, taken: tuple[Rest, Manifest]
) -> None:
    with pytest.raises(UnprovedError, match=r"signature of anchor .* is invalid"):
        read_anchor(taken[0].repository, signed(SIGNER, store_id, name, BODY).decode())


def test_a_manifest_is_no_anchor(taken: tuple[Rest, Manifest]) -> None:
    rest, _ = taken
    [name] = [found.key for found in rest.store.list("manifests/")]

    with pytest.raises(SnapshotCorruptError):
        read_anchor(rest.repository, Path(rest.path(name)).read_text())


class TestTheIntroductionOfAKey:
    """Somebody has the signing key that was replaced and revoked, and may write to the store."""

    @pytest.fixture
    def rotated(self, tmp_path: Path) -> Rotated:
        """A store of two snapshots whose key was revoked after the first, and the anchor of the second."""
        rest = local_rest(tmp_path)
        grow(rest, tmp_path, [3])
        new = new_signer()
        rotate_signing_key(rest.repository, new, SIGNER, revoke=True)
        writer = Repository(rest.store, rest.keys, store_id=STORE_ID, signing=new)
        with WarehouseSource(
            DuckDBWarehouse(write_duckdb(world_after(4), tmp_path / "new.duckdb"), "elementary")
        ) as source:
            manifest = write_snapshot(source, writer)
        return Rotated(rest, new, manifest, sign_anchor(writer, manifest))

    def test_comes_with_the_anchor_and_is_put_back_by_a_writer(self, rotated: Rotated) -> None:
        name, anchor = signer_key(1), Anchor(2, rotated.manifest.sha256, "XCom")
        content = rotated.rest.path(name).read_bytes()
        rotated.rest.path(name).unlink()

        assert read_anchor(rotated.writer, rotated.anchor, "XCom") == anchor
        assert rotated.rest.path(name).read_bytes() == content
        assert read_anchor(rotated.writer, rotated.anchor, "XCom") == anchor
        assert find_manifest(rotated.reader).sequence == 2

    def test_is_named_as_missing_to_a_reader(self, rotated: Rotated) -> None:
        rotated.rest.path(signer_key(1)).unlink()

        with pytest.raises(SnapshotCorruptError, match=r"signers/0000000001 of .* is missing or was replaced") as error:
            read_anchor(rotated.reader, rotated.anchor)

        assert not isinstance(error.value, UnprovedError)

    def test_replaced_by_junk_is_put_back_and_the_junk_is_kept(self, rotated: Rotated) -> None:
        rotated.rest.path(signer_key(1)).write_bytes(b"junk")

        read_anchor(rotated.writer, rotated.anchor)

        assert find_manifest(rotated.reader).sequence == 2
        assert [found.key for found in rotated.rest.store.list("quarantine/signers/")]

    def test_by_the_revoked_key_in_its_place_is_damage(self, rotated: Rotated) -> None:
        rotated.rest.path(signer_key(1)).unlink()
        trust = opened(rotated.rest.store).trust
        introduce(Documents(rotated.rest.store, trust, SIGNER), entry(new_signer()), first_number=2, head=None)

        with pytest.raises(SnapshotCorruptError, match="introduces another signing key than the anchor holds"):
            read_anchor(rotated.writer, rotated.anchor)

    def test_left_out_of_an_anchor_by_the_revoked_key_proves_nothing(self, rotated: Rotated) -> None:
        with pytest.raises(UnprovedError, match="may not sign it"):
            read_anchor(rotated.reader, signed(SIGNER, STORE_ID, "anchor", BODY).decode())

    def test_removed_is_damage_to_verify_with_a_plain_anchor(self, rotated: Rotated) -> None:
        rotated.rest.path(signer_key(1)).unlink()

        report = verify(rotated.reader, anchors=[Anchor(2, rotated.manifest.sha256)])

        assert report.outcome is Outcome.DAMAGED
