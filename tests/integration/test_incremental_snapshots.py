"""Every snapshot is the consistent state of the source at its consistency point, and stores nothing twice."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import adbc_driver_postgresql.dbapi as adbc
import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from airflow_provider_elementary.access.check.session import TransportFacts
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    SnapshotConflictError,
    WarehouseError,
)
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import (
    LocalKeys,
    Manifest,
    Policy,
    open_snapshot,
    open_store,
    write_snapshot,
)
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.times import utc_now
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.connections import snowflake_reader
from tests.support.datasets import (
    FAILED_ROW_VALUE,
    SMALL_WORLD_END,
    copy_duckdb_world,
    small_world,
    write_duckdb,
    write_postgres,
    write_snowflake,
)
from tests.support.history_databases import Database, InDuckDB, InPostgres
from tests.support.random_histories import EVENTS, History, Statistics
from tests.support.signing import opened
from tests.support.syncs import LAST_MARKER, CountedKeys, Sync, after, marker, run_results

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

#: How many histories are run on each database, and how long they are; set the variables for a long search.
HISTORIES = int(os.environ.get("ELEMENTARY_HISTORIES", "8"))
STEPS = int(os.environ.get("ELEMENTARY_HISTORY_STEPS", "12"))


@pytest.fixture
def sync(tmp_path: Path) -> Sync:
    path = write_duckdb(small_world(days=5), tmp_path / "warehouse.duckdb")
    return Sync(path, open_store((tmp_path / "store").as_uri()), CountedKeys(LocalKeys(LocalKeys.generate())))


def new_files(manifest: Manifest) -> dict[str, int]:
    """Return the rows of the files that this snapshot wrote, by table and category."""
    return {
        f"{file.table}/{file.category}": file.rows
        for file in manifest.files
        if file.snapshot_id == manifest.snapshot_id
    }


def run_histories(new_database: Callable[[], Database]) -> Statistics:
    statistics = Statistics()

    @settings(max_examples=HISTORIES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        history = History(new_database(), data.draw, statistics)
        try:
            history.go_on(STEPS)
        finally:
            history.end()
        statistics.histories += 1

    run()
    return statistics


class TestRandomHistories:
    def test_on_postgres_every_snapshot_is_the_consistent_state_at_its_point(
        self, postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        statistics = run_histories(lambda: InPostgres(postgres_server, postgres_database))

        print(statistics)
        assert statistics.histories >= HISTORIES
        assert statistics.incremental > 0

    def test_on_duckdb_every_snapshot_is_the_consistent_state_at_its_point(self, tmp_path: Path) -> None:
        statistics = run_histories(lambda: InDuckDB(tmp_path))

        print(statistics)
        assert statistics.histories >= HISTORIES
        assert statistics.incremental > 0


class TestWhatIsNew:
    def test_where_nothing_happened_nothing_is_written_and_everything_is_there(self, sync: Sync) -> None:
        first = sync.snapshot()

        second = sync.snapshot()

        assert (second.kind, second.reason, second.epoch) == ("incremental", None, 1)
        assert second.files == first.files
        assert second.rows == first.rows
        assert sum(table.new_rows for table in second.tables.values()) == 0

    def test_a_new_run_adds_its_rows_and_no_others(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change(run_results("new", after(minutes=30), "a", "b"), marker("new", after(minutes=31)))

        second = sync.snapshot()

        assert new_files(second) == {
            "dbt_invocations/configuration": 1,
            "dbt_invocations/run_results": 1,
            "dbt_run_results/run_results": 2,
            "dbt_run_results/query_logs": 2,
        }
        assert second.tables["dbt_run_results"].new_rows == 2
        assert sync.column("dbt_run_results", "model_execution_id").count("new.a") == 1

    def test_a_row_written_twice_is_there_twice(self, sync: Sync) -> None:
        sync.change(run_results("new", after(minutes=30), "a"), marker("new", after(minutes=31)))
        sync.snapshot()
        sync.change(run_results("new", after(minutes=30), "a"))

        sync.snapshot()

        assert sync.column("dbt_run_results", "model_execution_id").count("new.a") == 2

    def test_a_commit_that_came_late_within_the_overlap_is_not_lost(self, sync: Sync) -> None:
        sync.snapshot()
        late = SMALL_WORLD_END - timedelta(days=1) + timedelta(hours=5, minutes=30)
        sync.change(run_results("late", late, "a"), marker("late", late))

        second = sync.snapshot()

        assert second.kind == "incremental"
        assert "late.a" in sync.column("dbt_run_results", "model_execution_id")

    def test_a_commit_that_came_later_than_the_overlap_has_everything_read_again(self, sync: Sync) -> None:
        sync.snapshot()
        late = LAST_MARKER - timedelta(days=2)
        sync.change(run_results("late", late, "a"), marker("late", late))

        second = sync.snapshot()

        assert (second.kind, second.epoch) == ("full", 1)
        assert second.reason is not None
        assert "1 row older than the overlap of 3600 s" in second.reason
        assert "late.a" in sync.column("dbt_run_results", "model_execution_id")

    def test_an_earlier_snapshot_stays_as_it_was(self, sync: Sync) -> None:
        first = sync.snapshot()
        before = sync.column("dbt_run_results", "model_execution_id")
        sync.change(run_results("new", after(minutes=30), "a"), marker("new", after(minutes=31)))
        sync.snapshot()

        assert sync.column("dbt_run_results", "model_execution_id", first.snapshot_id) == before

    def test_artifacts_are_carried_until_a_hash_changes(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change("UPDATE dbt_models SET generated_at = '2026-12-01 00:00:00'")
        same = sync.snapshot()
        sync.change("DELETE FROM dbt_models WHERE name = 'orders'")
        changed = sync.snapshot()

        assert new_files(same) == {}
        assert new_files(changed) == {"dbt_models/configuration": 1, "dbt_models/metadata": 1}
        assert sync.column("dbt_models", "name") == ["customers"]

    def test_an_increment_opens_each_key_once_and_makes_none(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change(run_results("new", after(minutes=30), "a"), marker("new", after(minutes=31)))

        sync.snapshot()

        assert sync.keys.made == []
        assert sorted(sync.keys.unwrapped) == sorted(Category)

    def test_a_column_that_comes_back_has_everything_read_again(self, sync: Sync) -> None:
        sync.change("ALTER TABLE dbt_run_results DROP COLUMN group_name")
        sync.snapshot()
        sync.change(
            "ALTER TABLE dbt_run_results ADD COLUMN group_name VARCHAR DEFAULT NULL",
            run_results("new", after(minutes=30), "a"),
            "UPDATE dbt_run_results SET group_name = 'finance' WHERE invocation_id = 'new'",
            marker("new", after(minutes=31)),
        )

        second = sync.snapshot()

        assert (second.kind, second.reason) == (
            "full",
            "dbt_run_results has other columns: new group_name, gone none",
        )
        assert sorted(sync.column("dbt_run_results", "group_name"), key=str) == [None] * 25 + ["finance"]


class TestTheCommitMarker:
    def test_rows_of_a_run_wait_for_its_marker(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change(run_results("new", after(minutes=30), "a"))

        waiting = sync.snapshot()
        sync.change(marker("new", after(hours=4)))
        taken = sync.snapshot()

        assert waiting.consistency is not None
        assert (waiting.consistency.waiting, waiting.tables["dbt_run_results"].waiting) == (("new",), 1)
        assert new_files(waiting) == {}
        assert new_files(taken)["dbt_run_results/run_results"] == 1

    def test_a_first_snapshot_obeys_the_marker_too(self, sync: Sync) -> None:
        sync.change(run_results("new", after(minutes=30), "a"))

        sync.snapshot()

        assert "new.a" not in sync.column("dbt_run_results", "model_execution_id")

    def test_rows_of_a_killed_run_are_taken_after_the_timeout_and_the_run_is_named(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change(run_results("killed", after(minutes=30), "a"), marker("other", after(hours=7)))

        taken = sync.snapshot()
        sync.change(marker("killed", after(hours=8)))
        completed = sync.snapshot()

        assert taken.consistency is not None
        assert completed.consistency is not None
        assert (taken.consistency.incomplete, taken.consistency.incomplete_count) == (("killed",), 1)
        assert "killed.a" in sync.column("dbt_run_results", "model_execution_id", taken.snapshot_id)
        assert completed.consistency.incomplete == ()

    def test_samples_wait_for_the_run_of_their_test_result(self, sync: Sync) -> None:
        created = after(minutes=30)
        sync.snapshot()
        sync.change(
            "INSERT INTO elementary_test_results (id, invocation_id, created_at, status) "
            f"VALUES ('new.test', 'new', TIMESTAMP '{created}', 'fail')",
            "INSERT INTO test_result_rows (elementary_test_results_id, result_row, created_at, test_type) "
            f"VALUES ('new.test', '{{}}', TIMESTAMP '{created}', 'dbt_test')",
        )

        waiting = sync.snapshot()
        sync.change(marker("new", after(minutes=31)))
        taken = sync.snapshot()

        assert waiting.tables["test_result_rows"].waiting == 1
        assert new_files(taken)["test_result_rows/failed_rows_sample"] == 1

    def test_rows_that_name_no_run_are_taken_up_to_the_newest_marker(self, sync: Sync) -> None:
        sync.change(
            "INSERT INTO data_monitoring_metrics (id, created_at) "
            f"VALUES ('before', TIMESTAMP '{LAST_MARKER}'), ('after', TIMESTAMP '{after(minutes=1)}')"
        )

        manifest = sync.snapshot()

        ids = sync.column("data_monitoring_metrics", "id")
        assert ("before" in ids, "after" in ids) == (True, False)
        assert manifest.tables["data_monitoring_metrics"].waiting == 1

    def test_rows_from_before_the_package_had_a_watermark_are_taken(self, sync: Sync) -> None:
        sync.change("INSERT INTO dbt_run_results (model_execution_id, invocation_id) VALUES ('old', 'old')")

        sync.snapshot()

        assert "old" in sync.column("dbt_run_results", "model_execution_id")


class TestReadingEverything:
    def test_erased_history_begins_a_new_epoch_that_says_why(self, sync: Sync) -> None:
        first = sync.snapshot()
        sync.change("DELETE FROM dbt_run_results", "DELETE FROM dbt_invocations")

        second = sync.snapshot()

        assert (second.kind, second.epoch) == ("full", 2)
        assert second.reason is not None
        assert second.reason.startswith(
            "history went back: dbt_invocations: 4 rows before 2026-10-31T05:02:01, found 0"
        )
        assert sync.column("dbt_run_results", "status") == []
        assert len(sync.column("dbt_run_results", "status", first.snapshot_id)) == 25

    def test_rows_that_vanish_from_the_window_begin_a_new_epoch(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change(f"DELETE FROM dbt_source_freshness_results WHERE created_at > TIMESTAMP '{after(hours=-1)}'")

        second = sync.snapshot()

        assert second.epoch == 2
        assert second.reason is not None
        assert "history went back: dbt_source_freshness_results: 1 of the rows" in second.reason
        assert len(sync.column("dbt_source_freshness_results", "status")) == 4

    @pytest.mark.parametrize(
        ("change", "arguments", "reason"),
        [
            ("SELECT 1", {"policy": Policy()}, "the policy changed"),
            ("SELECT 1", {"full_every_days": 0}, "the last full snapshot is of"),
            ("ALTER TABLE dbt_models DROP COLUMN meta", {}, "dbt_models has other columns: new none, gone meta"),
            ("DROP TABLE dbt_groups", {}, "dbt_groups has other columns"),
        ],
    )
    def test_what_an_increment_cannot_say_has_everything_read_again(
        self, sync: Sync, change: str, arguments: dict[str, Any], reason: str
    ) -> None:
        sync.snapshot()
        sync.change(change)

        second = sync.snapshot(**arguments)

        assert (second.kind, second.epoch) == ("full", 1)
        assert second.reason is not None
        assert reason in second.reason

    def test_a_snapshot_taken_by_a_clock_of_next_year_does_not_postpone_the_next_full(
        self, sync: Sync, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as wrong:
            wrong.setattr("airflow_provider_elementary.snapshots.capture.utc_now", lambda: utc_now() + timedelta(365))
            sync.snapshot()

        second, third = sync.snapshot(), sync.snapshot()

        assert second.reason is not None
        assert "which has not come yet by this machine's clock" in second.reason
        assert (second.epoch, third.kind) == (1, "incremental")

    def test_a_damaged_file_is_not_built_upon(self, sync: Sync, tmp_path: Path) -> None:
        first = sync.snapshot()
        damaged = next(file for file in first.files if file.table == "dbt_run_results")
        path = tmp_path / "store" / damaged.key
        path.write_bytes(path.read_bytes()[: damaged.size // 2])

        second = sync.snapshot()

        assert second.reason is not None
        assert "the snapshot before cannot be read" in second.reason
        assert len(sync.column("dbt_run_results", "status")) == 25

    @pytest.mark.parametrize("arguments", [{"full_every_days": -1}, {"overlap": timedelta(seconds=-1)}])
    def test_negative_times_are_refused(self, sync: Sync, arguments: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="0 or more"):
            sync.snapshot(**arguments)


class TestRowsThatChangedAtTheSource:
    def test_a_source_that_removes_its_oldest_rows_goes_on_and_the_snapshot_keeps_them(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change(
            *(f"DELETE FROM {table} WHERE created_at < TIMESTAMP '{after(days=-3, hours=3)}'" for table in EVENTS),
            run_results("new", after(minutes=30), "a"),
            marker("new", after(minutes=31)),
        )

        second, third = sync.snapshot(), sync.snapshot()

        assert [(one.kind, one.epoch) for one in (second, third)] == [("incremental", 1)] * 2
        assert len(sync.column("dbt_run_results", "status")) == 26
        assert (second.tables["dbt_run_results"].rows, second.tables["dbt_run_results"].new_rows) == (16, 1)
        full = sync.snapshot(full_every_days=0)
        assert (full.epoch, full.rows) == (1, third.rows)
        assert full.reason is not None
        assert "history" not in full.reason

    def test_a_day_missing_in_the_middle_begins_a_new_epoch_and_is_named(self, sync: Sync) -> None:
        sync.snapshot()
        gone = after(days=-2)
        sync.change(f"DELETE FROM dbt_run_results WHERE created_at::DATE = DATE '{gone:%Y-%m-%d}'")

        second = sync.snapshot()

        assert (second.kind, second.epoch) == ("full", 2)
        assert second.reason is not None
        assert f"found 15; rows of {gone:%Y-%m-%d} are gone" in second.reason

    def test_erased_history_is_reported_whatever_else_asked_for_a_full_snapshot(self, sync: Sync) -> None:
        sync.snapshot()
        sync.change("DELETE FROM dbt_run_results", run_results("new", after(hours=2), "a"))

        second = sync.snapshot(Policy(categories=tuple(Category), failed_rows_days=99_999))

        assert second.epoch == 2
        assert second.reason is not None
        assert second.reason.startswith("the policy changed; history went back: dbt_run_results: rows of 2026-10-")

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE dbt_run_results SET message = 'removed on request' WHERE created_at::DATE = DATE '{day}'",
            "CREATE TEMP TABLE one AS SELECT * FROM dbt_run_results WHERE created_at::DATE = DATE '{day}' LIMIT 1; "
            "DELETE FROM dbt_run_results WHERE model_execution_id IN (SELECT model_execution_id FROM one); "
            "INSERT INTO dbt_run_results SELECT * REPLACE ('another' AS model_execution_id) FROM one",
        ],
    )
    def test_rows_replaced_in_place_are_found_by_an_audit_and_by_each_full_snapshot(
        self, sync: Sync, change: str
    ) -> None:
        sync.snapshot()
        changed = f"{after(days=-2):%Y-%m-%d}"
        sync.change(change.format(day=changed))

        unseen, audited = sync.snapshot(), sync.snapshot(audit_days=9)

        assert (unseen.kind, audited.kind, audited.epoch) == ("incremental", "full", 1)
        assert audited.reason is not None
        assert audited.reason.startswith(f"dbt_run_results: rows of {changed} were changed or replaced in place")
        sync.change(change.format(day=changed).replace("removed", "masked").replace("another", "third"))
        full = sync.snapshot(full_every_days=0)
        assert full.reason is not None
        assert f"; rows of dbt_run_results of {changed} were changed or replaced in place" in full.reason
        assert sync.snapshot(audit_days=9).kind == "incremental"


class TestSeveralWriters:
    def test_the_loser_plans_again_upon_the_winner(self, sync: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
        sync.snapshot()
        sync.change(run_results("new", after(minutes=30), "a"), marker("new", after(minutes=31)))
        put_if_absent, winners = sync.store.put_if_absent, []

        def let_another_win_first(key: str, content: bytes) -> bool:
            monkeypatch.undo()
            winners.append(sync.snapshot())
            return put_if_absent(key, content)

        monkeypatch.setattr(sync.store, "put_if_absent", let_another_win_first)
        loser = sync.snapshot()

        assert (winners[0].sequence, loser.sequence, loser.kind) == (2, 3, "incremental")
        assert sync.column("dbt_run_results", "model_execution_id").count("new.a") == 1

    @pytest.mark.parametrize("sees_now", [True, False])
    def test_a_session_that_sees_less_than_the_newest_snapshot_looks_again_or_is_refused(
        self,
        sees_now: bool,
        postgres_server: PostgresServer,
        postgres_database: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        write_postgres(small_world(days=2), postgres_server, postgres_database)
        store, keys = open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate())
        with open_postgres(postgres_server, postgres_database) as slow:
            read_all(slow, "metadata")
            postgres_server.execute(
                f"SET search_path = elementary; {marker('new', after(minutes=1))}", database=postgres_database
            )
            with open_postgres(postgres_server, postgres_database) as fast:
                write_snapshot(fast, opened(store, keys))

            if sees_now:
                assert write_snapshot(slow, opened(store, keys)).tables["dbt_invocations"].rows == 3
                return
            # As a replica that lags behind.
            monkeypatch.setattr(slow, "hold", lambda: False)
            with pytest.raises(SnapshotConflictError, match=r"Another writer came first. Retry with a new session"):
                write_snapshot(slow, opened(store, keys))

    def test_a_second_attempt_of_the_same_run_returns_its_increment(self, sync: Sync) -> None:
        sync.snapshot()
        first = sync.snapshot(run_key="dag/run 2")
        sync.change(run_results("new", after(minutes=30), "a"), marker("new", after(minutes=31)))

        second = sync.snapshot(run_key="dag/run 2")

        assert second == first

    def test_a_warehouse_that_goes_away_leaves_the_chain_as_it_was(
        self, sync: Sync, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = sync.snapshot()
        sync.change(run_results("new", after(minutes=30), "a"), marker("new", after(minutes=31)))
        stream = DuckDBWarehouse.stream

        def break_off(self: DuckDBWarehouse, query: Any) -> Iterator[Any]:
            if query.tables == ("data_monitoring_metrics",) and "column_name" in query.sql:
                raise WarehouseError("the server closed the connection")
            yield from stream(self, query)

        with monkeypatch.context() as broken:
            broken.setattr(DuckDBWarehouse, "stream", break_off)
            with pytest.raises(WarehouseError):
                sync.snapshot()
        second = sync.snapshot()

        assert second.sequence == first.sequence + 1
        assert sync.column("dbt_run_results", "model_execution_id").count("new.a") == 1


class TestOnSnowflake:
    def test_a_new_run_is_an_increment(
        self,
        snowflake_server: SnowflakeServer,
        snowflake_database: str,
        airflow_connection: Callable[[str, Mapping[str, object]], str],
        tmp_path: Path,
    ) -> None:
        write_snowflake(small_world(days=2), snowflake_server, snowflake_database)
        conn_id = airflow_connection("reader", snowflake_reader(snowflake_server, snowflake_database))
        store, keys = open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate())
        with ElementaryHook(conn_id).source() as source:
            write_snapshot(source, opened(store, keys))
        new = pa.table({"INVOCATION_ID": ["new"], "CREATED_AT": [after(minutes=1)]})
        snowflake_server.insert(new.to_reader(), snowflake_database, "ELEMENTARY", "DBT_INVOCATIONS")

        with ElementaryHook(conn_id).source() as source:
            second = write_snapshot(source, opened(store, keys))

        assert new_files(second) == {"dbt_invocations/configuration": 1, "dbt_invocations/run_results": 1}


class TestPolicy:
    def test_samples_of_an_excluded_table_stay_in_the_warehouse(self, sync: Sync) -> None:
        policy = Policy(failed_rows_days=100_000, failed_rows_excluded_tables=("SHOP.CORE.Customers",))

        manifest = sync.snapshot(policy)

        assert set(sync.column("test_result_rows", "test_type")) == {"anomaly_detection"}
        assert {
            "rule": "failed_rows_excluded_tables",
            "table": "test_result_rows",
            "category": "failed_rows_sample",
            "rows": 5,
        } in manifest.exclusions

    def test_samples_of_one_test_are_limited_over_increments(self, sync: Sync) -> None:
        result = "00000000-0000-4000-8000-000000000004.test.shop.unique_customers_email"
        policy = Policy(failed_rows_days=100_000, failed_rows_per_test=2)
        sync.snapshot(policy)
        sync.change(
            *[
                "INSERT INTO test_result_rows (elementary_test_results_id, result_row, created_at, test_type) "
                f"VALUES ('{result}', '{{\"n\": {number}}}', TIMESTAMP '{LAST_MARKER}', 'dbt_test')"
                for number in range(3)
            ]
        )

        second = sync.snapshot(policy)

        assert second.kind == "incremental"
        assert sync.column("test_result_rows", "elementary_test_results_id").count(result) == 2

    def test_files_of_samples_that_are_all_too_old_are_not_carried(self, sync: Sync) -> None:
        policy = Policy(failed_rows_days=10)
        sync.snapshot(policy)
        sync.change(marker("new", after(days=15)))

        second = sync.snapshot(policy)

        assert second.kind == "incremental"
        assert FAILED_ROW_VALUE not in "".join(sync.column("test_result_rows", "result_row"))

    def test_hashed_values_go_on_over_full_snapshots(self, sync: Sync) -> None:
        sync.change("UPDATE data_monitoring_metrics SET dimension_value = 'a@customer.example'")
        policy = Policy(hashed_columns=("data_monitoring_metrics.dimension_value",))
        first = sync.snapshot(policy)

        second = sync.snapshot(policy, full_every_days=0)

        assert first.hash_key == second.hash_key is not None
        hashed = {*sync.column("data_monitoring_metrics", "dimension_value", first.snapshot_id)}
        assert hashed == {*sync.column("data_monitoring_metrics", "dimension_value", second.snapshot_id)}
        assert len(hashed) == 1
        assert "customer" not in str(hashed)

    def test_a_dropped_column_is_not_there_and_counted(self, sync: Sync) -> None:
        manifest = sync.snapshot(Policy(dropped_columns=("dbt_run_results.message",)))

        snapshot = open_snapshot(sync.repository)

        assert "message" not in snapshot.schema("dbt_run_results").names
        assert {
            "rule": "dropped",
            "column": "dbt_run_results.message",
            "category": "run_results",
            "values": 25,
        } in manifest.exclusions

    def test_an_unknown_column_is_quarantined_and_counted(self, sync: Sync) -> None:
        sync.change("ALTER TABLE dbt_groups ADD COLUMN salary VARCHAR DEFAULT 'secret'")

        manifest = sync.snapshot()

        assert manifest.tables["dbt_groups"].unknown_columns == ("salary",)
        assert {
            "rule": "quarantined",
            "column": "dbt_groups.salary",
            "category": None,
            "values": 1,
        } in manifest.exclusions

    def test_without_raw_values_no_canary_of_a_real_schema_leaves(self, shared: Path, tmp_path: Path) -> None:
        # World A: canaries in samples, SQL, errors, parameters; customers' addresses as dimension values. What dbt
        # makes of a test's arguments in the test's name (CANARY_A_LITERAL) stays: names identify tests.
        path = copy_duckdb_world(shared, tmp_path)
        store, keys = open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate())
        with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
            manifest = write_snapshot(source, opened(store, keys), policy=Policy.without_raw_values())

        snapshot = open_snapshot(opened(store, keys))
        left = "\n".join(
            json.dumps(read_all(snapshot, table).to_pylist(), default=str) for table in snapshot.tables()
        ) + json.dumps(manifest.exclusions)

        assert re.findall(r"CANARY-|@mail\.example|@leak\.example|DE8937040044", left) == []
        assert not {"min", "max", "sum"} & {*read_all(snapshot, "data_monitoring_metrics")["metric_name"].to_pylist()}
        assert len(left) > 1_000_000


def open_postgres(server: PostgresServer, database: str) -> WarehouseSource:
    transport = TransportFacts(encrypted=True, version="TLSv1.3", certificate_verified=True, detail="test")
    connection = adbc.connect(server.uri(database=database))
    return WarehouseSource(PostgresWarehouse(connection, "elementary", database, transport))
