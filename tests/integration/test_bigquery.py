"""BigQuery is read by Google's own client and Airflow's own hook, from an emulator where one is running.

Start one, and name it as Google's client does: ``BIGQUERY_EMULATOR_HOST=http://127.0.0.1:9050`` (bqemulator 1.4.0).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.little_project import World, small_world
from tests.support.read_back import assert_reads, assert_splits_at_the_microsecond

bigquery = pytest.importorskip("google.cloud.bigquery", reason="pip install airflow-provider-elementary[bigquery]")
credentials = pytest.importorskip("google.auth.credentials")
pytestmark = pytest.mark.skipif(
    "BIGQUERY_EMULATOR_HOST" not in os.environ, reason="no emulator: BIGQUERY_EMULATOR_HOST is not set"
)

PROJECT = "proj"
TYPES = {"string": "STRING", "float64": "FLOAT64", "int64": "INT64", "boolean": "BOOL", "timestamp": "TIMESTAMP"}


@pytest.fixture(scope="module")
def client() -> Any:
    return bigquery.Client(project=PROJECT, credentials=credentials.AnonymousCredentials())


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(days=3)


@pytest.fixture(scope="module", params=["TIMESTAMP", "DATETIME"])
def dataset(request: pytest.FixtureRequest, client: Any, world: World) -> str:
    name = f"elementary_{uuid4().hex[:8]}"
    client.create_dataset(name)
    for table, rows in world.items():
        types = {**TYPES, "timestamp": request.param}
        fields = [bigquery.SchemaField(column.name, types[column.type]) for column in TABLES[table].columns]
        made = client.create_table(bigquery.Table(f"{PROJECT}.{name}.{table}", schema=fields))
        lines = [
            {key: str(value) if hasattr(value, "year") else value for key, value in row.items()}
            for row in rows.to_pylist()
        ]
        assert not lines or client.insert_rows_json(made, lines) == []
    return name


@pytest.fixture
def source(dataset: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[WarehouseSource]:
    connection = {"conn_type": "elementary_bigquery", "extra": {"project": PROJECT, "is_anonymous": True}}
    monkeypatch.setenv("AIRFLOW_CONN_BIGQUERY", json.dumps(connection))
    with ElementaryHook("bigquery", schema=dataset).source() as opened:
        yield opened


def test_bigquery_gives_the_same_rows_in_the_same_types(source: WarehouseSource, world: World) -> None:
    assert_reads(source, world)


def test_a_time_span_is_split_in_both_types_of_time(source: WarehouseSource, world: World) -> None:
    assert_splits_at_the_microsecond(source, world)


def test_a_query_without_rows_has_its_columns(source: WarehouseSource) -> None:
    reader = source.query("select name from dbt_models where name = 'no such model'")

    assert reader.read_all().column_names == ["name"]
