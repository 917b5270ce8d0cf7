"""Plans a snapshot: full, or incremental upon the one before."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import SnapshotCorruptError, SnapshotNotFoundError
from airflow_provider_elementary.progress import RowsRead
from airflow_provider_elementary.snapshots.anchors import anchor_finding
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.index import newest_row
from airflow_provider_elementary.snapshots.lookup import find_head, read_signed, resolve_manifest
from airflow_provider_elementary.snapshots.manifest import ConsistencyEntry, Manifest
from airflow_provider_elementary.snapshots.manifest_document import ManifestDocument
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.prune_record import known_record, without_expired_of
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.storage.kept_files import KeptFiles
from airflow_provider_elementary.storage.parallel import Threads
from airflow_provider_elementary.storage.signed_documents import Signed
from airflow_provider_elementary.times import parse
from airflow_provider_elementary.warehouses.source import WarehouseSource

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

#: By how much the clocks of two machines may differ.
CLOCK_DIFFERENCE = timedelta(minutes=5)
_PLACE = ("dialect", "database", "schema")


@dataclass(frozen=True)
class SnapshotOptions:
    """What the caller of a snapshot asked for; see :func:`~airflow_provider_elementary.snapshots.write_snapshot`."""

    policy: Policy
    overlap: timedelta
    commit_timeout: timedelta
    full_every: timedelta
    rows_read: RowsRead
    audit_days: int = 0


@dataclass(frozen=True)
class Plan:
    """What a snapshot is taken of, and what it builds upon.

    :param parent: the newest snapshot of the store, or None for the first.
    :param base: the parent, opened, whose files an incremental snapshot carries; None for a full one.
    :param reason: why it is full, or None for an incremental one.
    :param is_new_epoch: rows that the parent has are gone from the source.
    :param damage: what is wrong with the chain, in words; None where nothing is.
    :param lost_until: snapshots after the parent up to this number are lost; None where none is.
    :param head: the newest manifest, where this process has just found it.
    :param made_at: when that was, in seconds since 1970.
    """

    parent: Manifest | None
    base: SnapshotSource | None
    reason: str | None
    is_new_epoch: bool = False
    damage: str | None = None
    lost_until: int | None = None
    head: Signed[ManifestDocument] | None = None
    made_at: float = field(default_factory=time.time)

    @property
    def kind(self) -> Literal["full", "incremental"]:
        """What the manifest calls it."""
        return "full" if self.base is None else "incremental"

    @property
    def earlier(self) -> ConsistencyEntry | None:
        """The consistency point of the snapshot that an incremental one builds upon."""
        return self.base.manifest.consistency if self.base else None

    @property
    def window_from(self) -> datetime | None:
        """Where the window begins that is read again; None to read everything."""
        return parse(self.earlier.window_from) if self.earlier else None

    @property
    def epoch(self) -> int:
        """Which of the source's histories the snapshot is of."""
        before = self.parent.epoch if self.parent else 1
        return before + 1 if self.is_new_epoch else before

    def full(self, reason: str, *, is_new_epoch: bool = False) -> Plan:
        """Return the plan to read everything instead."""
        return replace(self, base=None, reason=reason, is_new_epoch=is_new_epoch)


def plan_snapshot(
    source: WarehouseSource,
    repository: Repository,
    options: SnapshotOptions,
    taken_at: datetime,
    anchor: Anchor | None,
    head: Signed[ManifestDocument] | None,
) -> Plan:
    """Plan from what the newest manifest says, before any row is read.

    :param taken_at: the client's time, UTC without a zone.
    :param anchor: the newest manifest that was recorded outside the store.
    :param head: the newest manifest; None in an empty store.
    """
    anchor = newest_anchor(repository, anchor, head)
    head = newest_head(repository, anchor, head)
    damage = anchor_finding(repository, anchor, head) if anchor is not None else None
    if anchor is not None and damage is not None:
        number = head.document.sequence if head else 0
        # Nothing new is encrypted under a key that an older chain brought back.
        return Plan(
            resolve_manifest(repository, head) if head else None,
            None,
            f"the snapshot chain does not contain {anchor.origin}: {damage}",
            damage=damage,
            lost_until=anchor.sequence if anchor.sequence > number else None,
            head=head,
        )
    if head is None:
        return Plan(None, None, "the first snapshot of this store")
    try:
        parent = resolve_manifest(repository, head)
    except SnapshotCorruptError as error:
        return Plan(None, None, f"the snapshot before is not complete: {error}", head=head)
    plan = Plan(parent, None, None, head=head)
    if (reason := _reason_for_full(parent, source, options, taken_at)) is not None:
        return plan.full(reason)
    left, _ = without_expired_of(known_record(repository), parent)
    return replace(plan, base=SnapshotSource(repository, left, KeptFiles()))


