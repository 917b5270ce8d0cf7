"""The stores that the Elementary page shows, as Airflow's configuration names them, and the keys that open them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import conf

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.hooks.store import ElementaryStoreHook

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Keys, Store


@dataclass(frozen=True)
class StoreSettings:
    """How the page reaches one store.

    :param uri: the store.
    :param aws_conn_id: the AWS connection for S3 and KMS.
    :param keys_conn_id: the connection with the master keys, or None.
    :param kms_key_id: the KMS key that wrapped the data keys, or None.
    """

    uri: str
    aws_conn_id: str | None
    keys_conn_id: str | None
    kms_key_id: str | None

    @property
    def has_keys(self) -> bool:
        """Whether the configuration names keys; without any, the page shows manifests only."""
        return bool(self.keys_conn_id or self.kms_key_id)


class OpenedStore:
    """A store and its keys; each is opened when it is first used.

    :param settings: how to reach it.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self._hook = ElementaryStoreHook(
            settings.uri,
            aws_conn_id=settings.aws_conn_id,
            kms_key_id=settings.kms_key_id,
            keys_conn_id=settings.keys_conn_id,
            # Nothing is written, so no key is named for the server's encryption.
            server_side_encryption="AES256",
        )

    @cached_property
    def store(self) -> Store:
        """The store.

        :raises ElementaryError: it does not open; the message says why.
        """
        return self._hook.store

    @cached_property
    def keys(self) -> Keys:
        """The master keys.

        :raises ConfigurationError: the configuration names none, or what it names holds none.
        """
        if not self.settings.has_keys:
            raise ConfigurationError(
                "Expected [elementary] keys_conn_id or kms_key_id in Airflow's configuration, found neither: without "
                "keys this page shows manifests only. Name the connection that holds the master keys, or the KMS key."
            )
        return self._hook.keys


def configured_stores() -> list[StoreSettings]:
    """Return the stores of ``[elementary] stores``, in their order."""

    def option(name: str, default: str = "") -> str:
        return conf.get("elementary", name, fallback=default) or ""

    return [
        StoreSettings(
            uri=uri.strip(),
            aws_conn_id=option("aws_conn_id", "aws_default") or None,
            keys_conn_id=option("keys_conn_id") or None,
            kms_key_id=option("kms_key_id") or None,
        )
        for uri in option("stores").split(",")
        if uri.strip()
    ]
