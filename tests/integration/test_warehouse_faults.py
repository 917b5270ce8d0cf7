"""A database that resets its connections or times out in the middle of a snapshot costs a retry, and no row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

from airflow_provider_elementary.exceptions import WarehouseError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Policy, write_snapshot
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.storage.object_store.local import LocalStore
from tests.support.connections import postgres_reader
from tests.support.datasets import write_postgres
from tests.support.little_project import small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]

RUN = "dag/run/task/-1"
KEYS = LocalKeys(LocalKeys.generate())
POLICY = Policy(failed_rows_days=100_000)


class InterruptedStore(LocalStore):
    """A store where something happens as soon as a file of a table is made."""

    def __init__(self, root: Path, table: str, happens: Callable[[], object]) -> None:
        super().__init__(root)
        self._table, self._happens = table, happens

    @contextmanager
    def create(self, key: str) -> Iterator[BinaryIO]:
        if f"/{self._table}/" in key:
            self._happens()
        with super().create(key) as file:
            yield file


@pytest.fixture
def reader(
    postgres_server: PostgresServer, postgres_database: str, airflow_connection: Connect
) -> Mapping[str, object]:
    write_postgres(small_world(days=3), postgres_server, postgres_database)
    return postgres_reader(postgres_server, postgres_database)


@pytest.fixture
def take(reader: Mapping[str, object], airflow_connection: Connect) -> Callable[[LocalStore], Manifest]:
    conn_id = airflow_connection("reader", reader)

    def take(store: LocalStore) -> Manifest:
        with ElementaryHook(conn_id).source() as source:
            return write_snapshot(source, opened(store, KEYS), policy=POLICY, run_key=RUN)

    return take


def test_a_reset_connection_leaves_no_snapshot_and_a_retry_takes_it(
    postgres_server: PostgresServer,
    postgres_database: str,
    take: Callable[[LocalStore], Manifest],
    tmp_path: Path,
) -> None:
    statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    store = InterruptedStore(
        tmp_path / "store", "dbt_run_results", lambda: postgres_server.execute(statement, [postgres_database])
    )

    with pytest.raises(WarehouseError, match=r"PostgreSQL: \w+ .* failed") as raised:
        take(store)
    committed = list(store.list("manifests/"))
    taken = take(LocalStore(tmp_path / "store"))

    assert not raised.value.permanent
    assert committed == []
    assert (taken.sequence, taken.tables["dbt_run_results"].rows) == (1, 15)
    assert verify(opened(store, KEYS)).findings == ()


def test_a_statement_that_times_out_leaves_no_snapshot_and_a_retry_takes_it(
    postgres_server: PostgresServer,
    postgres_database: str,
    reader: Mapping[str, object],
    take: Callable[[LocalStore], Manifest],
    tmp_path: Path,
) -> None:
    # Shorter than the sync itself waits for a lock.
    postgres_server.execute(f"ALTER ROLE \"{reader['login']}\" SET statement_timeout = '300ms'")
    store = LocalStore(tmp_path / "store")

    with postgres_server.connect(database=postgres_database) as locking:
        locking.autocommit = False
        locking.execute("LOCK TABLE elementary.test_result_rows IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(WarehouseError, match=r"PostgreSQL: \w+ .* failed") as raised:
            take(store)
        committed = list(store.list("manifests/"))
    postgres_server.execute(f'ALTER ROLE "{reader["login"]}" RESET statement_timeout')
    taken = take(store)

    assert not raised.value.permanent
    assert committed == []
    assert (taken.sequence, taken.kind) == (1, "full")
