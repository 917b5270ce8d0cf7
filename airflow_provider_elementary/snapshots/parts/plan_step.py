"""Plans the parts of a snapshot, and finds a stored plan."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    KeyUnavailableError,
    StoreRefusedError,
    TableReplacedError,
    TableUnreadableError,
    UnprovedError,
)
from airflow_provider_elementary.snapshots import ROWS_PER_PART
from airflow_provider_elementary.snapshots.capture import prepare
from airflow_provider_elementary.snapshots.capture.collect import Preparation
from airflow_provider_elementary.snapshots.capture.commit import committed_for, require_writer
from airflow_provider_elementary.snapshots.capture.data_keys import captured_categories
from airflow_provider_elementary.snapshots.capture.plan import Plan, SnapshotOptions, plan_snapshot
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.snapshots.capture.split import split_into_parts
from airflow_provider_elementary.snapshots.lookup import find_head
from airflow_provider_elementary.snapshots.manifest import Manifest, Parent
from airflow_provider_elementary.snapshots.parts.documents import DEADLINE, PLAN, PlanDocument, PlannedTable
from airflow_provider_elementary.snapshots.parts.values import microseconds, write_point, write_slice
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import PLANS, begun_at, plan_key
from airflow_provider_elementary.times import utc_now
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.system_catalog.changes import read_changes
from airflow_provider_elementary.warehouses.system_catalog.identity import table_identities

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.chain import Anchor
    from airflow_provider_elementary.snapshots.manifest_document import ManifestDocument
    from airflow_provider_elementary.snapshots.repository import Repository
    from airflow_provider_elementary.storage.signed_documents import Signed

log = logging.getLogger(__name__)

_ATTEMPTS = 4
_HASH = re.compile(r"[0-9a-f]{64}")
#: Characters of the lists of a plan: with them it stays below the size that is read.
_MOST_LISTED = 3 * 2**20


@dataclass(frozen=True)
class PartReference:
    """Names one part of a signed plan: all that tasks pass to each other.

    :param plan: the name of the plan's document.
    :param sha256: its hash.
    :param part: the number of the part.
    """

    plan: str
    sha256: str
    part: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def parse(cls, value: Any) -> PartReference:
        """Return the reference that came from another task; anybody who may write XComs can have written it.

        :raises ConfigurationError: it is none.
        """
        if isinstance(value, Mapping) and value.keys() == {"plan", "sha256", "part"}:
            plan, digest, part = value["plan"], value["sha256"], value["part"]
            is_named = isinstance(plan, str) and plan.startswith(PLANS) and begun_at(plan.removeprefix(PLANS))
            if is_named and isinstance(digest, str) and _HASH.fullmatch(digest) and type(part) is int and part >= 0:
                return cls(plan, digest, part)
        raise ConfigurationError("What came from the plan's task names no part of a plan. Clear that task.")


@dataclass(frozen=True)
class StoredPlan:
    """A plan whose signature was checked.

    :param sha256: of its document.
    """

    document: PlanDocument
    sha256: str

    @property
    def is_over(self) -> bool:
        """Whether its deadline has passed."""
        return utc_now() > datetime.fromisoformat(self.document.deadline)

    def committed(self, repository: Repository, run_after: datetime | None) -> Manifest | None:
        """Return the snapshot that was committed for its run, also by another plan, or None.

        :param run_after: no attempt of the run began before this time.
        """
        return committed_for(repository, self.document.run_key, self.document.keys, run_after, find_head(repository))

    @property
    def references(self) -> list[PartReference]:
        """One reference for each part."""
        name = plan_key(self.document.snapshot_id)
        return [PartReference(name, self.sha256, number) for number in range(len(self.document.parts))]


def plan_parts(
    source: WarehouseSource,
    repository: Repository,
    options: SnapshotOptions,
    *,
    run_key: str,
    run_after: datetime | None = None,
    access: Mapping[str, Any] | None = None,
    anchor: Anchor | None = None,
    rows_per_part: int = ROWS_PER_PART,
) -> list[PartReference]:
    """Decide what a snapshot consists of, and store it as a signed plan.

    :param source: the open warehouse.
    :param repository: where the snapshot goes, with master keys and a signer.
    :param options: what is taken.
    :param run_key: what the snapshot is taken for; where it was committed before, its plan is returned.
    :param run_after: no attempt of the run began before this time.
    :param access: the report of the access check, for the manifest.
    :param anchor: the newest manifest that was recorded outside the store.
    :param rows_per_part: a full snapshot reads tables with more rows in ranges.
    :return: the parts to capture, at least one.
    """
    if rows_per_part < 1:
        raise ConfigurationError(f"rows_per_part is {rows_per_part}. Give 1 or more.")
    head, categories = find_head(repository), captured_categories(source, options.policy)
    if (earlier := committed_for(repository, run_key, categories, run_after, head)) is not None:
        log.info("%s was committed for %s before; nothing to plan", earlier.snapshot_id, run_key)
        name = plan_key(earlier.snapshot_id)
        known = repository.documents.read(name, PLAN, Role.STORE)
        return (
            StoredPlan(known.document, known.sha256).references if known else [PartReference(name, earlier.sha256, 0)]
        )
    require_writer(repository, head)
    prepared, parts = _decide(source, repository, options, run_key, anchor, head, rows_per_part)
    document = _document(source, prepared, parts, access)
    listed = sum(len(text or "") for text in (document.point.markers, document.point.results, document.point.ended))
    if listed > _MOST_LISTED:
        point = replace(document.point, markers=None, results=None, ended=None)
        why = "the schema has more commit markers than a plan can list"
        document = replace(document, point=point, parts=((),), in_one_task=why)
    stored = repository.documents.write(plan_key(prepared.snapshot_id), PLAN, document, Role.STORE)
    reason = document.reason or "what is new since the one before"
    log.info("planned snapshot %s in %d parts: %s", prepared.snapshot_id, len(document.parts), reason)
    return StoredPlan(stored.document, stored.sha256).references


def find_plan(repository: Repository, reference: PartReference) -> StoredPlan | None:
    """Return the plan that a reference names, or None where it is gone or an outsider replaced it."""
    try:
        found = repository.documents.read(reference.plan, PLAN, Role.STORE)
    except (UnprovedError, StoreRefusedError, KeyUnavailableError) as error:
        log.warning("ignoring a plan: %s", error)
        return None
    if found is None or found.sha256 != reference.sha256 or reference.part >= len(found.document.parts):
        return None
    return StoredPlan(found.document, found.sha256)


def _decide(
    source: WarehouseSource,
    repository: Repository,
    options: SnapshotOptions,
    run_key: str,
    anchor: Anchor | None,
    head: Signed[ManifestDocument] | None,
    rows_per_part: int,
) -> tuple[Preparation, tuple[tuple[Slice, ...], ...]]:
    taken_at = utc_now().replace(microsecond=0)
    lost = 0
    while True:
        try:
            changes = read_changes(source.warehouse)
            source.hold()
            plan = plan_snapshot(source, repository, options, taken_at, anchor, head)
            how = (source, repository, options, taken_at, run_key)
            prepared = prepare(*how, plan, changes, keeps_windows=False)
            if isinstance(prepared, Plan):
                prepared = prepare(*how, prepared, changes, keeps_windows=False)
            assert isinstance(prepared, Preparation)  # noqa: S101 - a full snapshot builds upon nothing
            return prepared, split_into_parts(source, prepared.plan, prepared.point, rows_per_part)
        except TableUnreadableError as unreadable:
            log.warning("%s; starting again: %s", source.give_way(unreadable), unreadable.reason)
        except TableReplacedError as error:
            lost += 1
            if lost == _ATTEMPTS:
                raise
            log.warning("planning again, attempt %d of %d: %s", lost + 1, _ATTEMPTS, error)


def _document(
    source: WarehouseSource,
    prepared: Preparation,
    parts: tuple[tuple[Slice, ...], ...],
    access: Mapping[str, Any] | None,
) -> PlanDocument:
    plan, options, opened = prepared.plan, prepared.options, prepared.opened
    identities = table_identities(source, source.tables())
    return PlanDocument(
        snapshot_id=prepared.snapshot_id,
        run_key=prepared.run_key,
        taken_at=prepared.taken_at.isoformat(),
        deadline=(prepared.taken_at + DEADLINE).isoformat(),
        parent=Parent(plan.parent.sequence, plan.parent.sha256) if plan.parent else None,
        is_full=plan.base is None,
        reason=plan.reason,
        is_new_epoch=plan.is_new_epoch,
        damage=plan.damage,
        lost_until=plan.lost_until,
        keys={category: key.wrapped for category, key in opened.of_categories.items()},
        hash_key=opened.of_hashes.wrapped if opened.of_hashes else None,
        policy=options.policy.to_dict(),
        overlap=microseconds(options.overlap),
        commit_timeout=microseconds(options.commit_timeout),
        point=write_point(prepared.point),
        source=prepared.source,
        excluded=dict(source.excluded),
        rejected=tuple(source.rejections.to_list()),
        access=access,
        tables={
            name: PlannedTable(tuple(source.table(name).columns), identities.get(name)) for name in source.tables()
        },
        changes=dict(prepared.changes),
        parts=tuple(tuple(map(write_slice, part)) for part in parts),
    )
