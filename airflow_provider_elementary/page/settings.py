"""One store of the Elementary page, opened by its own connection, with its own keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.hooks.store import ElementaryStoreHook

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Keys, Repository, Store


class OpenedStore:
    """A store and its keys; each is opened when it is first used.

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
        """Whether the connection names keys; without any, and where it cannot be read, there are manifests at most."""
        try:
            return self._hook.settings.has_keys
        except ElementaryError:
            return False

    @property
    def repository(self) -> Repository:
        """The store's snapshots.

        :raises ElementaryError: the store does not open; the message says why.
        """
        return self._hook.repository

    @property
    def store(self) -> Store:
        """The store's objects.

        :raises ElementaryError: it does not open; the message says why.
        """
        return self.repository.store

    @property
    def keys(self) -> Keys:
        """The master keys.

        :raises ConfigurationError: the connection names none, or what it names holds none.
        """
        return self.repository.keys
