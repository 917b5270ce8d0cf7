"""Takes, stores, reads and maintains snapshots."""

from airflow_provider_elementary.snapshots.capture import write_snapshot
from airflow_provider_elementary.snapshots.manifest import Manifest
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.snapshots.reader import SnapshotSource, find_manifest, open_snapshot
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.storage.keys import Keys, KmsKeys, LocalKeys
from airflow_provider_elementary.storage.store import Store, open_store

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
