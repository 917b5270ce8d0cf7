"""The generic path is true to the manners of each driver that it reads through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from airflow_provider_elementary.access.check.canaries import read_canaries as read_canaries
from airflow_provider_elementary.access.check.canaries import read_nothing
from airflow_provider_elementary.access.check.findings import Canary
from airflow_provider_elementary.access.check.session import StatementDeniedError, StatementFailedError
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import (
    NotAnElementarySchemaError,
    SchemaNotFoundError,
    TableUnreadableError,
    WarehouseError,
)
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.dbapi import DbApiWarehouse
from airflow_provider_elementary.warehouses.registry import CONNECTABLE, WAREHOUSES
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import write_duckdb
from tests.support.drivers import DATABASE, MANNERS, Manner, StrictConnection
from tests.support.little_project import World, small_world
from tests.support.read_back import sorted_rows

Open = Callable[..., DbApiWarehouse]


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(days=3)


@pytest.fixture(scope="module")
def path(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_duckdb(world, tmp_path_factory.mktemp("drivers") / "world.duckdb")


@pytest.fixture(params=MANNERS, ids=lambda manner: manner.adapter)
def manner(request: pytest.FixtureRequest) -> Manner:
    found: Manner = request.param
    return found


@pytest.fixture
def connection(manner: Manner, path: Path) -> Iterator[StrictConnection]:
    with duckdb.connect() as engine:
        engine.execute(f"ATTACH '{path}' AS {DATABASE} (READ_ONLY)")
        engine.execute("CREATE TABLE memory.main.secrets (id integer)")
        yield StrictConnection(manner, engine, frozenset({"raw.users"}))


@pytest.fixture
def warehouse(manner: Manner, connection: StrictConnection) -> DbApiWarehouse:
    return open_session(manner, connection)


def open_session(manner: Manner, connection: Any, schema: str = "elementary") -> DbApiWarehouse:
    return DbApiWarehouse(
        connection, dialect=manner.dialect, schema=schema, database=DATABASE, transport=None, adapter=manner.adapter
    )


def test_every_table_is_read_row_by_row_equal(world: World, warehouse: DbApiWarehouse) -> None:
    source = WarehouseSource(warehouse)

    assert source.tables() == list(TABLES)
    for name, table in world.items():
        assert sorted_rows(read_all(source, name)) == sorted_rows(table)


def test_a_driver_never_fetches_more_than_its_batch(
    manner: Manner, connection: StrictConnection, warehouse: DbApiWarehouse
) -> None:
    read_all(WarehouseSource(warehouse), "dbt_run_results")

    assert connection.largest_fetch == WAREHOUSES[manner.adapter].driver.batch_rows


def test_a_table_of_many_batches_is_read_whole(
    monkeypatch: pytest.MonkeyPatch, world: World, warehouse: DbApiWarehouse
) -> None:
    monkeypatch.setattr(warehouse, "_driver", replace(warehouse._driver, batch_rows=2))

    found = read_all(WarehouseSource(warehouse), "dbt_run_results")

    assert sorted_rows(found) == sorted_rows(world["dbt_run_results"])


def test_a_query_without_rows_has_its_columns(warehouse: DbApiWarehouse) -> None:
    reader = WarehouseSource(warehouse).query("select name from elementary.dbt_models where name = 'no such model'")

    assert reader.read_all().column_names == ["name"]


def test_a_denied_read_is_a_denied_canary(manner: Manner, warehouse: DbApiWarehouse) -> None:
    canary = Canary("raw.users", read_nothing(("raw", "users"), manner.dialect), None)

    assert read_canaries(warehouse, [canary]).status == "pass"


def test_a_denied_statement_leaves_the_session_usable(manner: Manner, warehouse: DbApiWarehouse) -> None:
    with pytest.raises(StatementDeniedError):
        warehouse.rows(read_nothing(("raw", "users"), manner.dialect))

    assert warehouse.rows("SELECT 1") == [(1,)]


@pytest.mark.parametrize("statement", [None, "SELEC 1"], ids=["absent", "malformed"])
def test_a_read_that_fails_otherwise_proves_nothing(
    manner: Manner, warehouse: DbApiWarehouse, statement: str | None
) -> None:
    statement = statement or read_nothing(("raw", "no_such_table"), manner.dialect)

    with pytest.raises(StatementFailedError):
        warehouse.rows(statement)
    assert read_canaries(warehouse, [Canary("raw.no_such_table", statement, None)]).status == "unknown"


def test_a_lost_connection_is_no_denial(
    manner: Manner, connection: StrictConnection, warehouse: DbApiWarehouse
) -> None:
    connection.is_lost = True

    with pytest.raises(WarehouseError):
        read_canaries(warehouse, [Canary("raw.users", read_nothing(("raw", "users"), manner.dialect), None)])


def test_a_table_that_may_not_be_read_leaves_the_others(
    world: World, connection: StrictConnection, warehouse: DbApiWarehouse
) -> None:
    source = WarehouseSource(warehouse)
    connection.denied = frozenset({"elementary.dbt_seeds"})

    with pytest.raises(TableUnreadableError):
        read_all(source, "dbt_seeds")
    assert sorted_rows(read_all(source, "dbt_models")) == sorted_rows(world["dbt_models"])


def test_a_missing_schema_is_named(manner: Manner, connection: StrictConnection) -> None:
    with pytest.raises((SchemaNotFoundError, NotAnElementarySchemaError), match="no_such"):
        WarehouseSource(open_session(manner, connection, schema="no_such"))


def test_a_session_that_does_not_begin_leaves_no_connection_open() -> None:
    class Refusing:
        is_open = True

        def cursor(self) -> Any:
            raise RuntimeError("refused")

        def close(self) -> None:
            self.is_open = False

    connection = Refusing()
    [adapter] = [row.adapters[0] for row in CONNECTABLE if row.driver.opening]

    with pytest.raises(WarehouseError, match="beginning the session failed"):
        DbApiWarehouse(connection, dialect=adapter, schema="elementary", database=None, transport=None)
    assert not connection.is_open


def test_every_warehouse_of_the_generic_path_has_a_strict_double() -> None:
    generic = {row.adapters[0] for row in CONNECTABLE if not row.driver.has_own_session}

    assert generic == {manner.adapter for manner in MANNERS}
