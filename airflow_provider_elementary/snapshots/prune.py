"""Removes snapshots by retention rule, expired category data, and orphaned files."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import SnapshotCorruptError, SnapshotNotFoundError
from airflow_provider_elementary.snapshots.chain import Anchor, require_intact_chain
from airflow_provider_elementary.snapshots.index import Row, read_rows
from airflow_provider_elementary.snapshots.lists import path
from airflow_provider_elementary.snapshots.lookup import committed_sequences, read_manifest, read_signed
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest, Parent
from airflow_provider_elementary.snapshots.parts.living import being_captured, outdated_documents
from airflow_provider_elementary.snapshots.prune_record import (
    ExpiredFile,
    PruneRecord,
    Tombstone,
    read_records,
    tombstones,
    write_record,
)
from airflow_provider_elementary.snapshots.retention import Retention, reasons_to_keep
from airflow_provider_elementary.storage.layout import (
    DATA,
    GENERATIONS,
    MANIFESTS,
    RESULTS,
    begun_at,
    manifest_key,
    numbered,
    writer_of,
)
from airflow_provider_elementary.storage.results import Result, all_results, kept_for_next_run
from airflow_provider_elementary.storage.signed_documents import Signed
from airflow_provider_elementary.storage.store import StoredObject
from airflow_provider_elementary.times import in_utc, without_zone

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

#: Younger files may belong to a snapshot that is being taken.
ORPHAN_AGE = timedelta(days=2)


@dataclass(frozen=True)
class PruneDecision:
    """One snapshot and what the rules say of it.

    :param reasons: the rules that keep it; empty where it goes.
    """

    sequence: int
    snapshot_id: str
    created_at: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class PruneReport:
    """What a prune removed, or would remove.

    :param store: the store's URI.
    :param dry_run: nothing was removed.
    :param snapshots: every snapshot, newest first, and why it is kept.
    :param files: encrypted files that no snapshot names any more, and their bytes.
    :param expired: files of categories whose days are over, by category.
    :param results: metrics and verdicts whose snapshot is gone.
    :param uploads: unfinished uploads in parts of writers that died.
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
    acknowledged_losses: tuple[int, ...] = ()
    record: str | None = None
    record_sha256: str | None = None

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


@dataclass(frozen=True)
class _Plan:
    """What a prune is going to do."""

    head: Row
    head_sha256: str
    decisions: tuple[PruneDecision, ...]
    tombstones: tuple[Tombstone, ...]
    manifests: tuple[int, ...]
    expired: tuple[ExpiredFile, ...]
    newly_expired: Mapping[str, FileEntry]
    results: tuple[Result, ...]
    oldest_orphan: datetime
    being_captured: set[str]


def prune(
    repository: Repository,
    retention: Retention,
    *,
    anchors: Iterable[Anchor] = (),
    acknowledge_loss: Collection[int] = (),
    dry_run: bool = False,
    orphan_age: timedelta = ORPHAN_AGE,
    now: datetime | None = None,
) -> PruneReport:
    """Remove what the rules do not keep; the newest snapshot always stays, and no kept snapshot loses a file.

    A category of ``category_days`` is the one exception: a file of it expires as soon as every kept snapshot that
    names it is older than this; the snapshots stay readable without it. An increment names files of earlier
    snapshots, so take a full snapshot at least that often.

    A crash at any point leaves a sound store: the record of what is to go is written first, then the manifests go,
    then the files that no manifest names any more. The next prune continues where this one stopped.

    :param retention: the rules.
    :param anchors: hashes of manifests that were kept elsewhere; only they show that the newest snapshots are lost.
    :param acknowledge_loss: numbers of manifests that are lost for good: their files go, and the record says so.
    :param dry_run: only say what would be removed.
    :param orphan_age: files that no snapshot names stay until they are so old.
    :param now: what time it is; for tests.
    :raises SnapshotNotFoundError: the store holds no snapshot.
    :raises SnapshotCorruptError: the chain does not hold: a manifest is missing, changed or was moved, and files that
        only this one names would go.
    :raises ConfigurationError: what is to be given up is not lost, or the connection has no pin or no signing key.
    :raises SnapshotConflictError: another prune ran at the same time.
    """
    # Before anything is decided: without a pin nothing is proved, and who cannot sign may not remove.
    if dry_run:
        repository.documents.require_pin()
    else:
        repository.documents.require_signer()
    now = now or datetime.now(UTC)
    store = repository.store
    acknowledged_losses = require_intact_chain(repository, anchors, acknowledge_loss)
    records = list(read_records(repository))
    plan = _plan(repository, retention, records, now, orphan_age)
    plan = replace(plan, tombstones=(*acknowledged_losses, *plan.tombstones))
    report = PruneReport(
        store=store.uri,
        dry_run=dry_run,
        snapshots=plan.decisions,
        files=0,
        size=0,
        expired=_by_category(plan.newly_expired.values()),
        results=len(plan.results),
        acknowledged_losses=tuple(stone.sequence for stone in acknowledged_losses),
        # Nothing depends on the parts of an upload that never became an object.
        uploads=len(store.discard_unfinished(plan.oldest_orphan, dry_run=dry_run)),
    )
    if dry_run:
        doomed = _unnamed(repository, {stone.sequence for stone in plan.tombstones}, plan)
        return replace(report, files=len(doomed), size=sum(found.size for found in doomed))
    if plan.tombstones or plan.newly_expired:
        record = _write_record(repository, retention, records, plan, now)
        report = replace(report, record=record.name, record_sha256=record.sha256)
    for sequence in plan.manifests:
        store.delete(manifest_key(sequence))
    for key in _unused_generations(repository, plan):
        store.delete(key)
    for key in outdated_documents(repository, plan.being_captured, min(plan.oldest_orphan, plan.head.taken_at)):
        store.delete(key)
    for key in (result.key for result in plan.results):
        store.delete(key)
    # Read again: a snapshot may have been committed meanwhile.
    doomed = _unnamed(repository, set(), plan)
    for found in doomed:
        store.delete(found.key)
    for key in plan.newly_expired:
        store.delete(key)
    log.info("pruned %s: %s snapshots kept, %s removed", store.uri, len(report.kept), len(report.removed))
    return replace(report, files=len(doomed), size=sum(found.size for found in doomed))


