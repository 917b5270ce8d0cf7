"""Writes a signed document under a name that an outsider may occupy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_elementary.exceptions import (
    SnapshotConflictError,
    StoreRefusedError,
    UnprovedError,
)
from airflow_provider_elementary.storage.documents import MAX_BYTES, Codec, sha256
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import quarantine_key
from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.storage.signed_documents import Documents, Signed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = logging.getLogger(__name__)

T = TypeVar("T", bound="DataclassInstance")


def claim(
    documents: Documents, name: str, codec: Codec[T], document: T, role: Role, *, number: int | None = None
) -> Signed[T] | None:
    """Write a document where no writer of the store wrote one; what an outsider put there goes to ``quarantine/``.

    :return: the document; None where another writer's is there.
    :raises SnapshotConflictError: an outsider's object is there, and the store cannot replace it in one step.
    """
    signed, content = documents.encode(name, codec, document, role, number=number)

    def decode(there: bytes) -> Signed[T]:
        return documents.decode(there, name, codec, role, number=number)

    return claim_signed(documents.store, signed, content, decode)


def claim_signed(
    store: Store, signed: Signed[T], content: bytes, decode: Callable[[bytes], Signed[T]]
) -> Signed[T] | None:
    """Write the bytes of a signed document; see :func:`claim`.

    :param decode: returns the document that bytes of this name hold, and raises where they are not proved.
    """
    name = signed.name
    if store.put_if_absent(name, content):
        return signed
    if (found := store.get_capped(name, MAX_BYTES)) is None:
        return None
    if found.is_whole:
        try:
            there = decode(found.content)
            # A request that was repeated because its answer was lost finds its own object.
            return signed if there.sha256 == signed.sha256 else None
        except UnprovedError:
            pass
    aside = quarantine_key(name, sha256(found.content))
    store.put_if_absent(aside, found.content)
    try:
        replaced = store.replace(name, content, found.etag)
    except StoreRefusedError as error:
        raise SnapshotConflictError(
            f"{name} in {store.uri} is there already, and no key of the store signed it. {error} Remove the "
            "object, find out who wrote it, and retry."
        ) from None
    if not replaced:
        return None
    log.warning("moved %s, which no key of the store signed, to %s: find out who wrote it", name, aside)
    return signed
