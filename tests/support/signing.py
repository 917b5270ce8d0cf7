"""Stores with a genesis and signers to test with."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_elementary.snapshots import Keys, Repository
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.genesis import (
    GENESIS_CODEC,
    Genesis,
    Role,
    SignerEntry,
    Trust,
    init_store,
    new_salt,
)
from airflow_provider_elementary.storage.layout import GENESIS
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.storage.signed_documents import Documents
from airflow_provider_elementary.storage.signers import Ed25519Signer, PublicKey

#: The signing key of the stores of most tests, and their genesis: so every process of a test may write to them.
SIGNING_KEY = base64.b64encode(b"a signing key for tests only....").decode()
SIGNER = Ed25519Signer(base64.b64decode(SIGNING_KEY))
_GENESIS = GENESIS_CODEC.write(
    Genesis("2026-01-01T00:00:00+00:00", "00" * 16, (SignerEntry(SIGNER.public_key, tuple(Role)),), None, {})
)
STORE_ID = sha256(_GENESIS)


def create(store: Store) -> None:
    """Create a store with the genesis of most tests, unless it is there."""
    store.put_if_absent(GENESIS, _GENESIS)


def opened(store: Store, keys: Keys | Callable[[], Keys] | None = None, **options: Any) -> Repository:
    """Return the repository of a store with the genesis of most tests, for a writer; the store is created first."""
    create(store)
    return Repository(store, keys, **{"store_id": STORE_ID, "signing": SIGNER, **options})


def new_signer() -> Ed25519Signer:
    """Return a signer with a fresh key."""
    return Ed25519Signer(os.urandom(32))


def entry(signer: Ed25519Signer, *roles: Role) -> SignerEntry:
    """Return the entry of a signer, with all roles by default."""
    return SignerEntry(signer.public_key, roles or tuple(Role))


def created(store: Store, *signers: SignerEntry, recovery: PublicKey | None = None) -> Trust:
    """Create a store with these signers."""
    return init_store(store, signers, salt=new_salt(), recovery=recovery, master_keys={})


def documents(folder: Path) -> Documents:
    """Return the documents of a new store in a folder, with its signer."""
    store, signer = LocalStore(folder), new_signer()
    return Documents(store, created(store, entry(signer)), signer)


def signed(signer: Ed25519Signer, store_id: str, name: str, body: bytes) -> bytes:
    """Return any bytes signed as the document of a name, as only a writer who misbehaves would."""
    message = "\n".join(("elementary-signed 2", signer.algorithm, signer.key_id, store_id, name, sha256(body)))
    signature = base64.b64encode(signer.sign(message.encode())).decode()
    return f"elementary-signed 2 {signer.algorithm} {signer.key_id} {signature}\n".encode() + body
