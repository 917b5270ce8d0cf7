"""Defines ``OpenStore``: a store with its keys and signed documents."""

from __future__ import annotations

from typing import Protocol

from airflow_provider_elementary.storage.kept_files import KeptFiles
from airflow_provider_elementary.storage.keys import StoreKeys
from airflow_provider_elementary.storage.object_store.store import Store
from airflow_provider_elementary.storage.signed_documents import Documents


class OpenStore(Protocol):
    """What results and reports need of a repository."""

    store: Store
    #: The small files that the task keeps; None outside a task.
    kept: KeptFiles | None

    @property
    def uri(self) -> str:
        """The store's URI."""
        ...

    @property
    def keys(self) -> StoreKeys:
        """The master keys."""
        ...

    @property
    def documents(self) -> Documents:
        """The signed documents."""
        ...