def newest_anchor(repository: Repository, given: Anchor | None, head: Signed[ManifestDocument] | None) -> Anchor | None:
    """Return the newest of an anchor, of what the newest prune record says was the head, and of pages beyond the head.

    None where there is none, and where a snapshot says already that it is lost.
    """
    found = [given] if given is not None else []
    with Threads(1) as threads:
        known = threads.submit(known_record, repository)
        row = newest_row(repository, head.document.sequence if head is not None else 0)
    if (record := known.result()) is not None:
        then = record.document.head
        found.append(Anchor(then.sequence, then.sha256, f"prune record {record.document.sequence}"))
    if row is not None:
        found.append(Anchor(row.sequence, row.sha256, "the newest page of the index"))
    newest = max(found, key=lambda anchor: anchor.sequence, default=None)
    if newest is None or _is_there(repository, newest):
        return newest
    return None if _is_recorded_as_lost(repository, newest) else newest


def newest_head(
    repository: Repository, anchor: Anchor | None, head: Signed[ManifestDocument] | None
) -> Signed[ManifestDocument] | None:
    """Return the newest manifest, looked for again where an anchor is newer: somebody may have committed meanwhile."""
    if anchor is None or (head is not None and head.document.sequence >= anchor.sequence):
        return head
    return find_head(repository)


def _is_there(repository: Repository, anchor: Anchor) -> bool:
    try:
        return read_signed(repository, anchor.sequence).sha256 == anchor.sha256
    except (SnapshotNotFoundError, SnapshotCorruptError):
        return False


def _is_recorded_as_lost(repository: Repository, anchor: Anchor) -> bool:
    """Return whether a snapshot says already that the one of an anchor is lost: it comes right after."""
    try:
        return read_signed(repository, anchor.sequence + 1).document.lost_until == anchor.sequence
    except (SnapshotNotFoundError, SnapshotCorruptError):
        return False


def _reason_for_full(
    parent: Manifest, source: WarehouseSource, options: SnapshotOptions, taken_at: datetime
) -> str | None:
    if parent.consistency is None or parent.consistency.window_from is None or parent.full_at is None:
        return "the snapshot before has no consistency point to continue from"
    if parent.policy != options.policy.to_dict():
        return "the policy changed"
    if not is_same_place(parent, source):
        return "the source is another one"
    if (changed := _changed_columns(parent, source)) is not None:
        return changed
    age = taken_at - datetime.fromisoformat(parent.full_at)
    if age >= options.full_every:
        return f"the last full snapshot is of {parent.full_at}"
    if age < -CLOCK_DIFFERENCE:
        # The clock of the worker that took it was wrong, and would put off the next one.
        return f"the last full snapshot is of {parent.full_at}, which has not come yet by this machine's clock"
    return None


def _changed_columns(parent: Manifest, source: WarehouseSource) -> str | None:
    """Return which table is new, gone or has other columns than a manifest says, in words, or None."""
    for name in TABLES:
        then = parent.tables[name].columns if name in parent.tables else ()
        now = tuple(source.table(name).columns) if name in source.tables() else ()
        if then and not now:
            why = source.excluded.get(name)
            return f"{name} is no longer usable: {why}" if why else f"{name} is gone, or hidden from this connection"
        if now and not then:
            return f"{name} is there or can be used now"
        if then != now:
            new, gone = ", ".join(sorted({*now} - {*then})), ", ".join(sorted({*then} - {*now}))
            return f"{name} has other columns: new {new or 'none'}, gone {gone or 'none'}"
    return None


def is_same_place(manifest: Manifest, source: WarehouseSource) -> bool:
    """Return whether a manifest is of this source."""
    warehouse = source.warehouse
    place = dict(zip(_PLACE, (warehouse.dialect, warehouse.database, warehouse.schema), strict=True))
    return place == {name: manifest.source.get(name) for name in _PLACE}
