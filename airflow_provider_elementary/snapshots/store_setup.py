"""Creates a store, and replaces its signing key."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError, KeyUnavailableError
from airflow_provider_elementary.snapshots.store_settings import SIGNING_KEY
from airflow_provider_elementary.storage.genesis import (
    Predecessor,
    Role,
    SignerEntry,
    Trust,
    init_store,
    new_salt,
)
from airflow_provider_elementary.storage.keys import Keys, LocalKeys
from airflow_provider_elementary.storage.layout import APPLICATION, GENESIS, MANIFESTS
from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.storage.signed_documents import Documents
from airflow_provider_elementary.storage.signers import (
    Ed25519Signer,
    KmsSigner,
    Signer,
    WrappedEd25519Signer,
    kms_public_key,
    wrap_signing_key,
)
from airflow_provider_elementary.storage.trust import introduce

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

_RECOVERY_KEY = "recovery_key"


@dataclass(frozen=True)
class KmsKey:
    """A KMS key that signs, or that encrypts the key that does.

    :param client: a boto3 KMS client.
    :param key_id: the key's id, ARN or alias, as the connection names it.
    """

    client: Any
    key_id: str


SigningKey = Ed25519Signer | KmsKey


def create_store(
    store: Store,
    keys: Keys | None,
    signing: SigningKey | None,
    *,
    recovery_file: Path | None = None,
    after: Predecessor | None = None,
) -> Trust:
    """Create a store whose one key signs all, and return its trust with the id to pin.

    :param keys: the master keys, whose ids the genesis records.
    :param signing: the key that signs.
    :param recovery_file: a new file for the private half of a recovery key, to be kept offline.
    :param after: the store that it continues.
    :raises ConfigurationError: there is a store already, or one without its genesis, or the file is there already;
        nothing was changed.
    """
    if signing is None:
        raise ConfigurationError(
            f"No signing key for {store.uri}. Name signing_kms_key_id in the connection, or a keys file that "
            "`airflow-elementary keys generate` made."
        )
    if store.get(GENESIS) is None and any(True for _ in store.list(MANIFESTS)):
        raise ConfigurationError(
            f"{store.uri} holds snapshots whose {GENESIS} was removed. Nothing was changed. Put {GENESIS} back from an "
            "older version or a copy, or choose an empty prefix."
        )
    salt = new_salt()
    entry = _entry(signing, salt)
    masters = _master_key_ids(keys) if keys is not None else {}
    recovery = _write_recovery_key(recovery_file) if recovery_file is not None else None
    try:
        return init_store(
            store,
            (entry,),
            salt=salt,
            recovery=recovery.public_key if recovery else None,
            master_keys=masters,
            after=after,
        )
    except BaseException:
        if recovery_file is not None:
            recovery_file.unlink(missing_ok=True)
        raise


def signer_of(signing: SigningKey, trust: Trust) -> Signer:
    """Return the signer of a store.

    :raises ConfigurationError: the store knows no signing key of KMS.
    """
    if isinstance(signing, Ed25519Signer):
        return signing
    entries = [entry for entry in trust.current() if entry.kms_key_id is not None]
    if not entries:
        raise ConfigurationError(
            f"The store was created with no signing key in KMS, and the connection names {signing.key_id} in "
            "signing_kms_key_id. Give the signing_key that it was created with."
        )
    entry = next((entry for entry in entries if entry.kms_key_id == signing.key_id), entries[0])
    if entry.ciphertext is None:
        return KmsSigner(signing.client, signing.key_id, entry.key)
    return WrappedEd25519Signer(signing.client, signing.key_id, entry.key, entry.ciphertext, trust.genesis.salt)


def rotate_signing_key(
    repository: Repository, new: SigningKey | None, old: SigningKey, *, revoke: bool = False
) -> tuple[SignerEntry, int]:
    """Introduce the key that signs from the next snapshot on; no writer may be at work meanwhile.

    :param new: the key that the connection names.
    :param old: a key of role ``store`` that is not retired, or the recovery key.
    :param revoke: the keys until now were stolen.
    :return: the new key, and the first snapshot that it signs.
    """
    from airflow_provider_elementary.snapshots.lookup import find_head

    trust = repository.trust
    if new is None:
        raise ConfigurationError("The connection names no signing key. Name the new one, and rotate again.")
    entry = _entry(new, trust.genesis.salt)
    if trust.key(entry.key.key_id) is not None:
        raise ConfigurationError(
            f"Signing key {entry.key.key_id} is known to the store already. Name a new key in the connection."
        )
    head = find_head(repository)
    first = head.document.sequence + 1 if head is not None else 1
    retired = tuple(known.key.key_id for known in trust.current())
    documents = Documents(repository.store, trust, signer_of(old, trust))
    introduce(
        documents,
        entry,
        first_number=first,
        head=head.sha256 if head is not None else None,
        retired=retired,
        revoked=retired if revoke else (),
    )
    return entry, first


def new_local_keys() -> dict[str, str]:
    """Return fresh local keys: a master key for each category, and the signing key, which readers do not get."""
    return {**LocalKeys.generate(), SIGNING_KEY: Ed25519Signer.generate()}


def read_signing_key(path: Path) -> Ed25519Signer:
    """Return the signing key of a keys file, or the key of a recovery key file.

    :raises ConfigurationError: it cannot be read, or holds none.
    """
    try:
        found = json.loads(path.read_text())
        key = found.get(_RECOVERY_KEY) or found.get(SIGNING_KEY)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ConfigurationError(
            f"The key file {path} cannot be read ({type(error).__name__}). Name the file that `keys generate` or "
            "`store init --recovery-key` wrote."
        ) from None
    return Ed25519Signer.from_text(key or "", f"key file {path}")


def write_private_file(path: Path, facts: Mapping[str, Any]) -> None:
    """Write keys to a new file that its owner alone can read.

    :raises ConfigurationError: there is a file already, whose keys may still be needed; or none can be made.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(dict(facts), file)
    except OSError as error:
        raise ConfigurationError(
            f"The keys file {path} cannot be made ({error.strerror}). Name a file that does not exist yet: keys that "
            "are replaced open no snapshot any more."
        ) from None


def _entry(signing: SigningKey, salt: str) -> SignerEntry:
    if isinstance(signing, Ed25519Signer):
        return SignerEntry(signing.public_key, tuple(Role))
    public_key = kms_public_key(signing.client, signing.key_id)
    if public_key is not None:
        return SignerEntry(public_key, tuple(Role), signing.key_id)
    public_key, ciphertext = wrap_signing_key(signing.client, signing.key_id, salt)
    return SignerEntry(public_key, tuple(Role), signing.key_id, ciphertext)


def _master_key_ids(keys: Keys) -> dict[str, str]:
    found = {}
    for category in Category:
        try:
            # A KMS key may be restricted to contexts like those of the store's data keys.
            context = {"application": APPLICATION, "category": category.value, "purpose": "creation"}
            found[category.value] = keys.master_key_id(category, context)
        except KeyUnavailableError:
            continue
    return found


def _write_recovery_key(path: Path) -> Ed25519Signer:
    key = Ed25519Signer.generate()
    write_private_file(path, {_RECOVERY_KEY: key})
    return Ed25519Signer(base64.b64decode(key))
