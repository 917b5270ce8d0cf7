"""Times and numbers of PostgreSQL that have no place in a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, open_store, write_snapshot
from airflow_provider_elementary.snapshots.capture.consistency import FUTURE
from tests.support.connections import postgres_reader
from tests.support.datasets import write_postgres
from tests.support.little_project import small_world
from tests.support.signing import opened
from tests.support.syncs import (
    EVERYTHING,
    LAST_MARKER,
)

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer


DATED = tuple(name for name, table in TABLES.items() if table.watermark)


def rejected(manifest: Manifest) -> list[tuple[str, str, int]]:
    return [
        (f"{entry['table']}.{entry['column']}", entry["kind"], entry.get("rows", entry.get("values", 0)))
        for entry in manifest.rejected
    ]


class TestOnPostgres:
    def snapshots(self, conn_id: str, directory: Path) -> tuple[Manifest, Manifest]:
        store, keys = open_store((directory / "store").as_uri()), LocalKeys(LocalKeys.generate())
        manifests = []
        for _ in range(2):
            with ElementaryHook(conn_id).source() as source:
                manifests.append(write_snapshot(source, opened(store, keys), policy=EVERYTHING))
        return manifests[0], manifests[1]

    def test_infinite_and_far_times_and_numbers_cost_a_row_or_a_value(
        self,
        postgres_server: PostgresServer,
        postgres_database: str,
        airflow_connection: Callable[[str, Mapping[str, Any]], str],
        tmp_path: Path,
    ) -> None:
        write_postgres(small_world(days=3), postgres_server, postgres_database)
        postgres_server.execute(
            "SET search_path = elementary;"
            "INSERT INTO dbt_run_results (model_execution_id, created_at) VALUES ('a', 'infinity'), ('b', '-infinity'),"
            " ('c', '294276-01-01'), ('d', '4713-01-01 BC'), ('e', '2099-01-01'), ('f', NULL);"
            "UPDATE data_monitoring_metrics SET bucket_end = 'infinity', bucket_start = '4713-01-01 BC',"
            " metric_value = 'NaN' WHERE column_name IS NULL",
            database=postgres_database,
        )
        conn_id = airflow_connection("reader", postgres_reader(postgres_server, postgres_database))

        first, second = self.snapshots(conn_id, tmp_path)

        assert first.tables["dbt_run_results"].rows == 16
        assert {(column, kind): count for column, kind, count in rejected(first)} == {
            ("dbt_run_results.created_at", "infinite time"): 2,
            ("dbt_run_results.created_at", "time outside the years 1 to 9999"): 2,
            ("dbt_run_results.created_at", FUTURE): 1,
            ("data_monitoring_metrics.bucket_end", "infinite time"): 6,
            ("data_monitoring_metrics.bucket_start", "time outside the years 1 to 9999"): 6,
            ("data_monitoring_metrics.metric_value", "number that is not finite"): 6,
        }
        assert (second.kind, second.files) == ("incremental", first.files)

    def test_times_with_a_zone_are_compared_in_utc_whatever_the_zone_of_the_session(
        self,
        postgres_server: PostgresServer,
        postgres_database: str,
        airflow_connection: Callable[[str, Mapping[str, Any]], str],
        tmp_path: Path,
    ) -> None:
        write_postgres(small_world(days=3), postgres_server, postgres_database)
        connection = postgres_reader(postgres_server, postgres_database)
        postgres_server.execute(
            *(
                "SET timezone = 'UTC';"
                + "".join(f"ALTER TABLE elementary.{table} ALTER created_at TYPE timestamptz;" for table in DATED)
                + f"ALTER ROLE \"{connection['login']}\" SET timezone = 'Pacific/Kiritimati'",
            ),
            database=postgres_database,
        )

        first, second = self.snapshots(airflow_connection("reader", connection), tmp_path)

        assert first.consistency is not None
        assert first.consistency.watermark == LAST_MARKER.isoformat()
        assert (second.kind, second.files, second.rejected) == ("incremental", first.files, ())

    def test_text_times_on_postgres_are_synced_in_increments(
        self,
        postgres_server: PostgresServer,
        postgres_database: str,
        airflow_connection: Callable[[str, Mapping[str, Any]], str],
        tmp_path: Path,
    ) -> None:
        write_postgres(small_world(days=3), postgres_server, postgres_database)
        postgres_server.execute(
            "".join(f"ALTER TABLE elementary.{table} ALTER created_at TYPE text;" for table in DATED),
            database=postgres_database,
        )
        conn_id = airflow_connection("reader", postgres_reader(postgres_server, postgres_database))

        first, second = self.snapshots(conn_id, tmp_path)

        assert first.tables["dbt_run_results"].rows == 15
        assert (second.kind, second.files, second.rejected) == ("incremental", first.files, ())
