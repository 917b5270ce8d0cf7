"""The namespace of a warehouse is the one that OpenLineage's integration with dbt gives its tables."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_elementary.hooks.namespaces import namespace_of

dbt = pytest.importorskip("openlineage.common.provider.dbt.processor")

HOST = "db.example.com"


def connection(conn_type: str, host: str | None = None, port: int | None = None, **extra: Any) -> Connection:
    return Connection(conn_id="dwh", conn_type=conn_type, host=host, port=port, extra=json.dumps(extra))


def named_by_dbt(adapter: str, profile: dict[str, Any]) -> str:
    """Return what the integration with dbt makes of a target of profiles.yml."""
    processor = SimpleNamespace(adapter_type=dbt.Adapter[adapter])
    named: str = dbt.DbtArtifactProcessor.extract_namespace(processor, profile)
    return named


@pytest.mark.parametrize(
    ("given", "adapter", "profile"),
    [
        (connection("postgres", HOST), "POSTGRES", {"host": HOST, "port": 5432}),
        (connection("postgres", HOST, 6543), "POSTGRES", {"host": HOST, "port": 6543}),
        (connection("redshift", HOST), "REDSHIFT", {"host": HOST, "port": 5439}),
        (connection("snowflake", account="myorg-myaccount"), "SNOWFLAKE", {"account": "myorg-myaccount"}),
        (connection("snowflake", account="xy12345"), "SNOWFLAKE", {"account": "xy12345"}),
        (connection("snowflake", account="xy12345.eu-west-1"), "SNOWFLAKE", {"account": "xy12345.eu-west-1"}),
        (
            connection("snowflake", account="xy12345", region="west-europe.azure"),
            "SNOWFLAKE",
            {"account": "xy12345.west-europe.azure"},
        ),
        (connection("gcpbigquery"), "BIGQUERY", {}),
        (
            connection("databricks", "adb-1.azuredatabricks.net", 443),
            "DATABRICKS",
            {"host": "adb-1.azuredatabricks.net"},
        ),
        (connection("clickhouse", HOST, 8123), "CLICKHOUSE", {"host": HOST, "port": 8123}),
        (connection("trino", HOST, 443), "TRINO", {"host": HOST, "port": 443}),
        (connection("mssql", HOST), "SQLSERVER", {"server": HOST, "port": 1433}),
        (connection("athena", region_name="eu-west-1"), "ATHENA", {"region_name": "eu-west-1"}),
        (connection("duckdb", "/srv/shop.duckdb"), "DUCKDB", {"path": "/srv/shop.duckdb"}),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_it_is_what_the_integration_with_dbt_says(given: Connection, adapter: str, profile: dict[str, Any]) -> None:
    assert namespace_of(given) == named_by_dbt(adapter, profile)


@pytest.mark.parametrize(
    "given",
    [
        connection("postgres", "/var/run/postgresql"),
        connection("postgres", "user:PLANTED@db.example.com"),
        connection("duckdb", "md:dwh?motherduck_token=PLANTED"),
        connection("snowflake"),
        connection("presto", HOST),
        connection("vertica", HOST, 5433),
    ],
    ids=lambda given: given.conn_type,
)
def test_a_connection_without_it_or_with_a_secret_has_none(given: Connection) -> None:
    assert namespace_of(given) is None
