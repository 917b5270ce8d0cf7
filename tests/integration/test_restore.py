"""A restored schema is Elementary's own: its tables, types, order of columns and views; all of it, or nothing."""

from __future__ import annotations

import csv
import os
import stat
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from airflow_provider_elementary.elementary_schema import TABLES, Category
from airflow_provider_elementary.elementary_schema.ddl import Dialect, create_tables
from airflow_provider_elementary.elementary_schema.views import create_views
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    KeyUnavailableError,
    SnapshotCorruptError,
    SnapshotNotFoundError,
    WarehouseError,
)
from airflow_provider_elementary.snapshots import LocalKeys, Manifest, open_snapshot, write_snapshot
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.restore import restore
from airflow_provider_elementary.snapshots.restore_targets import DuckDBTarget, PostgresTarget
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import copy_duckdb_world, restore_postgres
from tests.support.restores import EVERYTHING, original, postgres_target  # noqa: F401  # a fixture
from tests.support.signing import opened
from tests.support.stores import Rest, local_rest, take, world_after

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

#: Its window is sorted by bucket_start alone, so that scores of ties differ from one execution to the next.
UNDETERMINED = {"metrics_anomaly_score", "anomaly_threshold_sensitivity"}


def query(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(statement).fetchall()


def rows_of(path: Path, name: str) -> list[str]:
    return sorted(map(repr, query(path, f'SELECT * FROM elementary."{name}"')))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def declared(shared: Path, kind: str, dialect: str) -> dict[str, list[tuple[str, str]]]:
    """Return what the dbt package declared on an adapter: columns and types, by table or view."""
    found = defaultdict(list)
    with (shared / "world" / "ddl" / "columns_all_adapters.csv").open() as file:
        for row in csv.DictReader(file):
            if row["kind"] == kind:
                found[row["table"]].append((row["column"], row[f"{dialect}_type"].lower()))
    return dict(found)


def duckdb_columns(path: Path, relations: set[str]) -> dict[str, list[tuple[str, str]]]:
    found = defaultdict(list)
    for table, column, type_name in query(
        path,
        "SELECT table_name, column_name, lower(data_type) FROM duckdb_columns() "
        "WHERE schema_name = 'elementary' ORDER BY table_name, column_index",
    ):
        if table in relations:
            found[table].append((column, type_name))
    return dict(found)


def postgres_columns(server: PostgresServer, database: str, kind: str) -> dict[str, list[tuple[str, str]]]:
    found = defaultdict(list)
    for table, column, type_name in server.execute(
        "SELECT c.relname, a.attname, replace(format_type(a.atttypid, a.atttypmod), 'character varying', 'varchar') "
        "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        f"WHERE c.relnamespace = 'elementary'::regnamespace AND c.relkind = '{kind}' AND a.attnum > 0 "
        "ORDER BY c.relname, a.attnum",
        database=database,
    ):
        found[table].append((column, type_name))
    return dict(found)


class TestToDuckDB:
    def test_every_row_of_the_snapshot_is_there(self, rest: Rest, manifests: list[Manifest], tmp_path: Path) -> None:
        report = restore(rest.repository, DuckDBTarget(tmp_path / "restored.duckdb"))

        snapshot = open_snapshot(rest.repository)
        with WarehouseSource(DuckDBWarehouse(tmp_path / "restored.duckdb", "elementary")) as source:
            for name in TABLES:
                restored = sorted(map(repr, read_all(source, name).to_pylist()))
                assert restored == sorted(map(repr, read_all(snapshot, name).to_pylist()))
                assert report.tables[name] == len(restored)

    def test_an_earlier_snapshot_is_restored_as_it_was(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        report = restore(rest.repository, DuckDBTarget(tmp_path / "then.duckdb"), snapshot=manifests[0].snapshot_id)

        assert report.sequence == 1
        assert report.tables["dbt_invocations"] == world_after(3)["dbt_invocations"].num_rows

    def test_a_time_finds_the_newest_snapshot_taken_by_then(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        report = restore(rest.repository, DuckDBTarget(tmp_path / "then.duckdb"), snapshot=manifests[1].taken_at)

        assert report.snapshot_id == manifests[1].snapshot_id

    def test_only_chosen_categories_are_restored_and_the_other_tables_are_empty(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        path = tmp_path / "metrics.duckdb"

        report = restore(rest.repository, DuckDBTarget(path), categories=[Category.TABLE_METRICS])

        assert report.categories == ("table_metrics",)
        assert {name for name, rows in report.tables.items() if rows} == {"data_monitoring_metrics"}
        assert query(path, "SELECT count(*) FROM elementary.dbt_models") == [(0,)]
        assert query(path, "SELECT DISTINCT column_name FROM elementary.data_monitoring_metrics") == [(None,)]

    def test_a_category_without_a_key_is_refused_if_asked_for_else_left_out(self, tmp_path: Path) -> None:
        master_keys = LocalKeys.generate()
        rest = replace(local_rest(tmp_path), keys=LocalKeys(master_keys))
        take(rest, tmp_path / "warehouse.duckdb", world_after(2))
        reader = LocalKeys({"metadata": master_keys["metadata"]})

        with pytest.raises(KeyUnavailableError, match="No master key for Run results"):
            restore(opened(rest.store, reader), DuckDBTarget(tmp_path / "a.duckdb"), categories=[Category.RUN_RESULTS])
        report = restore(opened(rest.store, reader), DuckDBTarget(tmp_path / "b.duckdb"))

        assert report.categories == ("metadata",)
        assert report.tables["dbt_run_results"] == 0

    def test_expired_categories_are_named_and_empty(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        days = Retention(category_days={Category.FAILED_ROWS_SAMPLE: 1})
        prune(rest.repository, days, now=datetime(2100, 1, 1, tzinfo=UTC))

        report = restore(rest.repository, DuckDBTarget(tmp_path / "restored.duckdb"))

        assert report.expired == ("failed_rows_sample",)
        assert "failed_rows_sample" not in report.categories

    def test_a_file_that_exists_is_never_overwritten(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        (tmp_path / "mine.duckdb").write_text("precious")

        with pytest.raises(ConfigurationError, match="Nothing is overwritten"):
            restore(rest.repository, DuckDBTarget(tmp_path / "mine.duckdb"))

        assert (tmp_path / "mine.duckdb").read_text() == "precious"

    def test_a_file_that_appears_meanwhile_is_not_overwritten_either(self, tmp_path: Path) -> None:
        target = DuckDBTarget(tmp_path / "mine.duckdb")

        with pytest.raises(ConfigurationError, match="Nothing is overwritten"), target.open():
            (tmp_path / "mine.duckdb").write_text("precious")

        assert (tmp_path / "mine.duckdb").read_text() == "precious"

    def test_a_damaged_snapshot_leaves_no_file(self, rest: Rest, manifests: list[Manifest], tmp_path: Path) -> None:
        (tmp_path / "new").mkdir()
        flip(rest.path(next(file.key for file in manifests[1].files if file.table == "metadata")))

        with pytest.raises(SnapshotCorruptError, match="metadata"):
            restore(rest.repository, DuckDBTarget(tmp_path / "new" / "restored.duckdb"))

        assert list((tmp_path / "new").iterdir()) == []

    def test_the_file_is_for_its_owner_only_from_the_beginning(
        self, rest: Rest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        modes: list[int] = []

        def linked(draft: Path, path: Path) -> None:
            modes.extend([stat.S_IMODE(draft.stat().st_mode), stat.S_IMODE(draft.parent.stat().st_mode)])
            link(draft, path)

        repository, link = rest.repository, os.link
        monkeypatch.setattr(os, "link", linked)
        before = os.umask(0)
        try:
            restore(repository, DuckDBTarget(tmp_path / "restored.duckdb"))
        finally:
            os.umask(before)

        assert modes == [0o600, 0o700]
        assert stat.S_IMODE((tmp_path / "restored.duckdb").stat().st_mode) == 0o600
        assert [path.name for path in tmp_path.iterdir() if path.name != "store"] == ["restored.duckdb"]

    def test_a_file_named_like_its_schema_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="is named like its schema"):
            DuckDBTarget(tmp_path / "elementary.duckdb")

    def test_a_snapshot_that_is_not_there_leaves_no_file(
        self, rest: Rest, manifests: list[Manifest], tmp_path: Path
    ) -> None:
        with pytest.raises(SnapshotNotFoundError):
            restore(rest.repository, DuckDBTarget(tmp_path / "restored.duckdb"), snapshot="no such")

        assert not (tmp_path / "restored.duckdb").exists()


class TestToPostgres:
    def test_every_row_of_the_snapshot_is_there(
        self, rest: Rest, manifests: list[Manifest], postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        with postgres_target(postgres_server, postgres_database) as target:
            report = restore(rest.repository, target)

        snapshot = open_snapshot(rest.repository)
        for name in TABLES:
            columns = ", ".join(f'"{column}"' for column in snapshot.schema(name).names)
            found = postgres_server.execute(f"SELECT {columns} FROM elementary.{name}", database=postgres_database)
            expected = [tuple(row.values()) for row in read_all(snapshot, name).to_pylist()]
            assert sorted(map(repr, found)) == sorted(map(repr, expected))
            assert report.tables[name] == len(found)

    def test_the_views_answer(
        self, rest: Rest, manifests: list[Manifest], postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        with postgres_target(postgres_server, postgres_database) as target:
            restore(rest.repository, target)

        counts = {
            name: postgres_server.execute(f"SELECT count(*) FROM elementary.{name}", database=postgres_database)[0][0]
            for name in create_views("postgres", "elementary")
        }
        assert counts["model_run_results"] == 2 * 5
        assert counts["alerts_dbt_tests"] == 5

    def test_a_schema_with_anything_in_it_is_refused(
        self, rest: Rest, manifests: list[Manifest], postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        postgres_server.execute("CREATE SCHEMA mine; CREATE TABLE mine.own ()", database=postgres_database)

        with (
            postgres_target(postgres_server, postgres_database, "mine") as target,
            pytest.raises(ConfigurationError, match="1 tables and views are in it, own among them"),
        ):
            restore(rest.repository, target)

    def test_an_empty_schema_serves_a_role_that_may_create_none(
        self, rest: Rest, manifests: list[Manifest], postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        import adbc_driver_postgresql.dbapi as dbapi

        role = f"restorer_{postgres_database}"
        password = postgres_server.create_role(role)
        postgres_server.execute(
            f"GRANT CONNECT ON DATABASE {postgres_database} TO {role}; CREATE SCHEMA own AUTHORIZATION {role}",
            database=postgres_database,
        )

        with dbapi.connect(postgres_server.uri(role, password, postgres_database)) as connection:
            report = restore(rest.repository, PostgresTarget(connection, "own"))

        assert report.rows > 0

    def test_a_damaged_snapshot_leaves_nothing(
        self, rest: Rest, manifests: list[Manifest], postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        flip(rest.path(next(file.key for file in manifests[1].files if file.table == "metadata")))

        with (
            postgres_target(postgres_server, postgres_database) as target,
            pytest.raises(SnapshotCorruptError, match="metadata"),
        ):
            restore(rest.repository, target)

        statement = "SELECT count(*) FROM pg_namespace WHERE nspname = 'elementary'"
        assert postgres_server.execute(statement, database=postgres_database) == [(0,)]

    def test_a_role_that_may_not_create_the_schema_gets_an_error_of_ours(
        self, rest: Rest, manifests: list[Manifest], postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        import adbc_driver_postgresql.dbapi as dbapi

        role = f"poor_{postgres_database}"
        password = postgres_server.create_role(role)
        postgres_server.execute(f"GRANT CONNECT ON DATABASE {postgres_database} TO {role}")

        with (
            dbapi.connect(postgres_server.uri(role, password, postgres_database)) as connection,
            pytest.raises(WarehouseError, match=r"failed \(\w+, SQLSTATE 42501\)\. Nothing was restored"),
        ):
            restore(rest.repository, PostgresTarget(connection))


class TestLikeTheDbtPackage:
    @pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
    def test_tables_have_the_packages_columns_types_and_order(self, dialect: Dialect, shared: Path) -> None:
        expected = {
            table: ", ".join(f'"{column}" {type_name}' for column, type_name in columns)
            for table, columns in declared(shared, "table", dialect).items()
        }

        made = {
            table: statement.partition("(")[2][:-1].lower()
            for table, statement in create_tables(dialect, "elementary", widest=False).items()
        }

        assert made == expected

    def test_views_on_duckdb_have_the_packages_columns_types_and_rows(self, shared: Path, tmp_path: Path) -> None:
        world = copy_duckdb_world(shared, tmp_path)
        rest = local_rest(tmp_path)
        with WarehouseSource(DuckDBWarehouse(world, "elementary")) as source:
            write_snapshot(source, rest.repository, policy=EVERYTHING)

        restore(rest.repository, DuckDBTarget(tmp_path / "restored.duckdb"))

        views = set(create_views("duckdb", "elementary"))
        assert duckdb_columns(tmp_path / "restored.duckdb", views) == duckdb_columns(world, views)
        for name in views - UNDETERMINED:
            assert rows_of(tmp_path / "restored.duckdb", name) == rows_of(world, name)
        for name in UNDETERMINED - {"anomaly_threshold_sensitivity"}:
            assert len(rows_of(tmp_path / "restored.duckdb", name)) == len(rows_of(world, name))

    def test_a_schema_of_postgresql_comes_back_with_its_types_and_views(
        self, shared: Path, tmp_path: Path, postgres_server: PostgresServer, postgres_database: str
    ) -> None:
        restore_postgres(postgres_server, postgres_database, shared)
        tables, views = (postgres_columns(postgres_server, postgres_database, kind) for kind in "rv")
        counts = {
            name: postgres_server.execute(f"SELECT count(*) FROM elementary.{name}", database=postgres_database)
            for name in (*TABLES, *(views.keys() - UNDETERMINED))
        }
        rest = local_rest(tmp_path)
        snapshot_postgres(rest, postgres_server, postgres_database)
        postgres_server.execute("DROP SCHEMA elementary CASCADE", database=postgres_database)

        with postgres_target(postgres_server, postgres_database) as target:
            restore(rest.repository, target)

        assert postgres_columns(postgres_server, postgres_database, "r") == tables
        restored = postgres_columns(postgres_server, postgres_database, "v")
        assert {name: [column for column, _ in columns] for name, columns in restored.items()} == {
            name: [column for column, _ in columns] for name, columns in views.items()
        }
        assert {
            name: postgres_server.execute(f"SELECT count(*) FROM elementary.{name}", database=postgres_database)
            for name in counts
        } == counts


def snapshot_postgres(rest: Rest, server: PostgresServer, database: str) -> None:
    import adbc_driver_postgresql.dbapi as dbapi

    from airflow_provider_elementary.access.check.session import TransportFacts
    from airflow_provider_elementary.warehouses.postgres import PostgresWarehouse

    transport = TransportFacts(True, "TLSv1.2", True, "sslmode=verify-full")
    connection = dbapi.connect(server.uri(database=database))
    with WarehouseSource(PostgresWarehouse(connection, "elementary", database, transport)) as source:
        write_snapshot(source, rest.repository, policy=EVERYTHING)
