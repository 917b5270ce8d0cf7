"""Stores and warehouses that a test may spoil; ``rest`` copies what the fixture ``original`` of a file made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_elementary.snapshots import LocalKeys, Manifest, open_store
from tests.support.datasets import write_duckdb
from tests.support.little_project import small_world
from tests.support.postgres_reader import other_database, warehouse  # noqa: F401  # fixtures
from tests.support.stores import Rest, copied
from tests.support.syncs import CountedKeys, Sync

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer
    from tests.servers.certificates import Certificates
    from tests.servers.faulty import FaultyAws


@pytest.fixture(scope="module")
def s3_proxy(aws_server: AwsServer, certificates: Certificates) -> Iterator[FaultyAws]:
    from tests.servers.faulty import faulty_aws

    with faulty_aws(aws_server, certificates) as faulty:
        yield faulty


@pytest.fixture
def faulty(s3_proxy: FaultyAws) -> Iterator[FaultyAws]:
    """Return a proxy of S3 and KMS that a test may make faulty."""
    yield s3_proxy
    s3_proxy.heal()


@pytest.fixture
def rest(original: tuple[Rest, list[Manifest]], tmp_path: Path) -> Rest:
    return copied(original[0], tmp_path)


@pytest.fixture
def manifests(original: tuple[Rest, list[Manifest]]) -> list[Manifest]:
    return original[1]


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    """Return a DuckDB warehouse of five days, and an empty store."""
    path = write_duckdb(small_world(days=5), tmp_path / "warehouse.duckdb")
    return Sync(path, open_store((tmp_path / "store").as_uri()), CountedKeys(LocalKeys(LocalKeys.generate())))
