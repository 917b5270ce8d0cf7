"""Records what a prune removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots.manifest import Manifest, Parent
from airflow_provider_elementary.storage.documents import STRICT, Codec, NaiveTime, Time, sha256
from airflow_provider_elementary.storage.layout import PRUNE_RECORDS, numbered, record_key

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

FORMAT_VERSION = 1


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

    def to_bytes(self) -> bytes:
        """Return the canonical JSON: its SHA-256 is what the next record names."""
        return _CODEC.write(self)

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> PruneRecord:
        """Read a prune record.

        :param name: what to call it in an error.
        :raises SnapshotCorruptError: it is not a prune record of a format that this version reads.
        """
        return _CODEC.read(content, name)


_CODEC = Codec(PruneRecord, "prune record", "Restore the object from a replica or an older version.", FORMAT_VERSION)


@dataclass(frozen=True)
class StoredRecord:
    """A prune record and the hash of its bytes."""

    record: PruneRecord
    sha256: str


def read_records(repository: Repository) -> Iterator[StoredRecord]:
    """Yield the prune records of a store, oldest first.

    :raises SnapshotCorruptError: one of them is no prune record.
    """
    for name in numbered(repository.store, PRUNE_RECORDS)[0].values():
        content = repository.store.get(name) or b""
        yield StoredRecord(PruneRecord.from_bytes(content, name), sha256(content))


def newest_record(repository: Repository) -> StoredRecord | None:
    """Return the newest prune record, or None where nothing was ever pruned."""
    names = list(numbered(repository.store, PRUNE_RECORDS)[0].values())
    if not names:
        return None
    content = repository.store.get(names[-1]) or b""
    return StoredRecord(PruneRecord.from_bytes(content, names[-1]), sha256(content))


def without_expired(repository: Repository, manifest: Manifest) -> tuple[Manifest, list[Category]]:
    """Return a snapshot as it can still be read, and the categories of which prune withdrew files."""
    newest = newest_record(repository)
    gone = {file.key: file.category for file in newest.record.expired} if newest else {}
    left = tuple(file for file in manifest.files if file.key not in gone)
    expired = {file.category for file in manifest.files if file.key in gone}
    return replace(manifest, files=left), [category for category in Category if category in expired]


def tombstones(records: Sequence[StoredRecord]) -> dict[int, Tombstone]:
    """Return what is recorded of removed snapshots, by their place in the chain."""
    return {removed.sequence: removed for stored in records for removed in stored.record.snapshots}
