"""On S3 a snapshot that broke off half way is taken by a retry, and prune gives back what it left, parts included."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.config import Config

from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.snapshots import KmsKeys
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from tests.servers.faulty import FaultyAws, faulty_aws, refuses
from tests.support.stores import Rest, take, world_after

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.certificates import Certificates

NO_RULE = Retention()
#: Long after every snapshot of a test was begun.
LATER = datetime.now(UTC) + timedelta(days=100)
HASTY = Config(retries={"mode": "standard", "max_attempts": 2})


@pytest.fixture(scope="module")
def faulty(aws_server: AwsServer, certificates: Certificates) -> Iterator[FaultyAws]:
    with faulty_aws(aws_server, certificates) as faulty:
        yield faulty


@pytest.fixture
def bucket(aws_server: AwsServer) -> str:
    return aws_server.create_bucket()


@pytest.fixture
def rest(faulty: FaultyAws, bucket: str, tmp_path: Path) -> Iterator[Rest]:
    key_id = faulty.behind.create_key()
    store = S3Store(faulty.server.client("s3", config=HASTY), bucket, "elementary", kms_key_id=key_id)
    yield Rest(store, KmsKeys(faulty.server.client("kms", config=HASTY), key_id), tmp_path)
    faulty.heal()


def test_the_parts_of_an_upload_whose_worker_died_are_given_back(
    rest: Rest, aws_server: AwsServer, bucket: str, tmp_path: Path
) -> None:
    take(rest, tmp_path / "warehouse.duckdb", world_after(3))
    # moto says of every upload that it was begun in November 2010.
    s3 = aws_server.client("s3")
    for key in ("elementary/data/dead", "of somebody else"):
        s3.create_multipart_upload(Bucket=bucket, Key=key)

    planned = prune(rest.repository, NO_RULE, dry_run=True)
    report = prune(rest.repository, NO_RULE)

    uploads = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert (planned.uploads, report.uploads) == (1, 1)
    assert report.to_dict()["uploads"] == 1
    assert [upload["Key"] for upload in uploads] == ["of somebody else"]


def test_a_younger_upload_may_be_of_a_snapshot_in_the_making(
    rest: Rest, aws_server: AwsServer, bucket: str, tmp_path: Path
) -> None:
    take(rest, tmp_path / "warehouse.duckdb", world_after(3))
    aws_server.client("s3").create_multipart_upload(Bucket=bucket, Key="elementary/data/young")

    report = prune(rest.repository, NO_RULE, orphan_age=timedelta(days=365 * 100))

    assert report.uploads == 0
    assert len(aws_server.client("s3").list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1


def test_expired_credentials_cost_a_retry_and_orphans_that_prune_removes(
    rest: Rest, faulty: FaultyAws, tmp_path: Path
) -> None:
    faulty.plan(refuses(400, "ExpiredToken"), "PutObject", skip=8)
    with pytest.raises(StoreError, match=r"The credentials for .* expired before") as raised:
        take(rest, tmp_path / "warehouse.duckdb", world_after(3), run_key="one run")
    faulty.heal()
    orphans = {found.key for found in rest.store.list("data/")}

    taken = take(rest, tmp_path / "warehouse.duckdb", world_after(3), run_key="one run")
    report = prune(rest.repository, NO_RULE, now=LATER)

    assert not raised.value.permanent
    assert taken.sequence == 1
    assert report.files == len(orphans) > 0
    assert {found.key for found in rest.store.list("data/")} == {file.key for file in taken.files}
    assert verify(rest.repository).findings == ()
