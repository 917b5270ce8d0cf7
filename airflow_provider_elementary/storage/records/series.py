"""Numbers the signed documents of a series, of which none is replaced."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    SnapshotConflictError,
    SnapshotCorruptError,
    StoreRefusedError,
    UnprovedError,
)
from airflow_provider_elementary.storage.documents import STRICT, Codec
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import series_key, series_number
from airflow_provider_elementary.storage.records.claim import claim
from airflow_provider_elementary.storage.signed_documents import Documents, Signed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = logging.getLogger(__name__)

T = TypeVar("T", bound="DataclassInstance")

#: The shards of one task write at once.
_ATTEMPTS = 30
#: How many objects that nobody proved are passed over; anybody can put more of them there.
_LOOKS = 256
#: No object has this name: a statement travels in XCom.
_ANCHOR = "anchor of a series"


@dataclass(frozen=True)
class SeriesPlace:
    """A document of a series, as a later one names it.

    :param number: its place in the series, from 1.
    :param sha256: of its JSON.
    """

    number: int
    sha256: str

    __pydantic_config__ = STRICT


class Numbered(Protocol):
    """A document of a series."""

    @property
    def run_key(self) -> str:
        """What it was written for."""
        ...

    @property
    def previous(self) -> SeriesPlace | None:
        """The newest document of the series when it was written."""
        ...

    @property
    def previous_run(self) -> SeriesPlace | None:
        """The newest of these that another run wrote, which is kept as long as this one is the newest."""
        ...


@dataclass(frozen=True)
class Before:
    """What a series holds before the next document.

    :param name: of the next document.
    :param previous: see :class:`Numbered`.
    :param previous_run: see :class:`Numbered`.
    """

    name: str
    previous: SeriesPlace | None
    previous_run: SeriesPlace | None


@dataclass(frozen=True)
class SeriesAnchor:
    """That a series had a document: what a task keeps outside the store, for its next run.

    :param store: the URI of the store; a copy elsewhere has a history of its own.
    :param document: its name.
    :param sha256: of its JSON: after it was removed, its number may be given again.
    """

    store: str
    document: str
    sha256: str
    format_version: int = 2

    __pydantic_config__ = STRICT


_ANCHORS = Codec(SeriesAnchor, "anchor of a series", "Run the task that returned it again.", 2)


def place_of(signed: Signed[Any], folder: str) -> SeriesPlace:
    """Return by what a later document names one."""
    return SeriesPlace(series_number(folder, signed.name) or 0, signed.sha256)


def sign_place(documents: Documents, name: str, sha256: str, role: Role) -> str:
    """Return a signed statement that a series has a document of that name and hash, to be kept outside the store."""
    return documents.encode(_ANCHOR, _ANCHORS, SeriesAnchor(documents.store.uri, name, sha256), role)[1].decode()


def recorded_place(documents: Documents, folder: str, statement: Any, role: Role) -> SeriesPlace | None:
    """Return the place in a series that a statement names; None for one that is not proved, or of another series.

    :param statement: whatever an earlier run left in XCom; None where it left nothing.
    """
    if statement is None:
        return None
    try:
        found = documents.decode(statement, _ANCHOR, _ANCHORS, role).document
    except SnapshotCorruptError as error:
        # Users of Airflow's API may change what a task returned.
        log.warning("ignoring the anchor of %s: %s", folder, error)
        return None
    if found.store != documents.store.uri or not found.document.startswith(folder):
        return None
    number = series_number(folder, found.document)
    return SeriesPlace(number, found.sha256) if number else None


def lost_since(
    documents: Documents, folder: str, codec: Codec[Any], role: Role, place: SeriesPlace | None
) -> str | None:
    """Return what a series has lost since a place was recorded, in a sentence, or None where it continues from there.

    :param place: recorded outside the store.
    """
    if place is None:
        return None
    newest = next(newest_first(documents, folder, codec, role), None)
    found = place_of(newest, folder) if newest is not None else SeriesPlace(0, "")
    if found.number < place.number:
        fact = f"ends at number {found.number}, and an earlier run recorded number {place.number}"
    elif _is_another(documents, folder, codec, role, place, found):
        fact = f"has another number {place.number} than an earlier run recorded: it was removed and given again"
    else:
        return None
    return (
        f"{folder} in {documents.store.uri} {fact}: the newest were removed. What this run wrote continues with the "
        "older ones. Find out who removed them, and run `airflow-elementary snapshot verify`."
    )


def _is_another(
    documents: Documents, folder: str, codec: Codec[Any], role: Role, place: SeriesPlace, newest: SeriesPlace
) -> bool:
    """Return whether another document has a recorded number; one that a prune or a rerun removed says nothing."""
    if newest.number == place.number:
        return newest.sha256 != place.sha256
    try:
        found = documents.read(series_key(folder, place.number), codec, role)
    except (StoreRefusedError, KeyUnavailableError, SnapshotCorruptError):
        return False
    return found is not None and found.sha256 != place.sha256


def newest_first(documents: Documents, folder: str, codec: Codec[T], role: Role) -> Iterator[Signed[T]]:
    """Yield the documents of a series, the newest first; what no key of the store signed is passed over.

    :param folder: of the series, which ends with a slash.
    :raises SnapshotCorruptError: a document is proved, and not valid.
    """
    unproved = 0
    for found in documents.store.list(folder):
        if series_number(folder, found.key) is None:
            continue
        try:
            document = documents.read(found.key, codec, role)
        except (StoreRefusedError, KeyUnavailableError, UnprovedError) as error:
            if (unproved := unproved + 1) > _LOOKS:
                raise SnapshotCorruptError(
                    f"More than {_LOOKS} objects of {folder} in {documents.store.uri} are not given out or not signed "
                    f"by a key of the store, up to {found.key}. Remove them, and find out who wrote them."
                ) from None
            log.warning("ignoring %s", error)
            continue
        if document is not None:
            yield document


def append(
    documents: Documents,
    folder: str,
    codec: Codec[T],
    document_of: Callable[[Before], T],
    role: Role,
    *,
    run_key: str,
    known: int = 0,
) -> Signed[T]:
    """Write the next document of a series; see :func:`extend`."""
    return extend(documents, folder, codec, lambda before, _: document_of(before), role, run_key=run_key, known=known)


def extend(
    documents: Documents,
    folder: str,
    codec: Codec[T],
    document_of: Callable[[Before, T | None], T],
    role: Role,
    *,
    run_key: str,
    known: int = 0,
) -> Signed[T]:
    """Write the next document of a series, made from the one before.

    :param document_of: returns the document, given what is before it and the newest one; it is called again after
        another writer was faster. If it returns the newest one, nothing is written.
    :param run_key: what the document is for.
    :param known: a number that the series had; those up to it are not given again.
    :raises SnapshotConflictError: other writers were faster, several times.
    """
    for _ in range(_ATTEMPTS):
        newest = next(newest_first(documents, folder, codec, role), None)
        previous = place_of(newest, folder) if newest is not None else None
        number = max(previous.number if previous else 0, known) + 1
        before = Before(series_key(folder, number), previous, _previous_run(newest, previous, run_key))
        document = document_of(before, newest.document if newest is not None else None)
        if newest is not None and document is newest.document:
            return newest
        if (written := claim(documents, before.name, codec, document, role)) is not None:
            return written
    raise _conflicts(documents, folder)


def _conflicts(documents: Documents, folder: str) -> SnapshotConflictError:
    return SnapshotConflictError(
        f"Could not write to {folder} in {documents.store.uri}: {_ATTEMPTS} attempts conflicted with other writers. "
        "Retry."
    )


def _previous_run(newest: Signed[Any] | None, previous: SeriesPlace | None, run_key: str) -> SeriesPlace | None:
    """Return the newest document of another run; an earlier attempt of this run has named it."""
    if newest is None:
        return None
    document: Numbered = newest.document
    return document.previous_run if document.run_key == run_key else previous