def _plan(
    repository: Repository,
    retention: Retention,
    records: Sequence[Signed[PruneRecord]],
    now: datetime,
    orphan_age: timedelta,
) -> _Plan:
    sequences = committed_sequences(repository)
    if not sequences:
        raise SnapshotNotFoundError(f"{repository.uri} holds no snapshots. Check the URI.")
    stones = tombstones(records)
    rows, errors = read_rows(repository, sequences, sequences[-1])
    for error in errors.values():
        raise error
    documents = {sequence: rows[sequence] for sequence in reversed(sequences)}
    there = numbered(repository.store, MANIFESTS)[0].keys()
    complete = {number: document for number, document in documents.items() if there >= {*path(number, document.base)}}
    if max(documents) not in complete:
        raise SnapshotCorruptError(
            f"The newest snapshot in {repository.uri}, number {max(documents)}, adds to the list of one that is lost; "
            "nothing was pruned. Take a snapshot first: it will be full."
        )
    reasons = reasons_to_keep([document.taken_at for document in complete.values()], retention)
    # One that adds to a list whose loss was acknowledged is lost with it.
    kept_as = dict(zip(complete, reasons, strict=True))
    decisions = tuple(
        PruneDecision(number, document.snapshot_id, document.created_at, kept_as.get(number, ()))
        for number, document in documents.items()
    )
    kept = [read_manifest(repository, snapshot.sequence) for snapshot in decisions if snapshot.reasons]
    # Of what was pruned, now or before, the manifests stay to whose lists kept ones add.
    needed = {number for manifest in kept for number in path(manifest.sequence, manifest.base)}
    pruned = {*stones, *(snapshot.sequence for snapshot in decisions if not snapshot.reasons)}
    newest = decisions[0].sequence
    before = records[-1].document.expired if records else ()
    already = {file.key for file in before}
    newly = {key: file for key, file in _outdated(kept, retention, now).items() if key not in already}
    named = {file.key for manifest in kept for file in manifest.files}
    return _Plan(
        head=documents[newest],
        head_sha256=documents[newest].sha256,
        decisions=decisions,
        tombstones=tuple(
            Tombstone(
                snapshot.sequence,
                snapshot.snapshot_id,
                snapshot.created_at,
                documents[snapshot.sequence].sha256,
                documents[snapshot.sequence].parent,
            )
            for snapshot in reversed(decisions)
            if not snapshot.reasons
        ),
        manifests=tuple(sorted(pruned & there - needed)),
        expired=(
            *(file for file in before if file.key in named),
            *(
                ExpiredFile(key, file.sha256, file.category, now.isoformat(timespec="seconds"))
                for key, file in newly.items()
            ),
        ),
        newly_expired=newly,
        results=tuple(_outdated_results(repository, kept, now - orphan_age)),
        oldest_orphan=now - orphan_age,
        being_captured=being_captured(repository, now),
    )


def _outdated(kept: Sequence[Manifest], retention: Retention, now: datetime) -> dict[str, FileEntry]:
    """Return the files of categories whose days are over in every kept snapshot that names them."""
    found: dict[str, FileEntry] = {}
    current: set[str] = set()
    for manifest in kept:
        for file in manifest.files:
            days = retention.category_days.get(file.category)
            if days is None or manifest.taken_at >= now - timedelta(days=days):
                current.add(file.key)
            else:
                found[file.key] = file
    return {key: file for key, file in found.items() if key not in current}


