"""ClickHouse is read on its real engine, in this process, through Airflow's own hook."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.access.check.session import StatementFailedError
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import ElementaryError, SchemaNotFoundError
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.snapshots.capture.facts import read_facts
from airflow_provider_elementary.warehouses.clock import read_clock
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.datasets import world_a, write_clickhouse
from tests.support.little_project import World, small_world
from tests.support.read_back import assert_reads, assert_snapshot_is_as_from_duckdb, sorted_rows

pytest.importorskip("chdb", reason="pip install chdb: ClickHouse inside the process")
clickhouse_connect = pytest.importorskip("clickhouse_connect", reason="pip install clickhouse-connect")

PATH_VARIABLE = "AIRFLOW_CONN_CLICKHOUSE"
PLANTED = datetime(2026, 10, 20, 12, 30, 15, 123456)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    # The engine has one directory in a process, and as long as a client is open.
    path = tmp_path_factory.mktemp("clickhouse")
    connection = {
        "conn_type": "elementary_clickhouse",
        "host": "localhost",
        "extra": {"client_kwargs": {"interface": "chdb", "path": str(path)}},
    }
    opened = clickhouse_connect.get_client(interface="chdb", path=str(path))
    os.environ[PATH_VARIABLE] = json.dumps(connection)
    yield opened
    del os.environ[PATH_VARIABLE]
    opened.close()


@pytest.fixture(scope="module")
def world(client: Any) -> World:
    made = dict(small_world(days=10))
    write_clickhouse(made, client)
    return made


@pytest.fixture
def source(world: World) -> Iterator[WarehouseSource]:
    with ElementaryHook("clickhouse").source() as opened:
        yield opened


def test_clickhouse_gives_the_same_rows_in_the_same_types(source: WarehouseSource, world: World) -> None:
    assert_reads(source, world)


@pytest.mark.parametrize("declared", ["DateTime64(6)", "DateTime64(6, 'Asia/Tokyo')", "Nullable(DateTime64(9))"])
def test_a_time_span_is_split_at_the_microsecond_in_every_type(client: Any, world: World, declared: str) -> None:
    client.command("DROP DATABASE IF EXISTS times")
    client.command("CREATE DATABASE times")
    columns = ", ".join(f"`{column.name}` Nullable(String)" for column in TABLES["dbt_invocations"].columns)
    columns = columns.replace("`created_at` Nullable(String)", f"`created_at` {declared}")
    client.command(f"CREATE TABLE times.dbt_invocations ({columns}) ENGINE = MergeTree ORDER BY tuple()")
    for microseconds in (-1, 0, 1):
        moment = PLANTED + timedelta(microseconds=microseconds)
        client.command(
            "INSERT INTO times.dbt_invocations (invocation_id, created_at) VALUES "
            f"('{microseconds}', toDateTime64('{moment.isoformat(sep=' ', timespec='microseconds')}', 6, 'UTC'))"
        )

    with ElementaryHook("clickhouse", schema="times").source() as source:
        since = source.read("dbt_invocations", since=PLANTED).read_all()
        until = source.read("dbt_invocations", until=PLANTED).read_all()

    assert sorted(since["invocation_id"].to_pylist()) == ["0", "1"]
    assert until["invocation_id"].to_pylist() == ["-1"]
    assert until["created_at"].to_pylist() == [PLANTED - timedelta(microseconds=1)]


def test_seconds_without_a_zone_are_counts_since_1970(client: Any, world: World) -> None:
    client.command("DROP DATABASE IF EXISTS seconds")
    client.command("CREATE DATABASE seconds")
    client.command(
        "CREATE TABLE seconds.dbt_invocations ENGINE = MergeTree ORDER BY tuple() AS "
        "SELECT * REPLACE (toDateTime(assumeNotNull(created_at)) AS created_at) FROM elementary.dbt_invocations"
    )
    expected = [row["created_at"].replace(microsecond=0) for row in sorted_rows(world["dbt_invocations"])]

    with ElementaryHook("clickhouse", schema="seconds").source() as source:
        found = source.read("dbt_invocations", since=min(expected)).read_all()

    assert sorted(found["created_at"].to_pylist()) == sorted(expected)


@pytest.mark.parametrize("declared", ["DateTime", "DateTime64(6)", "Nullable(DateTime64(6))"])
def test_a_table_without_rows_of_the_past_has_no_newest_one(client: Any, declared: str) -> None:
    client.command("DROP DATABASE IF EXISTS empty")
    client.command("CREATE DATABASE empty")
    client.command(
        f"CREATE TABLE empty.dbt_invocations (invocation_id String, created_at {declared}) "
        "ENGINE = MergeTree ORDER BY tuple()"
    )

    with ElementaryHook("clickhouse", schema="empty").source() as source:
        before = read_facts(source, None, PLANTED, {})
        client.command("INSERT INTO empty.dbt_invocations VALUES ('of the future', '2030-01-01 00:00:00')")
        after = read_facts(source, None, PLANTED, {})
        client.command("INSERT INTO empty.dbt_invocations VALUES ('of the past', '2026-01-01 00:00:00')")
        last = read_facts(source, None, PLANTED, {})

    assert [facts["dbt_invocations"].newest for facts in (before, after)] == [None, None]
    assert last["dbt_invocations"].newest == datetime(2026, 1, 1)


def test_a_query_without_rows_has_its_columns(source: WarehouseSource) -> None:
    reader = source.query("select name from elementary.dbt_models where name = 'no such model'")

    assert reader.read_all().column_names == ["name"]


def test_a_missing_object_is_not_taken_for_a_denial(source: WarehouseSource) -> None:
    with pytest.raises(StatementFailedError):
        source.warehouse.rows("SELECT 1 FROM raw.no_such_table")


def test_the_access_check_finds_every_right_of_the_engines_own_user(world: World) -> None:
    report = ElementaryHook("clickhouse").check_access()

    assert {finding.name for finding in report.failed} >= {
        *("reads-outside-schema", "writes-outside-schema", "creates-objects", "administrative-rights"),
        *("foreign-servers", "server-functions"),
    }
    assert report.finding("schema-readable").status == "pass"


def test_a_missing_schema_names_the_elementary_schemas(world: World) -> None:
    with pytest.raises(SchemaNotFoundError, match="Elementary schemas that it sees: elementary"):
        ElementaryHook("clickhouse", schema="no_such_schema").source()


def test_a_snapshot_of_world_a_is_as_from_duckdb(client: Any, world: World, shared: Path, tmp_path: Path) -> None:
    large = world_a(shared)
    write_clickhouse(large, client, "world_a")

    with ElementaryHook("clickhouse", "world_a").source() as opened:
        assert_snapshot_is_as_from_duckdb(opened, large, tmp_path)


def test_the_server_bounds_what_an_authors_query_uses_and_no_other(
    source: WarehouseSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_elementary.warehouses.clickhouse._QUERY_BYTES", 1_000)

    with pytest.raises(ElementaryError):
        source.query("SELECT groupArray(unique_id) FROM dbt_models").read_all()

    read_clock(source, "dbt_models")
    assert source.read("dbt_models").read_all().num_rows > 0
