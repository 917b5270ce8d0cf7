"""Commits a snapshot, and finds the one that an earlier attempt committed."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    KeyUnavailableError,
    SnapshotConflictError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
)
from airflow_provider_elementary.snapshots.capture.data_keys import OpenKeys
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.manifest import Manifest, Parent
from airflow_provider_elementary.snapshots.reader import committed_sequences, read_manifest
from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.layout import APPLICATION, data_folder, manifest_key
from airflow_provider_elementary.storage.store import Store

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_COMMIT_ATTEMPTS = 5
#: How many of the newest manifests are searched for the commit of a run: retries follow soon, and each is a request.
_RECENT = 8


def commit(repository: Repository, manifest: Manifest, plan: Plan, opened: OpenKeys) -> Manifest | None:
    """Write the manifest under the next free sequence number; of several writers one gets each number.

    A full snapshot stands on its own, so it is committed after whatever came first.

    :return: the manifest as committed; None where the parent of an incremental snapshot is no longer the newest.
    :raises SnapshotConflictError: others came first each time, or removed files of this snapshot.
    """
    store = repository.store
    for _ in range(_COMMIT_ATTEMPTS):
        sequences = committed_sequences(repository)
        newest = sequences[-1] if sequences else 0
        if plan.base is not None and newest != plan.base.manifest.sequence:
            return None
        parent = None
        if newest:
            content = store.get(manifest_key(newest)) or b""
            parent = Parent(newest, sha256(content))
            if plan.base is None:
                before = Manifest.from_bytes(content, manifest_key(newest))
                manifest = replace(manifest, epoch=before.epoch + 1 if plan.is_new_epoch else before.epoch)
        manifest = replace(manifest, sequence=newest + 1, parent=parent)
        manifest = replace(
            manifest, mac=_mac(manifest, [key.plaintext for key in opened.of_categories.values()], store)
        )
        _require_files(store, manifest)
        if store.put_if_absent(manifest_key(manifest.sequence), manifest.to_bytes()):
            log.info("committed snapshot %s as number %s in %s", manifest.snapshot_id, manifest.sequence, store.uri)
            return manifest
    raise SnapshotConflictError(
        f"Could not commit snapshot {manifest.snapshot_id} to {store.uri}: {_COMMIT_ATTEMPTS} attempts conflicted with "
        "other writers. Let one DAG run at a time write to a store (max_active_runs=1), and retry."
    )


def committed_for(repository: Repository, run_key: str, categories: Collection[Category]) -> Manifest | None:
    """Return the snapshot that an earlier attempt of the same run committed, if it is one of the newest.

    Anyone with write access to the store can put a manifest there that names the run. Without the MAC of a writer it
    is not taken for ours: it is not returned, not signed, and no anchor is made of it.

    :raises StoreError: the store or KMS failed; a retry may help.
    """
    for sequence in reversed(committed_sequences(repository)[-_RECENT:]):
        try:
            manifest = read_manifest(repository, sequence)
        except (SnapshotCorruptError, SnapshotNotFoundError):
            continue
        if manifest.run_key == run_key and _is_ours(manifest, repository, categories):
            return manifest
    return None


def _is_ours(manifest: Manifest, repository: Repository, categories: Collection[Category]) -> bool:
    """Return whether a writer with these master keys made the MAC of a manifest.

    :param categories: those of this attempt. A MAC under the keys of fewer could be a reader's; under none, anybody's.
    """
    if not categories or set(manifest.keys) != {category.value for category in categories}:
        return False
    keys = repository.keys
    plaintexts = []
    try:
        for category in categories:
            wrapped = manifest.keys[category.value]
            context = {"application": APPLICATION, "snapshot": manifest.snapshot_id, "category": category.value}
            # Only our own master key is asked: one that the manifest names may be the forger's.
            if wrapped.master_key_id != keys.master_key_id(category, context):
                return False
            plaintexts.append(keys.unwrap(category, wrapped))
    except (KeyUnavailableError, ValueError, TypeError):
        return False
    return hmac.compare_digest(manifest.mac.encode(), _mac(manifest, plaintexts, repository.store).encode())


def _mac(manifest: Manifest, data_keys: Sequence[bytes], store: Store) -> str:
    """Return the MAC of a manifest; in another store, or in another place of the chain, it does not hold."""
    message = f"{APPLICATION} commit\n{store.uri}\n".encode() + replace(manifest, mac="").to_bytes()
    return hmac.new(b"".join(sorted(data_keys)), message, "sha256").hexdigest()


def _require_files(store: Store, manifest: Manifest) -> None:
    sizes = {found.key: found.size for found in store.list(data_folder(manifest.snapshot_id))}
    missing = next((file.key for file in manifest.new_files if sizes.get(file.key) != file.size), None)
    if missing is not None:
        raise SnapshotConflictError(
            f"{missing} in {store.uri} was removed or replaced while the snapshot was written. A prune with an "
            "--orphan-hours shorter than a snapshot takes removes such files; give it more, and retry."
        )
