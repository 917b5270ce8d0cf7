"""Schemas, relations, connection parameters and column types as people have them on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    NotAnElementarySchemaError,
    QueryRefusedError,
    SchemaNotFoundError,
)
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.hooks.libpq import PASSED, REFUSED
from airflow_provider_elementary.metrics import compute_metrics
from airflow_provider_elementary.snapshots import LocalKeys, Policy, write_snapshot
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.object_store.local import LocalStore
from tests.support.datasets import write_postgres
from tests.support.little_project import small_world
from tests.support.signing import opened

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Connect = Callable[[str, Mapping[str, object]], str]

KEYS = LocalKeys(LocalKeys.generate())
WORLD = small_world(days=3)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Place:
    """A database with the small world in a schema, and a role that reads that schema."""

    def __init__(self, server: PostgresServer, database: str, schema: str) -> None:
        self.server, self.database, self.schema = server, database, schema
        self.role = f"reader_{uuid.uuid4().hex[:12]}"
        self.password = server.create_role(self.role)
        write_postgres(WORLD, server, database, schema)
        self.run(f"GRANT CONNECT ON DATABASE {quoted(database)} TO {self.role}")
        self.grant()

    def run(self, statement: str) -> None:
        self.server.execute(statement, database=self.database)

    def grant(self, schema: str | None = None) -> None:
        name = quoted(schema or self.schema)
        self.run(
            f"GRANT USAGE ON SCHEMA {name} TO {self.role}; GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {self.role}"
        )

    def connection(self, **extra: object) -> dict[str, Any]:
        return self.server.airflow_connection(self.role, self.password, self.database, **extra)


@pytest.fixture
def place(postgres_server: PostgresServer) -> Iterator[Callable[..., Place]]:
    """Make a place in a database of its own name; it is dropped after the test."""
    made: list[Place] = []

    def make(schema: str = "elementary", database: str = "dwh") -> Place:
        name = f"{database}{uuid.uuid4().hex[:8]}"
        made.append(Place(postgres_server, postgres_server.create_database(name), schema))
        return made[-1]

    yield make
    for one in made:
        one.server.drop_role(one.role, database=one.database)
        one.server.drop_database(one.database)


@pytest.mark.parametrize(
    ("schema", "given", "database"),
    [
        ("ELEMENTARY", "ELEMENTARY", "DWH"),
        ("ELEMENTARY", "elementary", "dwh"),
        ("Prod_Elementary", "prod_elementary", "Dwh"),
        ('ele"men', 'ele"men', "my dwh"),
        ("dbt-prod.elementary", "dbt-prod.elementary", "dwh-1.x"),
        ("1élémentaire 🙂", "1élémentaire 🙂", "dwh"),
        ("x" * 63, "x" * 63 + "_cut_off", "dwh"),
        ("é" * 31 + "x", "é" * 31 + "x", "é" * 27),
        ("é" * 31, "é" * 32, "dwh"),
        (" 'a' \\ {0} %s $1 ? ", " 'a' \\ {0} %s $1 ? ", "d'w\"h %20 &x=1 #/\\"),
        ("select", "select", "🙂"),
        ("a;--/*\n", "a;--/*\n", "template"),
    ],
)
def test_a_schema_works_from_the_check_to_metrics_however_it_is_spelled(
    schema: str, given: str, database: str, place: Callable[..., Place], airflow_connection: Connect, tmp_path: Path
) -> None:
    hook = ElementaryHook(airflow_connection("reader", place(schema, database).connection()), schema=given)

    report = hook.check_access()
    qualified = hook.query(f"SELECT count(*) AS n FROM {quoted(schema)}.dbt_models").read_all()
    unqualified = hook.query("SELECT count(*) AS n FROM dbt_models").read_all()
    with hook.source() as source:
        manifest = write_snapshot(source, opened(LocalStore(tmp_path), KEYS), policy=Policy(failed_rows_days=100_000))
    with hook.source() as source, compute_metrics(source) as metrics:
        computed = metrics.read_all()

    assert (report.failed, report.unknown) == ((), ())
    assert qualified.to_pylist() == unqualified.to_pylist() == [{"n": 2}]
    assert manifest.tables.keys() == TABLES.keys()
    assert computed.num_rows > 0


def test_a_query_of_the_schema_that_differs_by_case_is_refused(
    place: Callable[..., Place], airflow_connection: Connect
) -> None:
    where = place("ELEMENTARY")
    where.run("CREATE SCHEMA elementary; CREATE TABLE elementary.dbt_models (x int)")
    where.grant("elementary")
    hook = ElementaryHook(airflow_connection("reader", where.connection()), schema="ELEMENTARY")

    with pytest.raises(QueryRefusedError, match="not of the schema 'elementary'"):
        hook.query("SELECT count(*) FROM elementary.dbt_models")


def test_schemas_that_differ_by_case_are_named_where_none_is_exact(
    place: Callable[..., Place], airflow_connection: Connect
) -> None:
    where = place("Elementary")
    where.run('CREATE SCHEMA "ELEMENTARY"; CREATE TABLE "ELEMENTARY".dbt_models (x int)')
    where.grant("ELEMENTARY")

    with pytest.raises(SchemaNotFoundError, match="differ from it by upper and lower case: ELEMENTARY, Elementary"):
        ElementaryHook(airflow_connection("reader", where.connection())).source()


def test_a_table_that_differs_by_case_is_not_taken_for_elementarys(
    place: Callable[..., Place], airflow_connection: Connect
) -> None:
    where = place()
    where.run('CREATE TABLE elementary."DBT_MODELS" (unique_id text, "secret" text)')
    where.grant()

    with ElementaryHook(airflow_connection("reader", where.connection())).source() as source:
        assert source.table("dbt_models").unknown == ()
        assert read_all(source, "dbt_models", ["unique_id"]).num_rows == 2


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_views_in_place_of_tables_are_said_to_be_views(
    kind: str, place: Callable[..., Place], airflow_connection: Connect
) -> None:
    where = place()
    where.run("ALTER SCHEMA elementary RENAME TO base; CREATE SCHEMA elementary")
    for table in TABLES:
        where.run(f"CREATE {kind} elementary.{table} AS TABLE base.{table}")
    where.grant()

    with pytest.raises(NotAnElementarySchemaError, match=f"17 of their names are a {kind.lower()} .*CREATE TABLE"):
        ElementaryHook(airflow_connection("reader", where.connection())).source()


def test_one_view_among_the_tables_is_excluded_alone_with_the_reason(
    place: Callable[..., Place], airflow_connection: Connect, tmp_path: Path
) -> None:
    where = place()
    where.run("ALTER TABLE elementary.dbt_groups RENAME TO g; CREATE VIEW elementary.dbt_groups AS TABLE elementary.g")
    where.grant()

    with ElementaryHook(airflow_connection("reader", where.connection())).source() as source:
        manifest = write_snapshot(source, opened(LocalStore(tmp_path), KEYS), policy=Policy(failed_rows_days=100_000))

    assert TABLES.keys() - manifest.tables.keys() == {"dbt_groups"}
    assert manifest.excluded == {
        "dbt_groups": "it is a view, not a table; name the schema of its table, or copy it by CREATE TABLE AS"
    }


class TestLibpqParameters:
    def test_options_in_the_extra_reach_the_server(
        self, place: Callable[..., Place], airflow_connection: Connect
    ) -> None:
        connection = place().connection(options="-c statement_timeout=77s -c work_mem=8MB", tcp_user_timeout=9000)

        with ElementaryHook(airflow_connection("reader", connection)).source() as source:
            shown = source.warehouse.rows(
                "SELECT current_setting('statement_timeout'), current_setting('work_mem')",
            )

        assert shown == [("77s", "8MB")]

    @pytest.mark.parametrize("name", sorted(REFUSED))
    def test_a_parameter_that_is_not_passed_on_is_refused_by_name(self, name: str, airflow_connection: Connect) -> None:
        connection = {"conn_type": "postgres", "host": "localhost", "login": "reader", "extra": {name: "planted-value"}}

        with pytest.raises(ConfigurationError, match=f"libpq parameter '{name}'") as raised:
            ElementaryHook(airflow_connection("reader", connection)).source()

        assert "planted-value" not in str(raised.value)

    def test_no_parameter_is_both_passed_on_and_refused(self) -> None:
        assert not PASSED & REFUSED.keys()


@pytest.mark.parametrize(
    ("prepare", "column_type", "written", "read"),
    [
        ("CREATE TYPE elementary.state AS ENUM ('success', 'fail')", "elementary.state", "'fail'", "fail"),
        ("CREATE DOMAIN elementary.word AS varchar(20) CHECK (value <> '')", "elementary.word", "'fail'", "fail"),
        ("", "char(20)", "'fail'", "fail"),
        ("", "name", "'fail'", "fail"),
        ("", "money", "1.5", "1.50"),
        ("", "interval", "'1 day'", "1 day"),
        ("", "inet", "'10.0.0.1'", "10.0.0.1/32"),
        ("", "xml", "'<a>1</a>'", "<a>1</a>"),
        ("", "bit(3)", "B'101'", "101"),
        ("", "int4range", "'[1,2]'", "[1,3)"),
        ("", "point", "'(1,2)'", "(1,2)"),
        ("CREATE TYPE elementary.pair AS (a int, b text)", "elementary.pair", "ROW(1, 'x')::elementary.pair", "(1,x)"),
    ],
    ids=lambda value: value if isinstance(value, str) and value and " " not in value else "_",
)
def test_a_text_column_of_another_type_is_read_as_its_text(
    prepare: str, column_type: str, written: str, read: str, place: Callable[..., Place], airflow_connection: Connect
) -> None:
    where = place()
    where.run(f"{prepare}; ALTER TABLE elementary.dbt_run_results ALTER status TYPE {column_type} USING {written}")

    with ElementaryHook(airflow_connection("reader", where.connection())).source() as source:
        found = read_all(source, "dbt_run_results", ["status"])

    assert set(found["status"].to_pylist()) == {read}


def test_money_in_a_column_of_numbers_keeps_its_value(place: Callable[..., Place], airflow_connection: Connect) -> None:
    where = place()
    where.run("ALTER TABLE elementary.data_monitoring_metrics ALTER metric_value TYPE money USING 1234.5::money")

    with ElementaryHook(airflow_connection("reader", where.connection())).source() as source:
        found = read_all(source, "data_monitoring_metrics", ["metric_value"])

    assert set(found["metric_value"].to_pylist()) == {1234.5}
