"""Records what a prune removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    SnapshotConflictError,
    StoreRefusedError,
    UnprovedError,
)
from airflow_provider_elementary.snapshots.manifest import Manifest, Parent
from airflow_provider_elementary.snapshots.numbers import newest_proved
from airflow_provider_elementary.storage.documents import STRICT, Codec, NaiveTime, Time
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import PRUNE_RECORDS, numbered, record_key
from airflow_provider_elementary.storage.parallel import in_parallel
from airflow_provider_elementary.storage.records.claim import claim
from airflow_provider_elementary.storage.signed_documents import Signed

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

FORMAT_VERSION = 2


@dataclass(frozen=True)
class Tombstone:
    """A snapshot that was removed; its hash keeps the chain whole.

    :param sequence: its place in the chain.
    :param snapshot_id: its id.
    :param created_at: when it was taken, UTC, ISO 8601; empty for a snapshot that was lost.
    :param sha256: of its manifest.
    :param parent: what its manifest said of the snapshot before it.
    """

    sequence: int
    snapshot_id: str
    created_at: str
    sha256: str
    parent: Parent | None


@dataclass(frozen=True)
class ExpiredFile:
    """A file that was removed although snapshots that are kept name it: the days of its category were over.

    :param key: its name in the store.
    :param sha256: of the bytes that it had.
    :param category: what it held.
    :param expired_at: when, UTC, ISO 8601.
    """

    key: str
    sha256: str
    category: Category
    expired_at: Time


@dataclass(frozen=True)
class PruneRecord:
    """What one prune removed.

    :param sequence: its place among the store's prune records, from 1.
    :param created_at: when, UTC, ISO 8601.
    :param parent: the record before it, or None for the first.
    :param head: the newest snapshot at that time, which a prune never removes.
    :param retention: the rules applied.
    :param snapshots: the snapshots that this prune removed.
    :param expired: every file expired until then that a kept snapshot names, also by earlier prunes.
    """

    sequence: int
    created_at: NaiveTime
    parent: Parent | None
    head: Parent
    retention: Mapping[str, Any]
    snapshots: tuple[Tombstone, ...]
    expired: tuple[ExpiredFile, ...]
    format_version: int = FORMAT_VERSION

    __pydantic_config__ = STRICT

    @property
    def key(self) -> str:
        """Its name in the store."""
        return record_key(self.sequence)


#: How a prune record is stored.
RECORD = Codec(PruneRecord, "prune record", "Restore the object from a replica or an older version.", FORMAT_VERSION)


def read_records(repository: Repository) -> Iterator[Signed[PruneRecord]]:
    """Yield the prune records of a store, oldest first; what is not proved is none."""
    newest = newest_record(repository)
    older = range(1, newest.document.sequence if newest else 1)
    for found in in_parallel(partial(_proved, repository), older):
        if found is not None:
            yield found
    if newest is not None:
        yield newest


def newest_record(repository: Repository) -> Signed[PruneRecord] | None:
    """Return the newest prune record, or None where nothing was ever pruned."""
    numbers = numbered(repository.store, PRUNE_RECORDS)[0]
    found = newest_proved(list(numbers), 1, partial(_proved, repository))
    repository.record = (found,)
    return found


def known_record(repository: Repository) -> Signed[PruneRecord] | None:
    """Return a prune record that was the newest one once: everything since it may have been pruned meanwhile."""
    return repository.record[0] if repository.record is not None else newest_record(repository)


def _proved(repository: Repository, number: int) -> Signed[PruneRecord] | None:
    with suppress(UnprovedError, StoreRefusedError, KeyUnavailableError):
        return _read(repository, number)
    return None


def write_record(repository: Repository, record: PruneRecord) -> Signed[PruneRecord]:
    """Sign and store a prune record.

    :raises SnapshotConflictError: another prune wrote one of that number.
    """
    if (signed := claim(repository.documents, record.key, RECORD, record, Role.STORE)) is None:
        raise SnapshotConflictError(
            f"Another prune wrote {record.key} to {repository.uri} at the same time. "
            "Let one prune run at a time (max_active_runs=1), and retry."
        )
    return signed


def _read(repository: Repository, number: int) -> Signed[PruneRecord] | None:
    return repository.documents.read(record_key(number), RECORD, Role.STORE)


def without_expired(repository: Repository, manifest: Manifest) -> tuple[Manifest, list[Category]]:
    """Return a snapshot as it can still be read, and the categories of which prune withdrew files."""
    return without_expired_of(newest_record(repository), manifest)


def without_expired_of(newest: Signed[PruneRecord] | None, manifest: Manifest) -> tuple[Manifest, list[Category]]:
    """Return a snapshot as a prune record leaves it; see :func:`without_expired`."""
    gone = {file.key: file.category for file in newest.document.expired} if newest else {}
    left = tuple(file for file in manifest.files if file.key not in gone)
    expired = {file.category for file in manifest.files if file.key in gone}
    return replace(manifest, files=left), [category for category in Category if category in expired]


def tombstones(records: Sequence[Signed[PruneRecord]]) -> dict[int, Tombstone]:
    """Return what is recorded of removed snapshots, by their place in the chain."""
    return {removed.sequence: removed for stored in records for removed in stored.document.snapshots}
