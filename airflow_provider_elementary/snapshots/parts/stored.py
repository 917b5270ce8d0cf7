"""Opens a stored plan, and reads what its parts report."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreRefusedError,
    TableReplacedError,
    TableUnreadableError,
)
from airflow_provider_elementary.progress import no_row_progress
from airflow_provider_elementary.snapshots.capture.audit import prepare_audit, read_ranges
from airflow_provider_elementary.snapshots.capture.collect import Captured, Preparation, capture_slices
from airflow_provider_elementary.snapshots.capture.data_keys import HASH_CATEGORY, OpenKeys
from airflow_provider_elementary.snapshots.capture.history import ParentCorrupt
from airflow_provider_elementary.snapshots.capture.plan import Plan, SnapshotOptions
from airflow_provider_elementary.snapshots.capture.side_by_side import part_label
from airflow_provider_elementary.snapshots.capture.table import SourceHistoryTruncated
from airflow_provider_elementary.snapshots.lookup import read_signed, resolve_manifest
from airflow_provider_elementary.snapshots.manifest import FileEntry
from airflow_provider_elementary.snapshots.parts.documents import PART, PartDocument, PlanDocument
from airflow_provider_elementary.snapshots.parts.plan_step import StoredPlan
from airflow_provider_elementary.snapshots.parts.values import (
    read_exclusions,
    read_point,
    read_rejections,
    read_slice,
    read_tally,
    write_range,
    write_tally,
)
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.prune_record import without_expired
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.storage.documents import MAX_BYTES
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.layout import data_folder, part_folder, part_key
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.system_catalog.identity import table_identities

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_MOST_REPORTS = 1_000
#: The line with the signature has to fit into :data:`~.documents.MAX_BYTES` too.
_MOST_BYTES = MAX_BYTES - 4_096


class PlanOutdated(Exception):
    """The plan does not fit the warehouse or the store any more: the commit takes the snapshot in one task."""


def reopen(repository: Repository, document: PlanDocument) -> Preparation:
    """Return what a plan decided, its keys opened.

    :raises PlanOutdated: the snapshot that it builds upon is gone, or another version made the plan.
    :raises KeyUnavailableError: a data key does not open here.
    """
    keys = repository.keys
    of_categories = {
        category: DataKey(keys.unwrap(category, wrapped, Purpose.SNAPSHOT), wrapped)
        for category, wrapped in document.keys.items()
    }
    hashes = document.hash_key
    try:
        policy = Policy.from_dict(document.policy)
    except ConfigurationError as error:
        raise PlanOutdated(f"this version cannot apply its policy: {error}") from None
    return Preparation(
        snapshot_id=document.snapshot_id,
        taken_at=datetime.fromisoformat(document.taken_at),
        run_key=document.run_key,
        options=SnapshotOptions(
            policy=policy,
            overlap=timedelta(microseconds=document.overlap),
            commit_timeout=timedelta(microseconds=document.commit_timeout),
            # Whether the snapshot is full was decided by the plan.
            full_every=timedelta(0),
            rows_read=no_row_progress,
        ),
        plan=_plan(repository, document),
        point=read_point(document.point),
        opened=OpenKeys(
            of_categories,
            DataKey(keys.unwrap(HASH_CATEGORY, hashes, Purpose.HASHED_COLUMNS), hashes) if hashes else None,
        ),
        source=document.source,
        excluded=document.excluded,
        rejected=read_rejections(document.rejected),
        changes=document.changes,
    )


def capture_number(
    source: WarehouseSource,
    repository: Repository,
    stored: StoredPlan,
    prepared: Preparation,
    number: int,
    attempt: str,
) -> PartDocument:
    """Read and encrypt one part of a plan in an open session, and sign what was written as its last act.

    :param attempt: in the names of the files, so that an earlier attempt that still runs replaces none of them.
    :raises PlanOutdated: the warehouse or the snapshot before differs from what was planned.
    """
    document = stored.document
    slices = [read_slice(entry) for entry in document.parts[number]]
    try:
        source.hold()
        _require_planned(source, document, [one.table for one in slices])
        if prepared.plan.base is None:
            plan, policy = prepared.plan, prepared.options.policy
            audit = prepare_audit(source, repository, plan, policy, prepared.opened)
            prepared = replace(prepared, audit=audit)
        captured = capture_slices(source, repository.store, prepared, slices, part_label(number, attempt))
        days = read_ranges(prepared.audit, source, slices) if prepared.audit is not None else {}
    except (TableReplacedError, TableUnreadableError, SourceHistoryTruncated, ParentCorrupt) as evidence:
        raise PlanOutdated(str(evidence)) from None
    listed = {file.key for file in captured.files}
    result = PartDocument(
        snapshot_id=document.snapshot_id,
        run_key=document.run_key,
        plan_sha256=stored.sha256,
        number=number,
        tables=captured.tables,
        files=tuple(file for file in captured.files if file.snapshot_id == document.snapshot_id),
        dropped=tuple(file.key for file in _carried(prepared, captured.tables) if file.key not in listed),
        tally=write_tally(captured.tally),
        exclusions=tuple(captured.exclusions.to_list()),
        rejected=tuple(entry for entry in captured.rejections.to_list() if entry["table"] in captured.tables),
        days={name: write_range(sums) for name, sums in days.items()},
    )
    if len(PART.write(result)) > _MOST_BYTES:
        raise PlanOutdated(f"part {number} has more young rows or days than its report can list")
    name = part_key(document.snapshot_id, part_label(number, attempt))
    return repository.documents.write(name, PART, result, Role.STORE).document


def reported(repository: Repository, stored: StoredPlan) -> dict[int, PartDocument]:
    """Return what captured parts report, of each part one attempt whose files are all there."""
    folder = part_folder(stored.document.snapshot_id)
    sizes = {found.key: found.size for found in repository.store.list(data_folder(stored.document.snapshot_id))}
    results: dict[int, PartDocument] = {}
    names = sorted(found.key for found in repository.store.list(folder))
    # Where an outsider put many more there, the commit captures the parts itself.
    for name in names[:_MOST_REPORTS]:
        for document in _proved(repository, name):
            fits = document.plan_sha256 == stored.sha256 and document.number < len(stored.document.parts)
            if fits and document.number not in results and _is_complete(document, stored.document, sizes, name):
                results[document.number] = document
    return results


def captured_of(prepared: Preparation, document: PartDocument) -> Captured:
    """Return what a part reports as if it had been captured here."""
    dropped = set(document.dropped)
    files: list[FileEntry] = []
    for name in document.tables:
        files += [file for file in _carried(prepared, [name]) if file.key not in dropped]
        files += [file for file in document.files if file.table == name]
    return Captured(
        tables=document.tables,
        files=files,
        tally=read_tally(document.tally, prepared.young_from),
        exclusions=read_exclusions(document.exclusions),
        rejections=read_rejections(document.rejected),
    )


def _plan(repository: Repository, document: PlanDocument) -> Plan:
    parent = None
    if document.parent is not None:
        try:
            found = read_signed(repository, document.parent.sequence)
            parent = resolve_manifest(repository, found)
        except (SnapshotNotFoundError, SnapshotCorruptError) as error:
            raise PlanOutdated(str(error)) from None
        if found.sha256 != document.parent.sha256:
            raise PlanOutdated(f"snapshot number {document.parent.sequence} is another one than when it was planned")
    base = None
    if not document.is_full:
        if parent is None:
            raise PlanOutdated("an increment has no snapshot before it")
        base = SnapshotSource(repository, without_expired(repository, parent)[0])
    return Plan(
        parent, base, document.reason, document.is_new_epoch, damage=document.damage, lost_until=document.lost_until
    )


def _require_planned(source: WarehouseSource, document: PlanDocument, names: Sequence[str]) -> None:
    """Raise unless the session sees the tables that were planned."""
    if missing := sorted(set(names) - set(source.tables())):
        raise PlanOutdated(f"{', '.join(missing)} cannot be used any more")
    identities = table_identities(source, names)
    for name in names:
        planned = document.tables[name]
        if tuple(source.table(name).columns) != planned.columns:
            raise PlanOutdated(f"{name} has other columns than when it was planned")
        if identities.get(name) != planned.identity:
            raise PlanOutdated(f"{name} was replaced since it was planned")


def _carried(prepared: Preparation, tables: Collection[str]) -> list[FileEntry]:
    base = prepared.plan.base
    return [file for file in base.manifest.files if file.table in tables] if base else []


def _proved(repository: Repository, name: str) -> Iterator[PartDocument]:
    """Yield the document of that name; what an outsider put there is passed over."""
    with suppress(SnapshotCorruptError, StoreRefusedError, KeyUnavailableError):
        if (found := repository.documents.read(name, PART, Role.STORE)) is not None:
            yield found.document


def _is_complete(document: PartDocument, plan: PlanDocument, sizes: dict[str, int], name: str) -> bool:
    """Return whether all files of a part are there, its tables are the planned ones, and its counts add up."""
    if missing := [file.key for file in document.files if sizes.get(file.key) != file.size]:
        log.warning("ignoring %s, so that its part is captured again: %s was removed or replaced", name, missing[0])
        return False
    if set(document.tables) != {wanted.table for wanted in plan.parts[document.number]}:
        return False
    return all(_adds_up(document, table) for table in document.tables)


def _adds_up(document: PartDocument, table: str) -> bool:
    """Return whether the rows of a table by age are as many as those that were taken."""
    tally = document.tally
    if TABLES[table].watermark is None:
        return True
    young = len(read_tally(tally, None).young_times(table))
    return tally.taken.get(table, 0) == tally.old.get(table, 0) + tally.undated.get(table, 0) + young
