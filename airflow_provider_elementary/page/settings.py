"""Opens a store of the Elementary page by its Airflow connection."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.page.listings import ViewedStore

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Repository, Store
    from airflow_provider_elementary.storage.keys import StoreKeys


class OpenedStore:
    """A store and its keys; each is opened at first use.

    :param store_conn_id: the connection of the store.
    """

    def __init__(self, store_conn_id: str) -> None:
        self.store_conn_id = store_conn_id
        self._hook = ElementaryStoreHook(store_conn_id)

    @property
    def uri(self) -> str:
        """The store's URI; where the connection cannot be read, the connection's id."""
        try:
            return self._hook.settings.uri
        except ElementaryError:
            return self.store_conn_id

    @property
    def has_keys(self) -> bool:
        """Whether the connection names keys; False also where it cannot be read."""
        try:
            return self._hook.settings.has_keys
        except ElementaryError:
            return False

    @property
    def is_pinned(self) -> bool:
        """Whether the connection pins the store; True also where it cannot be read, and nothing is shown."""
        try:
            return self._hook.settings.store_id is not None
        except ElementaryError:
            return True

    @cached_property
    def repository(self) -> Repository:
        """The store's snapshots.

        :raises ElementaryError: the store does not open.
        """
        repository = self._hook.repository
        ViewedStore.share(repository)
        return repository

    @property
    def store(self) -> Store:
        """The store's objects.

        :raises ElementaryError: it does not open.
        """
        return self.repository.store

    @property
    def keys(self) -> StoreKeys:
        """The master keys.

        :raises ConfigurationError: the connection names no keys, or none were found.
        """
        return self.repository.keys
