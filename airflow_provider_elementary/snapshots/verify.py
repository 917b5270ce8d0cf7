"""Verifies the chain, signatures and files of a store."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import KeyUnavailableError, SnapshotCorruptError, SnapshotNotFoundError
from airflow_provider_elementary.progress import Progress, no_progress
from airflow_provider_elementary.snapshots.chain import (
    Anchor,
    Chain,
    ChainFinding,
    ChainLink,
    Damage,
    check_chain,
    read_chain,
)
from airflow_provider_elementary.snapshots.manifest import FileEntry, Manifest
from airflow_provider_elementary.snapshots.reader import none_found
from airflow_provider_elementary.storage.encrypted_parquet import open_encrypted
from airflow_provider_elementary.storage.keys import Keys
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.signatures import DATA_KEY, KeysSigner, Signature, Signer, read_signature
from airflow_provider_elementary.storage.store import Store
from airflow_provider_elementary.times import in_utc

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_CHUNK = 4 * 1024 * 1024
_SPOOL_BYTES = 32 * 1024 * 1024
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
    :param findings: everything that is not as it was written; empty for a sound store.
    :param notes: what is in order and yet worth knowing.
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
    findings: tuple[ChainFinding, ...]
    notes: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether everything is as it was written."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "store": self.store,
            "sound": self.sound,
            "snapshots": list(self.snapshots),
            "manifests": self.manifests,
            "pruned": self.pruned,
            "head": {"sequence": self.head.sequence, "manifest_sha256": self.head.sha256} if self.head else None,
            "files": self.files,
            "bytes": self.size,
            "opened": self.opened,
            "rows": self.rows,
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


@dataclass
class _Checked:
    """What is gathered while the files are read."""

    findings: list[ChainFinding] = field(default_factory=list)
    files: int = 0
    size: int = 0
    opened: int = 0
    rows: int = 0


@dataclass(frozen=True)
class _Named:
    """A file, the snapshots that name it, and one of their manifests."""

    file: FileEntry
    manifest: Manifest
    by: list[str]


def verify(
    repository: Repository,
    *,
    snapshot: str | datetime = "latest",
    anchors: Iterable[Anchor] = (),
    decrypt: bool | None = None,
    categories: Sequence[Category] = tuple(Category),
    progress: Progress = no_progress,
) -> VerifyReport:
    """Check that a store is as it was written; the chain always whole, the files of one snapshot or of all.

    Without keys: that every manifest is in its place in the chain, and every file there, of its size and its SHA-256.
    With keys also: that every file opens with its data key, holds the rows that the manifest says, and that prune
    records were made by somebody with the keys. The repository's signer has to have signed every manifest and prune
    record; without one, the signatures that there are are checked as far as the keys can.

    :param snapshot: whose files are read: ``latest``, ``all``, an id or a time as :func:`open_snapshot` takes it.
    :param anchors: hashes of manifests that were kept elsewhere; only they reveal a chain that was cut short or
        rewritten as a whole.
    :param decrypt: open every file, which needs the keys; by default where keys are named. Else compare hashes only.
    :param categories: the categories that the keys are expected to open.
    :param progress: goes through the files; shows the progress where somebody looks.
    :raises SnapshotNotFoundError: there is no such snapshot.
    """
    store, signer = repository.store, repository.signer
    keys = repository.keys if decrypt or (decrypt is None and repository.has_keys) else None
    chain = read_chain(repository)
    findings, notes = check_chain(chain, anchors)
    findings = [*chain.findings, *findings]
    findings += _check_signatures(store, chain, signer, keys)
    selected = _select(repository, chain, snapshot)
    named = _files_named(store, selected)
    expired = {file.key for stored in chain.records for file in stored.record.expired}
    checked = _check_files(store, keys, frozenset(categories), named, expired, progress)
    findings += checked.findings
    if gone := sum(key in expired for key in named):
        notes.append(f"{gone} files expired: prune removed them by the retention of their category")
    head = Anchor(chain.head.sequence, chain.head.sha256) if chain.head else None
    if signer is None and head is not None and not any(anchor.sequence >= head.sequence for anchor in anchors):
        notes.append(f"{manifest_key(head.sequence)} is not anchored: pass --anchor, or sign snapshots")
    return VerifyReport(
        store=store.uri,
        snapshots=tuple(link.snapshot_id or "" for link in selected),
        manifests=len(chain.links),
        pruned=len(chain.tombstones),
        head=head,
        files=checked.files,
        size=checked.size,
        opened=checked.opened,
        rows=checked.rows,
        findings=tuple(findings),
        notes=tuple(notes),
    )


def _select(repository: Repository, chain: Chain, snapshot: str | datetime) -> list[ChainLink]:
    """Return the readable manifests whose files are to be checked."""
    readable = [link for _, link in sorted(chain.links.items()) if link.claimed is not None]
    if snapshot == "all":
        return readable
    if isinstance(snapshot, datetime):
        snapshot = in_utc(snapshot)
        found = [link for link in readable if link.taken_at is not None and link.taken_at <= snapshot][-1:]
    else:
        found = readable[-1:] if snapshot == "latest" else [link for link in readable if link.snapshot_id == snapshot]
    if not readable and not chain.findings:
        raise none_found(repository)
    if not found and not (snapshot == "latest" and chain.findings):
        raise SnapshotNotFoundError(
            f"{repository.uri} holds no snapshot {snapshot}, but {len(readable)} others. "
            "Name one of those that `airflow-elementary snapshot list` or the Elementary page shows, or latest."
        )
    return found


def _files_named(store: Store, selected: Sequence[ChainLink]) -> dict[str, _Named]:
    """Return every file that the manifests name, once, however many name it."""
    named: dict[str, _Named] = {}
    for link in selected:
        # Also of one that is not in its place: its files are to be what it says all the same.
        manifest = Manifest.from_bytes(store.get(manifest_key(link.sequence)) or b"", manifest_key(link.sequence))
        for file in manifest.files:
            if file.key in named:
                named[file.key].by.append(manifest.snapshot_id)
            else:
                named[file.key] = _Named(file, manifest, [manifest.snapshot_id])
    return named


def _check_files(
    store: Store,
    keys: Keys | None,
    categories: frozenset[Category],
    named: Mapping[str, _Named],
    expired: set[str],
    progress: Progress,
) -> _Checked:
    checked = _Checked()
    sizes = {
        found.key: found.size
        for prefix in sorted({f"{key.partition('/')[0]}/" for key in named})
        for found in store.list(prefix)
    }
    # A file of another one's size may be that other one.
    sizes_named = {entry.file.size for entry in named.values()}
    owners = {entry.file.sha256: key for key, entry in named.items()}
    refused: set[Category] = set()
    for key, entry in progress(named.items(), "Verifying files"):
        if key not in sizes:
            if key not in expired:
                detail = f"The object is missing ({entry.file.size:,} bytes of {entry.file.table}); {_by(entry)}."
                checked.findings.append(ChainFinding(Damage.MISSING, key, detail))
            continue
        checked.files += 1
        checked.size += sizes[key]
        if sizes[key] != entry.file.size and sizes[key] not in sizes_named:
            detail = f"Has {sizes[key]:,} bytes instead of {entry.file.size:,}; {_by(entry)}."
            checked.findings.append(ChainFinding(Damage.CHANGED, key, detail))
            continue
        with _downloaded(store, key, keep=keys is not None) as (file, digest):
            if digest != entry.file.sha256:
                checked.findings.append(_of_another(entry, digest, owners))
            elif keys is not None and entry.file.category in categories - refused:
                _open(checked, keys, entry, file, refused)
    return checked


def _open(checked: _Checked, keys: Keys, entry: _Named, file: BinaryIO, refused: set[Category]) -> None:
    """Decrypt a file and count its rows."""
    category = entry.file.category
    try:
        data_key = keys.unwrap(category, entry.manifest.keys[category])
    except (KeyUnavailableError, KeyError) as error:
        reason = f"No data key opens: {error}" if isinstance(error, KeyUnavailableError) else "Found no data key."
        refused.add(category)
        detail = f"{category.label}. {reason}"
        checked.findings.append(ChainFinding(Damage.NOT_DECRYPTABLE, entry.file.key, detail, needs_key=True))
        return
    try:
        rows = sum(batch.num_rows for batch in open_encrypted(file, data_key, entry.file.key))
    except SnapshotCorruptError as error:
        checked.findings.append(ChainFinding(Damage.NOT_DECRYPTABLE, entry.file.key, str(error)))
        return
    checked.opened += 1
    checked.rows += rows
    if rows != entry.file.rows:
        detail = f"Has {rows:,} rows instead of {entry.file.rows:,}; {_by(entry)}."
        checked.findings.append(ChainFinding(Damage.CHANGED, entry.file.key, detail))


@contextmanager
def _downloaded(store: Store, key: str, *, keep: bool) -> Iterator[tuple[BinaryIO, str]]:
    """Hash an object while it is copied to where it can be opened; the copy holds only encrypted bytes."""
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as copy:
        with store.open(key) as source:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                if keep:
                    copy.write(chunk)
        copy.seek(0)
        yield cast(BinaryIO, copy), digest.hexdigest()


def _of_another(entry: _Named, digest: str, owners: Mapping[str, str]) -> ChainFinding:
    """Say that a file holds other bytes than it did, and whose, if they are another file's."""
    if digest in owners:
        detail = f"Content belongs to another object: {owners[digest]}; {_by(entry)}."
        return ChainFinding(Damage.REORDERED, entry.file.key, detail)
    detail = f"SHA-256 is {digest} instead of {entry.file.sha256}; {_by(entry)}."
    return ChainFinding(Damage.CHANGED, entry.file.key, detail)


