"""Numbers the signed documents of a series, of which none is replaced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_elementary.exceptions import SnapshotConflictError, UnprovedError
from airflow_provider_elementary.storage.claim import claim
from airflow_provider_elementary.storage.documents import Codec
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import series_key, series_number
from airflow_provider_elementary.storage.signed_documents import Documents, Signed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = logging.getLogger(__name__)

T = TypeVar("T", bound="DataclassInstance")

#: The shards of one task write at once.
_ATTEMPTS = 30


def newest_first(documents: Documents, folder: str, codec: Codec[T], role: Role) -> Iterator[Signed[T]]:
    """Yield the documents of a series, the newest first; what no key of the store signed is passed over.

    :param folder: of the series, which ends with a slash.
    :raises SnapshotCorruptError: a document is proved, and not valid.
    """
    for found in documents.store.list(folder):
        if series_number(folder, found.key) is None:
            continue
        try:
            document = documents.read(found.key, codec, role)
        except UnprovedError as error:
            log.warning("ignoring %s", error)
            continue
        if document is not None:
            yield document


def append(
    documents: Documents, folder: str, codec: Codec[T], document_of: Callable[[str], T], role: Role
) -> Signed[T]:
    """Write the next document of a series.

    :param document_of: returns the document, given its name.
    :raises SnapshotConflictError: other writers were faster, several times.
    """
    return extend(documents, folder, codec, lambda name, _: document_of(name), role)


def extend(
    documents: Documents, folder: str, codec: Codec[T], document_of: Callable[[str, T | None], T], role: Role
) -> Signed[T]:
    """Write the next document of a series, made from the one before.

    :param document_of: returns the document, given its name and the newest one; it is called again after another
        writer was faster. If it returns the newest one, nothing is written.
    :raises SnapshotConflictError: other writers were faster, several times.
    """
    for _ in range(_ATTEMPTS):
        newest = next(newest_first(documents, folder, codec, role), None)
        number = (series_number(folder, newest.name) or 0) + 1 if newest is not None else 1
        name = series_key(folder, number)
        document = document_of(name, newest.document if newest is not None else None)
        if newest is not None and document is newest.document:
            return newest
        if (written := claim(documents, name, codec, document, role)) is not None:
            return written
    raise SnapshotConflictError(
        f"Could not write to {folder} in {documents.store.uri}: {_ATTEMPTS} attempts conflicted with other writers. "
        "Retry."
    )
