"""The note that the tries of one run leave each other: what they are about to commit, and what they have finished."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_elementary.snapshots.manifest import Manifest, manifest_key, sha256
from airflow_provider_elementary.snapshots.store import Store


def intend(store: Store, run_key: str, snapshot_id: str, sequence: int | None) -> None:
    """Note, before the commit, under which number this run is about to commit: a second try finds it there.

    What earlier tries have finished stays noted.
    """
    facts = {**_read(store, run_key), "run_key": run_key, "snapshot_id": snapshot_id, "sequence": sequence}
    _write(store, run_key, facts)


def note_checkpoint(store: Store, run_key: str, snapshot_id: str, checkpoint: Any) -> None:
    """Note what this try has finished, in place of what earlier ones had.

    :param checkpoint: JSON values.
    """
    facts = {"run_key": run_key, "snapshot_id": snapshot_id, "sequence": None, "checkpoint": checkpoint}
    _write(store, run_key, facts)


def noted_checkpoint(store: Store, run_key: str) -> Any:
    """Return what the tries before have finished, or None; whoever may write to the store may have written it."""
    return _read(store, run_key).get("checkpoint")


def committed_for(store: Store, run_key: str) -> Manifest | None:
    """Return the snapshot that an earlier try of the same run committed, if it did."""
    facts = _read(store, run_key)
    if not isinstance(facts.get("sequence"), int) or (content := store.get(manifest_key(facts["sequence"]))) is None:
        return None
    manifest = Manifest.from_bytes(content, manifest_key(facts["sequence"]))
    is_of_run = (manifest.run_key, manifest.snapshot_id) == (run_key, facts["snapshot_id"])
    return manifest if is_of_run else None


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
