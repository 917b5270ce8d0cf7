"""A warehouse that falls silent costs a retry: every wait for it has a deadline, and no thread or query is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError, WarehouseError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import LocalKeys, Policy, open_snapshot, write_snapshot
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.timeouts import Calls, Sockets, break_off_all, in_background
from airflow_provider_elementary.warehouses.clock import read_clock
from airflow_provider_elementary.warehouses.dbapi import DbApiWarehouse
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from tests.servers.stalling import StallingProxy, stalling_proxy
from tests.support.connections import postgres_reader, snowflake_reader
from tests.support.datasets import write_duckdb, write_postgres, write_snowflake
from tests.support.little_project import small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

Connect = Callable[[str, Mapping[str, object]], str]

KEYS = LocalKeys(LocalKeys.generate())
POLICY = Policy(failed_rows_days=100_000)
#: What cancelling and cleaning up may take beyond a time-out.
MARGIN = 30.0


def threads_of_ours() -> list[str]:
    ours = ("session-", "read-ahead", "cancel-", "elementary-trigger")
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(ours)]


def no_thread_is_left() -> bool:
    deadline = time.monotonic() + 10
    while threads_of_ours() and time.monotonic() < deadline:
        time.sleep(0.05)
    return threads_of_ours() == []


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def with_extra(connection: Mapping[str, Any], **extra: object) -> dict[str, Any]:
    return {**connection, "extra": {**connection["extra"], **extra}}


class TestPostgres:
    @pytest.fixture
    def reader(self, postgres_server: PostgresServer, postgres_database: str) -> dict[str, Any]:
        write_postgres(small_world(days=3), postgres_server, postgres_database)
        return postgres_reader(postgres_server, postgres_database)

    @pytest.fixture
    def many_rows(self, reader: dict[str, Any], postgres_server: PostgresServer, postgres_database: str) -> None:
        """20 MB of rows of a finished run: several batches."""
        postgres_server.execute(
            "INSERT INTO elementary.dbt_run_results (model_execution_id, invocation_id, created_at, message) "
            "SELECT 'many.' || n, i.invocation_id, i.created_at, repeat(md5(n::text), 30) "
            "FROM generate_series(1, 20000) AS n "
            "CROSS JOIN (SELECT invocation_id, created_at FROM elementary.dbt_invocations LIMIT 1) AS i",
            database=postgres_database,
        )

    @pytest.fixture
    def proxy(self, postgres_server: PostgresServer) -> Iterator[StallingProxy]:
        with stalling_proxy(postgres_server.port) as proxy:
            yield proxy

    @pytest.fixture
    def hook(self, reader: dict[str, Any], proxy: StallingProxy, airflow_connection: Connect) -> ElementaryHook:
        stalled = with_extra({**reader, "port": proxy.port}, connect_timeout=2, read_timeout=2)
        return ElementaryHook(airflow_connection("stalled", stalled))

    def test_a_server_that_accepts_and_says_nothing_ends_the_login(
        self, hook: ElementaryHook, proxy: StallingProxy
    ) -> None:
        proxy.stall()

        with within(4 + MARGIN), pytest.raises(WarehouseError, match="log in") as raised:
            hook.source()

        assert not raised.value.permanent
        assert no_thread_is_left()

    @pytest.mark.parametrize("received", [200, 3_000, 6_000])
    def test_a_server_that_falls_silent_while_we_log_in_ends_the_login(
        self, hook: ElementaryHook, proxy: StallingProxy, received: int
    ) -> None:
        proxy.stall_after(received=received)

        with within(4 + MARGIN), pytest.raises(WarehouseError) as raised:
            hook.source()

        assert not raised.value.permanent
        assert no_thread_is_left()

    def test_a_server_that_refuses_connections_is_reported_at_once(
        self, hook: ElementaryHook, proxy: StallingProxy
    ) -> None:
        proxy.close()

        with within(5), pytest.raises(WarehouseError, match="nothing accepts connections there"):
            hook.source()

    def test_the_access_check_ends_where_the_link_stalls(self, hook: ElementaryHook, proxy: StallingProxy) -> None:
        with hook.source() as source:
            proxy.stall()

            with within(2 + MARGIN), pytest.raises(WarehouseError, match="gave no answer for 2 s while") as raised:
                hook.check(source)

        assert not raised.value.permanent
        assert no_thread_is_left()

    @pytest.mark.usefixtures("many_rows")
    @pytest.mark.parametrize("received", [4_000, 20_000, 5_000_000, 12_000_000])
    def test_a_snapshot_ends_and_leaves_the_last_one_whole_and_the_next_run_takes_it(
        self, hook: ElementaryHook, proxy: StallingProxy, tmp_path: Path, received: int
    ) -> None:
        store = LocalStore(tmp_path / "store")
        with hook.source() as source:
            first = write_snapshot(source, opened(store, KEYS), policy=POLICY)

        with within(2 + MARGIN), hook.source() as source:
            proxy.stall_after(received=received)
            with pytest.raises(
                WarehouseError, match=r"while (reading|locking) .*raise read_timeout in the connection's extra"
            ):
                write_snapshot(source, opened(store, KEYS), policy=POLICY, full_every_days=0, run_key="second")
        threads = no_thread_is_left()
        held = open_snapshot(opened(store, KEYS)).manifest.snapshot_id
        proxy.resume()
        with hook.source() as source:
            second = write_snapshot(source, opened(store, KEYS), policy=POLICY, full_every_days=0, run_key="second")

        assert threads
        assert (held, second.sequence, second.rows) == (first.snapshot_id, 2, first.rows)
        assert verify(opened(store, KEYS)).findings == ()

    def test_a_session_on_a_dead_link_closes_within_seconds(self, hook: ElementaryHook, proxy: StallingProxy) -> None:
        source = hook.source()
        proxy.stall()

        with within(MARGIN):
            source.close()

        assert no_thread_is_left()

    def test_a_reader_that_takes_its_time_is_not_ended(self, hook: ElementaryHook) -> None:
        with hook.source() as source, source.read("dbt_run_results") as reader:
            first = reader.read_next_batch()
            time.sleep(3)

            assert first.num_rows + sum(batch.num_rows for batch in reader) == 15

    def test_a_query_that_waits_too_long_is_cancelled_at_the_server(
        self, hook: ElementaryHook, postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename LIKE 'reader_%'"

        with hook.source() as source, postgres_server.connect(database=postgres_database) as locking:
            locking.autocommit = False
            locking.execute("LOCK TABLE elementary.dbt_models IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(WarehouseError, match="while reading dbt_models"):
                read_all(source, "dbt_models")
            left = postgres_server.execute(active)

        assert left == [(0,)]
        assert no_thread_is_left()

    def test_killing_a_task_cancels_its_query(
        self, hook: ElementaryHook, postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename LIKE 'reader_%'"

        with hook.source() as source, postgres_server.connect(database=postgres_database) as locking:
            locking.autocommit = False
            locking.execute("LOCK TABLE elementary.dbt_models IN ACCESS EXCLUSIVE MODE")
            reading = in_background("reading", read_all, source, "dbt_models")
            while postgres_server.execute(waiting) != [(1,)]:
                time.sleep(0.05)
            break_off_all()
            error = reading.exception(5)
            left = postgres_server.execute(waiting)

        assert isinstance(error, WarehouseError)
        assert left == [(0,)]

    def test_the_servers_own_time_out_comes_from_the_connection(
        self, reader: dict[str, Any], airflow_connection: Connect
    ) -> None:
        conn_id = airflow_connection("timed", with_extra(reader, statement_timeout="7min"))

        with ElementaryHook(conn_id).source() as source:
            assert source.warehouse.rows("SELECT current_setting('statement_timeout')") == [("7min",)]

    @pytest.mark.parametrize(("own", "ours"), [("200ms", 3600.0), ("2h", 0.2), ("0", 0.2)])
    def test_the_server_ends_an_authors_query_at_the_shorter_of_two_limits(
        self,
        reader: dict[str, Any],
        airflow_connection: Connect,
        monkeypatch: pytest.MonkeyPatch,
        own: str,
        ours: float,
    ) -> None:
        conn_id = airflow_connection("timed", with_extra(reader, statement_timeout=own))
        monkeypatch.setattr("airflow_provider_elementary.warehouses.source.QUERY_SECONDS", ours)
        counting = (
            "WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n WHERE x < 9000000) SELECT max(x) FROM n"
        )

        with ElementaryHook(conn_id).source() as source, pytest.raises(WarehouseError, match="57014"):
            source.query(counting).read_all()

    @pytest.mark.usefixtures("many_rows")
    @pytest.mark.parametrize("is_read_to_the_end", [True, False])
    def test_the_limit_of_an_authors_query_ends_with_it(
        self, reader: dict[str, Any], airflow_connection: Connect, is_read_to_the_end: bool
    ) -> None:
        conn_id = airflow_connection("timed", with_extra(reader, statement_timeout="2h"))

        with ElementaryHook(conn_id).source() as source:
            batches = source.warehouse.stream(source.guarded("SELECT message FROM dbt_run_results"), 1800.0)
            assert next(batches).num_rows
            if is_read_to_the_end:
                list(batches)
            cast(Generator[Any], batches).close()

            assert source.warehouse.rows("SELECT current_setting('statement_timeout')") == [("2h",)]

    @pytest.mark.usefixtures("many_rows")
    def test_no_limit_of_an_authors_query_ends_the_reads_of_a_sync(
        self, reader: dict[str, Any], airflow_connection: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_elementary.warehouses.source.QUERY_SECONDS", 0.001)

        with ElementaryHook(airflow_connection("timed", reader)).source() as source:
            read_clock(source, "dbt_models")

            assert read_all(source, "dbt_run_results").num_rows > 20_000

    @pytest.mark.parametrize("value", ["soon", 0, -1, "inf", "nan"])
    def test_a_time_out_that_is_none_is_refused(
        self, reader: dict[str, Any], airflow_connection: Connect, value: object
    ) -> None:
        conn_id = airflow_connection("odd", with_extra(reader, read_timeout=value))

        with pytest.raises(ConfigurationError, match="read_timeout in the extra of connection 'odd' is not a number"):
            ElementaryHook(conn_id).source()


class TestOtherDrivers:
    def test_a_query_of_duckdb_that_takes_too_long_is_interrupted(self, tmp_path: Path) -> None:
        path = write_duckdb(small_world(days=1), tmp_path / "world.duckdb")
        warehouse = DuckDBWarehouse(path, "elementary", Calls("duckdb", read_seconds=1))
        endless = "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range * b.range % 7 = 3"

        with within(1 + MARGIN), pytest.raises(WarehouseError, match="duckdb warehouse gave no answer for 1 s"):
            warehouse.rows(endless)

        assert no_thread_is_left()

    def test_any_db_api_driver_ends_where_the_link_stalls(self, postgres_server: PostgresServer) -> None:
        with stalling_proxy(postgres_server.port) as proxy:
            calls = Calls("vertica", read_seconds=1, connect_seconds=5, sockets=Sockets("127.0.0.1", proxy.port))
            through = replace(postgres_server, port=proxy.port)
            warehouse = DbApiWarehouse(
                calls.log_in(through.connect),
                dialect="postgres",
                schema="elementary",
                database=None,
                placeholder="%s",
                transport=None,
                calls=calls,
            )
            proxy.stall()

            with within(1 + MARGIN), pytest.raises(WarehouseError, match="vertica warehouse gave no answer for 1 s"):
                warehouse.rows("SELECT 1")
            with within(MARGIN):
                warehouse.close()

        assert no_thread_is_left()


class TestSnowflake:
    @pytest.fixture
    def proxy(self, snowflake_server: SnowflakeServer) -> Iterator[StallingProxy]:
        with stalling_proxy(snowflake_server.port) as proxy:
            yield proxy

    @pytest.fixture
    def hook(
        self,
        snowflake_server: SnowflakeServer,
        snowflake_database: str,
        proxy: StallingProxy,
        airflow_connection: Connect,
    ) -> ElementaryHook:
        write_snowflake(small_world(days=3), snowflake_server, snowflake_database)
        reader = snowflake_reader(snowflake_server, snowflake_database)
        limits = {"login_timeout": 2, "socket_timeout": 2, "network_timeout": 3, "read_timeout": 20}
        return ElementaryHook(
            airflow_connection("stalled", with_extra(reader, host="localhost", port=proxy.port, **limits))
        )

    def test_a_server_that_accepts_and_says_nothing_ends_the_login(
        self, hook: ElementaryHook, proxy: StallingProxy
    ) -> None:
        proxy.stall()

        with within(60 + MARGIN), pytest.raises(WarehouseError) as raised:
            hook.source()

        assert not raised.value.permanent

    def test_a_snapshot_ends_and_leaves_the_last_one_whole_and_the_next_run_takes_it(
        self, hook: ElementaryHook, proxy: StallingProxy, tmp_path: Path
    ) -> None:
        store = LocalStore(tmp_path / "store")
        with hook.source() as source:
            first = write_snapshot(source, opened(store, KEYS), policy=POLICY)

        with within(20 + MARGIN), hook.source() as source:
            proxy.stall_after(received=40_000)
            with pytest.raises(WarehouseError) as raised:
                write_snapshot(source, opened(store, KEYS), policy=POLICY, full_every_days=0, run_key="second")
        held = open_snapshot(opened(store, KEYS)).manifest.snapshot_id
        proxy.resume()
        with hook.source() as source:
            second = write_snapshot(source, opened(store, KEYS), policy=POLICY, full_every_days=0, run_key="second")

        assert not raised.value.permanent
        assert (held, second.sequence, second.rows) == (first.snapshot_id, 2, first.rows)
        assert no_thread_is_left()

    def test_a_session_on_a_dead_link_closes_within_seconds(self, hook: ElementaryHook, proxy: StallingProxy) -> None:
        source = hook.source()
        proxy.stall()

        with within(MARGIN):
            source.close()
