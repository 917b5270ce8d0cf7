"""The history is never read with the sync's login, and only where there is one to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.hooks.query_logs import ElementaryQueryLogHook

Connect = Callable[[str, Mapping[str, object]], str]
POSTGRES: dict[str, Any] = {"conn_type": "postgres", "host": "db", "login": "sync", "password": "a", "schema": "dwh"}
SNOWFLAKE: dict[str, Any] = {"conn_type": "elementary_snowflake", "login": "SYNC", "extra": {"account": "acme-1"}}
BIGQUERY: dict[str, Any] = {"conn_type": "gcpbigquery", "extra": {"key_path": "/keys/sync.json"}}
DATABRICKS: dict[str, Any] = {"conn_type": "databricks", "host": "adb", "password": "token"}

SAME = [
    (POSTGRES, POSTGRES),
    (POSTGRES, {**POSTGRES, "schema": "other", "password": "b"}),
    (POSTGRES, {**POSTGRES, "conn_type": "elementary_postgres", "login": "Sync"}),
    (SNOWFLAKE, {**SNOWFLAKE, "login": "sync", "extra": {"account": "acme-1", "role": "HISTORY"}}),
    (BIGQUERY, {**BIGQUERY, "extra": {**BIGQUERY["extra"], "elementary_schema": "region-eu"}}),
    (SNOWFLAKE, {**SNOWFLAKE, "extra": {"account": "ACME_1.snowflakecomputing.com"}}),
    (SNOWFLAKE, {**SNOWFLAKE, "extra": {"account": "xy12345"}}),
    (SNOWFLAKE, {**SNOWFLAKE, "conn_type": "snowflake", "extra": {"account": "XY12345.eu-central-1.aws"}}),
    ({**SNOWFLAKE, "extra": {"account": "xy12345"}}, {**SNOWFLAKE, "extra": {"account": "xy12345.eu-central-1"}}),
    (BIGQUERY, {**BIGQUERY, "extra": {**BIGQUERY["extra"], "location": "EU"}}),
    (POSTGRES, {**POSTGRES, "port": 5432}),
    (DATABRICKS, {**DATABRICKS, "schema": "x"}),
]
OTHER = [
    (POSTGRES, {**POSTGRES, "login": "history"}),
    (SNOWFLAKE, {**SNOWFLAKE, "login": "HISTORY"}),
    (SNOWFLAKE, {**SNOWFLAKE, "extra": {"account": "acme-2"}}),
    (SNOWFLAKE, {**SNOWFLAKE, "login": "HISTORY", "extra": {"account": "xy12345"}}),
    ({**SNOWFLAKE, "extra": {"account": "xy12345"}}, {**SNOWFLAKE, "extra": {"account": "ab98765"}}),
    (BIGQUERY, {**BIGQUERY, "extra": {"key_path": "/keys/history.json"}}),
    (DATABRICKS, {**DATABRICKS, "password": "another token"}),
]


@pytest.fixture
def hook(airflow_connection: Connect) -> Callable[..., ElementaryQueryLogHook]:
    def connect(sync: Mapping[str, object], history: Mapping[str, object]) -> ElementaryQueryLogHook:
        airflow_connection("sync", sync)
        return ElementaryQueryLogHook(airflow_connection("history", history))

    return connect


@pytest.mark.parametrize(("sync", "history"), SAME)
def test_the_login_of_the_sync_is_refused(
    hook: Callable[..., ElementaryQueryLogHook], sync: dict[str, Any], history: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="of the same user as the sync's"):
        hook(sync, history).require_other_login("sync")


@pytest.mark.parametrize(("sync", "history"), OTHER)
def test_another_login_is_accepted(
    hook: Callable[..., ElementaryQueryLogHook], sync: dict[str, Any], history: dict[str, Any]
) -> None:
    hook(sync, history).require_other_login("sync")


def test_the_same_connection_is_refused(hook: Callable[..., ElementaryQueryLogHook]) -> None:
    with pytest.raises(ConfigurationError, match="of the same user"):
        hook(POSTGRES, POSTGRES).require_other_login("history")


def test_a_warehouse_without_a_history_is_refused_before_a_login(airflow_connection: Connect) -> None:
    airflow_connection("history", {"conn_type": "duckdb", "host": "/nowhere.duckdb"})

    with (
        pytest.raises(ConfigurationError, match="No query history of DuckDB is read"),
        ElementaryQueryLogHook("history").session(),
    ):
        pass
