"""Vouching for what a try notes in the store: a seal that only who holds the keys of all its categories can make."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.exceptions import KeyUnavailableError
from airflow_provider_elementary.snapshots.data_keys import OpenKeys
from airflow_provider_elementary.snapshots.keys import Keys
from airflow_provider_elementary.snapshots.manifest import APPLICATION, Manifest
from airflow_provider_elementary.snapshots.store import Store


def vouch(content: bytes, opened: OpenKeys, store: Store, purpose: str) -> str:
    """Return the seal over a manifest, or over what is to become one.

    :param store: where it is noted; in another store the seal does not hold.
    :param purpose: what it is noted as; as something else it does not hold either.
    """
    return _seal(content, [key.plaintext for key in opened.of_categories.values()], store, purpose)


def is_vouched(
    manifest: Manifest, seal: str, keys: Keys, categories: Collection[Category], store: Store, purpose: str
) -> bool:
    """Tell whether a seal is one that a writer with these master keys made.

    :param manifest: whose canonical bytes were sealed.
    :param categories: those of this try. A seal under the keys of fewer could be a reader's; under none, anybody's.
    :raises StoreError: KMS failed; a retry may help.
    """
    if not categories or set(manifest.keys) != {category.value for category in categories}:
        return False
    plaintexts = []
    try:
        for category in categories:
            wrapped = manifest.keys[category.value]
            context = {"application": APPLICATION, "snapshot": manifest.snapshot_id, "category": category.value}
            # Asked of nobody else: a key that the note names may be the forger's own.
            if wrapped.master_key_id != keys.master_key_id(category, context):
                return False
            plaintexts.append(keys.unwrap(category, wrapped))
        return hmac.compare_digest(seal.encode(), _seal(manifest.to_bytes(), plaintexts, store, purpose).encode())
    except (KeyUnavailableError, ValueError, TypeError):
        return False


def _seal(content: bytes, keys: Sequence[bytes], store: Store, purpose: str) -> str:
    head = f"{APPLICATION} {purpose}\n{store.uri}\n".encode()
    return hmac.new(b"".join(sorted(keys)), head + content, "sha256").hexdigest()
