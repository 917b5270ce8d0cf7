"""Schemas as each release of the Elementary dbt package wrote them, from the warehouse to a restored copy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.exceptions import UnknownTableError, UnsupportedElementaryVersionError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots import (
    LocalKeys,
    Manifest,
    Policy,
    Store,
    open_snapshot,
    open_store,
    write_snapshot,
)
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.snapshots.restore import restore
from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget
from airflow_provider_elementary.snapshots.summary import problems
from airflow_provider_elementary.snapshots.take import summarise_snapshot
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.connections import postgres_reader
from tests.support.datasets import write_duckdb, write_postgres
from tests.support.little_project import small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.postgres import PostgresServer

EVERYTHING = Policy(categories=tuple(Category), failed_rows_days=100_000, failed_rows_per_test=100)
#: Tables that some releases do not declare as models of their own, though they write them.
UNLISTED = ("dbt_snapshots", "data_monitoring_metrics", "metadata")

#: What releases lacked, and had besides: by release, tables and ``table.column`` names.
LACKING: Mapping[str, str] = {
    "0.5.0": "dbt_seeds dbt_columns dbt_groups dbt_invocations test_result_rows dbt_source_freshness_results "
    "dbt_models.metadata_hash dbt_run_results.created_at dbt_run_results.compiled_code "
    "elementary_test_results.invocation_id elementary_test_results.created_at schema_columns_snapshot.created_at "
    "data_monitoring_metrics.created_at data_monitoring_metrics.metric_properties",
    "0.9.0": "dbt_columns dbt_groups dbt_models.patch_path dbt_run_results.adapter_response test_result_rows.row_index "
    "test_result_rows.test_type dbt_source_freshness_results.warn_after",
    "0.16.0": "dbt_groups dbt_models.access dbt_run_results.group_name test_result_rows.row_index "
    "test_result_rows.test_type",
    "0.21.0": "test_result_rows.row_index test_result_rows.test_type",
    "0.25.1": "",
}
ADDED: Mapping[str, str] = {
    "0.5.0": "dbt_tests.compiled_sql dbt_run_results.compiled_sql",
    "0.9.0": "",
    "0.16.0": "dbt_models.bigquery_partition_by",
    "0.21.0": "dbt_models.bigquery_partition_by dbt_models.bigquery_cluster_by",
    "0.25.1": "dbt_models.bigquery_partition_by dbt_snapshots.bigquery_cluster_by",
}


class Lab:
    """A DuckDB warehouse, and the store that its snapshots go to."""

    def __init__(self, directory: Path) -> None:
        self.path = write_duckdb(small_world(days=5), directory / "warehouse.duckdb")
        self.store: Store = open_store((directory / "store").as_uri())
        self.keys = LocalKeys(LocalKeys.generate())
        self.copy = directory / "copy.duckdb"

    @property
    def repository(self) -> Repository:
        """The store with its keys."""
        return opened(self.store, self.keys)

    def change(self, statements: Sequence[str]) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("USE elementary")
            for statement in statements:
                connection.execute(statement)

    def snapshot(self, policy: Policy = EVERYTHING) -> Manifest:
        with WarehouseSource(DuckDBWarehouse(self.path, "elementary")) as source:
            return write_snapshot(source, self.repository, policy=policy)

    def rows(self, table: str) -> pa.Table:
        return read_all(open_snapshot(self.repository), table)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def as_released(release: str) -> list[str]:
    dropped = [
        f"ALTER TABLE {name.partition('.')[0]} DROP COLUMN {name.partition('.')[2]}"
        if "." in name
        else f"DROP TABLE {name}"
        for name in LACKING[release].split()
    ]
    added = [
        f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR DEFAULT 'x'"
        for table, _, column in (name.partition(".") for name in ADDED[release].split())
    ]
    return [*dropped, *added]


@pytest.mark.parametrize("release", ["0.9.0", "0.16.0", "0.21.0", "0.25.1"])
def test_a_schema_of_an_older_release_is_synced_whole_and_restored(lab: Lab, release: str) -> None:
    lab.change(as_released(release))

    first, second = lab.snapshot(), lab.snapshot()
    report = restore(lab.repository, DuckDBTarget(lab.copy, "elementary"))

    assert first.excluded == {}
    assert {table for table, entry in first.tables.items() if entry.unknown_columns} == set()
    assert lab.rows("test_result_rows").num_rows == 10
    assert (second.kind, second.files) == ("incremental", first.files)
    assert report.rows == first.rows


def test_columns_of_one_adapter_are_restored_where_they_were(lab: Lab) -> None:
    lab.change(as_released("0.25.1"))
    lab.snapshot()

    restore(lab.repository, DuckDBTarget(lab.copy, "elementary"))

    with duckdb.connect(str(lab.copy)) as connection:
        assert connection.execute("SELECT bigquery_partition_by FROM elementary.dbt_models").fetchall() == [("x",)] * 2
        assert "bigquery_partition_by" not in str(connection.execute("DESCRIBE elementary.dbt_seeds").fetchall())


def test_tables_without_a_watermark_are_excluded_by_name_and_the_others_synced(lab: Lab) -> None:
    lab.change(as_released("0.5.0"))

    manifest = lab.snapshot()

    assert set(manifest.excluded) == {
        "dbt_run_results",
        "elementary_test_results",
        "schema_columns_snapshot",
        "data_monitoring_metrics",
    }
    assert manifest.excluded["dbt_run_results"] == "it lacks created_at: columns that identify and date its rows"
    assert manifest.tables["dbt_models"].rows == 2
    assert any(
        line == f"excluded table dbt_run_results: {manifest.excluded['dbt_run_results']}" for line in problems(manifest)
    )
    assert summarise_snapshot(manifest, "file:///store")["problems"] == problems(manifest)


def test_an_excluded_table_says_why_when_it_is_asked_for(lab: Lab) -> None:
    lab.change(["ALTER TABLE dbt_run_results DROP COLUMN created_at"])

    with (
        WarehouseSource(DuckDBWarehouse(lab.path, "elementary")) as source,
        pytest.raises(UnknownTableError, match="dbt_run_results cannot be used: it lacks created_at"),
    ):
        source.read("dbt_run_results")


@pytest.mark.parametrize("policy", [EVERYTHING, Policy(failed_rows_excluded_tables=("x",), dropped_metrics=("max",))])
@pytest.mark.parametrize("lacking", [*TABLES, ""])
def test_a_table_that_lacks_every_column_but_its_key_and_time_is_synced(lab: Lab, lacking: str, policy: Policy) -> None:
    lab.change(
        [
            f"ALTER TABLE {table.name} DROP COLUMN IF EXISTS {column.name}"
            for table in ([TABLES[lacking]] if lacking else TABLES.values())
            for column in table.columns
            if column.name not in table.indispensable_columns
        ]
    )

    first, second = lab.snapshot(policy), lab.snapshot(policy)

    assert first.excluded == {}
    assert {*first.tables} == {*TABLES}
    assert all(entry.rows for entry in first.tables.values())
    assert (second.kind, second.rows) == ("incremental", first.rows)


def test_without_the_columns_that_name_a_table_no_sample_of_an_excluded_one_is_taken(lab: Lab) -> None:
    lab.change(["ALTER TABLE elementary_test_results DROP COLUMN schema_name"])

    manifest = lab.snapshot(Policy(categories=tuple(Category), failed_rows_excluded_tables=("db.schema.orders",)))

    samples = [file for file in manifest.files if file.category is Category.FAILED_ROWS_SAMPLE]
    assert sum(file.rows for file in samples if file.table == "test_result_rows") == 0
    assert "failed_rows_excluded_tables" in {entry["rule"] for entry in manifest.exclusions}


def test_a_schema_in_which_no_table_can_be_used_is_refused(lab: Lab) -> None:
    lab.change([f"DROP TABLE {name}" for name in TABLES if name != "dbt_run_results"])
    lab.change(["ALTER TABLE dbt_run_results DROP COLUMN created_at"])

    with pytest.raises(UnsupportedElementaryVersionError, match="dbt_run_results: it lacks created_at"):
        lab.snapshot()


def test_equal_sampled_rows_without_numbers_stay_as_many_as_they_are(lab: Lab) -> None:
    lab.change(as_released("0.21.0"))
    lab.change(["INSERT INTO test_result_rows SELECT * FROM test_result_rows"])
    first = lab.snapshot()
    lab.change(["INSERT INTO test_result_rows SELECT * FROM test_result_rows ORDER BY created_at DESC LIMIT 1"])

    second = lab.snapshot()

    assert first.tables["test_result_rows"].rows == 20
    assert (second.kind, second.tables["test_result_rows"].new_rows) == ("incremental", 1)
    assert lab.rows("test_result_rows").num_rows == 21


def test_a_table_that_may_not_be_read_on_postgres_is_excluded_alone(
    postgres_server: PostgresServer,
    postgres_database: str,
    airflow_connection: Callable[[str, Mapping[str, object]], str],
    tmp_path: Path,
) -> None:
    write_postgres(small_world(days=2), postgres_server, postgres_database)
    connection = postgres_reader(postgres_server, postgres_database)
    postgres_server.execute(
        f'REVOKE ALL ON elementary.dbt_exposures FROM "{connection["login"]}"', database=postgres_database
    )
    store, keys = open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate())

    with ElementaryHook(airflow_connection("reader", connection)).source() as source:
        manifest = write_snapshot(source, opened(store, keys))

    assert dict(manifest.excluded) == {"dbt_exposures": "this connection may not read it; grant SELECT on it"}
    assert len(manifest.tables) == 16


#: What makes each read of a PostgreSQL table fail, and the SQLSTATE of the failure.
FAILING_READS = {
    "22P03": "CREATE TYPE kind AS ENUM ('core'); ALTER TABLE elementary.dbt_groups ALTER name TYPE kind "
    "USING 'core'::kind; DELETE FROM pg_enum WHERE enumlabel = 'core'",
    "08001": "CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS "
    "(host '127.0.0.1', port '1'); CREATE USER MAPPING FOR PUBLIC SERVER away OPTIONS (user 'a', password 'b');"
    "ALTER TABLE elementary.dbt_groups RENAME TO kept; CREATE TABLE elementary.dbt_groups (LIKE elementary.kept) "
    "PARTITION BY LIST (name); GRANT SELECT ON elementary.dbt_groups TO PUBLIC; DROP TABLE elementary.kept;"
    "CREATE FOREIGN TABLE elementary.part PARTITION OF elementary.dbt_groups DEFAULT SERVER away",
    "58P01": "CHECKPOINT",
}


@pytest.mark.parametrize("state", FAILING_READS)
def test_a_table_that_fails_while_it_is_read_on_postgres_is_excluded_alone(
    postgres_server: PostgresServer,
    postgres_database: str,
    airflow_connection: Callable[[str, Mapping[str, object]], str],
    tmp_path: Path,
    state: str,
) -> None:
    write_postgres(small_world(days=2), postgres_server, postgres_database)
    connection = postgres_reader(postgres_server, postgres_database)
    postgres_server.execute(FAILING_READS[state], database=postgres_database)
    if state == "58P01":
        ((directory, file),) = postgres_server.execute(
            "SELECT current_setting('data_directory'), pg_relation_filepath('elementary.dbt_groups')",
            database=postgres_database,
        )
        (Path(directory) / file).unlink()
    store, keys = open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate())

    with ElementaryHook(airflow_connection("reader", connection)).source() as source:
        manifest = write_snapshot(source, opened(store, keys))

    assert dict(manifest.excluded) == {"dbt_groups": f"PostgreSQL refused (SQLSTATE {state})"}
    assert len(manifest.tables) == 16


@pytest.mark.parametrize(
    ("policies", "is_excluded"),
    [
        ("", True),
        # A row policy that fails, as one does whose function the role may not run.
        ("CREATE POLICY broken ON elementary.dbt_groups USING (name::int > 0)", True),
        ("CREATE POLICY part ON elementary.dbt_groups USING (name <> 'x')", True),
        ("CREATE POLICY other ON elementary.dbt_groups TO postgres USING (true)", True),
        ("CREATE POLICY writes ON elementary.dbt_groups FOR DELETE USING (true)", True),
        (
            "CREATE POLICY a ON elementary.dbt_groups USING (true);"
            "CREATE POLICY b ON elementary.dbt_groups AS RESTRICTIVE USING (name <> 'x')",
            True,
        ),
        ("CREATE POLICY a ON elementary.dbt_groups FOR SELECT USING (true)", False),
        ('CREATE POLICY a ON elementary.dbt_groups TO "{role}" USING (true)', False),
    ],
)
def test_a_table_whose_rows_a_policy_may_hide_on_postgres_is_excluded_by_name(
    postgres_server: PostgresServer,
    postgres_database: str,
    airflow_connection: Callable[[str, Mapping[str, object]], str],
    tmp_path: Path,
    policies: str,
    is_excluded: bool,
) -> None:
    write_postgres({"dbt_groups": small_world()["dbt_groups"]}, postgres_server, postgres_database)
    connection = postgres_reader(postgres_server, postgres_database)
    postgres_server.execute(
        "ALTER TABLE elementary.dbt_groups ENABLE ROW LEVEL SECURITY;"
        "CREATE TABLE elementary.metadata (dbt_pkg_version text);"
        f'GRANT SELECT ON elementary.metadata TO "{connection["login"]}";' + policies.format(role=connection["login"]),
        database=postgres_database,
    )

    with ElementaryHook(airflow_connection("reader", connection)).source() as source:
        excluded = dict(source.excluded)

    assert set(excluded) == ({"dbt_groups"} if is_excluded else set())
    assert all(reason.startswith("row-level security may hide rows of it") for reason in excluded.values())


class TestEveryRelease:
    def releases(self, shared: Path) -> dict[str, dict[str, dict[str, str]]]:
        path = shared / "cases" / "elementary_columns_by_release.json"
        if not path.is_file():
            pytest.skip("the columns of every release are not among the shared inputs")
        found: dict[str, dict[str, dict[str, str]]] = json.loads(path.read_text())
        return found

    def test_every_column_of_every_release_is_classified(self, shared: Path) -> None:
        unknown = {
            (table, column)
            for tables in self.releases(shared).values()
            for table, columns in tables.items()
            for column in columns
            if table in TABLES and TABLES[table].column(column) is None
        }

        assert unknown == set()

    def test_the_schema_of_every_release_is_synced_twice_and_restored(self, shared: Path, tmp_path: Path) -> None:
        world = small_world(days=3)
        for release, tables in self.releases(shared).items():
            directory = tmp_path / release
            directory.mkdir()
            lab = Lab(directory)
            with duckdb.connect(str(lab.path)) as connection:
                for table in {*TABLES} - {*tables} - {*UNLISTED}:
                    connection.execute(f"DROP TABLE elementary.{table}")
                for table, columns in tables.items():
                    held = {column.name for column in TABLES[table].columns}
                    for column in held - set(columns):
                        connection.execute(f"ALTER TABLE elementary.{table} DROP COLUMN {column}")
                    for column in set(columns) - held:
                        connection.execute(f"ALTER TABLE elementary.{table} ADD COLUMN {column} VARCHAR DEFAULT 'x'")

            first, second = lab.snapshot(), lab.snapshot()
            report = restore(lab.repository, DuckDBTarget(lab.copy, "elementary"))

            usable = {
                table
                for table in {*tables, *UNLISTED} & {*world}
                if table not in tables or TABLES[table].indispensable_columns <= set(tables[table])
            }
            assert set(first.tables) == usable, release
            assert (first.rows, second.rows) == (report.rows, report.rows), release
            assert second.new_files == () or first.consistency is None or first.consistency.watermark is None, release
