"""Takes, stores, reads and maintains snapshots."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.capture import write_snapshot
    from airflow_provider_elementary.snapshots.lookup import find_manifest
    from airflow_provider_elementary.snapshots.manifest import Manifest
    from airflow_provider_elementary.snapshots.policy import Policy
    from airflow_provider_elementary.snapshots.reader import SnapshotSource, open_snapshot
    from airflow_provider_elementary.snapshots.repository import Repository
    from airflow_provider_elementary.storage.keys import Keys, KmsKeys, LocalKeys
    from airflow_provider_elementary.storage.object_store.store import Store, open_store

__all__ = [
    "Keys",
    "KmsKeys",
    "LocalKeys",
    "Manifest",
    "Policy",
    "Repository",
    "SnapshotSource",
    "Store",
    "find_manifest",
    "open_snapshot",
    "open_store",
    "write_snapshot",
]

#: A table with more new rows than this is split: a worker encrypts them in about a minute.
ROWS_PER_PART = 2_000_000

_HOMES = {
    "snapshots.capture": ("write_snapshot",),
    "snapshots.manifest": ("Manifest",),
    "snapshots.policy": ("Policy",),
    "snapshots.lookup": ("find_manifest",),
    "snapshots.reader": ("SnapshotSource", "open_snapshot"),
    "snapshots.repository": ("Repository",),
    "storage.keys": ("Keys", "KmsKeys", "LocalKeys"),
    "storage.object_store.store": ("Store", "open_store"),
}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: forms and DAG files need the policy's facts, and no pyarrow."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"airflow_provider_elementary.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
