"""The door to a store: Airflow connections become an S3 or local store and the keys that seal its files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_elementary.exceptions import ConfigurationError, ConnectionNotFoundError

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots import Keys, Store

ServerSideEncryption = Literal["aws:kms", "AES256"]
KEYS_FIELD = "secret_keys"


class ElementaryStoreHook(BaseHook):
    """Opens a store of snapshots and the master keys of its categories.

    On S3 both layers of encryption are on: the server's, and the files' own with data keys from KMS. A local
    directory has the files' own, with master keys from an Airflow connection.

    :param store: ``s3://bucket/prefix`` or ``file:///absolute/directory``.
    :param aws_conn_id: the AWS connection for S3 and KMS.
    :param kms_key_id: the KMS key for server-side encryption, and the master key of every category.
    :param category_kms_key_ids: a KMS key of its own for some categories, by category.
    :param keys_conn_id: a connection whose extra holds ``secret_keys``: a master key in base64 for each category,
        as ``airflow-elementary keys generate`` makes them; for local stores, and for S3 without KMS.
    :param server_side_encryption: ``aws:kms``, or ``AES256`` for S3's own keys.
    """

    hook_name = "Elementary store"

    def __init__(
        self,
        store: str,
        *,
        aws_conn_id: str | None = "aws_default",
        kms_key_id: str | None = None,
        category_kms_key_ids: Mapping[str, str] | None = None,
        keys_conn_id: str | None = None,
        server_side_encryption: ServerSideEncryption = "aws:kms",
    ) -> None:
        super().__init__()
        self.uri = store
        self.aws_conn_id = aws_conn_id
        self.kms_key_id = kms_key_id
        self.category_kms_key_ids = category_kms_key_ids
        self.keys_conn_id = keys_conn_id
        self.server_side_encryption = server_side_encryption

    @cached_property
    def store(self) -> Store:
        """The store.

        :raises ConfigurationError: the URI names no store, or S3 is to use KMS and no key is named.
        :raises StoreRefusedError: the endpoint is not protected by verified TLS.
        """
        from airflow_provider_elementary.snapshots import open_store

        if not self.uri.startswith("s3://"):
            return open_store(self.uri)
        if self.server_side_encryption not in ("aws:kms", "AES256"):
            raise ConfigurationError(
                f"Expected server_side_encryption aws:kms or AES256, found {self.server_side_encryption!r}. "
                "Nothing is put on S3 unencrypted."
            )
        if self.server_side_encryption == "aws:kms" and not self.kms_key_id:
            raise ConfigurationError(
                f"Expected kms_key_id for {self.uri}, found none. Name a KMS key; or ask for S3's own keys with "
                "server_side_encryption='AES256' and give the files' master keys by keys_conn_id."
            )
        kms_key_id = self.kms_key_id if self.server_side_encryption == "aws:kms" else None
        return open_store(self.uri, s3_client=aws_client("s3", self.aws_conn_id), kms_key_id=kms_key_id)

    @cached_property
    def keys(self) -> Keys:
        """The master keys.

        :raises ConfigurationError: neither KMS nor a connection gives any; nothing is stored unencrypted.
        """
        from airflow_provider_elementary.snapshots import KmsKeys, LocalKeys

        if self.keys_conn_id:
            return LocalKeys(self._local_keys(self.keys_conn_id))
        if self.kms_key_id:
            from airflow_provider_elementary.catalog import Category

            key_ids = dict.fromkeys((category.value for category in Category), self.kms_key_id)
            return KmsKeys(aws_client("kms", self.aws_conn_id), {**key_ids, **(self.category_kms_key_ids or {})})
        raise ConfigurationError(
            f"Expected master keys for {self.uri}, found none: nothing is stored unencrypted. "
            "Give keys_conn_id (make keys with `airflow-elementary keys generate`) or kms_key_id."
        )

    def _local_keys(self, conn_id: str) -> dict[str, str]:
        try:
            keys = self.get_connection(conn_id).extra_dejson.get(KEYS_FIELD)
        except AirflowNotFoundException:
            raise ConnectionNotFoundError(
                f"Expected an Airflow connection {conn_id!r} with the master keys, found none. "
                "Make keys with `airflow-elementary keys generate` and keep them in the secrets backend."
            ) from None
        if not isinstance(keys, dict):
            raise ConfigurationError(
                f"Expected {KEYS_FIELD} in the extra of connection {conn_id!r}: a master key for each category. "
                "Found none. Make keys with `airflow-elementary keys generate`."
            )
        return keys


def aws_client(service: str, aws_conn_id: str | None) -> Any:
    """Return a boto3 client that is as patient as a store has to be."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    from airflow_provider_elementary.snapshots.store import limit_retries, patient_config

    hook: Any = AwsBaseHook(aws_conn_id=aws_conn_id, client_type=service)
    # What the connection's config_kwargs say comes last, and so wins. Set on the hook, it also goes for STS.
    hook.conn_config.botocore_config = patient_config().merge(hook.config)
    return limit_retries(hook.get_client_type(region_name=hook.region_name))
