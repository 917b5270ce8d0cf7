"""Redshift's own driver and Airflow's own hook read the Elementary schema from PostgreSQL, which stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from airflow_provider_elementary.access.check.canaries import read_canaries as read_canaries
from airflow_provider_elementary.access.check.canaries import read_nothing
from airflow_provider_elementary.access.check.findings import Canary
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import TableUnreadableError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.dbapi import DbApiWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.servers.certificates import Certificates
from tests.servers.redshift import redshift_gate
from tests.support.datasets import write_postgres
from tests.support.little_project import World, small_world
from tests.support.read_back import sorted_rows

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

#: So that each table is divided into several fetches.
BATCH_ROWS = 7


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(days=3)


@pytest.fixture
def role(postgres_server: PostgresServer, postgres_database: str) -> Iterator[tuple[str, str]]:
    name = f"redshift_{postgres_database}"
    yield name, postgres_server.create_role(name, md5=True)
    postgres_server.drop_role(name, database=postgres_database)


@pytest.fixture
def source(
    world: World,
    role: tuple[str, str],
    postgres_server: PostgresServer,
    postgres_database: str,
    certificates: Certificates,
    airflow_connection: Callable[[str, Mapping[str, object]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[WarehouseSource]:
    name, password = role
    write_postgres(world, postgres_server, postgres_database)
    for statement in (
        f'GRANT CONNECT ON DATABASE "{postgres_database}" TO "{name}"',
        f'GRANT USAGE ON SCHEMA elementary TO "{name}"',
        f'GRANT SELECT ON ALL TABLES IN SCHEMA elementary TO "{name}"',
    ):
        postgres_server.execute(statement, database=postgres_database)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    connection = postgres_server.airflow_connection(name, password, postgres_database)
    with redshift_gate(int(connection["port"]), certificates) as port:
        entered = {**connection, "port": port, "conn_type": "elementary_redshift", "extra": {}}
        airflow_connection("redshift", entered)
        with ElementaryHook("redshift").source() as opened:
            assert isinstance(opened.warehouse, DbApiWarehouse)
            opened.warehouse._driver = replace(opened.warehouse._driver, batch_rows=BATCH_ROWS)
            yield opened


def test_every_table_is_read_row_by_row_equal_by_a_cursor_of_sql(source: WarehouseSource, world: World) -> None:
    assert source.tables() == list(TABLES)
    for name, table in world.items():
        with source.read(name) as reader:
            batches = list(reader)
        assert max(batch.num_rows for batch in batches) <= BATCH_ROWS
        assert sorted_rows(pa.Table.from_batches(batches)) == sorted_rows(table)
    assert source.rejections.to_list() == []


def test_a_denied_table_leaves_the_session_and_the_others(
    source: WarehouseSource,
    world: World,
    role: tuple[str, str],
    postgres_server: PostgresServer,
    postgres_database: str,
) -> None:
    postgres_server.execute(f'REVOKE SELECT ON elementary.dbt_seeds FROM "{role[0]}"', database=postgres_database)
    canary = Canary("pg_shadow", read_nothing(("pg_catalog", "pg_shadow"), "redshift"), True)

    with pytest.raises(TableUnreadableError):
        read_all(source, "dbt_seeds")
    assert sorted_rows(read_all(source, "dbt_models")) == sorted_rows(world["dbt_models"])
    assert read_canaries(source.warehouse, [canary]).status == "pass"
