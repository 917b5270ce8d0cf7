"""Trino, Athena and Databricks are read by their own drivers and Airflow's own hooks, from servers of their protocols.

Each server speaks its warehouse's documented protocol over a DuckDB file: the drivers are real, the engines are not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_elementary.access.check.canaries import read_canaries as read_canaries
from airflow_provider_elementary.access.check.canaries import read_nothing
from airflow_provider_elementary.access.check.findings import Canary
from airflow_provider_elementary.access.check.session import StatementFailedError
from airflow_provider_elementary.exceptions import SchemaNotFoundError, TableUnreadableError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.servers import HOST
from tests.servers.engine import SECRET, Engine
from tests.support.datasets import write_duckdb
from tests.support.little_project import World, small_world
from tests.support.read_back import assert_reads, assert_splits_at_the_microsecond, sorted_rows
from tests.support.wires import WIRES, Wire


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(days=3)


@pytest.fixture(scope="module")
def path(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_duckdb(world, tmp_path_factory.mktemp("wires") / "world.duckdb")


@pytest.fixture(scope="module", params=["trino", "athena", "databricks"])
def wire(request: pytest.FixtureRequest) -> Wire:
    [found] = [wire for wire in WIRES if wire.key == request.param]
    pytest.importorskip(found.module, reason=f"pip install airflow-provider-elementary[{found.key}]")
    return found


@pytest.fixture(scope="module")
def server(wire: Wire, path: Path) -> Iterator[tuple[Engine, int]]:
    with wire.serve(path) as running:
        yield running


@pytest.fixture
def hook(wire: Wire, server: tuple[Engine, int], monkeypatch: pytest.MonkeyPatch) -> Callable[..., ElementaryHook]:
    connection = {"conn_type": f"elementary_{wire.key}", **wire.connection(server[1])}
    monkeypatch.setenv("AIRFLOW_CONN_WIRE", json.dumps(connection))
    # AWS's other services, where the warehouse has them.
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{server[1]}")
    return lambda **options: ElementaryHook("wire", **options)


@pytest.fixture
def source(hook: Callable[..., ElementaryHook]) -> Iterator[WarehouseSource]:
    with hook().source() as opened:
        yield opened


def test_every_table_is_read_row_by_row_equal(source: WarehouseSource, world: World) -> None:
    assert_reads(source, world)


def test_a_time_span_is_split_at_the_microsecond(source: WarehouseSource, world: World) -> None:
    assert_splits_at_the_microsecond(source, world)


def test_a_query_without_rows_has_its_columns(source: WarehouseSource) -> None:
    reader = source.query("select name from elementary.dbt_models where name = 'no such model'")

    assert reader.read_all().column_names == ["name"]


def test_a_denied_read_is_a_denied_canary_and_leaves_the_session_usable(source: WarehouseSource) -> None:
    canary = Canary(SECRET, read_nothing(tuple(SECRET.split(".")), source.warehouse.dialect), None)

    assert read_canaries(source.warehouse, [canary]).status == "pass"
    assert source.warehouse.rows("SELECT 1") == [(1,)]


def test_a_missing_object_is_not_taken_for_a_denial(source: WarehouseSource) -> None:
    with pytest.raises(StatementFailedError):
        source.warehouse.rows(read_nothing(("elementary", "no_such_table"), source.warehouse.dialect))


def test_a_table_that_may_not_be_read_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, source: WarehouseSource, server: tuple[Engine, int], world: World
) -> None:
    monkeypatch.setattr(server[0].connection, "denied", frozenset({"elementary.dbt_seeds"}))

    with pytest.raises(TableUnreadableError):
        read_all(source, "dbt_seeds")
    assert sorted_rows(read_all(source, "dbt_models")) == sorted_rows(world["dbt_models"])


def test_a_missing_schema_names_the_elementary_schemas(hook: Callable[..., ElementaryHook]) -> None:
    with pytest.raises(SchemaNotFoundError, match="Elementary schemas that it sees: elementary"):
        hook(schema="no_such_schema").source()


def test_the_access_check_says_what_it_does_not_know(hook: Callable[..., ElementaryHook]) -> None:
    findings = {finding.name: finding for finding in hook().check_access(probes=[SECRET]).findings}

    assert findings["schema-readable"].status == "pass"
    assert findings["canary-reads"].status == "pass"
    assert findings["reads-outside-schema"].status == "unknown"