def _write_record(
    repository: Repository, retention: Retention, records: Sequence[Signed[PruneRecord]], plan: _Plan, now: datetime
) -> Signed[PruneRecord]:
    before = records[-1] if records else None
    record = PruneRecord(
        sequence=before.document.sequence + 1 if before else 1,
        created_at=without_zone(now).isoformat(timespec="seconds"),
        parent=Parent(before.document.sequence, before.sha256) if before else None,
        head=Parent(plan.head.sequence, plan.head_sha256),
        retention=retention.to_dict(),
        snapshots=plan.tombstones,
        expired=plan.expired,
    )
    return write_record(repository, record)


def _unnamed(repository: Repository, without: set[int], plan: _Plan) -> list[StoredObject]:
    """Return the files to remove: those that no manifest names, apart from what may be a snapshot in the making."""
    store = repository.store
    named = {
        file.key
        for sequence in committed_sequences(repository)
        if sequence not in without
        for file in read_manifest(repository, sequence).files
    }
    # Files of a snapshot that was committed are no longer in the making, however young they are.
    removed = {stone.snapshot_id for stone in plan.tombstones}
    # What was begun after the newest snapshot may belong to newer ones, which somebody hid.
    oldest_orphan = min(plan.oldest_orphan, plan.head.taken_at)
    doomed = []
    for found in store.list(DATA):
        writer = writer_of(found.key)
        is_over = writer in removed or (_is_before(writer, oldest_orphan) and writer not in plan.being_captured)
        if found.key not in named and is_over:
            doomed.append(found)
    prefixes = {result.file_prefix for result in plan.results}
    keys = {result.key for result in plan.results}
    for found in store.list(RESULTS):
        if found.key in keys or any(found.key.startswith(prefix) for prefix in prefixes):
            doomed.append(found)
    return doomed


def _unused_generations(repository: Repository, plan: _Plan) -> list[str]:
    """Return the generations that no manifest names, apart from what may belong to a snapshot in the making."""
    numbers, _ = numbered(repository.store, MANIFESTS)
    used = {
        read_signed(repository, number).document.generation.name
        for number in numbers
        if number <= plan.head.sequence and number not in plan.manifests
    }
    return [
        found.key
        for found in repository.store.list(GENERATIONS)
        if found.key not in used
        and _is_before(found.key.partition("-")[2], min(plan.oldest_orphan, plan.head.taken_at))
    ]


def _is_before(snapshot_id: str, moment: datetime) -> bool:
    """Return whether a snapshot was begun before a time; False where its id does not say."""
    begun = begun_at(snapshot_id)
    return begun is not None and begun < moment


def _outdated_results(repository: Repository, kept: Sequence[Manifest], moment: datetime) -> list[Result]:
    """Return the metrics and verdicts that were computed from snapshots that go; the newest of each kind stays.

    Those of snapshots after the newest one stay too: it may be hidden.
    """
    alive = {manifest.snapshot_id for manifest in kept}
    newest_taken = max(manifest.taken_at for manifest in kept)
    results = all_results(repository)
    newest: dict[str, str] = {}
    for key, result in sorted(results.items(), key=lambda entry: entry[1].created_at):
        newest[result.kind] = key
    # What the next run compares itself with stays too.
    spared = {*newest.values(), *kept_for_next_run(results)}
    # Another attempt of a run that stays may share its files' prefix, and goes with it later.
    prefixes = {results[key].file_prefix for key in spared}
    old = (result for result in results.values() if _created_before(result, moment))
    return [
        result
        for result in old
        if result.file_prefix not in prefixes and _is_outdated(result, results, alive, newest_taken)
    ]


def _is_outdated(result: Result, results: Mapping[str, Result], alive: set[str], newest_taken: datetime) -> bool:
    """Return whether the input of a result is gone; a result read from a warehouse is never outdated."""
    seen = {result.key}
    while (key := _computed_from(result)) is not None:
        if key not in results or key in seen:
            return True
        seen.add(key)
        result = results[key]
    if (snapshot_id := result.origin.get("snapshot_id")) is None or snapshot_id in alive:
        return False
    begun = begun_at(str(snapshot_id))
    return begun is None or begun <= newest_taken


def _computed_from(result: Result) -> str | None:
    """Return the result that one was computed from, or None where it was computed from rows."""
    return next((str(value) for value in result.origin.values() if str(value).startswith(RESULTS)), None)


def _created_before(result: Result, moment: datetime) -> bool:
    return in_utc(datetime.fromisoformat(result.created_at)) < moment


def _by_category(files: Iterable[FileEntry]) -> dict[str, int]:
    counts: dict[Category, int] = {}
    for file in files:
        counts[file.category] = counts.get(file.category, 0) + 1
    return {category.value: counts[category] for category in Category if category in counts}
