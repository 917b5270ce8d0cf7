"""Decides what a prune removes."""

from __future__ import annotations

import hashlib
import logging
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    StoreRefusedError,
)
from airflow_provider_elementary.snapshots.index import read_index_rows
from airflow_provider_elementary.snapshots.index.page import Row
from airflow_provider_elementary.snapshots.lookup import committed_sequences, read_manifest, read_signed
from airflow_provider_elementary.snapshots.maintenance.outdated_results import OutdatedResults, outdated_results
from airflow_provider_elementary.snapshots.maintenance.retention import Retention, reasons_to_keep
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest
from airflow_provider_elementary.snapshots.manifest_document import GENERATION
from airflow_provider_elementary.snapshots.numbers import LOOKS
from airflow_provider_elementary.snapshots.parts.active import being_captured, outdated_documents
from airflow_provider_elementary.snapshots.parts.documents import DEADLINE
from airflow_provider_elementary.snapshots.prune_record import ExpiredFile, PruneRecord, Tombstone, tombstones
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.kept_files import TIME_BYTES, stored_at
from airflow_provider_elementary.storage.layout import (
    DATA,
    GENERATIONS,
    KEPT,
    MANIFESTS,
    RESULTS,
    begun_at,
    generation_number,
    numbered,
    writer_of,
)
from airflow_provider_elementary.storage.object_store.store import StoredObject
from airflow_provider_elementary.storage.records.answer_log import superseded_answers
from airflow_provider_elementary.storage.signed_documents import Signed
from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

T = TypeVar("T")


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
class PruneTimes:
    """The times by which a prune decides what to delete.

    :param now: what time it is.
    :param orphan_age: files that no snapshot names stay until they are so old.
    :param grace: how long pruned snapshots stay readable.
    """

    now: datetime
    orphan_age: timedelta
    grace: timedelta

    @property
    def oldest_orphan(self) -> datetime:
        """Files that were begun after this time may belong to a snapshot that is being taken."""
        return self.now - self.orphan_age

    def is_over(self, recorded_at: datetime) -> bool:
        """Return whether the grace period of what was recorded at a time is over."""
        return recorded_at <= self.now - self.grace


