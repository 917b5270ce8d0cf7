"""What a try of a snapshot has finished, kept so that a retry goes on from there and reads no finished table again.

A checkpoint is the manifest that a snapshot of the finished tables alone would have. A retry takes each of them for
what an increment takes the snapshot before for: it reads again only the window in which rows may still have come.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.snapshots.data_keys import OpenKeys, categories_of
from airflow_provider_elementary.snapshots.keys import Keys
from airflow_provider_elementary.snapshots.manifest import Manifest, begun_at, writer_versions
from airflow_provider_elementary.snapshots.plan import Plan, Terms, changed_columns, exceeds_window, is_same_place
from airflow_provider_elementary.snapshots.pruned import without_withdrawn
from airflow_provider_elementary.snapshots.read import SnapshotSource
from airflow_provider_elementary.snapshots.store import Store
from airflow_provider_elementary.snapshots.tries import missing_file
from airflow_provider_elementary.snapshots.vouching import is_vouched, vouch
from airflow_provider_elementary.warehouses.source import WarehouseSource

log = logging.getLogger(__name__)

# Prune leaves files that no manifest names alone for two days: what is taken up must outlive the retry.
_LIFE = timedelta(days=1)
_PURPOSE = "checkpoint"


def to_checkpoint(manifest: Manifest, opened: OpenKeys, store: Store) -> dict[str, str]:
    """Return the manifest of the finished tables as JSON values, with a seal that only the data keys make."""
    content = manifest.to_bytes()
    return {"manifest": content.decode(), "seal": vouch(content, opened, store, _PURPOSE)}


def take_up(
    checkpoint: Any, run_key: str, plan: Plan, terms: Terms, source: WarehouseSource, store: Store, keys: Keys
) -> Plan | None:
    """Return the plan to go on from what an earlier try finished; None where it does not fit this try.

    :param checkpoint: what was noted; it counts only with its seal, in this store and for this run.
    :param plan: what this try would do without it.
    :raises StoreError: the store or KMS failed; a retry may help.
    """
    if (manifest := _read(checkpoint)) is None or not is_vouched(
        manifest, str(checkpoint["seal"]), keys, categories_of(source, terms.policy), store, _PURPOSE
    ):
        log.warning(
            "what an earlier try finished is not taken up: expected its note under a seal of these master keys, for "
            "the categories of this try; found another. If neither was changed, look at who may write to the store"
        )
        return None
    if (reason := _misfit(manifest, run_key, plan, terms, source)) is not None:
        log.info("what an earlier try finished is not taken up: %s", reason)
        return None
    fitting = [name for name, entry in manifest.tables.items() if not exceeds_window(entry)]
    manifest, _ = without_withdrawn(store, _only(manifest, fitting))
    if (missing := missing_file(store, manifest)) is not None:
        log.warning("what an earlier try finished is not taken up: %s is not there any more", missing)
        return None
    rows = sum(entry.new_rows for entry in manifest.tables.values())
    log.info("going on from an earlier try, which finished %s tables with %s new rows", len(fitting), f"{rows:,}")
    return replace(plan, resumed=SnapshotSource(store, manifest, keys))


def _read(checkpoint: Any) -> Manifest | None:
    try:
        return Manifest.from_bytes(checkpoint["manifest"].encode(), "the checkpoint") if checkpoint["seal"] else None
    except (KeyError, TypeError, ValueError, AttributeError, SnapshotCorruptError):
        return None


def _misfit(manifest: Manifest, run_key: str, plan: Plan, terms: Terms, source: WarehouseSource) -> str | None:
    """Return why a checkpoint is not one of the snapshot that is planned, or None where it is."""
    cut, begun = manifest.cut, begun_at((*manifest.earlier_tries, manifest.snapshot_id)[0])
    if begun is None or datetime.now(UTC) - begun > _LIFE:
        return f"it was begun more than {_LIFE.days} day ago"
    if manifest.run_key != run_key:
        return "it is of another run"
    if cut is None or (cut.overlap, cut.commit_timeout) != (
        terms.overlap.total_seconds(),
        terms.commit_timeout.total_seconds(),
    ):
        return "overlap or commit_timeout changed"
    if manifest.policy != terms.policy.to_dict():
        return "the policy changed"
    if manifest.versions != writer_versions():
        return "other versions wrote it"
    if (manifest.kind, manifest.epoch, manifest.parent) != (plan.kind, plan.epoch, plan.parent_link):
        return "it goes on from another snapshot"
    if not is_same_place(manifest, source) or manifest.source.get("namespace") != source.namespace:
        return "the source is another one"
    return changed_columns(manifest, source, manifest.tables)


def _only(manifest: Manifest, tables: Sequence[str]) -> Manifest:
    """Return the checkpoint of some of its tables."""
    return replace(
        manifest,
        tables={name: manifest.tables[name] for name in tables},
        files=tuple(file for file in manifest.files if file.table in tables),
        held_back=tuple(entry for entry in manifest.held_back if _table_of(entry) in tables),
    )


def _table_of(entry: Mapping[str, Any]) -> str:
    return str(entry["table"] if "table" in entry else entry["column"].partition(".")[0])
