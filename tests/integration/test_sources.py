"""Every warehouse gives the same rows in the same types through the hook, and says clearly what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psycopg
import pytest

from airflow_provider_elementary.access.check.session import StatementDeniedError
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    ConnectionNotFoundError,
    NotAnElementarySchemaError,
    QueryRefusedError,
    SchemaNotFoundError,
    UnknownColumnError,
    UnknownTableError,
    WarehouseError,
)
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.dbapi import DbApiWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.servers import free_port
from tests.support.connections import duckdb_file, postgres_reader, snowflake_reader
from tests.support.datasets import many_metrics, write_duckdb, write_postgres, write_snowflake
from tests.support.little_project import SMALL_WORLD_END, World, small_world
from tests.support.read_back import assert_holds

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer
    from tests.servers.snowflake import SnowflakeServer

Connect = Callable[[str, Mapping[str, object]], str]


@pytest.fixture
def world() -> World:
    return small_world(days=10)


@pytest.fixture
def duckdb_conn(world: World, tmp_path: Path, airflow_connection: Connect) -> str:
    return airflow_connection("reader", duckdb_file(write_duckdb(world, tmp_path / "warehouse.duckdb")))


@pytest.fixture
def postgres_conn(
    world: World, postgres_server: PostgresServer, postgres_database: str, airflow_connection: Connect
) -> str:
    write_postgres(world, postgres_server, postgres_database)
    return airflow_connection("reader", postgres_reader(postgres_server, postgres_database))


class TestEveryWarehouseGivesTheSameRows:
    def test_duckdb(self, world: World, duckdb_conn: str) -> None:
        with ElementaryHook(duckdb_conn).source() as source:
            assert_holds(source, world)

    def test_postgres(self, world: World, postgres_conn: str) -> None:
        with ElementaryHook(postgres_conn).source() as source:
            assert_holds(source, world)

    def test_snowflake(
        self, world: World, snowflake_server: SnowflakeServer, snowflake_database: str, airflow_connection: Connect
    ) -> None:
        write_snowflake(world, snowflake_server, snowflake_database)
        conn_id = airflow_connection("reader", snowflake_reader(snowflake_server, snowflake_database))

        with ElementaryHook(conn_id).source() as source:
            assert_holds(source, world)

    def test_snowflake_tables_in_quoted_lower_case_are_read(
        self, world: World, snowflake_server: SnowflakeServer, snowflake_database: str, airflow_connection: Connect
    ) -> None:
        write_snowflake(world, snowflake_server, snowflake_database)
        for name in world:
            place = f'"{snowflake_database}"."ELEMENTARY"'
            # DuckDB behind the look-alike finds a new name of other case taken.
            snowflake_server.execute(f'ALTER TABLE {place}."{name.upper()}" RENAME TO "{name}_moved"')
            snowflake_server.execute(f'ALTER TABLE {place}."{name}_moved" RENAME TO "{name}"')
        conn_id = airflow_connection("reader", snowflake_reader(snowflake_server, snowflake_database))

        with ElementaryHook(conn_id).source() as source:
            held = {source.table(name).name for name in source.tables()}
            rows = {name: read_all(source, name).num_rows for name in world}

        assert held == set(world)
        assert rows == {name: table.num_rows for name, table in world.items()}

    def test_snowflake_results_of_many_chunks_arrive_whole(
        self, snowflake_server: SnowflakeServer, snowflake_database: str, airflow_connection: Connect
    ) -> None:
        write_snowflake(
            {"data_monitoring_metrics": many_metrics(25_000).read_all()}, snowflake_server, snowflake_database
        )
        conn_id = airflow_connection("reader", snowflake_reader(snowflake_server, snowflake_database))

        with ElementaryHook(conn_id).source() as source, source.read("data_monitoring_metrics") as reader:
            batches = list(reader)

        assert sum(batch.num_rows for batch in batches) == 25_000
        assert len(batches) > 1

    def test_snowflake_switches_secondary_roles_off_before_anything_is_read(
        self, world: World, snowflake_server: SnowflakeServer, snowflake_database: str, airflow_connection: Connect
    ) -> None:
        write_snowflake(world, snowflake_server, snowflake_database)
        conn_id = airflow_connection("reader", snowflake_reader(snowflake_server, snowflake_database))
        before = len(snowflake_server.queries)

        with ElementaryHook(conn_id).source() as source:
            read_all(source, "metadata")

        statements = [query.sql for query in snowflake_server.queries[before:]]
        assert statements[0] == "USE SECONDARY ROLES NONE"

    def test_a_connection_of_our_own_type_serves_as_its_warehouse(
        self, world: World, tmp_path: Path, airflow_connection: Connect
    ) -> None:
        path = write_duckdb(world, tmp_path / "warehouse.duckdb", schema="observability")
        connection = {
            "conn_type": "elementary",
            "host": str(path),
            "extra": {"warehouse_kind": "duckdb", "elementary_schema": "observability"},
        }

        with ElementaryHook(airflow_connection("own", connection)).source() as source:
            assert_holds(source, world)

    def test_since_and_until_select_by_the_watermark(self, postgres_conn: str) -> None:
        since, until = SMALL_WORLD_END - timedelta(days=3), SMALL_WORLD_END - timedelta(days=1)

        with (
            ElementaryHook(postgres_conn).source() as source,
            source.read("dbt_invocations", columns=["created_at"], since=since, until=until) as reader,
        ):
            created = reader.read_all()["created_at"].to_pylist()

        assert len(created) == 2
        assert all(since <= moment < until for moment in created)


class TestAuthorsQueries:
    def test_a_query_over_elementary_tables_is_answered(self, postgres_conn: str) -> None:
        reader = ElementaryHook(postgres_conn).query("select count(*) as invocations from dbt_invocations")

        assert reader.read_all().to_pylist() == [{"invocations": 10}]

    def test_an_empty_answer_has_its_columns(self, duckdb_conn: str) -> None:
        reader = ElementaryHook(duckdb_conn).query("select name, alias from dbt_models where name = 'no such model'")

        assert reader.read_all().column_names == ["name", "alias"]

    def test_a_query_beyond_the_schema_is_refused(self, duckdb_conn: str) -> None:
        with pytest.raises(QueryRefusedError, match="Query refused"):
            ElementaryHook(duckdb_conn).query("select * from raw.customers")


class TestBadInput:
    def test_an_unknown_connection_is_named(self) -> None:
        with pytest.raises(ConnectionNotFoundError, match="Airflow has no connection 'nowhere'"):
            ElementaryHook("nowhere").source()

    def test_a_connection_type_that_is_not_read_is_refused(self, airflow_connection: Connect) -> None:
        conn_id = airflow_connection("mail", {"conn_type": "smtp", "host": "localhost"})

        with pytest.raises(ConfigurationError, match="This provider cannot read connection 'mail' of type 'smtp'"):
            ElementaryHook(conn_id).source()

    def test_the_error_of_a_wrong_schema_names_those_there_are(self, postgres_conn: str) -> None:
        with pytest.raises(SchemaNotFoundError, match=r"'elementry'.*Elementary schemas that it sees: elementary\."):
            ElementaryHook(postgres_conn, schema="elementry").source()

    def test_a_schema_without_elementary_tables_is_refused(
        self, postgres_server: PostgresServer, postgres_database: str, airflow_connection: Connect
    ) -> None:
        postgres_server.execute("CREATE SCHEMA marts; CREATE TABLE marts.orders (id int)", database=postgres_database)
        connection = postgres_reader(postgres_server, postgres_database, "marts")

        with pytest.raises(NotAnElementarySchemaError, match=r"Schema 'marts' has none of .*, and 1 other"):
            ElementaryHook(airflow_connection("reader", connection), schema="marts").source()

    def test_a_table_of_an_old_package_version_is_excluded_with_what_it_lacks(
        self, world: World, tmp_path: Path, airflow_connection: Connect
    ) -> None:
        path = write_duckdb(world, tmp_path / "warehouse.duckdb")
        with duckdb.connect(str(path)) as connection:
            connection.execute("ALTER TABLE elementary.dbt_run_results DROP COLUMN created_at")

        with ElementaryHook(airflow_connection("reader", duckdb_file(path))).source() as source:
            excluded = dict(source.excluded)
            assert "dbt_run_results" not in source.tables()

        assert excluded == {"dbt_run_results": "it lacks created_at: columns that identify and date its rows"}

    def test_columns_that_a_version_lacks_or_adds_are_reported_and_not_read(
        self, world: World, tmp_path: Path, airflow_connection: Connect
    ) -> None:
        path = write_duckdb(world, tmp_path / "warehouse.duckdb")
        with duckdb.connect(str(path)) as connection:
            connection.execute("ALTER TABLE elementary.dbt_models DROP COLUMN access")
            connection.execute("ALTER TABLE elementary.dbt_models ADD COLUMN salary INTEGER")

        with ElementaryHook(airflow_connection("reader", duckdb_file(path))).source() as source:
            held, columns = source.table("dbt_models"), source.schema("dbt_models").names

        assert (held.missing, held.unknown) == (("access",), ("salary",))
        assert not {"access", "salary"} & set(columns)

    def test_a_table_outside_the_catalog_is_refused(self, duckdb_conn: str) -> None:
        with (
            ElementaryHook(duckdb_conn).source() as source,
            pytest.raises(UnknownTableError, match="'test_tmp_1' is not a table of Elementary"),
        ):
            source.read("test_tmp_1")

    def test_a_column_outside_the_catalog_is_refused(self, duckdb_conn: str) -> None:
        with (
            ElementaryHook(duckdb_conn).source() as source,
            pytest.raises(UnknownColumnError, match="dbt_models has no column 'salary'"),
        ):
            source.read("dbt_models", columns=["salary"])

    def test_the_error_of_a_wrong_password_does_not_quote_it(
        self, postgres_server: PostgresServer, airflow_connection: Connect
    ) -> None:
        conn_id = airflow_connection("reader", postgres_server.airflow_connection("postgres", "wrong-pass-77"))

        with pytest.raises(WarehouseError, match="the server refused user 'postgres' or its password") as caught:
            ElementaryHook(conn_id).source()

        assert "wrong-pass-77" not in str(caught.value)
        assert caught.value.permanent
        assert caught.value.__cause__ is None

    def test_a_server_that_does_not_answer_is_named(
        self, postgres_server: PostgresServer, airflow_connection: Connect
    ) -> None:
        nobody = {**postgres_server.airflow_connection("postgres", "any"), "port": free_port()}

        works, message = ElementaryHook(airflow_connection("reader", nobody)).test_connection()

        assert not works
        assert "of this connection (postgres at" in message
        assert "nothing accepts connections there" in message

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path, airflow_connection: Connect) -> None:
        conn_id = airflow_connection("reader", duckdb_file(tmp_path / "missing.duckdb"))

        with pytest.raises(ConfigurationError, match="There is no file"):
            ElementaryHook(conn_id).source()

    def test_a_database_that_goes_away_during_a_read_is_reported(
        self, postgres_server: PostgresServer, postgres_database: str, airflow_connection: Connect
    ) -> None:
        write_postgres(
            {"data_monitoring_metrics": many_metrics(300_000).read_all()}, postgres_server, postgres_database
        )
        conn_id = airflow_connection("reader", postgres_reader(postgres_server, postgres_database))

        with ElementaryHook(conn_id).source() as source, source.read("data_monitoring_metrics") as reader:
            reader.read_next_batch()
            postgres_server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [postgres_database]
            )
            with pytest.raises(WarehouseError, match="reading data_monitoring_metrics failed"):
                reader.read_all()


class TestAccess:
    def test_a_dedicated_role_on_postgres_passes_every_check(self, postgres_conn: str) -> None:
        report = ElementaryHook(postgres_conn).check_access()

        assert {finding.status for finding in report.findings} == {"pass", "not applicable"}

    def test_a_dedicated_role_on_snowflake_passes_every_check(
        self, world: World, snowflake_server: SnowflakeServer, snowflake_database: str, airflow_connection: Connect
    ) -> None:
        write_snowflake(world, snowflake_server, snowflake_database)
        conn_id = airflow_connection("reader", snowflake_reader(snowflake_server, snowflake_database))

        report = ElementaryHook(conn_id).check_access()

        assert [
            (finding.name, finding.evidence)
            for finding in report.findings
            if finding.status not in ("pass", "not applicable")
        ] == []

    def test_the_test_button_says_what_was_proved(self, duckdb_conn: str) -> None:
        assert ElementaryHook(duckdb_conn).test_connection() == (
            True,
            "Read-only access to 17 Elementary tables proved by 11 checks.",
        )

    def test_the_test_button_never_calls_an_accepted_unknown_proved(
        self, duckdb_conn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        report = ElementaryHook(duckdb_conn).check_access()
        findings = tuple(
            replace(one, status="unknown") if one.name == "reads-outside-schema" else one for one in report.findings
        )
        monkeypatch.setattr(ElementaryHook, "check", lambda *_: replace(report, findings=findings))
        monkeypatch.setattr(ElementaryHook, "accept_unknown", ("reads-outside-schema",))

        works, message = ElementaryHook(duckdb_conn).test_connection()

        assert works
        assert message == "17 Elementary tables can be read: 10 of 11 checks pass, 1 unknown and accepted."

    def test_the_test_button_says_what_is_wrong(self, airflow_connection: Connect) -> None:
        works, message = ElementaryHook("nowhere").test_connection()

        assert not works
        assert message.startswith("Airflow has no connection 'nowhere'.")


class TestAnyOtherWarehouse:
    @pytest.fixture
    def warehouse(
        self, world: World, postgres_server: PostgresServer, postgres_database: str
    ) -> Iterator[DbApiWarehouse]:
        write_postgres(world, postgres_server, postgres_database)
        reader = postgres_reader(postgres_server, postgres_database)
        connection = psycopg.connect(postgres_server.uri(reader["login"], reader["password"], postgres_database))
        yield DbApiWarehouse(
            connection, dialect="postgres", schema="elementary", database=None, placeholder="%s", transport=None
        )
        connection.close()

    def test_a_plain_dbapi_connection_gives_the_same_rows(self, world: World, warehouse: DbApiWarehouse) -> None:
        assert_holds(WarehouseSource(warehouse), world)

    def test_a_refused_statement_leaves_the_session_usable(self, warehouse: DbApiWarehouse) -> None:
        with pytest.raises(StatementDeniedError):
            warehouse.rows("SELECT * FROM pg_authid")

        assert warehouse.rows("SELECT 1") == [(1,)]

    def test_an_empty_answer_has_its_columns(self, warehouse: DbApiWarehouse) -> None:
        reader = WarehouseSource(warehouse).query("select name from elementary.dbt_models where name = 'no such model'")

        assert reader.read_all().column_names == ["name"]
