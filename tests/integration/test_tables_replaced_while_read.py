"""dbt replaces, truncates, alters and locks tables while a sync reads them on PostgreSQL."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_elementary.exceptions import TableLockedError, TableReplacedError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Policy, write_snapshot
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.warehouses import postgres_locks
from tests.support.connections import postgres_reader
from tests.support.datasets import write_postgres
from tests.support.little_project import small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]
Run = Callable[[str], object]

KEYS = LocalKeys(LocalKeys.generate())

REPLACEMENTS = {
    "rename-swap": "CREATE TABLE elementary.n AS TABLE elementary.{0}; ALTER TABLE elementary.{0} RENAME TO old;"
    "ALTER TABLE elementary.n RENAME TO {0}; DROP TABLE elementary.old; GRANT SELECT ON elementary.{0} TO PUBLIC",
    "drop and create": "CREATE TEMP TABLE kept AS TABLE elementary.{0}; DROP TABLE elementary.{0};"
    "CREATE TABLE elementary.{0} AS TABLE kept; GRANT SELECT ON elementary.{0} TO PUBLIC; DROP TABLE kept",
    "truncate and insert": "CREATE TEMP TABLE kept AS TABLE elementary.{0}; TRUNCATE elementary.{0};"
    "INSERT INTO elementary.{0} TABLE kept; DROP TABLE kept",
    "rewriting ALTER": "ALTER TABLE elementary.{0} ALTER metadata_hash TYPE varchar USING metadata_hash || ''",
    "schema swap": "ALTER SCHEMA elementary RENAME TO old; CREATE SCHEMA elementary; GRANT USAGE ON SCHEMA elementary "
    "TO PUBLIC; DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'old' LOOP "
    "EXECUTE format('CREATE TABLE elementary.%I AS TABLE old.%I', t, t); END LOOP; END $$; "
    "GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO PUBLIC; DROP SCHEMA old CASCADE",
}


@pytest.fixture
def conn_id(postgres_server: PostgresServer, postgres_database: str, airflow_connection: Connect) -> str:
    write_postgres(small_world(days=3), postgres_server, postgres_database)
    return airflow_connection("reader", postgres_reader(postgres_server, postgres_database))


@pytest.fixture
def run(postgres_server: PostgresServer, postgres_database: str) -> Run:
    """Run SQL as dbt; a lock that is waited for too long fails the test."""
    return lambda sql: postgres_server.execute(f"SET lock_timeout = '5s'; {sql}", database=postgres_database)


def once(table: str, happens: Callable[[], object]) -> Callable[[str, int], None]:
    """Let something happen the first time that rows of a table are read."""
    pending = [happens]

    def rows_read(name: str, rows: int) -> None:
        if name == table and pending:
            pending.pop()()

    return rows_read


def take(conn_id: str, root: Path, rows_read: Callable[[str, int], None] = lambda table, rows: None) -> Manifest:
    with ElementaryHook(conn_id).source() as source:
        return write_snapshot(
            source, opened(LocalStore(root), KEYS), policy=Policy(failed_rows_days=100_000), rows_read=rows_read
        )


@pytest.mark.parametrize("how", REPLACEMENTS)
def test_a_table_replaced_before_its_read_is_stored_with_its_rows(
    how: str, conn_id: str, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    replace = REPLACEMENTS[how].format("dbt_tests")

    with caplog.at_level(logging.WARNING):
        manifest = take(conn_id, tmp_path, once("dbt_models", lambda: run(replace)))

    assert manifest.tables["dbt_tests"].rows == 3
    assert verify(opened(LocalStore(tmp_path), KEYS)).findings == ()
    assert "reading from the start again" in caplog.text


def test_a_partition_truncated_before_its_read_is_noticed(conn_id: str, run: Run, tmp_path: Path) -> None:
    run(
        "ALTER TABLE elementary.dbt_tests RENAME TO kept; CREATE TABLE elementary.dbt_tests (LIKE elementary.kept) "
        "PARTITION BY LIST (package_name); CREATE TABLE elementary.part PARTITION OF elementary.dbt_tests DEFAULT;"
        "INSERT INTO elementary.dbt_tests TABLE elementary.kept; GRANT SELECT ON elementary.dbt_tests TO PUBLIC"
    )
    refill = "TRUNCATE elementary.part; INSERT INTO elementary.dbt_tests TABLE elementary.kept"

    manifest = take(conn_id, tmp_path, once("dbt_models", lambda: run(refill)))

    assert manifest.tables["dbt_tests"].rows == 3


def test_a_table_replaced_at_every_attempt_ends_in_a_retryable_error_that_names_it(
    conn_id: str, run: Run, tmp_path: Path
) -> None:
    replace = REPLACEMENTS["rename-swap"].format("metadata")

    def rows_read(table: str, rows: int) -> None:
        if table == "dbt_models" and rows == 0:
            run(replace)

    with pytest.raises(TableReplacedError, match=r"elementary\.metadata was replaced") as raised:
        take(conn_id, tmp_path, rows_read)

    assert not raised.value.permanent
    assert list(LocalStore(tmp_path).list("manifests/")) == []


def test_a_source_never_shows_a_table_replaced_since_its_first_read_as_empty(conn_id: str, run: Run) -> None:
    with ElementaryHook(conn_id).source() as source:
        read_all(source, "dbt_models", ["unique_id"])
        run(REPLACEMENTS["truncate and insert"].format("dbt_tests"))
        with pytest.raises(TableReplacedError, match=r"elementary\.dbt_tests was replaced"):
            read_all(source, "dbt_tests", ["unique_id"])


def test_a_table_replaced_between_login_and_the_first_read_is_read_as_it_is_then(conn_id: str, run: Run) -> None:
    with ElementaryHook(conn_id).source() as source:
        run(REPLACEMENTS["rename-swap"].format("dbt_tests"))

        assert read_all(source, "dbt_tests", ["unique_id"]).num_rows == 3


def test_ddl_waits_for_no_table_but_the_one_being_read(conn_id: str, run: Run, tmp_path: Path) -> None:
    def alter() -> None:
        run("ALTER TABLE elementary.dbt_models ADD COLUMN x int; ALTER TABLE elementary.metadata ADD COLUMN x int")

    manifest = take(conn_id, tmp_path, once("dbt_tests", alter))

    assert (manifest.tables["dbt_models"].rows, manifest.tables["metadata"].rows) == (2, 1)


def test_ddl_does_not_wait_for_a_session_that_has_read_its_table(conn_id: str, run: Run) -> None:
    with ElementaryHook(conn_id).source() as source:
        read_all(source, "dbt_run_results", ["unique_id"])
        run("ALTER TABLE elementary.dbt_run_results ADD COLUMN x int")

        assert read_all(source, "dbt_run_results", ["unique_id"]).num_rows == 15


def test_a_locked_table_is_named_with_its_holder_and_a_retry_takes_it(
    conn_id: str,
    postgres_server: PostgresServer,
    postgres_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_locks, "LOCK_SECONDS", 1.0)

    with postgres_server.connect(database=postgres_database) as dbt:
        dbt.autocommit = False
        dbt.execute("ALTER TABLE elementary.dbt_run_results ADD COLUMN x int")
        pid = dbt.info.backend_pid
        with pytest.raises(TableLockedError) as raised:
            take(conn_id, tmp_path)
        committed = list(LocalStore(tmp_path).list("manifests/"))
        dbt.rollback()
    taken = take(conn_id, tmp_path)

    assert str(raised.value).startswith("Table elementary.dbt_run_results is locked by another session")
    assert f"ACCESS EXCLUSIVE, held by session {pid} of user postgres" in str(raised.value)
    assert not raised.value.permanent
    assert committed == []
    assert taken.tables["dbt_run_results"].rows == 15


def test_a_swap_under_way_is_waited_for_and_its_rows_are_taken(
    conn_id: str,
    postgres_server: PostgresServer,
    postgres_database: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with postgres_server.connect(database=postgres_database) as dbt, caplog.at_level(logging.WARNING):
        dbt.autocommit = False
        dbt.execute(REPLACEMENTS["rename-swap"].format("dbt_tests").encode())
        dbt.execute("DELETE FROM elementary.dbt_tests WHERE name = 'not_null_orders_id'")
        committing = threading.Thread(target=lambda: (time.sleep(1), dbt.commit()))
        committing.start()
        manifest = take(conn_id, tmp_path)
        committing.join()

    assert manifest.tables["dbt_tests"].rows == 2
    assert caplog.text == ""


def test_a_query_is_not_stopped_by_a_lock_on_another_table(
    conn_id: str, postgres_server: PostgresServer, postgres_database: str
) -> None:
    with postgres_server.connect(database=postgres_database) as dbt:
        dbt.autocommit = False
        dbt.execute("LOCK TABLE elementary.dbt_models IN ACCESS EXCLUSIVE MODE")

        answer = ElementaryHook(conn_id).query("SELECT count(*) AS n FROM dbt_tests").read_all()

    assert answer.to_pylist() == [{"n": 3}]
