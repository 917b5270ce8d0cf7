"""Tests that the IAM policies of the pages allow what they should, no more.

The look-alike reads actions, and the resources of S3; not those of KMS, nor conditions.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_elementary.exceptions import StoreRefusedError
from airflow_provider_elementary.snapshots import Keys, KmsKeys, Store, open_store
from airflow_provider_elementary.snapshots.prune import prune
from airflow_provider_elementary.snapshots.retention import Retention
from airflow_provider_elementary.storage.layout import manifest_key
from tests.docs.blocks import all_blocks
from tests.docs.conftest import BUCKET, KEY_ALIAS, take_snapshot, write_results
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

pytestmark = pytest.mark.usefixtures("bucket")

POLICIES = {block.name: block.source for block in all_blocks() if block.name}
KEY_ON_THE_PAGE = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"


def key_arn(server: AwsServer) -> str:
    return str(server.client("kms").describe_key(KeyId=f"alias/{KEY_ALIAS}")["KeyMetadata"]["Arn"])


def opened_as(server: AwsServer, name: str) -> tuple[Store, Keys]:
    """Open the store with the rights of a policy and no others."""
    policy = json.loads(POLICIES[name].replace(KEY_ON_THE_PAGE, "*"))
    access_key, secret_key = server.create_user(f"{name}-{uuid.uuid4().hex[:8]}", json.dumps(policy))
    s3, kms = (server.client(service, access_key=access_key, secret_key=secret_key) for service in ("s3", "kms"))
    store = open_store(f"s3://{BUCKET}/elementary", s3_client=s3, kms_key_id=key_arn(server))
    return store, KmsKeys(kms, key_arn(server))


def test_the_writer_may_take_snapshots_and_write_results(aws_server: AwsServer, sample_file: Path) -> None:
    store, keys = opened_as(aws_server, "writer")

    with aws_server.enforcing():
        manifest = take_snapshot(sample_file, store, keys, uuid.uuid4().hex)
        write_results(store, keys)

    assert manifest.sequence == 1


@pytest.mark.usefixtures("taken_bucket")
def test_the_writer_may_prune(aws_server: AwsServer) -> None:
    store, keys = opened_as(aws_server, "writer")

    with aws_server.enforcing():
        report = prune(opened(store, keys), Retention(keep_last=1))

    assert (len(report.kept), report.uploads) == (1, 0)


@pytest.mark.usefixtures("taken_bucket")
def test_the_analyst_may_write_results_and_neither_take_nor_remove_snapshots(
    aws_server: AwsServer, sample_file: Path
) -> None:
    store, keys = opened_as(aws_server, "analyst")

    with aws_server.enforcing():
        write_results(store, keys)
        with pytest.raises(StoreRefusedError):
            take_snapshot(sample_file, store, keys, uuid.uuid4().hex)
        with pytest.raises(StoreRefusedError):
            store.delete(manifest_key(1))
