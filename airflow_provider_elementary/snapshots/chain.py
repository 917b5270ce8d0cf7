"""Checks the chain of manifests against itself, prune records and anchors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ElementaryError,
    KeyUnavailableError,
    SnapshotCorruptError,
    StoreRefusedError,
    UnprovedError,
)
from airflow_provider_elementary.snapshots.index import LISTED, newest_page, read_index_rows
from airflow_provider_elementary.snapshots.index.page import Row
from airflow_provider_elementary.snapshots.lookup import find_head
from airflow_provider_elementary.snapshots.manifest import Parent
from airflow_provider_elementary.snapshots.numbers import runs
from airflow_provider_elementary.snapshots.prune_record import PruneRecord, Tombstone, read_records, tombstones
from airflow_provider_elementary.storage.layout import MANIFESTS, PRUNE_RECORDS, manifest_key, numbered, record_key
from airflow_provider_elementary.storage.signed_documents import Signed

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

_NAMED_IN_ERROR = 10


class Damage(StrEnum):
    """What is wrong with an object of a store."""

    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    ROLLED_BACK = "rolled back"
    REWRITTEN = "rewritten"
    NOT_DECRYPTABLE = "not decryptable"
    UNPROVED = "unproved"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class ChainFinding:
    """One object that is not as it was written.

    :param damage: what is wrong.
    :param object: the name of the object in the store; of a range, the first one.
    :param detail: what is wrong, in a sentence.
    :param needs_key: only a key that is not available here can answer it; nothing is known to be wrong.
    """

    damage: Damage
    object: str
    detail: str
    needs_key: bool = False


@dataclass(frozen=True)
class Anchor:
    """A recorded hash of a manifest, kept outside the manifests.

    :param sequence: a snapshot's place in the chain.
    :param sha256: the hash of its manifest.
    :param origin: where it was recorded, in words.
    """

    sequence: int
    sha256: str
    origin: str = "the anchor"


@dataclass(frozen=True)
class Chain:
    """The proved manifests and prune records of a store, and what lies among them that is not proved.

    :param links: the manifests, by place.
    :param records: the prune records, oldest first.
    :param findings: what is not proved in the place of a manifest or record.
    :param notes: what others put beside them; it is passed over.
    :param indexed: the last snapshot of the newest page of the index: there was one, whatever is left of it.
    :param named_record: the prune record that the newest manifest names.
    """

    links: Mapping[int, Row]
    records: Sequence[Signed[PruneRecord]]
    findings: Sequence[ChainFinding] = ()
    notes: tuple[str, ...] = ()
    indexed: Row | None = None
    named_record: Parent | None = None

    @property
    def snapshots(self) -> list[Row]:
        """The snapshots that were not pruned, oldest first; manifests to whose lists later ones add may stay."""
        pruned = self.tombstones
        return [link for number, link in sorted(self.links.items()) if number not in pruned]

    @property
    def head(self) -> Row | None:
        """The newest manifest."""
        return self.links[max(self.links)] if self.links else None

    @property
    def tombstones(self) -> dict[int, Tombstone]:
        """What is recorded of removed snapshots, by place."""
        return tombstones(self.records)


def read_chain(repository: Repository, *, each: bool = False) -> Chain:
    """Read the chain of manifests and prune records of a store; what is not proved becomes a finding or a note.

    :param each: read every manifest, not the pages of the index.
    """
    findings: list[ChainFinding] = []
    # Before the manifests are listed: a snapshot that a page lists was committed before it.
    indexed = newest_page(repository)
    numbers, unexpected = numbered(repository.store, MANIFESTS)
    notes = [f"{name}: not part of a store, ignored" for name in unexpected]
    head = find_head(repository, list(numbers))
    last = head.document.sequence if head is not None else 0
    links, errors = read_index_rows(repository, numbers, last, () if each else LISTED)
    records = list(read_records(repository))
    pruned = tombstones(records)
    for sequence, error in errors.items():
        if sequence in pruned:
            # Prune removed the true one; where a kept snapshot still needs it, its own list is not complete.
            notes.append(f"{numbers[sequence]}: of a pruned snapshot, ignored")
        elif isinstance(error, UnprovedError):
            findings.append(ChainFinding(Damage.UNPROVED, numbers[sequence], str(error)))
        elif isinstance(error, SnapshotCorruptError):
            findings.append(ChainFinding(Damage.CHANGED, numbers[sequence], str(error)))
        elif isinstance(error, (StoreRefusedError, KeyUnavailableError)):
            findings.append(_unreadable(sequence, error))
    findings += [_unreadable(number, error) for number, error in sorted(repository.unreadable.items()) if number > last]
    notes += [
        f"{name}: no key of the store signed it, ignored"
        for number, name in numbers.items()
        if number > last and number not in repository.unreadable
    ]
    numbers, unexpected = numbered(repository.store, PRUNE_RECORDS)
    known = {stored.document.sequence for stored in records}
    newest = max(known, default=0)
    for number, name in numbers.items():
        if number < newest and number not in known:
            findings.append(ChainFinding(Damage.UNPROVED, name, "No key of the store signed it."))
        elif number > newest:
            notes.append(f"{name}: no key of the store signed it, ignored")
    notes += [f"{name}: not part of a store, ignored" for name in unexpected]
    named = head.document.prune_record if head is not None else None
    return Chain(links, records, findings, tuple(notes), indexed, named)


def _is_beyond(chain: Chain, finding: ChainFinding) -> bool:
    """Return whether an object that is not given out lies after the newest snapshot, where anybody can put one."""
    newest = chain.head.sequence if chain.head else 0
    return finding.damage is Damage.UNREADABLE and _number(finding.object) > newest


def _unreadable(number: int, error: ElementaryError) -> ChainFinding:
    return ChainFinding(Damage.UNREADABLE, manifest_key(number), str(error), needs_key=True)


def check_chain(
    chain: Chain, anchors: Iterable[Anchor] = (), lost: Sequence[Tombstone] = ()
) -> tuple[list[ChainFinding], list[str]]:
    """Check the chain of manifests and that of prune records.

    :param anchors: hashes of manifests that were kept elsewhere; those in prune records are checked too.
    :param lost: what is about to be recorded as permanently lost.
    :return: what is wrong, and what is worth a note.
    """
    heads = [
        Anchor(stored.document.head.sequence, stored.document.head.sha256, f"prune record {stored.document.sequence}")
        for stored in chain.records
    ]
    if chain.indexed is not None:
        heads.append(Anchor(chain.indexed.sequence, chain.indexed.sha256, "the newest page of the index"))
    stones = {**chain.tombstones, **{stone.sequence: stone for stone in lost}}
    findings, notes = _check_links(chain, stones)
    findings += _check_lists(chain, {stone.sequence for stone in lost})
    findings += _check_records(chain.records)
    findings += _check_newest_record(chain)
    named = {(finding.damage, finding.object) for finding in findings}
    for anchor in (*anchors, *heads):
        finding = _check_anchor(chain, anchor)
        if finding is not None and (finding.damage, finding.object) not in named:
            findings.append(finding)
            named.add((finding.damage, finding.object))
    return findings, notes


def require_intact_chain(
    repository: Repository, anchors: Iterable[Anchor] = (), acknowledge_loss: Collection[int] = ()
) -> tuple[Tombstone, ...]:
    """Raise unless the chain is intact; return the tombstones to record for acknowledged losses.

    :param anchors: hashes of manifests that were kept elsewhere.
    :param acknowledge_loss: numbers of manifests that are permanently lost.
    :raises SnapshotCorruptError: the chain is not intact: pruning would remove files that only a lost manifest names.
    :raises ConfigurationError: a number is not that of a missing manifest.
    """
    chain = read_chain(repository)
    lost = tuple(_tombstones_of_lost(chain, sorted(acknowledge_loss)))
    # As the chain will be once the record is written.
    findings = [found for found in chain.findings if not _is_beyond(chain, found)]
    findings += check_chain(chain, anchors, lost)[0]
    if findings:
        named = "; ".join(f"{found.object} is {found.damage}" for found in findings[:_NAMED_IN_ERROR])
        raise SnapshotCorruptError(
            f"The snapshot chain in {repository.uri} has {len(findings)} problems; nothing was pruned: {named}. "
            "Pruning could remove files that only a missing manifest names. Run `airflow-elementary snapshot verify`. "
            "Put moved manifests back, and restore missing or changed ones from a replica or an older version of the "
            "object. Acknowledge a permanent loss by its number, with `airflow-elementary snapshot prune "
            "--acknowledge-loss`."
        )
    return lost


def _tombstones_of_lost(chain: Chain, numbers: list[int]) -> list[Tombstone]:
    head = chain.head.sequence if chain.head else 0
    known, listed = chain.tombstones, _listed_and_gone(chain)
    there = {*chain.links, *known} - listed.keys()
    if wrong := [number for number in numbers if number in there or not 0 < number < head]:
        raise ConfigurationError(
            f"{', '.join(map(str, wrong))}: not a missing manifest below the newest, {head}. Only the loss of a "
            "missing manifest can be acknowledged. Remove an unreadable manifest before you acknowledge its loss."
        )
    stones: dict[int, Tombstone] = {}
    for number in numbers:
        if number in known:
            stones[number] = known[number]
            continue
        before = chain.links.get(number - 1) or known.get(number - 1) or stones.get(number - 1)
        child = chain.links.get(number + 1) or known.get(number + 1)
        # Of several in a row, only the hash of the last one is known: the manifest after it names it.
        own = child.parent.sha256 if child is not None and child.parent is not None else ""
        parent = Parent(number - 1, before.sha256 if before else "") if number > 1 else None
        stones[number] = Tombstone(number, "", "", own, parent)
    return list(stones.values())


def _check_links(chain: Chain, stones: Mapping[int, Tombstone]) -> tuple[list[ChainFinding], list[str]]:
    """Check each manifest against the one after it, which names its number and hash."""
    findings: list[ChainFinding] = []
    notes: list[str] = []
    lost = {
        number
        for link in chain.links.values()
        if link.lost_until is not None
        for number in range(link.parent.sequence + 1 if link.parent else 1, link.sequence)
    }
    newest = max((*chain.links, *stones), default=0)
    for sequence in range(newest, 0, -1):
        link, stone = chain.links.get(sequence), stones.get(sequence)
        if link is None and stone is None:
            continue
        if link is not None and (found := _check_link(link, stone)) is not None:
            findings.append(found)
            continue
        child = _recorded_parent(chain, stones, sequence + 1)
        own = link.sha256 if link else stone.sha256 if stone else ""
        if child is not None and child != Parent(sequence, own) and sequence + 1 not in lost:
            findings.append(_does_not_fit(sequence, own, child))
    if lost:
        notes.append(f"{len(lost)} snapshots are recorded as lost, from number {min(lost)} on")
    findings += _missing(chain, stones, lost, newest)
    return sorted(findings, key=lambda finding: finding.object), notes


def _listed_and_gone(chain: Chain) -> dict[int, int]:
    """Return the pruned manifests that are not there, though a snapshot that stays adds to their lists: which one."""
    pruned = chain.tombstones.keys() - chain.links.keys()
    return {number: link.sequence for link in chain.snapshots for number in link.lists if number in pruned}


def _check_lists(chain: Chain, acknowledged: Collection[int]) -> list[ChainFinding]:
    """Check that the pruned manifests are there which prune leaves for the lists of others."""
    reported = {found.object for found in chain.findings}
    return [
        ChainFinding(
            Damage.MISSING,
            manifest_key(number),
            f"It was pruned, but the list of snapshot number {by} adds to it, for which prune left it. Restore it from "
            "a replica or an older version of the object.",
        )
        for number, by in sorted(_listed_and_gone(chain).items())
        if number not in acknowledged and manifest_key(number) not in reported
    ]


def _check_link(link: Row, stone: Tombstone | None) -> ChainFinding | None:
    """Check one manifest by itself."""
    key = manifest_key(link.sequence)
    if stone is not None and stone.sha256 != link.sha256:
        detail = f"SHA-256 {link.sha256} is not that of the manifest that was pruned, {stone.sha256}."
        return ChainFinding(Damage.CHANGED, key, detail)
    expected = link.sequence - 1 or None
    named = link.parent.sequence if link.parent else None
    if named != expected and link.lost_until != expected:
        detail = f"Names parent {named or 'none'} instead of {expected or 'none'}."
        return ChainFinding(Damage.REORDERED, key, detail)
    return None


def _recorded_parent(chain: Chain, stones: Mapping[int, Tombstone], sequence: int) -> Parent | None:
    """Return the parent that a snapshot or its tombstone names, or None where there is neither."""
    if (link := chain.links.get(sequence)) is not None:
        return link.parent
    return stones[sequence].parent if sequence in stones else None


def _does_not_fit(sequence: int, own: str, named: Parent) -> ChainFinding:
    detail = (
        f"SHA-256 {own} is not {named.sha256}, which the snapshot after it names. "
        "Restore it from a replica or an older version of the object."
    )
    return ChainFinding(Damage.CHANGED, manifest_key(sequence), detail)


def _missing(chain: Chain, stones: Mapping[int, Tombstone], lost: Collection[int], newest: int) -> list[ChainFinding]:
    # Unproved objects there were reported when they were read.
    there = {*chain.links, *stones, *lost, *(_number(finding.object) for finding in chain.findings)}
    absent = [number for number in range(1, newest + 1) if number not in there]
    findings = []
    for first, last in runs(absent):
        which = f"snapshot number {first}" if first == last else f"snapshots number {first} to {last}"
        are = "is" if first == last else "are"
        detail = f"{which.capitalize()} {are} missing, and no prune record says that prune removed it."
        findings.append(ChainFinding(Damage.MISSING, manifest_key(first), detail))
    return findings


def _number(key: str) -> int:
    return int(key.removeprefix(MANIFESTS)) if key.startswith(MANIFESTS) else 0


def _check_records(records: Sequence[Signed[PruneRecord]]) -> list[ChainFinding]:
    findings = []
    before: Signed[PruneRecord] | None = None
    for stored in records:
        record = stored.document
        expected = Parent(before.document.sequence, before.sha256) if before else None
        if record.parent != expected:
            named = f"record {record.parent.sequence} with another hash" if record.parent else "none"
            found = f"record {before.document.sequence}" if before else "none"
            detail = f"Names {named} as the record before it, which is {found}: a record was removed or changed."
            findings.append(ChainFinding(Damage.CHANGED, record.key, detail))
        if over := [stone.sequence for stone in record.snapshots if stone.sequence >= record.head.sequence]:
            detail = f"Removes snapshot {max(over)}, which was the newest."
            findings.append(ChainFinding(Damage.CHANGED, record.key, detail))
        before = stored
    return findings


def _check_newest_record(chain: Chain) -> list[ChainFinding]:
    """Check that the prune record is there which the newest manifest names."""
    if (named := chain.named_record) is None:
        return []
    found = {stored.document.sequence: stored.sha256 for stored in chain.records}
    if (own := found.get(named.sequence)) == named.sha256:
        return []
    damage = Damage.MISSING if own is None else Damage.CHANGED
    return [ChainFinding(damage, record_key(named.sequence), "The newest manifest names this prune record.")]


def _check_anchor(chain: Chain, anchor: Anchor) -> ChainFinding | None:
    key = manifest_key(anchor.sequence)
    head = chain.head
    if head is None or head.sequence < anchor.sequence:
        ends = f"ends at number {head.sequence}" if head else "is empty"
        detail = f"The chain {ends}, and {anchor.origin} names snapshot number {anchor.sequence}."
        return ChainFinding(Damage.ROLLED_BACK, key, detail)
    link, stone = chain.links.get(anchor.sequence), chain.tombstones.get(anchor.sequence)
    own = link.sha256 if link else stone.sha256 if stone else None
    if own is None or own == anchor.sha256:
        return None
    named = _recorded_parent(chain, chain.tombstones, anchor.sequence + 1)
    # Where the next link still names the true one, this one alone was changed; else the chain was rewritten.
    damage = Damage.CHANGED if named is not None and named.sha256 == anchor.sha256 else Damage.REWRITTEN
    detail = f"SHA-256 {own} is not {anchor.sha256}, which {anchor.origin} names."
    return ChainFinding(damage, key, detail)
