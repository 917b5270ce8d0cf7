"""A snapshot of world A is the same from an engine, or from a stand-in, as from DuckDB; for `make acceptance`.

ClickHouse and Spark have this test beside their others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.servers.bigquery import bigquery_server
from tests.servers.certificates import Certificates
from tests.servers.redshift import redshift_gate
from tests.support.connections import bigquery_warehouse, postgres_reader
from tests.support.datasets import load_world_a_postgres, world_a, write_duckdb, write_postgres
from tests.support.little_project import World
from tests.support.read_back import assert_snapshot_is_as_from_duckdb
from tests.support.wires import WIRES, Wire

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.skipif(
    "ELEMENTARY_ENGINES" not in os.environ, reason="`make acceptance` sets ELEMENTARY_ENGINES"
)

Connect = Callable[[str, Mapping[str, object]], str]


@pytest.fixture(scope="module")
def world(shared: Path) -> World:
    return world_a(shared)


def test_postgres(
    world: World,
    shared: Path,
    tmp_path: Path,
    postgres_server: PostgresServer,
    postgres_database: str,
    airflow_connection: Connect,
) -> None:
    load_world_a_postgres(postgres_server, postgres_database, shared)
    conn_id = airflow_connection("reader", postgres_reader(postgres_server, postgres_database))

    with ElementaryHook(conn_id).source() as source:
        assert_snapshot_is_as_from_duckdb(source, world, tmp_path)


def test_redshifts_driver_over_postgres(
    world: World,
    tmp_path: Path,
    postgres_server: PostgresServer,
    postgres_database: str,
    certificates: Certificates,
    airflow_connection: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_postgres(world, postgres_server, postgres_database)
    connection = postgres_reader(postgres_server, postgres_database, md5=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))

    with redshift_gate(postgres_server.port, certificates) as port:
        airflow_connection("reader", {**connection, "port": port, "conn_type": "elementary_redshift", "extra": {}})
        with ElementaryHook("reader").source() as source:
            assert_snapshot_is_as_from_duckdb(source, world, tmp_path)


def test_bigquerys_client_over_duckdb(world: World, tmp_path: Path) -> None:
    pytest.importorskip("google.cloud.bigquery", reason="pip install google-cloud-bigquery")
    with (
        bigquery_server(write_duckdb(world, tmp_path / "served.duckdb")) as (_, port),
        WarehouseSource(bigquery_warehouse(port)) as source,
    ):
        assert_snapshot_is_as_from_duckdb(source, world, tmp_path)


@pytest.mark.parametrize("wire", WIRES, ids=[wire.key for wire in WIRES])
def test_a_driver_over_duckdb(wire: Wire, world: World, tmp_path: Path, airflow_connection: Connect) -> None:
    pytest.importorskip(wire.module, reason=f"pip install airflow-provider-elementary[{wire.key}]")
    with wire.serve(write_duckdb(world, tmp_path / "served.duckdb")) as (_, port):
        airflow_connection("reader", {"conn_type": f"elementary_{wire.key}", **wire.connection(port)})
        with ElementaryHook("reader").source() as source:
            assert_snapshot_is_as_from_duckdb(source, world, tmp_path)
