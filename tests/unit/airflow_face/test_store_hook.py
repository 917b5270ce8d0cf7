"""A store is opened only where both its objects and its files will be encrypted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.exceptions import ConfigurationError, ConnectionNotFoundError, StoreRefusedError
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.snapshots import LocalKeys
from tests.connections import local_keys

Connect = Callable[[str, Mapping[str, object]], str]

AWS = {"conn_type": "aws", "login": "id", "password": "secret", "extra": {"region_name": "eu-central-1"}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"store": "s3://bucket/prefix"}, "Expected kms_key_id for s3://bucket/prefix, found none"),
        ({"store": "s3://bucket", "server_side_encryption": "none"}, "Nothing is put on S3 unencrypted"),
        ({"store": "gs://bucket/prefix"}, "Expected a store like s3://bucket/prefix or file:///absolute/directory"),
        ({"store": "relative/directory"}, "found 'relative/directory'"),
        ({"store": "file://host/share"}, "found 'file://host/share'"),
    ],
)
def test_a_store_that_would_not_be_protected_or_found_is_refused(arguments: dict[str, Any], message: str) -> None:
    hook = ElementaryStoreHook(**arguments)

    with pytest.raises(ConfigurationError, match=message):
        _ = hook.store


def test_a_plaintext_endpoint_is_refused(airflow_connection: Connect) -> None:
    conn_id = airflow_connection(
        "aws", {**AWS, "extra": {**AWS["extra"], "endpoint_url": "http://minio.internal:9000"}}
    )  # type: ignore[dict-item]
    hook = ElementaryStoreHook("s3://bucket/prefix", aws_conn_id=conn_id, kms_key_id="alias/elementary")

    with pytest.raises(StoreRefusedError, match=r"found http://minio\.internal"):
        _ = hook.store


def test_a_local_store_without_keys_is_refused(tmp_path: Path) -> None:
    hook = ElementaryStoreHook(tmp_path.as_uri())

    with pytest.raises(ConfigurationError, match="found none: nothing is stored unencrypted"):
        _ = hook.keys


def test_a_keys_connection_that_is_not_there_is_told(tmp_path: Path) -> None:
    hook = ElementaryStoreHook(tmp_path.as_uri(), keys_conn_id="nowhere")

    with pytest.raises(ConnectionNotFoundError, match="Expected an Airflow connection 'nowhere' with the master keys"):
        _ = hook.keys


def test_a_keys_connection_without_keys_is_told(tmp_path: Path, airflow_connection: Connect) -> None:
    hook = ElementaryStoreHook(tmp_path.as_uri(), keys_conn_id=airflow_connection("keys", {"conn_type": "generic"}))

    with pytest.raises(ConfigurationError, match="Expected secret_keys in the extra of connection 'keys'"):
        _ = hook.keys


def test_local_keys_come_from_the_connection(tmp_path: Path, airflow_connection: Connect) -> None:
    keys = LocalKeys.generate()
    hook = ElementaryStoreHook(tmp_path.as_uri(), keys_conn_id=airflow_connection("keys", local_keys(keys)))

    made = hook.keys.new_data_key(Category.METADATA, {})

    assert LocalKeys(keys).unwrap(Category.METADATA, made.wrapped) == made.plaintext
