"""Verifies the chain, signatures and files of a store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    PrunedMeanwhileError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
)
from airflow_provider_elementary.progress import Progress, no_progress
from airflow_provider_elementary.snapshots.chain import (
    Anchor,
    Chain,
    ChainFinding,
    Damage,
    check_chain,
    read_chain,
)
from airflow_provider_elementary.snapshots.index.page import Row
from airflow_provider_elementary.snapshots.lookup import none_found, not_among, read_manifest
from airflow_provider_elementary.snapshots.prune_record import read_records, tombstones
from airflow_provider_elementary.snapshots.verify.checked_before import checking
from airflow_provider_elementary.snapshots.verify.files import NamedFile, check_files
from airflow_provider_elementary.snapshots.verify.results import check_series
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.layout import DATA, GENESIS, manifest_key
from airflow_provider_elementary.storage.outcomes import Outcome
from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_NAMED_IN_ERROR = 10


@dataclass(frozen=True)
class VerifyReport:
    """What a verification looked at and what it found.

    :param store: the store's URI.
    :param snapshots: the snapshots whose files were checked.
    :param manifests: manifests whose place in the chain was checked.
    :param pruned: snapshots that prune records account for.
    :param head: the newest snapshot as it is: the anchor to keep, or None in an empty store.
    :param files: files whose bytes were checked.
    :param size: their bytes.
    :param opened: of these, the files that were decrypted and counted; 0 without keys.
    :param rows: the rows in them.
    :param results: results whose signature, place and files were checked.
    :param reports: access reports whose signature and place were checked.
    :param answers: answers to incidents in the newest document of them, whose signature and place were checked.
    :param findings: everything that is not as it was written; empty for a sound store.
    :param notes: what is in order and yet worth knowing.
    :param anchored: whether an anchor of the newest snapshot was given.
    """

    store: str
    snapshots: tuple[str, ...]
    manifests: int
    pruned: int
    head: Anchor | None
    files: int
    size: int
    opened: int
    rows: int
    results: int
    reports: int
    findings: tuple[ChainFinding, ...]
    notes: tuple[str, ...]
    anchored: bool = False
    answers: int = 0

    @property
    def sound(self) -> bool:
        """Whether everything is as it was written."""
        return not self.findings

    @property
    def outcome(self) -> Outcome:
        """What the verification says of the store."""
        if any(not found.needs_key and found.damage is not Damage.UNPROVED for found in self.findings):
            return Outcome.DAMAGED
        if any(not found.needs_key for found in self.findings):
            return Outcome.UNPROVED
        if self.findings:
            return Outcome.CANNOT_TELL
        return Outcome.SOUND if self.anchored else Outcome.NOT_ANCHORED

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "store": self.store,
            "sound": self.sound,
            "outcome": self.outcome.value,
            "snapshots": list(self.snapshots),
            "manifests": self.manifests,
            "pruned": self.pruned,
            "head": {"sequence": self.head.sequence, "manifest_sha256": self.head.sha256} if self.head else None,
            "files": self.files,
            "bytes": self.size,
            "opened": self.opened,
            "rows": self.rows,
            "results": self.results,
            "reports": self.reports,
            "answers": self.answers,
            "findings": [
                {"damage": found.damage.value, "object": found.object, "detail": found.detail}
                for found in self.findings
            ],
            "notes": list(self.notes),
        }

    def require(self) -> None:
        """Raise unless the store is sound.

        :raises SnapshotCorruptError: it is not; the message names what is wrong.
        """
        if self.findings:
            named = "; ".join(f"{found.object} is {found.damage}" for found in self.findings[:_NAMED_IN_ERROR])
            more = len(self.findings) - _NAMED_IN_ERROR
            raise SnapshotCorruptError(
                f"{self.store} is not as it was written; {len(self.findings)} differences: {named}"
                f"{f'; and {more} more' if more > 0 else ''}. Restore what is named from a replica or from older "
                "versions of the objects, and find out who wrote to the store."
            )


def verify(
    repository: Repository,
    *,
    snapshot: str | datetime = "latest",
    anchors: Iterable[Anchor] = (),
    decrypt: bool | None = None,
    categories: Sequence[Category] = tuple(Category),
    progress: Progress = no_progress,
    checked: Path | None = None,
) -> VerifyReport:
    """Check that a store is as it was written; the chain always whole, the files of one snapshot or of all.

    Without keys: that every manifest is proved and in its place in the chain, and every file there, of its size and
    its SHA-256.
    With keys also: that every file opens with each data key that a snapshot names for it, and holds the rows that the
    manifest says. Every manifest and prune record has to be signed by a key of the store.

    Of results, answers to incidents and access reports: that each is signed, that those are there which it names, that
    the snapshot that it is of is or was there, and the files, as above; with ``all`` of every one, else of the newest
    of each series.

    :param snapshot: whose files are read: ``latest``, ``all``, an id or a time as :func:`open_snapshot` takes it.
    :param anchors: hashes of manifests that were kept elsewhere; only they reveal a chain that was cut short or
        rewritten as a whole.
    :param decrypt: open every file, which needs the keys; by default where keys are named. Else compare hashes only.
    :param categories: the categories that the keys are expected to open.
    :param progress: goes through the files; shows the progress where somebody looks.
    :param checked: a file of this user, for a verification of ``all`` that can be broken off: the next with the same
        file reads only what was not checked in the last day, and what changed since. It is removed at the end.
    :raises ConfigurationError: ``checked`` is of another verification, is in use, others may write to it, or the files
        of one snapshot are read.
    :raises SnapshotNotFoundError: there is no such snapshot.
    :raises PrunedMeanwhileError: prune removed it while it was verified, and nothing else was found.
    """
    store = repository.store
    keys = repository.keys if decrypt or (decrypt is None and repository.has_keys) else None
    anchors = list(anchors)
    each = snapshot == "all"
    if checked is not None and not each:
        raise ConfigurationError("Files of one snapshot are read at once. Give the file of checked files with `all`.")
    chain = read_chain(repository, each=each)
    findings, notes = check_chain(chain, anchors)
    findings = [*chain.findings, *findings]
    notes = [*chain.notes, *notes]
    selected = _select(repository, chain, snapshot, findings)
    named = _files_named(repository, selected, findings)
    expired = {file.key for stored in chain.records for file in stored.document.expired}
    of_series = check_series(repository, chain, each=each)
    findings += of_series.findings
    notes += of_series.notes
    chosen = frozenset(categories)
    decrypted = sorted(chosen) if keys is not None else []
    about = {"uri": store.uri, "store_id": repository.trust.store_id, "decrypted": decrypted}
    # Until the end: where anything fails, the next attempt has what this one checked.
    with checking(checked, about) as before:
        of_data = check_files(store, keys, chosen, named, expired, progress, each=each, before=before)
        of_results = check_files(
            store, keys, chosen, of_series.named, of_series.removable, progress, each=each, before=before
        )
        findings += of_data.findings
        if before is not None and (known := of_data.known + of_results.known):
            since = f"{before.since:%Y-%m-%d %H:%M} UTC"
            notes.append(f"{known:,} files were read by attempts that were broken off, since {since}")
        # A second attempt of a run removes the result of the first, files first.
        findings += [found for found in of_results.findings if not of_series.is_gone(store, found)]
        findings = _without_pruned(repository, chain, selected, findings, notes)
        if gone := sum(key in expired for key in named):
            notes.append(f"{gone} files expired: prune removed them by the retention of their category")
        head = Anchor(chain.head.sequence, chain.head.sha256) if chain.head else None
        if not repository.trust.pinned:
            detail = "The connection names no store_id, so anybody could have made the store."
            findings.append(ChainFinding(Damage.UNPROVED, GENESIS, detail))
        if head is not None and not any(anchor.sequence >= head.sequence for anchor in anchors):
            notes.append(f"{manifest_key(head.sequence)} is not anchored: pass --anchor")
        return VerifyReport(
            store=store.uri,
            snapshots=tuple(link.snapshot_id for link in selected),
            manifests=len(chain.snapshots),
            pruned=len(chain.tombstones),
            head=head,
            files=of_data.files,
            size=of_data.size,
            opened=of_data.opened,
            rows=of_data.rows,
            results=of_series.results,
            reports=of_series.reports,
            answers=of_series.answers,
            findings=tuple(findings),
            notes=tuple(notes),
            anchored=any(head is not None and anchor.sequence >= head.sequence for anchor in anchors),
        )


def _select(
    repository: Repository, chain: Chain, snapshot: str | datetime, findings: Sequence[ChainFinding]
) -> list[Row]:
    """Return the readable manifests whose files are to be checked."""
    readable = chain.snapshots
    if snapshot == "all":
        return readable
    if isinstance(snapshot, datetime):
        snapshot = in_utc(snapshot)
        found = [link for link in readable if link.taken_at <= snapshot][-1:]
    else:
        found = readable[-1:] if snapshot == "latest" else [link for link in readable if link.snapshot_id == snapshot]
    if not readable and not findings:
        raise none_found(repository)
    if not found and not (snapshot == "latest" and findings):
        raise not_among(repository, snapshot, [link.snapshot_id for link in readable])
    return found


def _files_named(repository: Repository, selected: Sequence[Row], findings: list[ChainFinding]) -> dict[str, NamedFile]:
    """Return every file that the manifests name, once, however many name it.

    :param findings: gets those manifests of which the list is not complete, unless the reason is among them.
    """
    named: dict[str, NamedFile] = {}
    reported = {found.object for found in findings}
    for link in selected:
        try:
            manifest = read_manifest(repository, link.sequence)
        except SnapshotNotFoundError as error:
            findings.append(ChainFinding(Damage.MISSING, manifest_key(link.sequence), str(error)))
            continue
        except SnapshotCorruptError as error:
            if reported.isdisjoint(map(manifest_key, (*link.lists, link.sequence))):
                findings.append(ChainFinding(Damage.CHANGED, manifest_key(link.sequence), str(error)))
            continue
        for file in manifest.files:
            entry = named.setdefault(file.key, NamedFile(file, file.table, Purpose.SNAPSHOT, [], []))
            entry.by.append(f"snapshot {manifest.snapshot_id}")
            wrapped = manifest.keys.get(file.category)
            if wrapped not in entry.keys:
                entry.keys.append(wrapped)
    return named


def _without_pruned(
    repository: Repository,
    chain: Chain,
    selected: Sequence[Row],
    findings: list[ChainFinding],
    notes: list[str],
) -> list[ChainFinding]:
    """Return the findings without those of snapshots that a prune recorded since the chain was read.

    :param notes: gets the snapshots that were pruned meanwhile.
    :raises PrunedMeanwhileError: they are all that was selected, and nothing else was found.
    """
    if not findings:
        return findings
    known = {stored.document.sequence for stored in chain.records}
    newer = [stored for stored in read_records(repository) if stored.document.sequence not in known]
    stones = tombstones(newer)
    pruned_names = {manifest_key(number) for number in stones}
    pruned_names |= {file.key for stored in newer for file in stored.document.expired}
    kept = _files_named(repository, [link for link in selected if link.sequence not in stones], [])
    remaining = [
        found
        for found in findings
        if found.object not in pruned_names
        and not (
            stones and found.damage is Damage.MISSING and found.object.startswith(DATA) and found.object not in kept
        )
    ]
    if gone := [link for link in selected if link.sequence in stones]:
        if len(gone) == len(selected) and not remaining:
            raise PrunedMeanwhileError(
                f"Snapshot {gone[0].snapshot_id} of {repository.uri} was pruned while it was verified. Verify another "
                "one."
            )
        notes.append(f"{len(gone)} snapshots were pruned while the store was verified")
    return remaining
