"""The note that the tries of one run leave each other: what they are about to commit, and what they have finished."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.snapshots.data_keys import OpenKeys
from airflow_provider_elementary.snapshots.keys import Keys
from airflow_provider_elementary.snapshots.manifest import Manifest, manifest_key, sha256
from airflow_provider_elementary.snapshots.store import Store
from airflow_provider_elementary.snapshots.vouching import is_vouched, vouch

_PURPOSE = "commit"


def begin(store: Store, run_key: str, snapshot_id: str) -> None:
    """Note that a try began; what earlier tries have finished stays noted."""
    _write(store, run_key, {**_read(store, run_key), "run_key": run_key, "snapshot_id": snapshot_id, "sequence": None})


def intend(store: Store, manifest: Manifest, opened: OpenKeys) -> None:
    """Note, before the commit, the manifest that is about to be committed: a second try finds it by that, sealed."""
    facts = {
        "run_key": manifest.run_key,
        "snapshot_id": manifest.snapshot_id,
        "sequence": manifest.sequence,
        "seal": vouch(manifest.to_bytes(), opened, store, _PURPOSE),
    }
    _write(store, manifest.run_key, {**_read(store, manifest.run_key), **facts})


def note_checkpoint(store: Store, run_key: str, snapshot_id: str, checkpoint: Any) -> None:
    """Note what this try has finished, in place of what earlier ones had.

    :param checkpoint: JSON values.
    """
    facts = {"run_key": run_key, "snapshot_id": snapshot_id, "sequence": None, "checkpoint": checkpoint}
    _write(store, run_key, facts)


def noted_checkpoint(store: Store, run_key: str) -> Any:
    """Return what the tries before have finished, or None; whoever may write to the store may have written it."""
    return _read(store, run_key).get("checkpoint")


def committed_for(store: Store, run_key: str, keys: Keys, categories: Collection[Category]) -> Manifest | None:
    """Return the snapshot that an earlier try of the same run committed, if it did.

    Whoever may write to the store may have put a manifest there, and the note that leads to it: without the seal of a
    writer it is not one of ours, is not signed, and no anchor is made of it.
    """
    facts = _read(store, run_key)
    if not isinstance(facts.get("sequence"), int) or (content := store.get(manifest_key(facts["sequence"]))) is None:
        return None
    try:
        manifest = Manifest.from_bytes(content, manifest_key(facts["sequence"]))
    except SnapshotCorruptError:
        return None
    is_of_run = manifest.run_key == run_key and manifest.to_bytes() == content
    is_ours = is_of_run and is_vouched(manifest, str(facts.get("seal")), keys, categories, store, _PURPOSE)
    return manifest if is_ours else None


def missing_file(store: Store, manifest: Manifest) -> str | None:
    """Return a new file of a manifest that is not in the store as it was written, or None."""
    tries = {file.snapshot_id for file in manifest.new_files}
    sizes = {found.key: found.size for writer in tries for found in store.list(f"data/{writer}/")}
    return next((file.key for file in manifest.new_files if sizes.get(file.key) != file.size), None)


def _read(store: Store, run_key: str) -> dict[str, Any]:
    """Return the note; one that is not ours says nothing, and what follows is a snapshot more."""
    try:
        facts = json.loads(store.get(_key(run_key)) or b"{}")
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) and facts.get("run_key") == run_key else {}


def _write(store: Store, run_key: str, facts: dict[str, Any]) -> None:
    store.put(_key(run_key), json.dumps(facts, sort_keys=True).encode())


def _key(run_key: str) -> str:
    return f"runs/{sha256(run_key.encode())[:32]}.json"
