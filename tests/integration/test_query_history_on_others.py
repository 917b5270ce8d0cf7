"""The registry's statements run on ClickHouse's engine and a look-alike of Snowflake, over tables of these columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_elementary.hooks.query_logs import ElementaryQueryLogHook
from airflow_provider_elementary.query_history import HistoryPolicy
from tests.support.connections import snowflake_reader
from tests.support.query_histories import stored, updated
from tests.support.stores import local_rest

if TYPE_CHECKING:
    from tests.servers.snowflake import SnowflakeServer

Connect = Callable[[str, Mapping[str, object]], str]
SECRET = "hunter2"
NOW = datetime(2026, 11, 2, 12)

CLICKHOUSE_TABLE = """
CREATE TABLE system.query_log (
    type Enum8('QueryStart' = 1, 'QueryFinish' = 2, 'ExceptionBeforeStart' = 3, 'ExceptionWhileProcessing' = 4),
    event_date Date, event_time_microseconds DateTime64(6), query_start_time_microseconds DateTime64(6),
    query_duration_ms UInt64, result_rows UInt64, read_bytes UInt64, current_database String, query String,
    normalized_query_hash UInt64, user String, query_id String, is_initial_query UInt8, log_comment String
) ENGINE = Memory
"""
SNOWFLAKE_TABLE = """
CREATE TABLE {place} (
    query_id VARCHAR, user_name VARCHAR, role_name VARCHAR, start_time TIMESTAMP_TZ, end_time TIMESTAMP_TZ,
    total_elapsed_time NUMBER, queued_overload_time NUMBER, queued_provisioning_time NUMBER,
    queued_repair_time NUMBER, rows_produced NUMBER, bytes_scanned NUMBER, credits_used_cloud_services FLOAT,
    execution_status VARCHAR, query_parameterized_hash VARCHAR, database_name VARCHAR, schema_name VARCHAR,
    query_tag VARCHAR, query_text VARCHAR
)
"""


@pytest.fixture
def clickhouse(tmp_path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    pytest.importorskip("chdb", reason="pip install chdb: ClickHouse inside the process")
    module = pytest.importorskip("clickhouse_connect", reason="pip install clickhouse-connect")
    path = str(tmp_path / "clickhouse")
    client = module.get_client(interface="chdb", path=path)
    yield (
        client,
        {
            "conn_type": "elementary_clickhouse",
            "host": "localhost",
            "extra": {"client_kwargs": {"interface": "chdb", "path": path}},
        },
    )
    client.close()


def test_clickhouse_lists_queries_as_rows(
    clickhouse: tuple[Any, dict[str, Any]], airflow_connection: Connect, tmp_path: Path
) -> None:
    client, connection = clickhouse
    client.command(CLICKHOUSE_TABLE)
    text = f"SELECT * FROM orders WHERE email = \\'{SECRET}\\'"
    times = f"'2026-11-02', '{NOW - timedelta(hours=1)}', '{NOW - timedelta(hours=1, seconds=2)}'"
    for kind, number in (("QueryStart", 1), ("QueryFinish", 1), ("ExceptionWhileProcessing", 2)):
        client.command(
            f"INSERT INTO system.query_log VALUES ('{kind}', {times}, 2000, 5, 1024, 'shop', '{text}', 42, 'ada', "
            f"'q{number}', 1, '')"
        )
    rest = local_rest(tmp_path)

    with ElementaryQueryLogHook(airflow_connection("history", connection)).session() as session:
        updated(rest, session, now=NOW.replace(tzinfo=UTC), policy=HistoryPolicy(include_text=True))

    first, second = stored(rest).to_pylist()
    assert (first["query_id"], first["status"], first["tables"]) == ("q1", "queryfinish", '["SHOP.ORDERS"]')
    assert (first["started_at"], first["duration"], first["bytes"]) == (NOW - timedelta(hours=1, seconds=2), 2.0, 1_024)
    assert (second["query_id"], second["statement_hash"], second["tables"]) == ("q2", "warehouse:42", None)
    assert SECRET not in str([first, second])


def test_snowflake_lists_queries_as_rows(
    snowflake_server: SnowflakeServer, snowflake_database: str, airflow_connection: Connect, tmp_path: Path
) -> None:
    snowflake_server.create_schema(snowflake_database, "ELEMENTARY_HISTORY")
    place = f"{snowflake_database}.ELEMENTARY_HISTORY.QUERY_HISTORY"
    snowflake_server.execute(SNOWFLAKE_TABLE.format(place=place))
    tag = json.dumps({"node_id": "model.shop.orders"})
    for number, status in ((1, "SUCCESS"), (2, "FAIL")):
        snowflake_server.execute(
            f"INSERT INTO {place} SELECT 'q{number}', 'ADA', 'ANALYST', '2026-11-02 10:59:58'::TIMESTAMP_TZ, "
            f"'2026-11-02 11:00:00'::TIMESTAMP_TZ, 2000, 100, 20, 3, 5, 1024, 0.5, '{status}', 'abc', 'DWH', 'SHOP', "
            f"'{tag}', 'SELECT * FROM orders WHERE email = ''{SECRET}'''"
        )
    connection = snowflake_reader(snowflake_server, snowflake_database, "ELEMENTARY_HISTORY")
    rest = local_rest(tmp_path)

    hook = ElementaryQueryLogHook(airflow_connection("history", connection), database=snowflake_database)
    with hook.session() as session:
        updated(rest, session, now=NOW.replace(tzinfo=UTC), policy=HistoryPolicy(include_text=True))
        report = hook.check_history(session)

    first, second = stored(rest).to_pylist()
    assert (first["role"], first["queue_time"], first["cost"], first["cost_unit"]) == ("ANALYST", 0.123, 0.5, "credits")
    assert (first["tables"], first["dbt_node"]) == ('["DWH.SHOP.ORDERS"]', "model.shop.orders")
    assert first["ended_at"] == NOW - timedelta(hours=1)
    assert (second["status"], second["tables"]) == ("fail", None)
    assert SECRET not in str([first, second])
    assert report.finding("schema-readable").status == "pass"
    assert not report.failed
