"""The pinned id of a store decides which keys may sign in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    SnapshotCorruptError,
    StoreRefusedError,
    UnprovedError,
)
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.genesis import Role, SignerEntry, Trust
from airflow_provider_elementary.storage.layout import GENESIS, signer_key
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.storage.signed_documents import Documents
from airflow_provider_elementary.storage.signers import Ed25519Signer, PublicKey
from airflow_provider_elementary.storage.trust import introduce, read_trust
from tests.support.signing import created, entry, new_signer


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def introduced(store: LocalStore, trust: Trust, by: Ed25519Signer, new: Ed25519Signer, first: int, **more: object):  # type: ignore[no-untyped-def]
    return introduce(
        Documents(store, trust, by),
        entry(new),
        first_number=first,
        head="ab" * 32,
        **more,  # type: ignore[arg-type]
    )


def test_the_store_id_is_the_hash_of_the_genesis(store: LocalStore) -> None:
    trust = created(store, entry(new_signer()))

    assert trust.store_id == sha256(store.get(GENESIS) or b"")
    assert read_trust(store, trust.store_id) == trust


def test_two_stores_of_the_same_key_have_different_ids(tmp_path: Path) -> None:
    signer = new_signer()

    ids = {created(LocalStore(tmp_path / name), entry(signer)).store_id for name in "ab"}

    assert len(ids) == 2


def test_a_store_is_created_once(store: LocalStore) -> None:
    trust = created(store, entry(new_signer()))

    with pytest.raises(ConfigurationError, match="is a store already"):
        created(store, entry(new_signer()))

    assert read_trust(store, trust.store_id) == trust


def test_another_store_than_the_pinned_one_is_unproved(store: LocalStore) -> None:
    created(store, entry(new_signer()))

    with pytest.raises(UnprovedError, match="is not the store that the connection pins"):
        read_trust(store, "ab" * 32)


def test_a_pinned_store_that_vanished_is_damaged_and_not_begun_again(store: LocalStore) -> None:
    with pytest.raises(SnapshotCorruptError, match=r"has no store\.json, and the connection pins") as caught:
        read_trust(store, "ab" * 32)

    assert not isinstance(caught.value, UnprovedError)
    assert store.get(GENESIS) is None


def test_a_place_that_is_no_store_is_refused(store: LocalStore) -> None:
    with pytest.raises(StoreRefusedError, match="is not a store: there is no store"):
        read_trust(store, None)


def test_without_a_pin_the_keys_are_read_and_nothing_is_proved(store: LocalStore) -> None:
    created(store, entry(new_signer()))

    assert not read_trust(store, None).pinned


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        b"null",
        b'{"created_at":"x"}',
        b'{"format_version":1}',
        b'{"after":null,"created_at":"2026-11-22T00:00:00+00:00","format_version":2,"master_keys":{},'
        b'"recovery":null,"salt":"","signers":[]}',
        b'{"after":null,"created_at":"2026-11-22T00:00:00+00:00","format_version":2,"master_keys":{},"recovery":null,'
        b'"salt":"","signers":[{"ciphertext":null,"key":{"algorithm":"ed25519","der":"!"},"kms_key_id":null,'
        b'"roles":["store"]}]}',
    ],
    ids=["empty", "no fields", "deep", "not UTF-8", "null", "wrong", "version", "no signer", "no base64"],
)
def test_a_hostile_genesis_without_a_pin_is_damaged(content: bytes, store: LocalStore) -> None:
    store.put(GENESIS, content)

    with pytest.raises(SnapshotCorruptError):
        read_trust(store, None)


def test_a_signer_of_role_store_introduces_another(store: LocalStore) -> None:
    old, new = new_signer(), new_signer()
    trust = created(store, entry(old))

    introduced(store, trust, old, new, 5, retired=(old.key_id,))

    read = read_trust(store, trust.store_id)
    assert [read.can(key.key_id, Role.STORE, number) for key in (old, new) for number in (4, 5)] == [
        True,
        False,
        False,
        True,
    ]
    assert [found.key.key_id for found in read.current()] == [new.key_id]


def test_the_recovery_key_introduces_a_key_and_signs_nothing_else(store: LocalStore) -> None:
    lost, recovery, new = new_signer(), new_signer(), new_signer()
    trust = created(store, entry(lost), recovery=recovery.public_key)

    introduced(store, trust, recovery, new, 1)

    read = read_trust(store, trust.store_id)
    assert read.can(new.key_id, Role.STORE, 1)
    assert not any(read.can(recovery.key_id, role) for role in Role)


def test_a_key_of_another_role_introduces_none(store: LocalStore) -> None:
    writer, analyst = new_signer(), new_signer()
    trust = created(store, entry(writer), entry(analyst, Role.RESULTS))

    with pytest.raises(ConfigurationError, match="may introduce no other"):
        introduced(store, trust, analyst, new_signer(), 1)


def test_a_retired_key_introduces_none(store: LocalStore) -> None:
    old, new = new_signer(), new_signer()
    trust = created(store, entry(old))
    introduced(store, trust, old, new, 5, retired=(old.key_id,))

    with pytest.raises(ConfigurationError, match="may introduce no other"):
        introduced(store, read_trust(store, trust.store_id), old, new_signer(), 6)


def test_a_revoked_key_counts_for_no_document_without_a_number(store: LocalStore) -> None:
    stolen, new = new_signer(), new_signer()
    trust = created(store, entry(stolen))

    trust = introduced(store, trust, stolen, new, 5, revoked=(stolen.key_id,))

    assert not trust.can(stolen.key_id, Role.ACCESS)
    assert trust.can(stolen.key_id, Role.STORE, 4)


@pytest.mark.parametrize("content", [b"", b"{}", b"elementary-signed 2 ed25519 x y\n{}"])
def test_junk_in_place_of_an_introduction_is_passed_over(content: bytes, store: LocalStore) -> None:
    trust = created(store, entry(new_signer()))
    store.put(signer_key(1), content)

    assert read_trust(store, trust.store_id) == trust


def test_an_introduction_by_a_outsider_is_passed_over(store: LocalStore, tmp_path: Path) -> None:
    trust = created(store, entry(new_signer()))
    outsider = new_signer()
    elsewhere = LocalStore(tmp_path / "elsewhere")
    theirs = created(elsewhere, entry(outsider))
    introduced(elsewhere, theirs, outsider, new_signer(), 1)
    store.put(signer_key(1), elsewhere.get(signer_key(1)) or b"")

    assert read_trust(store, trust.store_id) == trust


@pytest.mark.parametrize("entries", [(), "analyst", "twice"], ids=["none", "without role store", "twice"])
def test_a_store_is_not_created_without_usable_keys(entries: object, store: LocalStore) -> None:
    signer = new_signer()
    given: dict[object, tuple[SignerEntry, ...]] = {
        "analyst": (entry(signer, Role.RESULTS),),
        "twice": (entry(signer), entry(signer)),
    }

    with pytest.raises(ConfigurationError, match="The store cannot be created"):
        created(store, *given.get(entries, ()))

    assert store.get(GENESIS) is None


def test_the_recovery_key_is_not_a_signing_key(store: LocalStore) -> None:
    signer = new_signer()

    with pytest.raises(ConfigurationError, match="a key comes twice"):
        created(store, entry(signer), recovery=signer.public_key)


def test_the_id_of_a_key_is_of_its_public_half() -> None:
    signer = new_signer()

    assert PublicKey("ed25519", signer.public_key.der).key_id == signer.key_id
