"""The door to a key that signs: an AWS connection and the key's name become a signer of manifests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.signature import Signer


def open_signer(key_ids: str | Sequence[str] | None, aws_conn_id: str | None) -> Signer | None:
    """Return the signer of a KMS key, or None where none is named; of several, a signature by any of them counts.

    :param key_ids: a KMS key of usage ``SIGN_VERIFY`` or ``GENERATE_VERIFY_MAC``; several in a list, or in a text with
        commas between them.
    :param aws_conn_id: the AWS connection.
    """
    named = key_ids.split(",") if isinstance(key_ids, str) else key_ids or ()
    if not (wanted := [key_id.strip() for key_id in named if key_id.strip()]):
        return None
    from airflow_provider_elementary.hooks.store import aws_client
    from airflow_provider_elementary.snapshots.signature import AnyOf, KmsSigner

    client = aws_client("kms", aws_conn_id)
    signers = [KmsSigner(client, key_id) for key_id in wanted]
    return AnyOf(signers) if len(signers) > 1 else signers[0]
