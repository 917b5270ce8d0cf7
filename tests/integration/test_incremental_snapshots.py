"""An increment takes the rows of finished runs that are new, and no row twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import (
    SnapshotConflictError,
    WarehouseError,
)
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import (
    LocalKeys,
    Manifest,
    open_store,
    write_snapshot,
)
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from tests.support.connections import open_postgres, snowflake_reader
from tests.support.datasets import write_postgres, write_snowflake
from tests.support.little_project import SMALL_WORLD_END, small_world
from tests.support.signing import opened
from tests.support.syncs import LAST_MARKER, Sync, after, marker, run_results

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer


EVENTS = [name for name, table in TABLES.items() if table.watermark is not None]


def new_files(manifest: Manifest) -> dict[str, int]:
    """Return the rows of the files that this snapshot wrote, by table and category."""
    return {
        f"{file.table}/{file.category}": file.rows
        for file in manifest.files
        if file.snapshot_id == manifest.snapshot_id
    }


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

    def test_a_row_that_is_dated_back_is_not_lost_where_all_others_are_young(self, sync: Sync) -> None:
        # As in the first hours of a store, or after the warehouse's clock was set back.
        sync.change(
            *(f"DELETE FROM {table} WHERE created_at < '{LAST_MARKER - timedelta(minutes=50)}'" for table in EVENTS)
        )
        first = sync.snapshot()
        sync.change(
            "INSERT INTO schema_columns_snapshot (column_state_id, created_at) "
            f"VALUES ('back', '{LAST_MARKER - timedelta(hours=2)}')"
        )

        second = sync.snapshot()

        assert {table.settled_rows for name, table in first.tables.items() if name in EVENTS} == {0}
        assert (second.kind, second.epoch) == ("full", 1)
        assert "back" in sync.column("schema_columns_snapshot", "column_state_id")

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
