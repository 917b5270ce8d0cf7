"""Signs, reads and compares what is recorded of snapshots outside their store."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import SnapshotCorruptError, SnapshotNotFoundError
from airflow_provider_elementary.snapshots.chain import Anchor
from airflow_provider_elementary.snapshots.lookup import find_head, read_signed
from airflow_provider_elementary.snapshots.prune_record import read_records, tombstones
from airflow_provider_elementary.storage.documents import MAX_BYTES, STRICT, Codec, NaiveTime
from airflow_provider_elementary.storage.genesis import Role, Trust
from airflow_provider_elementary.storage.layout import signer_key
from airflow_provider_elementary.storage.signed_documents import Documents
from airflow_provider_elementary.storage.trust import introduced, put_back

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.manifest import Manifest
    from airflow_provider_elementary.snapshots.manifest_document import ManifestDocument
    from airflow_provider_elementary.snapshots.repository import Repository
    from airflow_provider_elementary.storage.signed_documents import Signed

log = logging.getLogger(__name__)

#: No object has this name: a statement travels in XCom and in Asset events.
_NAME = "anchor"


@dataclass(frozen=True)
class AnchorStatement:
    """That a store had a snapshot.

    :param sequence: its place in the chain.
    :param sha256: the hash of its manifest.
    :param created_at: when it was taken.
    """

    sequence: int
    sha256: str
    created_at: NaiveTime
    format_version: int = 2

    __pydantic_config__ = STRICT


_CODEC = Codec(AnchorStatement, "anchor", "Give what a snapshot task returned.", 2)


def sign_anchor(repository: Repository, manifest: Manifest) -> str:
    """Return a signed statement about a snapshot, to be kept outside the store.

    The introductions of all keys that were ever introduced go with it: without them, somebody who removes them from the
    store would make a key valid again that one of them revoked.
    """
    statement = AnchorStatement(manifest.sequence, manifest.sha256, manifest.created_at)
    signed = repository.documents.encode(_NAME, _CODEC, statement, Role.STORE)[1]
    return b"\n".join((*repository.trust.signed, signed)).decode()


def read_anchor(repository: Repository, statement: Any, origin: str = "the anchor") -> Anchor:
    """Return the anchor that a signed statement holds.

    Where an introduction of a key that goes with it is missing in the store, a writer puts it back.

    :param statement: whatever came with XCom or an Asset event.
    :param origin: where it was recorded, in words.
    :raises UnprovedError: no key of the store signed it.
    :raises SnapshotCorruptError: the store lacks the introduction of a key, and this is no writer.
    """
    text = statement if isinstance(statement, str) and len(statement) <= MAX_BYTES else ""
    # A signed line and its JSON, which has no line feed: two lines each.
    lines = text.encode(errors="replace").split(b"\n")
    parts = [b"\n".join(lines[place : place + 2]) for place in range(0, len(lines), 2)]
    known = repository.trust
    trust = replace(known, introductions=(), signed=())
    for content in parts[:-1]:
        trust = introduced(repository.store, trust, content)
    is_known = trust.signed == known.signed[: len(trust.signed)]
    # The store's newest introduction counts too: it may revoke the key of an older anchor.
    signers = known if is_known else trust
    found = Documents(repository.store, signers).decode(parts[-1], _NAME, _CODEC, Role.STORE).document
    if not is_known and known.signed != trust.signed[: len(known.signed)]:
        raise SnapshotCorruptError(
            f"{signer_key(_first_difference(trust, known))} of {repository.uri} introduces another signing key than "
            f"{origin} holds. One of them is by somebody who has a key that was replaced. Compare both with the key id "
            "that `store rotate-signing-key` printed, and remove the wrong one."
        )
    if not is_known:
        _put_back(repository, trust, origin)
    return Anchor(found.sequence, found.sha256, origin)


def _first_difference(one: Trust, other: Trust) -> int:
    pairs = zip(one.signed, other.signed, strict=False)
    return next(number for number, (first, second) in enumerate(pairs, 1) if first != second)


def _put_back(repository: Repository, trust: Trust, origin: str) -> None:
    missing = range(len(repository.trust.introductions) + 1, len(trust.introductions) + 1)
    names = ", ".join(map(signer_key, missing))
    if not repository.is_writer:
        raise SnapshotCorruptError(
            f"{names} of {repository.uri} is missing or was replaced, and {origin} holds it: without it, a key that it "
            "revoked counts again. Run the snapshot task, which puts it back, or restore it from an older version of "
            "the object, and find out who removed it."
        )
    for number in missing:
        put_back(repository.store, repository.trust, trust.signed[number - 1])
        repository.read_again()
    log.warning(
        "%s of %s was missing, and was put back from %s: find out who removed it", names, repository.uri, origin
    )


def require_anchor(repository: Repository, anchor: Anchor, head: Signed[ManifestDocument] | None = None) -> None:
    """Raise unless the chain contains an anchor.

    :param head: the newest manifest, where the caller has found it.
    :raises SnapshotCorruptError: it ends before it, or has another manifest in its place.
    """
    if (finding := anchor_finding(repository, anchor, head)) is not None:
        raise SnapshotCorruptError(
            f"The snapshot chain in {repository.uri} does not contain {anchor.origin}: {finding}. Newer snapshots were "
            "removed or replaced. Restore them from a replica or older versions of the objects."
        )


def anchor_finding(repository: Repository, anchor: Anchor, head: Signed[ManifestDocument] | None = None) -> str | None:
    """Return how the chain differs from an anchor, in words, or None where it contains it.

    :param head: the newest manifest, where the caller has found it.
    """
    head = head or find_head(repository)
    if head is None or head.document.sequence < anchor.sequence:
        ends = f"ends at number {head.document.sequence}" if head else "is empty"
        return f"it {ends}, and snapshot number {anchor.sequence} was recorded"
    try:
        own: str | None = read_signed(repository, anchor.sequence).sha256
    except SnapshotNotFoundError:
        stones = tombstones(list(read_records(repository)))
        own = stones[anchor.sequence].sha256 if anchor.sequence in stones else None
    except SnapshotCorruptError:
        own = None
    if own == anchor.sha256:
        return None
    return f"manifest {anchor.sequence} has SHA-256 {own or 'unknown'} and not {anchor.sha256}"
