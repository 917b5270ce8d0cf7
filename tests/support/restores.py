"""A store with all of a small schema, and a PostgreSQL database to restore it to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.snapshots import Manifest, Policy
from airflow_provider_elementary.snapshots.restore_targets import PostgresTarget
from tests.support.stores import Rest, grow, local_rest

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

EVERYTHING = Policy(categories=tuple(Category), failed_rows_days=100_000)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rest, list[Manifest]]:
    directory = tmp_path_factory.mktemp("original")
    rest = local_rest(directory)
    return rest, grow(rest, directory, [3, 5], policy=EVERYTHING)


@contextmanager
def postgres_target(server: PostgresServer, database: str, schema: str = "elementary") -> Iterator[PostgresTarget]:
    import adbc_driver_postgresql.dbapi as dbapi

    with dbapi.connect(server.uri(database=database)) as connection:
        yield PostgresTarget(connection, schema)
