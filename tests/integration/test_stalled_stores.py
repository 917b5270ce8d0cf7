"""S3 and KMS that fall silent cost a retry: every request ends, nothing is committed, and no thread is left."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import StoreError
from airflow_provider_elementary.hooks.store import ElementaryStoreHook
from airflow_provider_elementary.snapshots import Repository, open_snapshot, write_snapshot
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.keys import Purpose
from airflow_provider_elementary.storage.object_store import s3_transfer
from airflow_provider_elementary.storage.object_store.s3 import S3Store
from airflow_provider_elementary.storage.object_store.store import limit_retries
from airflow_provider_elementary.timeouts import break_off_all, in_background
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.servers.aws import AwsServer
from tests.servers.stalling import StallingProxy, stalling_proxy
from tests.support.connections import s3_store
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world

Connect = Callable[[str, Mapping[str, object]], str]

#: Parts of 5 MiB, of which two go up at a time.
LARGE = os.urandom(20 * 1024 * 1024)
#: Two attempts of a second each, and what cleaning up may take.
MARGIN = 2 * 1 + 30.0
LIMITS = {"connect_timeout": 1, "read_timeout": 1, "retries": {"mode": "standard", "max_attempts": 2}}


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def no_upload_is_left() -> bool:
    deadline = time.monotonic() + 20
    while any(found.name == "s3-upload" for found in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return time.monotonic() < deadline


@pytest.fixture
def proxy(aws_server: AwsServer) -> Iterator[StallingProxy]:
    with stalling_proxy(int(urlsplit(aws_server.endpoint_url).port or 0)) as proxy:
        yield proxy


@pytest.fixture
def behind(aws_server: AwsServer, proxy: StallingProxy) -> AwsServer:
    """The server as reached through the proxy."""
    return AwsServer(f"https://127.0.0.1:{proxy.port}", aws_server.ca, aws_server.region)


@pytest.fixture
def bucket(aws_server: AwsServer) -> str:
    return aws_server.create_bucket()


@pytest.fixture
def repository(aws_server: AwsServer, behind: AwsServer, bucket: str, airflow_connection: Connect) -> Repository:
    airflow_connection("stalled", behind.airflow_connection(config_kwargs=LIMITS))
    key_id, signing_key_id = aws_server.create_key(), aws_server.create_key()
    store = s3_store(aws_server, f"s3://{bucket}/e", key_id, aws_conn_id="stalled", signing_kms_key_id=signing_key_id)
    return ElementaryStoreHook(airflow_connection("stalled_store", store)).repository


@pytest.fixture
def source(tmp_path: Path) -> Iterator[WarehouseSource]:
    path = write_duckdb(small_world(days=3), tmp_path / "warehouse.duckdb")
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        yield source


def write(store: Any, content: bytes) -> None:
    with store.create("data/large") as file:
        for start in range(0, len(content), 1_000_000):
            file.write(content[start : start + 1_000_000])


OPERATIONS: dict[str, Callable[[Any], object]] = {
    "put": lambda repository: repository.store.put("manifests/1.json", b"{}"),
    "put if absent": lambda repository: repository.store.put_if_absent("manifests/1.json", b"{}"),
    "get": lambda repository: repository.store.get("manifests/1.json"),
    "get capped": lambda repository: repository.store.get_capped("manifests/1.json", 100),
    "get range": lambda repository: repository.store.get_range("manifests/1.json", 0, 100),
    "replace": lambda repository: repository.store.replace("manifests/1.json", b"{}", "etag"),
    "probe": lambda repository: repository.store.probe(),
    "delete many": lambda repository: repository.store.delete_many(["manifests/1.json"]),
    "list": lambda repository: list(repository.store.list("manifests/")),
    "delete": lambda repository: repository.store.delete("manifests/1.json"),
    "small file": lambda repository: write(repository.store, b"small"),
    "large file": lambda repository: write(repository.store, LARGE),
    "GenerateDataKey": lambda repository: repository.keys.new_data_key(Category.METADATA, Purpose.CHECK),
    "Encrypt": lambda repository: repository.keys.wrap(Category.METADATA, b"k" * 32, Purpose.CHECK),
}


class TestASilentServer:
    @pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
    def test_every_request_ends_with_an_error_that_a_retry_may_help(
        self, repository: Repository, proxy: StallingProxy, operation: Callable[[Any], object]
    ) -> None:
        assert repository.store
        assert repository.keys
        proxy.stall()

        with within(MARGIN), pytest.raises(StoreError, match="did not") as raised:
            operation(repository)

        assert not raised.value.permanent
        assert no_upload_is_left()

    def test_a_data_key_and_a_signature_end_too(self, repository: Repository, proxy: StallingProxy) -> None:
        wrapped = repository.keys.new_data_key(Category.METADATA, Purpose.CHECK).wrapped
        signer = repository.documents.signer
        proxy.stall()

        with within(MARGIN), pytest.raises(StoreError, match="did not open a data key"):
            repository.keys.unwrap(Category.METADATA, wrapped, Purpose.CHECK)
        assert signer is not None
        with within(MARGIN), pytest.raises(StoreError, match="did not answer"):
            signer.sign(b"message")

    def test_a_role_that_cannot_be_assumed_ends_too(
        self,
        aws_server: AwsServer,
        behind: AwsServer,
        proxy: StallingProxy,
        bucket: str,
        airflow_connection: Connect,
    ) -> None:
        role = "arn:aws:iam::123456789012:role/writer"
        airflow_connection("role", behind.airflow_connection(config_kwargs=LIMITS, role_arn=role))
        store = airflow_connection(
            "store", s3_store(aws_server, f"s3://{bucket}/e", aws_server.create_key(), aws_conn_id="role")
        )
        proxy.stall()

        with within(MARGIN), pytest.raises(Exception, match=r"[Tt]ime(d )?out|did not"):
            list(ElementaryStoreHook(store).repository.store.list("manifests/"))

    @pytest.mark.parametrize("sent", [2_000_000, 12_000_000, 19_000_000])
    def test_a_large_file_whose_parts_stall_ends_and_leaves_no_thread(
        self, repository: Repository, proxy: StallingProxy, aws_server: AwsServer, bucket: str, sent: int
    ) -> None:
        assert repository.store
        proxy.stall_after(sent=sent)

        with within(MARGIN), pytest.raises(StoreError, match="did not answer for data/large"):
            write(repository.store, LARGE)

        assert no_upload_is_left()
        proxy.resume()
        objects = aws_server.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
        assert [found["Key"] for found in objects] == ["e/store.json"]

    @pytest.mark.parametrize("sent", [0, 30_000, 80_000])
    def test_a_snapshot_ends_and_leaves_the_last_one_whole_and_the_next_run_takes_it(
        self, repository: Repository, proxy: StallingProxy, source: WarehouseSource, sent: int
    ) -> None:
        first = write_snapshot(source, repository)
        proxy.stall_after(sent=sent)

        with within(MARGIN), pytest.raises(StoreError, match="did not"):
            write_snapshot(source, repository, full_every_days=0, run_key="second")
        proxy.resume()
        held = open_snapshot(repository).manifest.snapshot_id
        second = write_snapshot(source, repository, full_every_days=0, run_key="second")

        assert (held, second.sequence, second.rows) == (first.snapshot_id, 2, first.rows)
        assert verify(repository).findings == ()

    def test_an_answer_that_stops_half_way_ends_too(self, repository: Repository, proxy: StallingProxy) -> None:
        repository.store.put("data/1", b"x" * 3_000_000)
        proxy.stall_after(received=1_000_000)

        with within(MARGIN), pytest.raises(StoreError, match="did not answer for data/1"):
            repository.store.get("data/1")

    def test_killing_a_task_ends_its_upload(self, behind: AwsServer, proxy: StallingProxy, bucket: str) -> None:
        store = S3Store(behind.client("s3", config=Config(connect_timeout=60, read_timeout=60)), bucket, "e")
        proxy.stall_after(sent=12_000_000)

        writing = in_background("writing", write, store, LARGE)
        while proxy.stalled_at is None:
            time.sleep(0.05)
        time.sleep(0.5)
        with within(15):
            while not writing.done():
                break_off_all()
                time.sleep(0.1)

        with pytest.raises(StoreError, match="ended by a signal"):
            writing.result()

    def test_a_request_is_not_repeated_after_its_time(self, behind: AwsServer, proxy: StallingProxy) -> None:
        config = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "max_attempts": 50})
        client = limit_retries(behind.client("s3", config=config), seconds=3)
        proxy.stall()

        with within(15), pytest.raises(Exception, match=r"timed out|timeout"):
            client.list_buckets()


def test_a_part_that_no_client_ends_is_abandoned(
    behind: AwsServer, proxy: StallingProxy, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_transfer, "UPLOAD_SECONDS", 2)
    store = S3Store(behind.client("s3", config=Config(connect_timeout=None, read_timeout=None)), bucket, "e")
    proxy.stall_after(sent=12_000_000)

    with within(MARGIN), pytest.raises(StoreError, match=r"did not take a part of data/large within 2 s"):
        write(store, LARGE)
