"""Spark is read on its real engine, by its Thrift server and Airflow's own hook, where both are installed."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from airflow_provider_elementary.access.check.canaries import read_nothing
from airflow_provider_elementary.access.check.session import StatementFailedError
from airflow_provider_elementary.exceptions import SchemaNotFoundError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.servers import HOST
from tests.servers.spark import create_tables, thrift_server
from tests.support.datasets import many_metrics, world_a
from tests.support.little_project import World
from tests.support.read_back import assert_snapshot_is_as_from_duckdb

pytest.importorskip("pyspark", reason="pip install pyspark, and a JDK of 17 or later")
hive = pytest.importorskip("pyhive.hive", reason="pip install airflow-provider-elementary[spark]")

pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="no java: a JDK of 17 or later")

VARIABLE = "AIRFLOW_CONN_SPARK"


@pytest.fixture(scope="module")
def world(shared: Path) -> World:
    return world_a(shared)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with thrift_server(tmp_path_factory.mktemp("thrift_server")) as number:
        yield number


@pytest.fixture(scope="module")
def loaded(port: int, world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    tables = {name: table.to_reader() for name, table in world.items()}
    create_tables(port, tables, tmp_path_factory.mktemp("tables"))
    with hive.connect(HOST, port, username="loader", auth="NONE") as opened:
        opened.cursor().execute("CREATE VIEW elementary.monitors AS SELECT 1 AS one")
    connection = {"conn_type": "elementary_spark", "host": HOST, "port": port, "login": "elementary_sync"}
    os.environ[VARIABLE] = json.dumps(connection)
    yield
    del os.environ[VARIABLE]


def long_metrics() -> pa.RecordBatchReader:
    """Stream 5,000 rows of 60,000 characters that hardly compress."""
    rows = many_metrics(5_000, batch_rows=100)
    place = rows.schema.get_field_index("metric_properties")
    batches = (
        batch.set_column(
            place, rows.schema.field(place), pa.array(secrets.token_hex(30_000) for _ in range(len(batch)))
        )
        for batch in rows
    )
    return pa.RecordBatchReader.from_batches(rows.schema, batches)


@pytest.fixture
def source(loaded: None) -> Iterator[WarehouseSource]:
    with ElementaryHook("spark").source() as opened:
        yield opened


def test_a_snapshot_of_world_a_is_as_from_duckdb(source: WarehouseSource, world: World, tmp_path: Path) -> None:
    assert_snapshot_is_as_from_duckdb(source, world, tmp_path)


def test_a_time_span_is_of_utc_whatever_the_server_zone(source: WarehouseSource, world: World) -> None:
    times = sorted(world["dbt_run_results"]["created_at"].to_pylist())
    bound = times[len(times) // 2]

    since = source.read("dbt_run_results", since=bound).read_all()["created_at"].to_pylist()

    assert sorted(since) == [time for time in times if time >= bound]


def test_a_query_without_rows_has_its_columns(source: WarehouseSource) -> None:
    reader = source.query("select name from elementary.dbt_models where name = 'no such model'")

    assert reader.read_all().column_names == ["name"]


def test_a_missing_object_is_not_taken_for_a_denial(source: WarehouseSource) -> None:
    with pytest.raises(StatementFailedError):
        source.warehouse.rows(read_nothing(("elementary", "no_such_table"), source.warehouse.dialect))
    assert source.warehouse.rows("SELECT 1") == [(1,)]


def test_a_missing_schema_is_named(loaded: None) -> None:
    with pytest.raises(SchemaNotFoundError, match="no_such_schema"):
        ElementaryHook("spark", schema="no_such_schema").source()


def test_more_than_the_server_heap_holds_is_read_in_parts(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with thrift_server(tmp_path_factory.mktemp("little_server"), heap="512m") as number:
        create_tables(number, {"data_monitoring_metrics": long_metrics()}, tmp_path)
        monkeypatch.setenv(
            "AIRFLOW_CONN_LITTLE",
            json.dumps({"conn_type": "elementary_spark", "host": HOST, "port": number, "login": "elementary_sync"}),
        )
        with ElementaryHook("little").source() as opened:
            read = opened.read("data_monitoring_metrics")
            assert sum(batch.num_rows for batch in read) == 5_000
