"""Takes, stores, reads and maintains snapshots."""

from typing import TYPE_CHECKING

from airflow_provider_elementary.lazy_names import lazy_names

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

__getattr__ = lazy_names(
    __name__,
    {
        "snapshots.capture": ("write_snapshot",),
        "snapshots.manifest": ("Manifest",),
        "snapshots.policy": ("Policy",),
        "snapshots.lookup": ("find_manifest",),
        "snapshots.reader": ("SnapshotSource", "open_snapshot"),
        "snapshots.repository": ("Repository",),
        "storage.keys": ("Keys", "KmsKeys", "LocalKeys"),
        "storage.object_store.store": ("Store", "open_store"),
    },
)
