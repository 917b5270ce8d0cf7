"""Commits a snapshot, and finds the one that an earlier attempt committed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    SnapshotConflictError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreRefusedError,
)
from airflow_provider_elementary.snapshots.capture.plan import CLOCK_DIFFERENCE, Plan
from airflow_provider_elementary.snapshots.capture.rebase import rebase
from airflow_provider_elementary.snapshots.index import write_page
from airflow_provider_elementary.snapshots.lists import list_difference, lists_to_add_to, merge
from airflow_provider_elementary.snapshots.lookup import (
    files_of,
    find_head,
    read_generation,
    read_signed,
    resolve_manifest,
)
from airflow_provider_elementary.snapshots.maintenance.mergeable import next_merges
from airflow_provider_elementary.snapshots.manifest import Manifest, Parent, Reference
from airflow_provider_elementary.snapshots.manifest_document import (
    GENERATION,
    MANIFEST,
    Generation,
    ManifestDocument,
    continues,
    document_of,
    entries,
    generation_of,
    manifest_of,
)
from airflow_provider_elementary.snapshots.prune_record import PruneRecord, known_record, newest_record
from airflow_provider_elementary.storage.documents import Codec
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.layout import data_folder, generation_key, manifest_key
from airflow_provider_elementary.storage.object_store.probe import require_one_winner
from airflow_provider_elementary.storage.parallel import Threads
from airflow_provider_elementary.storage.records.claim import claim
from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository
    from airflow_provider_elementary.storage.object_store.store import Store
    from airflow_provider_elementary.storage.signed_documents import Signed

log = logging.getLogger(__name__)

_COMMIT_ATTEMPTS = 5
#: How long the newest manifest that a plan was made with is taken for the newest.
_PLAN_SECONDS = 3600.0
#: How many of the newest manifests are searched for the commit of a run: retries follow soon, and each is a request.
_RECENT = 8
#: The most manifests that are looked at, compactions included: the first run of a compaction commits one for each day.
_RECENT_NUMBERS = 64
#: A document that is signed only to try the signing key; it is not stored.
_PROBE = Codec(Parent, "probe", "")


def commit(repository: Repository, manifest: Manifest, plan: Plan) -> Manifest | None:
    """Write the manifest under the number after the newest; of several writers one gets each number.

    A full snapshot stands on its own, so it is committed after whatever came first, and an incremental one after
    compactions of its parent. What others put in its place is moved to ``quarantine/``.

    :return: the manifest as committed; None where another snapshot came after the parent of an incremental one.
    :raises SnapshotConflictError: others came first each time, or removed files of this snapshot.
    """
    for attempt in range(_COMMIT_ATTEMPTS):
        with Threads(1) as threads:
            there = threads.submit(require_files, repository, manifest)
            # Nobody may have committed since the plan was made: then its number is still free. Numbers that others took
            # are free again a day after a prune.
            is_new = abs(time.time() - plan.made_at) < _PLAN_SECONDS
            head = plan.head if plan.head is not None and is_new and not attempt else find_head(repository)
        newest = head.document.sequence if head else 0
        if plan.base is not None:
            if head is None or (rebased := rebase(repository, manifest, plan.base.manifest.sequence, newest)) is None:
                return None
            manifest = rebased
        lost_until = plan.lost_until if plan.lost_until is not None and plan.lost_until > newest else None
        manifest = replace(
            manifest,
            sequence=(lost_until or newest) + 1,
            parent=Parent(newest, head.sha256) if head else None,
            lost_until=lost_until,
        )
        if head is not None and head.document.created_at > manifest.created_at:
            # The clock went back, or this snapshot took longer than the next: a later number never has an earlier time.
            manifest = replace(manifest, created_at=head.document.created_at)
        if plan.base is None and head is not None:
            manifest = replace(manifest, epoch=head.document.epoch + (1 if plan.is_new_epoch else 0))
        there.result()
        before = head.document if head and plan.base else None
        if (committed := write_manifest(repository, manifest, before)) is not None:
            return committed
    raise SnapshotConflictError(
        f"Could not commit snapshot {manifest.snapshot_id} to {repository.uri}: {_COMMIT_ATTEMPTS} attempts conflicted "
        "with other writers. Let one DAG run at a time write to a store (max_active_runs=1), and retry."
    )


def write_manifest(repository: Repository, manifest: Manifest, before: ManifestDocument | None) -> Manifest | None:
    """Write the documents of a manifest, and the page of the index that is due with it.

    :param before: the newest manifest, where this one continues it.
    :return: the manifest as committed; None where another writer has its number.
    """
    with Threads(1) as threads:
        record = threads.submit(_record_for, repository, manifest, before)
        return _write_manifest(repository, manifest, before, record.result)


def _write_manifest(
    repository: Repository,
    manifest: Manifest,
    before: ManifestDocument | None,
    record_for: Callable[[], Signed[PruneRecord] | None],
) -> Manifest | None:
    documents, number = repository.documents, manifest.sequence
    generation = read_generation(repository, before) if before is not None else None
    reference = before.generation if before is not None else None
    if generation is None or reference is None or not continues(manifest, generation):
        name = generation_key(number, manifest.snapshot_id)
        begun = claim(documents, name, GENERATION, generation_of(manifest), Role.STORE, number=number)
        if begun is None:
            return None
        generation, reference = begun.document, Reference(name, begun.sha256)
    lists = _lists(repository, manifest, before, generation) if before is not None else ()
    earlier = files_of(repository, lists, generation)
    record = record_for()
    document = document_of(
        manifest,
        generation,
        reference,
        lists=lists,
        before=earlier,
        prune_record=Parent(record.document.sequence, record.sha256) if record else None,
        may_merge=bool(next_merges(manifest.files)),
    )
    signed = claim(documents, manifest_key(number), MANIFEST, document, Role.STORE, number=number)
    if signed is None:
        return None
    repository.read[number] = signed
    log.info("committed snapshot %s as number %s in %s", manifest.snapshot_id, number, repository.uri)
    write_page(repository, number)
    added = (entries(signed.document, generation), signed.document.dropped)
    return manifest_of(signed.document, signed.sha256, generation, merge([(earlier, ()), added]))


def _lists(
    repository: Repository, manifest: Manifest, before: ManifestDocument, generation: Generation
) -> tuple[int, ...]:
    """Return the numbers of the manifests to whose lists a manifest adds; none for a compaction, which repeats all."""
    if manifest.kind == "compaction":
        return ()
    numbers = (*before.lists, before.sequence)
    added, dropped = list_difference(files_of(repository, numbers, generation), manifest.files)
    named = [(number, read_signed(repository, number).document.names) for number in numbers]
    return lists_to_add_to([each for each in named if each[1]], len(added) + len(dropped))


def _record_for(
    repository: Repository, manifest: Manifest, before: ManifestDocument | None
) -> Signed[PruneRecord] | None:
    """Return the prune record that a manifest names: the newest one.

    What writes no rows of the source takes seconds, so the one that it read first does, unless the snapshot before
    knows a newer one.
    """
    if before is not None and (manifest.kind == "compaction" or not manifest.new_files):
        known, named = known_record(repository), before.prune_record
        if named is None or (known is not None and known.document.sequence >= named.sequence):
            return known
    return newest_record(repository)


def require_writer(repository: Repository, head: Signed[ManifestDocument] | None) -> None:
    """Raise where manifests cannot be signed here; before the first snapshot, also where two writers would both win.

    :param head: the newest manifest; None in an empty store.
    :raises StoreRefusedError: of two writers that create one object, both would win; or this machine's clock is wrong.
    :raises ElementaryError: as :func:`require_signer`.
    """
    require_signer(repository, head)
    if head is None:
        # The store may have been copied to another server since it was created.
        require_one_winner(repository.store)


def require_signer(repository: Repository, head: Signed[ManifestDocument] | None) -> None:
    """Raise where manifests cannot be signed here.

    :param head: the newest manifest; None in an empty store.
    :raises StoreRefusedError: this machine's clock is wrong.
    :raises ConfigurationError: no signer or no store id is named, or its key may not sign in this store.
    :raises KeyUnavailableError: the signing key is refused.
    """
    require_clock(repository.store)
    number = head.document.sequence + 1 if head else 1
    repository.documents.encode("probe", _PROBE, Parent(number, ""), Role.STORE, number=number)


def require_clock(store: Store) -> None:
    """Raise where this machine's clock differs from the store's: when snapshots were taken decides what is kept.

    :raises StoreRefusedError: it does, by more than five minutes.
    """
    difference = store.clock_difference()
    if difference is not None and abs(difference) > CLOCK_DIFFERENCE:
        minutes = round(abs(difference).total_seconds() / 60)
        where = "ahead of" if difference > timedelta(0) else "behind"
        raise StoreRefusedError(
            f"The clock of this machine is {minutes:,} minutes {where} that of {store.uri}. Nothing was written or "
            "removed. Set the clock, and retry."
        )


def committed_for(
    repository: Repository,
    run_key: str,
    categories: Collection[Category],
    run_after: datetime | None,
    head: Signed[ManifestDocument] | None,
) -> Manifest | None:
    """Return the snapshot that an earlier attempt of the same run committed, if it is one of the newest.

    :param categories: those of this attempt; one of others was committed under another policy.
    :param run_after: no attempt began before it, so that older snapshots are not looked at where the store has a clock,
        with which that of a writer was compared; None where that is unknown.
    :param head: the newest manifest; None in an empty store.
    :raises StoreError: the store or KMS failed; a retry may help.
    """
    newest = head.document.sequence if head else 0
    is_clocked = repository.store.clock_difference() is not None
    earliest = in_utc(run_after) - CLOCK_DIFFERENCE if run_after is not None and is_clocked else None
    looked_at = 0
    for sequence in range(newest, max(0, newest - _RECENT_NUMBERS), -1):
        if looked_at == _RECENT:
            break
        try:
            found = read_signed(repository, sequence)
        except (SnapshotCorruptError, SnapshotNotFoundError):
            looked_at += 1
            continue
        if found.document.run_key == run_key and set(found.document.categories) == set(categories):
            return resolve_manifest(repository, found)
        if earliest is not None and found.document.taken_at < earliest:
            break
        looked_at += found.document.kind != "compaction"
    return None


def require_files(repository: Repository, manifest: Manifest) -> None:
    """Raise unless the files that a snapshot wrote are there.

    :raises SnapshotConflictError: one was removed or replaced.
    """
    if not (written := manifest.new_files):
        return
    sizes = {found.key: found.size for found in repository.store.list(data_folder(manifest.snapshot_id))}
    missing = next((file.key for file in written if sizes.get(file.key) != file.size), None)
    if missing is not None:
        raise SnapshotConflictError(
            f"{missing} in {repository.uri} was removed or replaced while the snapshot was written. A prune with an "
            "--orphan-hours shorter than a snapshot takes removes such files; give it more, and retry."
        )
