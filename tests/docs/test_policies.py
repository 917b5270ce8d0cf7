"""Tests that the IAM policies of the pages allow what they should, no more.

The look-alike reads actions, and the resources of S3; not those of KMS, nor conditions.
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_elementary.exceptions import StoreRefusedError
from airflow_provider_elementary.snapshots import KmsKeys, Repository, open_store
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.store_setup import KmsKey
from airflow_provider_elementary.storage.layout import manifest_key
from tests.docs.blocks import all_blocks
from tests.docs.conftest import (
    ID_ON_THE_PAGE,
    KEY_ALIAS,
    SIGNING_ALIAS,
    STORE_URI,
    Scene,
    take_snapshot,
    write_results,
)

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

POLICIES = {block.name: block.source for block in all_blocks() if block.name}
KEYS_ON_THE_PAGE = re.compile(r"arn:aws:kms:eu-central-1:123456789012:key/[0-9-]+")


def key_arn(server: AwsServer) -> str:
    return str(server.client("kms").describe_key(KeyId=f"alias/{KEY_ALIAS}")["KeyMetadata"]["Arn"])


def opened_as(server: AwsServer, name: str, bucket: Scene) -> Repository:
    """Open the store with the rights of a policy and no others."""
    policy = json.loads(KEYS_ON_THE_PAGE.sub("*", POLICIES[name]))
    access_key, secret_key = server.create_user(f"{name}-{uuid.uuid4().hex[:8]}", json.dumps(policy))
    s3, kms = (server.client(service, access_key=access_key, secret_key=secret_key) for service in ("s3", "kms"))
    return Repository(
        open_store(STORE_URI, s3_client=s3, kms_key_id=key_arn(server)),
        KmsKeys(kms, key_arn(server)),
        store_id=bucket[ID_ON_THE_PAGE],
        signing=KmsKey(kms, f"alias/{SIGNING_ALIAS}"),
    )


def test_the_writer_may_take_snapshots_and_write_results(
    aws_server: AwsServer, sample_file: Path, bucket: Scene
) -> None:
    repository = opened_as(aws_server, "writer", bucket)

    with aws_server.enforcing():
        manifest = take_snapshot(sample_file, repository, uuid.uuid4().hex)
        write_results(repository)

    assert manifest.sequence == 1


def test_the_writer_may_prune(aws_server: AwsServer, taken_bucket: Scene) -> None:
    repository = opened_as(aws_server, "writer", taken_bucket)

    with aws_server.enforcing():
        report = prune(repository, Retention(keep_last=1))

    assert (len(report.kept), report.uploads) == (1, 0)


def test_the_analyst_may_write_results_and_neither_take_nor_remove_snapshots(
    aws_server: AwsServer, sample_file: Path, taken_bucket: Scene
) -> None:
    repository = opened_as(aws_server, "analyst", taken_bucket)

    with aws_server.enforcing():
        write_results(repository)
        with pytest.raises(StoreRefusedError):
            take_snapshot(sample_file, repository, uuid.uuid4().hex)
        with pytest.raises(StoreRefusedError):
            repository.store.delete(manifest_key(1))
        undeleted = repository.store.delete_many([manifest_key(1)])

    assert [(each.key, each.reason) for each in undeleted] == [(manifest_key(1), "AccessDenied")]
