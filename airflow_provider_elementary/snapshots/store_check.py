"""Checks what a store's credentials and keys can do."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ConfigurationError, ElementaryError, KeyUnavailableError, StoreError
from airflow_provider_elementary.snapshots.lookup import committed_sequences, read_manifest
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.snapshots.store_setup import KmsKey, signer_of
from airflow_provider_elementary.storage.genesis import Role
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.signers import verify_signature
from airflow_provider_elementary.words import plural

PROBES = "probes/"
#: Only a refusal proves that credentials may not use a key; one that was not found or disabled proves nothing.
_REFUSED = ("AccessDenied", ": 403.")


@dataclass(frozen=True)
class StoreFinding:
    """How one check of a store ended.

    :param name: the check.
    :param status: ``pass``, ``fail``, or ``not applicable``.
    :param evidence: what was seen.
    """

    name: str
    status: Literal["pass", "fail", "not applicable"]
    evidence: str


@dataclass(frozen=True)
class StoreReport:
    """What a store's credentials and keys can do.

    :param store: the store's URI.
    :param findings: every check.
    """

    store: str
    findings: tuple[StoreFinding, ...]

    @property
    def passes(self) -> bool:
        """Whether no check failed."""
        return all(finding.status != "fail" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {"store": self.store, "passes": self.passes, "findings": [asdict(found) for found in self.findings]}


def describe_reading(repository: Repository) -> str:
    """Read the store as somebody without the right to write can, and return what that proves in one sentence.

    :raises ElementaryError: it cannot be read, or the keys open no category of its newest snapshot.
    """
    sequences = committed_sequences(repository)
    read = f"{repository.uri}: read {plural(len(sequences), 'snapshot')}"
    if not repository.has_keys:
        keys = "no keys named, so only manifests can be read"
    elif not sequences:
        # Files that are missing, or are no keys, are found out without a snapshot.
        _ = repository.keys
        keys = "keys not tried, as there is no snapshot yet"
    else:
        keys = describe_keys(*opened_categories(repository, read_manifest(repository, sequences[-1])))
    return f"{read}; {keys}; write: not tried (`airflow-elementary store check` on a worker tries it)."


def opened_categories(repository: Repository, manifest: Manifest) -> tuple[list[str], dict[str, KeyUnavailableError]]:
    """Return the categories of a snapshot that the keys open, and why each of the others stays closed.

    :raises KeyUnavailableError: the keys open none.
    """
    opened: list[str] = []
    closed: dict[str, KeyUnavailableError] = {}
    for name, wrapped in sorted(manifest.keys.items()):
        try:
            repository.keys.unwrap(Category(name), wrapped, Purpose.SNAPSHOT)
            opened.append(name)
        except KeyUnavailableError as error:
            closed[name] = error
    if closed and not opened:
        raise next(iter(closed.values()))
    return opened, closed


def describe_keys(opened: Sequence[str], closed: Collection[str]) -> str:
    """Say how many categories of the newest snapshot the keys open, and which they do not."""
    rest = f" (not {', '.join(closed)})" if closed else ""
    return f"the keys open {len(opened)} of {len(opened) + len(closed)} categories of the newest{rest}"


def check_reader(repository: Repository, kms: Callable[[], Any] | None = None) -> StoreReport:
    """Prove that a reader's connection reads the store, and that it can sign nothing.

    :param kms: returns a KMS client with the connection's credentials, which are tried on the store's signing keys.
    """
    findings = [
        _finding("read", lambda: describe_reading(repository)),
        _finding("cannot sign", lambda: _attempt_to_sign(repository, kms)),
    ]
    return StoreReport(repository.uri, tuple(findings))


def _attempt_to_sign(repository: Repository, kms: Callable[[], Any] | None) -> str:
    if repository.documents.signer is not None:
        raise ConfigurationError(
            f"The connection holds signing key {repository.documents.signer.key_id}. Remove signing_kms_key_id and "
            "signing_key from the connection of a reader."
        )
    seen = []
    for entry in repository.trust.current():
        if entry.kms_key_id is None:
            seen.append(f"key {entry.key.key_id} is held by its writer, and not by this connection")
            continue
        if kms is None:
            raise KeyUnavailableError(
                f"Whether this connection can use KMS key {entry.kms_key_id} was not tried: it names no way to KMS."
            )
        try:
            signer_of(KmsKey(kms(), entry.kms_key_id), repository.trust).sign(b"store check " + uuid.uuid4().bytes)
        except KeyUnavailableError as error:
            if not any(code in str(error) for code in _REFUSED):
                raise
            seen.append(f"KMS refused key {entry.kms_key_id}")
        else:
            raise ConfigurationError(
                f"The credentials of this connection can sign with KMS key {entry.kms_key_id}. Deny kms:Sign and "
                "kms:Decrypt on it to all but the writer."
            )
    return "; ".join(seen)


def check_store(repository: Repository) -> StoreReport:
    """Prove by probe objects, removed at the end, that snapshots can be taken into a store.

    What fails is in the report; nothing is raised for it.
    """
    store = repository.store
    # Named by chance, so that two checks at once do not meet.
    key = f"{PROBES}{uuid.uuid4().hex}"
    content = hashlib.sha256(key.encode()).digest()
    written: list[str] = []

    def read() -> str:
        return f"{plural(len(committed_sequences(repository)), 'snapshot')} listed"

    def write() -> str:
        if not store.put_if_absent(key, content):
            raise StoreError(f"{key} was there before it was written.")
        written.append(key)
        replaces = store.probe()
        raced = "of two writers of one object at once, one won, and a third was refused"
        if replaces:
            return f"{raced}; an object is replaced only if it is the one that was read (If-Match)"
        return f"{raced}; no If-Match, so that an outsider's object in the next place stops the sync, by name"

    def encryption() -> str:
        return f"at rest: {store.protection(key)}; on the way: {store.describe()['in_transit']}"

    def remove() -> str:
        store.delete(key)
        if store.get(key) is not None:
            raise StoreError(f"{key} is still there after it was deleted.")
        return "the probe is gone"

    findings = [_finding("read", read), _finding("put-if-absent", write)]
    # The probe is removed also where the store then replaced it.
    findings.append(_finding("encryption", encryption) if written else _skipped("encryption"))
    findings.append(_finding("delete", remove) if written else _skipped("delete"))
    for category in Category:
        findings.append(_finding(f"key of {category.value}", partial(_check_key, repository, category)))
    findings.append(_finding("signature", lambda: _check_signer(repository)))
    return StoreReport(store.uri, tuple(findings))


def _check_key(repository: Repository, category: Category) -> str:
    made = repository.keys.new_data_key(category, Purpose.CHECK)
    if repository.keys.unwrap(category, made.wrapped, Purpose.CHECK) != made.plaintext:
        raise StoreError("The data key that was opened differs from the one that was made.")
    return f"a data key made and opened by {made.wrapped.master_key_id}"


def _check_signer(repository: Repository) -> str:
    signer = repository.documents.require_signer()
    message = b"store check " + uuid.uuid4().bytes
    key = repository.trust.key(signer.key_id)
    if key is None or not repository.trust.can(signer.key_id, Role.STORE):
        raise ConfigurationError(
            f"Signing key {signer.key_id} is none of this store. Use the key that the store was created with, or that "
            "was introduced last."
        )
    if not verify_signature(key, message, signer.sign(message)):
        raise StoreError(f"The signature by {signer.key_id} does not verify.")
    return f"signed by {signer.key_id} ({signer.algorithm}), and verified with the public key alone"


def _finding(name: str, check: Callable[[], str]) -> StoreFinding:
    try:
        return StoreFinding(name, "pass", check())
    except ElementaryError as error:
        return StoreFinding(name, "fail", str(error))


def _skipped(name: str) -> StoreFinding:
    return StoreFinding(name, "not applicable", "no probe was written")