class PrunePlan:
    """What a prune records and deletes; lists are read only where something depends on them.

    :param lost: the tombstones of manifests whose loss is acknowledged.
    :raises SnapshotNotFoundError: the store holds no snapshot.
    :raises SnapshotCorruptError: a manifest cannot be read, or the newest snapshot is not complete.
    """

    def __init__(
        self,
        repository: Repository,
        retention: Retention,
        records: Sequence[Signed[PruneRecord]],
        lost: Sequence[Tombstone],
        clock: PruneTimes,
    ) -> None:
        self._repository, self._retention, self._records, self.clock = repository, retention, records, clock
        if not (sequences := committed_sequences(repository)):
            raise SnapshotNotFoundError(f"{repository.uri} holds no snapshots. Check the URI.")
        self._rows, errors = read_index_rows(repository, sequences, sequences[-1])
        for error in errors.values():
            raise error
        self.head = self._rows[sequences[-1]]
        self._there = numbered(repository.store, MANIFESTS)[0].keys()
        self.decisions = tuple(self._decide())
        self.kept = [found.sequence for found in self.decisions if found.reasons]
        going = [self._rows[found.sequence] for found in reversed(self.decisions) if not found.reasons]
        self.tombstones = (
            *lost,
            *(Tombstone(row.sequence, row.snapshot_id, row.created_at, row.sha256, row.parent) for row in going),
        )

    def _decide(self) -> Iterator[PruneDecision]:
        """Decide of each snapshot, the newest first."""
        rows = self._rows
        newest_first = sorted(rows, reverse=True)
        complete = [number for number in newest_first if self._there >= {*rows[number].lists, number}]
        if self.head.sequence not in complete:
            raise SnapshotCorruptError(
                f"The newest snapshot in {self._repository.uri}, number {self.head.sequence}, adds to the list of one "
                "that is lost; nothing was pruned. Take a snapshot first: it will be full."
            )
        if not self._retention.keeps_all:
            # A compaction has the time and the rows of the snapshot before it, and takes its place.
            complete = [number for number in complete if not self._is_replaced(number)]
        reasons = reasons_to_keep(
            [rows[number].taken_at for number in complete], self._retention, [rows[number].epoch for number in complete]
        )
        # One that adds to a list whose loss was acknowledged is lost with it.
        kept_as = dict(zip(complete, reasons, strict=True))
        for number in newest_first:
            yield PruneDecision(number, rows[number].snapshot_id, rows[number].created_at, kept_as.get(number, ()))

    def _is_replaced(self, number: int) -> bool:
        after = self._rows.get(number + 1)
        return after is not None and after.kind == "compaction"

    @cached_property
    def _stones(self) -> Mapping[int, Tombstone]:
        return {**tombstones(self._records), **{stone.sequence: stone for stone in self.tombstones}}

    @cached_property
    def waiting(self) -> frozenset[int]:
        """The pruned snapshots that are still readable, as their grace period is not over."""
        recent = {stone.sequence for stone in self.tombstones if not self.clock.is_over(self.clock.now)}
        for stored in self._records:
            if not self.clock.is_over(datetime.fromisoformat(stored.document.created_at).replace(tzinfo=UTC)):
                recent |= {stone.sequence for stone in stored.document.snapshots}
        return frozenset(recent & self._there)

    @cached_property
    def manifests(self) -> list[int]:
        """The numbers of the manifests to delete; one stays while the lists of another manifest build upon it."""
        needed: set[int] = set()
        for number in (*self.kept, *self.waiting):
            needed |= {*self._lists(number), number}
        return sorted((self._stones.keys() & self._there) - needed)

    def _lists(self, number: int) -> tuple[int, ...]:
        if number in self._rows:
            return self._rows[number].lists
        with suppress(SnapshotCorruptError, SnapshotNotFoundError):
            return read_signed(self._repository, number).document.lists
        return ()

    @cached_property
    def kept_manifests(self) -> list[Manifest]:
        """The manifests of the snapshots that stay.

        :raises SnapshotCorruptError: one is not the one that the index lists.
        """
        found = [read_manifest(self._repository, number) for number in self.kept]
        if wrong := [manifest for manifest in found if manifest.sha256 != self._rows[manifest.sequence].sha256]:
            raise SnapshotCorruptError(
                f"Manifest {wrong[0].sequence} in {self._repository.uri} is not the one that the index lists; nothing "
                "was pruned. Run `airflow-elementary snapshot verify`."
            )
        return found

    @cached_property
    def _named(self) -> set[str]:
        """The files that a snapshot lists that stays, or that is still readable."""
        named = {file.key for manifest in self.kept_manifests for file in manifest.files}
        for number in self.waiting:
            # One whose list is lost can no longer be read.
            with suppress(SnapshotCorruptError, SnapshotNotFoundError):
                named |= {file.key for file in read_manifest(self._repository, number).files}
        return named

    @cached_property
    def newly_expired(self) -> Mapping[str, FileEntry]:
        """The files of categories whose days are over in every kept snapshot that names them."""
        days = self._retention.category_days
        already = {file.key for file in self._recorded_as_expired}
        found: dict[str, FileEntry] = {}
        current: set[str] = set()
        for manifest in self.kept_manifests if days else ():
            for file in manifest.files:
                of_category = days.get(file.category)
                if of_category is None or manifest.taken_at >= self.clock.now - timedelta(days=of_category):
                    current.add(file.key)
                else:
                    found[file.key] = file
        return {key: file for key, file in found.items() if key not in current | already}

    @property
    def _recorded_as_expired(self) -> Sequence[ExpiredFile]:
        return self._records[-1].document.expired if self._records else ()

    @cached_property
    def expired(self) -> tuple[ExpiredFile, ...]:
        """Every expired file that a kept snapshot lists, for the record."""
        before, at = self._recorded_as_expired, self.clock.now.isoformat(timespec="seconds")
        named = {file.key for manifest in self.kept_manifests for file in manifest.files} if before else set()
        return (
            *(file for file in before if file.key in named),
            *(ExpiredFile(key, file.sha256, file.category, at) for key, file in self.newly_expired.items()),
        )

    @cached_property
    def outdated_results(self) -> OutdatedResults:
        """The results whose snapshot is gone."""
        alive = {self._rows[number].snapshot_id for number in self.kept}
        for number in self.kept:
            alive |= self._replaced_by(self._rows[number])
        newest = self._rows[max(self.kept)].taken_at
        return outdated_results(self._repository, alive, newest, self.clock.oldest_orphan, self._expired_snapshots)

    @property
    def _expired_snapshots(self) -> Mapping[Category, set[str]]:
        """By category, the ids of snapshots of which nothing of it is kept any more."""
        known = [(each.snapshot_id, each.created_at) for each in self._rows.values()]
        known += [(each.snapshot_id, each.created_at) for each in self._stones.values()]
        # Of one that was lost, nothing is known.
        times = [(snapshot_id, in_utc(datetime.fromisoformat(at))) for snapshot_id, at in known if at]
        oldest = {name: self.clock.now - timedelta(days=days) for name, days in self._retention.category_days.items()}
        return {
            Category(name): {snapshot_id for snapshot_id, at in times if at < first} for name, first in oldest.items()
        }

    def _replaced_by(self, row: Row) -> set[str]:
        """Return the ids of the snapshots whose place a compaction took, whenever they were pruned."""
        found: set[str] = set()
        number, kind = row.sequence, str(row.kind)
        while kind == "compaction" and (before := self._rows.get(number - 1) or self._stones.get(number - 1)):
            if before.created_at != row.created_at:
                break
            found.add(before.snapshot_id)
            # A tombstone has no kind: snapshots of one time are one and its compactions.
            number, kind = before.sequence, before.kind if isinstance(before, Row) else "compaction"
        return found

    def doomed_files(self) -> list[StoredObject]:
        """Return the files to delete: expired ones, and unlisted ones that are of no snapshot in the making."""
        store = self._repository.store
        over = {stone.snapshot_id for number, stone in self._stones.items() if number not in self.waiting}
        writers = {row.snapshot_id for number, row in self._rows.items() if number in self.kept}
        # The files of one that is still readable stay: it lists them itself.
        writers |= {self._stones[number].snapshot_id for number in self.waiting} | self._being_captured
        # What was begun after the newest snapshot may belong to newer ones, which somebody hid.
        oldest = min(self.clock.oldest_orphan, self.head.taken_at)
        expired = {file.key for file in self.expired if self.clock.is_over(datetime.fromisoformat(file.expired_at))}
        unlisted, doomed = [], []
        for found in store.list(DATA):
            writer = writer_of(found.key)
            if found.key in expired:
                doomed.append(found)
            elif writer not in writers and (writer in over or _is_before(writer, oldest)):
                unlisted.append(found)
        # Without one of these, no list has to be read.
        doomed += [found for found in unlisted if found.key not in self._named] if unlisted else []
        outdated = self.outdated_results
        return doomed + [found for found in store.list(RESULTS) if outdated.names(found.key)]

    def outdated_kept_files(self, doomed: Sequence[StoredObject]) -> list[str]:
        """Return what tasks kept of small files that no run replaced for long; all where files expired.

        :param doomed: the files that go.
        """
        store, expired = self._repository.store, {file.key for file in self.expired} | self.outdated_results.expired
        names = [found.key for found in store.list(KEPT)]
        if not expired.isdisjoint(found.key for found in doomed):
            return names
        return [name for name in self._mixed(names)[:LOOKS] if self._is_outdated(name)]

    def _is_outdated(self, kept: str) -> bool:
        try:
            head = self._repository.store.get_capped(kept, TIME_BYTES)
        except ElementaryError as error:
            # No run depends on it: what somebody put there must not stop a prune.
            log.warning("leaving what a task kept of small files: %s", error)
            return False
        return head is not None and stored_at(head.content) < self.clock.oldest_orphan

    def _mixed(self, found: Sequence[T]) -> list[T]:
        """Return names in an order that each prune has of its own: nobody can put any before the others for good."""
        now = self.clock.now.isoformat()
        return sorted(found, key=lambda each: hashlib.sha256(f"{now} {each}".encode()).digest())

    @property
    def oldest_upload(self) -> datetime:
        """What was begun before is no longer written: while parts are captured, only what is older than any plan."""
        oldest = self.clock.oldest_orphan
        return min(oldest, self.clock.now - DEADLINE) if self._being_captured else oldest

    def outdated_plans(self) -> list[str]:
        """Return the plans of snapshots in parts that are over, and what their parts report."""
        oldest = min(self.clock.oldest_orphan, self.head.taken_at)
        return outdated_documents(self._repository, self._being_captured, oldest)

    @cached_property
    def answers(self) -> list[str]:
        """The documents of answers to incidents that later ones replaced, and that no reader may still be at."""
        try:
            return superseded_answers(self._repository, self.clock.oldest_orphan)
        except ElementaryError as error:
            # No snapshot depends on them: what somebody put there must not stop a prune.
            log.warning("keeping all answers to incidents: %s", error)
            return []

    @cached_property
    def _being_captured(self) -> set[str]:
        return being_captured(self._repository, self.clock.now)

    def still_doomed(self, doomed: Sequence[StoredObject]) -> list[StoredObject]:
        """Return the files to delete without those of snapshots that were committed since this was planned."""
        later = [number for number in committed_sequences(self._repository) if number > self.head.sequence]
        named = {file.key for number in later for file in read_manifest(self._repository, number).files}
        return [found for found in doomed if found.key not in named]

    def unused_generations(self) -> list[str]:
        """Return the generations that no manifest names, apart from what may belong to a snapshot in the making."""
        ids = {number: stone.snapshot_id for number, stone in self._stones.items()}
        ids |= {number: row.snapshot_id for number, row in self._rows.items()}
        oldest = min(self.clock.oldest_orphan, self.head.taken_at)
        # The manifest of its number is the first that names a generation.
        began: dict[int, str] = {}
        unused: list[tuple[int, str]] = []
        older: list[tuple[int, str]] = []
        for found in self._repository.store.list(GENERATIONS):
            number, snapshot_id = generation_number(found.key), found.key.partition("-")[2]
            if ids.get(number) == snapshot_id:
                began[number] = found.key
            if not _is_before(snapshot_id, oldest):
                continue
            # Of a manifest that was lost, the id is not known.
            (older if ids.get(number, "") in ("", snapshot_id) else unused).append((number, found.key))
        staying, begun = sorted(self._there - set(self.manifests)), sorted(began)
        looks = iter(range(LOOKS))

        @cache
        def proved_up_to(place: int) -> int:
            """Return a proved generation that began after the manifest before a place, up to the one there; else 0."""
            before = staying[place - 1] if place else 0
            numbers = begun[bisect_right(begun, before) : bisect_right(begun, staying[place])]
            # Anybody can put names there: it is the last one, unless somebody put others after it.
            order = [*numbers[-1:], *self._mixed(numbers[:-1])]
            return next((each for each in order if next(looks, None) is not None and self._is_proved(began[each])), 0)

        for number, key in self._mixed(older):
            place = bisect_left(staying, number)
            if number < (proved_up_to(place) if place < len(staying) else max(self._there) + 1):
                unused.append((number, key))
        return [key for _, key in unused]

    def _is_proved(self, generation: str) -> bool:
        """Return whether a generation is the store's own: anybody can give an object its name."""
        number = generation_number(generation)
        with suppress(SnapshotCorruptError, StoreRefusedError, KeyUnavailableError):
            return self._repository.documents.read(generation, GENERATION, Role.STORE, number=number) is not None
        return False


def _is_before(snapshot_id: str, moment: datetime) -> bool:
    """Return whether a snapshot was begun before a time; False where its id does not say."""
    begun = begun_at(snapshot_id)
    return begun is not None and begun < moment
