"""The door to a key that signs: an AWS connection and the key's name become a signer of manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.signature import Signer


def open_signer(key_id: str | None, aws_conn_id: str | None) -> Signer | None:
    """Return the signer of a KMS key, or None where none is named.

    :param key_id: a KMS key of usage ``SIGN_VERIFY`` or ``GENERATE_VERIFY_MAC``.
    :param aws_conn_id: the AWS connection.
    """
    if not key_id:
        return None
    from airflow_provider_elementary.hooks.store import aws_client
    from airflow_provider_elementary.snapshots.signature import KmsSigner

    return KmsSigner(aws_client("kms", aws_conn_id), key_id)
