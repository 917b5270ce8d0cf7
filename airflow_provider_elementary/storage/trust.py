"""Reads which keys may sign in a store, and introduces another."""

from __future__ import annotations

import logging

from airflow_provider_elementary.exceptions import (
    DocumentExistsError,
    KeyUnavailableError,
    SnapshotCorruptError,
    StoreRefusedError,
    UnprovedError,
)
from airflow_provider_elementary.storage.documents import MAX_BYTES
from airflow_provider_elementary.storage.genesis import INTRODUCTIONS, Introduction, SignerEntry, Trust, parse_genesis
from airflow_provider_elementary.storage.layout import GENESIS, signer_key
from airflow_provider_elementary.storage.object_store.store import Fetched, Store
from airflow_provider_elementary.storage.records.claim import claim_signed
from airflow_provider_elementary.storage.signed_documents import Documents, Signed

log = logging.getLogger(__name__)


def read_trust(store: Store, store_id: str | None) -> Trust:
    """Return which keys may sign in a store.

    :param store_id: what the connection pins; without one, nothing of the store is proved.
    :raises StoreRefusedError: there is no store, and no store is pinned.
    :raises SnapshotCorruptError: the pinned store is gone.
    :raises UnprovedError: it is another store than the one pinned.
    """
    found = store.get_capped(GENESIS, MAX_BYTES + 1)
    content = found.content if found is not None else None
    if content is None and store_id is None:
        raise StoreRefusedError(
            f"{store.uri} is not a store: there is no {GENESIS}. Check the uri, or create the store with "
            "`airflow-elementary store init`."
        )
    if content is None:
        raise SnapshotCorruptError(
            f"{store.uri} has no {GENESIS}, and the connection pins store {store_id}: it was removed, or is not "
            "mounted, or the uri is wrong. Nothing was written. Check the uri, or restore the store."
        )
    trust = parse_genesis(content, store.uri, store_id)
    while (there := _introduction(store, trust)) is not None:
        try:
            trust = introduced(store, trust, there.content)
        except UnprovedError:
            # An outsider's object in its place.
            break
    return trust


def _introduction(store: Store, trust: Trust) -> Fetched | None:
    name = signer_key(len(trust.introductions) + 1)
    try:
        return store.get_capped(name, MAX_BYTES + 1)
    except (StoreRefusedError, KeyUnavailableError) as error:
        # As if it had been removed: the genesis was given out.
        log.warning("passed over %s: %s", name, error)
        return None


def introduced(store: Store, trust: Trust, content: bytes) -> Trust:
    """Return the trust after the next introduction of a key.

    :param content: the signed introduction, wherever it was kept.
    :raises UnprovedError: no key that may introduce another one signed it as the next.
    :raises SnapshotCorruptError: it is proved, and not valid.
    """
    number = len(trust.introductions) + 1
    name = signer_key(number)
    found = Documents(store, trust).decode_introduction(content, name, INTRODUCTIONS).document
    if found.number != number:
        raise SnapshotCorruptError(f"{name} says that it is number {found.number}. Restore it from a replica.")
    return trust.with_introduction(found, content)


def put_back(store: Store, trust: Trust, content: bytes) -> None:
    """Write the next introduction of a key again, which somebody removed from the store.

    :param trust: before the introduction.
    :param content: the signed introduction, of which it is proved.
    """
    _claim(Documents(store, trust), content)


def introduce(
    documents: Documents,
    signer: SignerEntry,
    *,
    first_number: int,
    head: str | None,
    retired: tuple[str, ...] = (),
    revoked: tuple[str, ...] = (),
) -> Trust:
    """Introduce a signing key, and return the trust with it.

    :param documents: with the signer of an earlier key of role ``store``, or of the recovery key.
    :param signer: the new key.
    :param first_number: the first snapshot that it may sign.
    :param head: the SHA-256 of the manifest before that.
    :param retired: keys that sign no further snapshots.
    :param revoked: keys that were stolen: of what they signed, only the chain before ``first_number`` counts.
    :raises DocumentExistsError: another key was introduced at the same time.
    """
    trust = documents.trust
    number = len(trust.introductions) + 1
    introduction = Introduction(number, signer, first_number, head, retired, revoked)
    _, content = documents.encode_introduction(signer_key(number), INTRODUCTIONS, introduction)
    _claim(documents, content)
    return trust.with_introduction(introduction, content)


def _claim(documents: Documents, content: bytes) -> None:
    name = signer_key(len(documents.trust.introductions) + 1)

    def decode(there: bytes) -> Signed[Introduction]:
        return documents.decode_introduction(there, name, INTRODUCTIONS)

    if claim_signed(documents.store, decode(content), content, decode) is None:
        raise DocumentExistsError(name)
