"""Removes snapshots by retention rule, expired category data, and orphaned files."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.snapshots.capture.commit import require_clock
from airflow_provider_elementary.snapshots.chain import Anchor, require_intact_chain
from airflow_provider_elementary.snapshots.maintenance.expired_queries import drop_expired_queries
from airflow_provider_elementary.snapshots.maintenance.prune_plan import PruneDecision, PrunePlan, PruneTimes
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.manifest import FileEntry, Parent
from airflow_provider_elementary.snapshots.prune_record import PruneRecord, read_records, write_record
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.object_store.store import Store, StoredObject
from airflow_provider_elementary.storage.signed_documents import Signed
from airflow_provider_elementary.times import without_zone

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

#: Younger files may belong to a snapshot that is being taken.
ORPHAN_AGE = timedelta(days=2)
#: What was pruned stays readable for so long: longer than a task may run that began to read it before.
GRACE = timedelta(hours=24)
_NAMED_IN_ERROR = 5


@dataclass(frozen=True)
class PruneReport:
    """What a prune removed, or would remove.

    :param store: the store's URI.
    :param dry_run: nothing was removed.
    :param snapshots: every snapshot, newest first, and why it is kept.
    :param files: encrypted files that no snapshot names any more, and their bytes.
    :param expired: files of categories whose days are over, by category.
    :param results: metrics and verdicts whose snapshot is gone.
    :param answers: documents of answers to incidents that later ones replaced.
    :param uploads: unfinished uploads in parts of writers that died.
    :param waiting: pruned snapshots whose files stay until their grace is over.
    :param acknowledged_losses: the numbers of manifests that were lost, and are recorded as such.
    :param record: the prune record's name in the store, where one was written.
    :param record_sha256: its hash.
    """

    store: str
    dry_run: bool
    snapshots: tuple[PruneDecision, ...]
    files: int
    size: int
    expired: Mapping[str, int]
    results: int
    uploads: int
    waiting: int = 0
    acknowledged_losses: tuple[int, ...] = ()
    record: str | None = None
    record_sha256: str | None = None
    answers: int = 0

    @property
    def kept(self) -> tuple[PruneDecision, ...]:
        """The snapshots that stay."""
        return tuple(decision for decision in self.snapshots if decision.reasons)

    @property
    def removed(self) -> tuple[PruneDecision, ...]:
        """The snapshots that go."""
        return tuple(decision for decision in self.snapshots if not decision.reasons)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        facts = asdict(self)
        facts["snapshots"] = [{**snapshot, "reasons": list(snapshot["reasons"])} for snapshot in facts["snapshots"]]
        facts["acknowledged_losses"] = list(facts["acknowledged_losses"])
        facts["bytes"] = facts.pop("size")
        return facts | {"kept": len(self.kept), "removed": len(self.removed)}


def prune(
    repository: Repository,
    retention: Retention,
    *,
    anchors: Iterable[Anchor] = (),
    acknowledge_loss: Collection[int] = (),
    dry_run: bool = False,
    orphan_age: timedelta = ORPHAN_AGE,
    grace: timedelta = GRACE,
    now: datetime | None = None,
) -> PruneReport:
    """Remove what the rules do not keep; the newest snapshot always stays, and no kept snapshot loses a file.

    A category of ``category_days`` is the one exception: a file of it expires as soon as every kept snapshot that
    names it is older than this; the snapshots stay readable without it. An increment names files of earlier
    snapshots, so take a full snapshot at least that often.

    What is removed is recorded first, and is in no list from then on. Its manifests, and then the files that no other
    snapshot names, are deleted by the first prune after the grace, so that readers that opened it before can end. A
    crash at any point leaves a sound store, and the next prune continues where this one stopped.

    :param retention: the rules.
    :param anchors: hashes of manifests that were kept elsewhere; only they show that the newest snapshots are lost.
    :param acknowledge_loss: numbers of manifests that are lost for good: their files go, and the record says so.
    :param dry_run: only say what would be removed.
    :param orphan_age: files that no snapshot names stay until they are so old.
    :param grace: how long what was pruned can still be read.
    :param now: what time it is; for tests.
    :raises SnapshotNotFoundError: the store holds no snapshot.
    :raises SnapshotCorruptError: the chain does not hold: a manifest is missing, changed or was moved, and files that
        only this one names would go.
    :raises ConfigurationError: what is to be given up is not lost, or the connection has no pin or no signing key.
    :raises SnapshotConflictError: another prune ran at the same time.
    :raises StoreError: objects could not be deleted.
    :raises StoreRefusedError: this machine's clock differs from the store's.
    """
    # First: without a pinned id nothing is proved, and a connection that cannot sign must not remove.
    if dry_run:
        repository.documents.require_pin()
    else:
        repository.documents.require_signer()
    now = now or datetime.now(UTC)
    store = repository.store
    acknowledged_losses = require_intact_chain(repository, anchors, acknowledge_loss)
    if not dry_run:
        # With a clock that is ahead, the 24 hours for readers would end too early.
        require_clock(store)
        drop_expired_queries(repository, now, retention.category_days)
    records = list(read_records(repository))
    plan = PrunePlan(repository, retention, records, acknowledged_losses, PruneTimes(now, orphan_age, grace))
    report = PruneReport(
        store=store.uri,
        dry_run=dry_run,
        snapshots=plan.decisions,
        files=0,
        size=0,
        expired=_by_category(plan.newly_expired.values()),
        results=len(plan.outdated_results.results),
        answers=len(plan.answers),
        waiting=len(plan.waiting),
        acknowledged_losses=tuple(stone.sequence for stone in acknowledged_losses),
        # Nothing depends on the parts of an upload that never became an object.
        uploads=len(store.discard_unfinished(plan.oldest_upload, dry_run=dry_run)),
    )
    # Read before anything is written: what is wrong with a list stops the prune.
    doomed = plan.doomed_files()
    if dry_run:
        return _with_files(report, doomed)
    manifests, unused = [manifest_key(number) for number in plan.manifests], plan.unused_generations()
    unused += plan.outdated_plans()
    if plan.tombstones or plan.newly_expired:
        record = _write_record(repository, retention, records, plan, now)
        report = replace(report, record=record.name, record_sha256=record.sha256)
    _delete(store, manifests)
    _delete(store, unused)
    _delete(store, plan.answers)
    doomed = plan.still_doomed(doomed)
    # Copies of files go before the files: what a crash leaves of those makes the next prune remove all copies again.
    _delete(store, plan.outdated_kept_files(doomed))
    # The documents of results go last: what a crash leaves of their files is still found by them.
    documents = {result.key for result in plan.outdated_results.results}
    _delete(store, [found.key for found in doomed if found.key not in documents])
    _delete(store, sorted(documents))
    log.info("pruned %s: %s snapshots kept, %s removed", store.uri, len(report.kept), len(report.removed))
    return _with_files(report, doomed)


def _with_files(report: PruneReport, doomed: Sequence[StoredObject]) -> PruneReport:
    return replace(report, files=len(doomed), size=sum(found.size for found in doomed))


def _write_record(
    repository: Repository, retention: Retention, records: Sequence[Signed[PruneRecord]], plan: PrunePlan, now: datetime
) -> Signed[PruneRecord]:
    before = records[-1] if records else None
    record = PruneRecord(
        sequence=before.document.sequence + 1 if before else 1,
        created_at=without_zone(now).isoformat(timespec="seconds"),
        parent=Parent(before.document.sequence, before.sha256) if before else None,
        head=Parent(plan.head.sequence, plan.head.sha256),
        retention=retention.to_dict(),
        snapshots=plan.tombstones,
        expired=plan.expired,
    )
    return write_record(repository, record)


def _delete(store: Store, keys: Sequence[str]) -> None:
    """Delete objects.

    :raises StoreError: some are still there.
    """
    if not (failed := store.delete_many(keys) if keys else ()):
        return
    named = ", ".join(f"{found.key} ({found.reason})" for found in failed[:_NAMED_IN_ERROR])
    raise StoreError(
        f"{len(failed)} of {len(keys)} objects in {store.uri} could not be deleted: {named}. The others were. Give the "
        "writer the right to delete objects, and prune again."
    )


def _by_category(files: Iterable[FileEntry]) -> dict[str, int]:
    counts: dict[Category, int] = {}
    for file in files:
        counts[file.category] = counts.get(file.category, 0) + 1
    return {category.value: counts[category] for category in Category if category in counts}
