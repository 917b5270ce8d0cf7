"""An anchor counts only if a key of the store signed it, wherever it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import SnapshotCorruptError, UnprovedError
from airflow_provider_elementary.snapshots import Manifest, Repository
from airflow_provider_elementary.snapshots.anchors import read_anchor, sign_anchor
from airflow_provider_elementary.snapshots.chain import Anchor
from tests.support.signing import SIGNER, STORE_ID, new_signer, signed
from tests.support.stores import Rest, grow, local_rest


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
