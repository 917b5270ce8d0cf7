"""A store that fails leaves nothing half-written and says what failed; what passes by itself is waited for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from airflow_provider_elementary.exceptions import (
    ElementaryError,
    KeyUnavailableError,
    StoreError,
)
from airflow_provider_elementary.snapshots import KmsKeys, open_snapshot, write_snapshot
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.servers.faulty import (
    Fault,
    FaultyAws,
    breaks_off,
    changes_a_byte,
    loses_the_answer,
    refuses,
    resets,
    stalls,
)
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    pass

#: Parts of 5 MiB, of which two go up at a time.
LARGE = os.urandom(20 * 1024 * 1024)
PATIENT = Config(retries={"mode": "standard", "max_attempts": 5})
HASTY = Config(retries={"mode": "standard", "max_attempts": 2}, read_timeout=1)
THREADS = ("s3-upload", "read-ahead")


@pytest.fixture
def source(tmp_path: Path) -> Iterator[WarehouseSource]:
    path = write_duckdb(small_world(days=3), tmp_path / "warehouse.duckdb")
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        yield source


class Bucket:
    """A new bucket behind the proxy, and how a test looks into it past the proxy."""

    def __init__(self, faulty: FaultyAws, config: Config = PATIENT) -> None:
        self.name = faulty.behind.create_bucket()
        self.key_id = faulty.behind.create_key()
        self.store = S3Store(faulty.server.client("s3", config=config), self.name, "e", kms_key_id=self.key_id)
        self.keys = KmsKeys(faulty.server.client("kms", config=config), self.key_id)
        self._behind = faulty.behind.client("s3")

    @property
    def repository(self) -> Repository:
        """The store with its keys."""
        return opened(self.store, self.keys)

    def objects(self) -> list[str]:
        return [found["Key"] for found in self._behind.list_objects_v2(Bucket=self.name).get("Contents", ())]

    def uploads(self) -> list[str]:
        return [found["Key"] for found in self._behind.list_multipart_uploads(Bucket=self.name).get("Uploads", ())]


def write(store: Any, content: bytes, key: str = "data/large") -> None:
    with store.create(key) as file:
        for start in range(0, len(content), 1_000_000):
            file.write(content[start : start + 1_000_000])


def read(store: Any, key: str = "data/large") -> bytes:
    content: bytes = store.get(key)
    return content


def write_and_stop(store: Any) -> None:
    with store.create("data/large") as file:
        file.write(LARGE)
        raise KeyboardInterrupt


def threads_of_ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(THREADS)]


TRANSIENT = {
    "500": refuses(500, "InternalError"),
    "503 SlowDown": refuses(503, "SlowDown"),
    "connection reset": resets,
    "late answer": stalls(0.3),
}


class TestWhatPasses:
    @pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
    @pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
    def test_a_large_file_arrives_whole_in_spite_of_it(self, faulty: FaultyAws, fault: Fault, operation: str) -> None:
        bucket = Bucket(faulty)
        faulty.plan(fault, operation, times=2)

        write(bucket.store, LARGE)

        assert read(bucket.store) == LARGE
        assert bucket.uploads() == []

    @pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
    def test_a_snapshot_is_taken_and_read_in_spite_of_it(
        self, faulty: FaultyAws, source: WarehouseSource, fault: Fault
    ) -> None:
        bucket = Bucket(faulty)
        for operation in ("PutObject", "GetObject", "HeadObject", "ListObjectsV2", "GenerateDataKey", "Decrypt"):
            faulty.plan(fault, operation, times=1)

        taken = write_snapshot(source, bucket.repository)

        with open_snapshot(bucket.repository).read("dbt_models") as models:
            assert models.read_all().num_rows == taken.tables["dbt_models"].rows

    def test_an_upload_whose_completion_was_answered_into_the_void_is_complete(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty)
        faulty.plan(loses_the_answer, "CompleteMultipartUpload", times=1)

        write(bucket.store, LARGE)

        assert read(bucket.store) == LARGE

    def test_a_part_that_was_answered_into_the_void_is_not_there_twice(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty)
        faulty.plan(loses_the_answer, "UploadPart", skip=1, times=1)

        write(bucket.store, LARGE)

        assert read(bucket.store) == LARGE

    def test_an_answer_that_breaks_off_is_asked_for_again(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty)
        bucket.store.put("manifests/1.json", b"content" * 1000)
        faulty.plan(breaks_off, "GetObject", times=2)

        assert bucket.store.get("manifests/1.json") == b"content" * 1000

    def test_a_throttled_key_is_asked_again(self, faulty: FaultyAws, source: WarehouseSource) -> None:
        bucket = Bucket(faulty)
        faulty.plan(refuses(400, "ThrottlingException"), "GenerateDataKey", times=2)

        taken = write_snapshot(source, bucket.repository)

        assert taken.rows > 0


class TestTheCommit:
    def test_a_manifest_whose_answer_got_lost_is_known_as_ours(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty)
        faulty.plan(loses_the_answer, "PutObject", times=1)

        assert bucket.store.put_if_absent("manifests/1.json", b"ours")
        assert len(faulty.asked("PutObject")) == 2

    def test_a_manifest_of_another_writer_is_not_taken_for_ours(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty)
        bucket.store.put("manifests/1.json", b"theirs")
        faulty.plan(loses_the_answer, "PutObject", times=1)

        assert not bucket.store.put_if_absent("manifests/1.json", b"ours")
        assert bucket.store.get("manifests/1.json") == b"theirs"

    def test_a_manifest_is_put_only_where_there_is_none(self, faulty: FaultyAws, source: WarehouseSource) -> None:
        bucket = Bucket(faulty)

        write_snapshot(source, bucket.repository)

        [put] = [request for request in faulty.asked("PutObject") if "/manifests/" in request.target]
        assert put.headers["if-none-match"] == "*"

    def test_every_put_and_part_carries_a_checksum_that_the_server_verifies(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty)

        write(bucket.store, LARGE)
        bucket.store.put("manifests/1.json", b"content")

        sent = [*faulty.asked("UploadPart"), *faulty.asked("PutObject")]
        assert len(sent) == 5
        assert all("x-amz-checksum-sha256" in request.headers for request in sent)


class TestWhatStays:
    @pytest.mark.parametrize(
        ("fault", "found"),
        [
            (refuses(500, "InternalError"), "answered InternalError"),
            (refuses(503, "SlowDown"), "answered SlowDown"),
            (resets, "did not answer for"),
            (stalls(3), "did not answer for"),
            (changes_a_byte, "its SHA-256 checksum is another one there .*BadDigest"),
            (refuses(400, "ExpiredToken"), "credentials for .* expired .*ExpiredToken"),
        ],
        ids=["500", "503 SlowDown", "connection reset", "no answer in time", "a changed byte", "expired credentials"],
    )
    def test_a_large_file_that_cannot_go_on_leaves_no_object_and_no_parts(
        self, faulty: FaultyAws, fault: Fault, found: str
    ) -> None:
        bucket = Bucket(faulty, HASTY)
        faulty.plan(fault, "UploadPart", skip=1)

        with pytest.raises(StoreError, match=found) as raised:
            write(bucket.store, LARGE)

        assert not raised.value.permanent
        assert (bucket.objects(), bucket.uploads(), threads_of_ours()) == ([], [], [])

    @pytest.mark.parametrize("fault", [refuses(503, "SlowDown"), resets], ids=["503 SlowDown", "connection reset"])
    @pytest.mark.parametrize(("operation", "skip"), [("PutObject", 0), ("PutObject", 5), ("ListObjectsV2", 0)])
    def test_a_snapshot_that_cannot_go_on_is_not_committed(
        self, faulty: FaultyAws, source: WarehouseSource, fault: Fault, operation: str, skip: int
    ) -> None:
        bucket = Bucket(faulty, HASTY)
        faulty.plan(fault, operation, skip=skip)

        with pytest.raises(StoreError, match=rf"s3://{bucket.name}/e (did not answer|answered SlowDown) for "):
            write_snapshot(source, bucket.repository)

        assert [key for key in bucket.objects() if "/manifests/" in key] == []
        assert threads_of_ours() == []

    @pytest.mark.parametrize("fault", [refuses(503, "SlowDown"), resets], ids=["503 SlowDown", "connection reset"])
    def test_an_increment_that_cannot_read_the_snapshot_before_is_not_committed(
        self, faulty: FaultyAws, source: WarehouseSource, fault: Fault
    ) -> None:
        bucket = Bucket(faulty, HASTY)
        write_snapshot(source, bucket.repository)
        before = bucket.objects()
        faulty.plan(fault, "GetObject")

        with pytest.raises(StoreError, match=rf"s3://{bucket.name}/e (answered .*|did not answer) for "):
            write_snapshot(source, bucket.repository)

        assert bucket.objects() == before
        assert threads_of_ours() == []

    def test_an_upload_whose_abort_fails_too_is_discarded_later(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty, HASTY)
        faulty.plan(refuses(400, "ExpiredToken"), "UploadPart", skip=1)
        faulty.plan(refuses(400, "ExpiredToken"), "AbortMultipartUpload")
        with pytest.raises(StoreError, match="ExpiredToken"):
            write(bucket.store, LARGE)
        faulty.heal()

        # moto says of every upload that it was begun in November 2010.
        younger = bucket.store.discard_unfinished(datetime(2010, 1, 1, tzinfo=UTC))
        found = bucket.store.discard_unfinished(datetime(2011, 1, 1, tzinfo=UTC), dry_run=True)
        uploads = bucket.uploads()
        discarded = bucket.store.discard_unfinished(datetime(2011, 1, 1, tzinfo=UTC))

        assert (younger, found, discarded) == ([], ["data/large"], ["data/large"])
        assert (uploads, bucket.uploads()) == (["e/data/large"], [])

    def test_an_upload_that_somebody_aborted_says_so(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty)
        faulty.plan(refuses(404, "NoSuchUpload"), "CompleteMultipartUpload")

        with pytest.raises(StoreError, match="was aborted before it was complete"):
            write(bucket.store, LARGE)

        assert bucket.objects() == []

    def test_an_answer_that_always_breaks_off_is_given_up(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty)
        bucket.store.put("manifests/1.json", b"content" * 1000)
        faulty.plan(breaks_off, "GetObject")

        with pytest.raises(StoreError, match="did not answer for"):
            bucket.store.get("manifests/1.json")


class TestKeys:
    @pytest.mark.parametrize(
        ("code", "expected", "permanent"),
        [
            ("ThrottlingException", StoreError, False),
            ("KMSInternalException", StoreError, False),
            ("DisabledException", KeyUnavailableError, True),
            ("KMSInvalidStateException", KeyUnavailableError, True),
            ("AccessDeniedException", KeyUnavailableError, True),
        ],
    )
    def test_a_key_that_is_busy_may_be_tried_again_and_one_that_is_refused_not(
        self, faulty: FaultyAws, source: WarehouseSource, code: str, expected: type[ElementaryError], permanent: bool
    ) -> None:
        bucket = Bucket(faulty, HASTY)
        faulty.plan(refuses(400, code), "GenerateDataKey")

        with pytest.raises(expected, match=f"KMS key .* did not make a data key .*[(: ]{code}") as raised:
            write_snapshot(source, bucket.repository)

        assert raised.value.permanent is permanent
        assert [key for key in bucket.objects() if "/data/" in key] == []

    def test_a_key_disabled_since_is_an_error_for_the_reader(self, faulty: FaultyAws, source: WarehouseSource) -> None:
        bucket = Bucket(faulty, HASTY)
        write_snapshot(source, bucket.repository)
        faulty.plan(refuses(400, "DisabledException"), "Decrypt")

        with pytest.raises(KeyUnavailableError, match=r"did not open a data key for .*: DisabledException"):
            open_snapshot(bucket.repository).read("dbt_models")

    def test_a_throttled_key_is_not_taken_for_one_that_the_reader_does_not_have(
        self, faulty: FaultyAws, source: WarehouseSource
    ) -> None:
        bucket = Bucket(faulty, HASTY)
        write_snapshot(source, bucket.repository)
        faulty.plan(refuses(400, "ThrottlingException"), "Decrypt")

        with pytest.raises(StoreError, match=r"did not open a data key for .* \(ThrottlingException\), after"):
            open_snapshot(bucket.repository).tables()

    def test_a_bucket_whose_key_is_disabled_is_an_error(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty, HASTY)
        faulty.plan(refuses(400, "KMS.DisabledException"), "PutObject")

        with pytest.raises(KeyUnavailableError, match=r"cannot encrypt with .* \(KMS\.DisabledException"):
            bucket.store.put("manifests/1.json", b"content")


class TestReadersThatStop:
    def test_an_upload_given_up_leaves_no_thread(self, faulty: FaultyAws) -> None:
        bucket = Bucket(faulty)

        with pytest.raises(KeyboardInterrupt):
            write_and_stop(bucket.store)

        assert (bucket.objects(), bucket.uploads(), threads_of_ours()) == ([], [], [])
