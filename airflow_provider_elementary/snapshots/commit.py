"""The commit: a manifest takes the next free place in the chain, or learns that another writer took it."""

from __future__ import annotations

import logging
from dataclasses import replace

from airflow_provider_elementary.exceptions import SnapshotConflictError
from airflow_provider_elementary.snapshots.data_keys import OpenKeys
from airflow_provider_elementary.snapshots.manifest import Manifest, Parent, manifest_key, sha256
from airflow_provider_elementary.snapshots.plan import Plan
from airflow_provider_elementary.snapshots.read import committed_sequences
from airflow_provider_elementary.snapshots.store import Store
from airflow_provider_elementary.snapshots.tries import intend, missing_file

log = logging.getLogger(__name__)

_COMMIT_TRIES = 5


class Overtaken(Exception):
    """The snapshot that an incremental one builds upon is no longer the newest."""


def commit(store: Store, manifest: Manifest, plan: Plan, opened: OpenKeys) -> Manifest:
    """Write the manifest under the next free sequence number; of several writers one gets each number.

    A full snapshot stands on its own, so it goes after whoever came first.

    :raises Overtaken: an incremental snapshot's parent is no longer the newest.
    :raises SnapshotConflictError: others came first each time, or removed files of this snapshot.
    """
    for _ in range(_COMMIT_TRIES):
        sequences = committed_sequences(store)
        newest = sequences[-1] if sequences else 0
        if plan.base is not None and newest != plan.base.manifest.sequence:
            raise Overtaken
        parent = None
        if newest:
            content = store.get(manifest_key(newest)) or b""
            parent = Parent(newest, sha256(content))
            if plan.base is None:
                before = Manifest.from_bytes(content, manifest_key(newest))
                manifest = replace(manifest, epoch=before.epoch + plan.is_new_epoch)
        manifest = replace(manifest, sequence=newest + 1, parent=parent)
        intend(store, manifest, opened)
        _require_files(store, manifest)
        if store.put_if_absent(manifest_key(manifest.sequence), manifest.to_bytes()):
            log.info("committed snapshot %s as number %s in %s", manifest.snapshot_id, manifest.sequence, store.uri)
            return manifest
    raise SnapshotConflictError(
        f"Expected to commit snapshot {manifest.snapshot_id} to {store.uri}, found that other writers came first "
        f"{_COMMIT_TRIES} times. Let one DAG run at a time write to a store (max_active_runs=1), and retry."
    )


def _require_files(store: Store, manifest: Manifest) -> None:
    if (missing := missing_file(store, manifest)) is not None:
        raise SnapshotConflictError(
            f"Expected {missing} in {store.uri} as this snapshot wrote it, found that it is gone or another. A prune "
            "with an --orphan-hours shorter than a snapshot takes removes such files; give it more, and retry."
        )