def _by(entry: _Named) -> str:
    more = f" and {len(entry.by) - 1} more" if len(entry.by) > 1 else ""
    return f"named by snapshot {entry.by[0]}{more}"


def _check_signatures(store: Store, chain: Chain, signer: Signer | None, keys: Keys | None) -> Iterator[ChainFinding]:
    """Check the signatures of prune records where the keys allow it, and those of manifests."""
    own = KeysSigner(keys) if keys is not None else None
    for key, digest, required in (
        *((manifest_key(link.sequence), link.sha256, signer is not None) for link in chain.links.values()),
        *((stored.record.key, stored.sha256, True) for stored in chain.records),
    ):
        if signer is None and own is None:
            return
        try:
            signature = read_signature(store, key)
            if signature is None:
                if required:
                    detail = "Not signed. Anyone with write access to the store could have written it."
                    yield ChainFinding(Damage.UNPROVED, key, detail)
            elif (verifier := _verifier_of(signature, signer, own)) is None:
                if required:
                    detail = f"Signed by {signature.key_id}, which is none of the keys that were given."
                    yield ChainFinding(Damage.UNPROVED, key, detail)
            elif not verifier.proves(digest, signature):
                detail = f"Signature by {signature.key_id} is invalid."
                yield ChainFinding(Damage.UNPROVED, key, detail)
        except (SnapshotCorruptError, KeyUnavailableError) as error:
            yield ChainFinding(Damage.UNPROVED, key, str(error), needs_key=isinstance(error, KeyUnavailableError))


def _verifier_of(signature: Signature, signer: Signer | None, own: Signer | None) -> Signer | None:
    """Return the signer that can check a signature; one by a signing key needs the given signer."""
    if signer is not None:
        return signer
    return own if signature.algorithm == DATA_KEY else None
