"""The grants of the history name one list and no table."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.query_history.grants import query_history_grants
from airflow_provider_elementary.query_history.guard import SOURCES

NAMED = {"database": "dwh", "warehouse": "wh", "user": "history@project.iam.gserviceaccount.com"}
#: What the second role reads, in the statements.
LISTS = {
    "postgres": "pg_stat_statements",
    "snowflake": "SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY",
    "redshift": "SYSLOG ACCESS UNRESTRICTED",
    "bigquery": "bigquery.jobs.listAll",
    "databricks": "system.query.history",
    "clickhouse": "system.query_log",
    "trino": '"table": "queries"',
}


@pytest.mark.parametrize("dialect", SOURCES)
def test_each_history_has_grants_of_its_own(dialect: str) -> None:
    text = "\n".join(query_history_grants(dialect, **NAMED))

    assert LISTS[dialect] in text
    assert "ON ALL TABLES" not in text
    assert "OR REPLACE" not in text.replace("CREATE OR REPLACE FUNCTION", "")


@pytest.mark.parametrize("dialect", SOURCES)
def test_a_name_with_quotes_does_not_end_a_statement(dialect: str) -> None:
    name = """a"b'c`d"""
    statements = query_history_grants(dialect, database="dwh", warehouse="wh", role=name, user=name)
    lines = [line for statement in statements for line in statement.splitlines() if not line.startswith("--")]

    assert f" {name} " not in "\n".join(lines)


def test_a_warehouse_without_a_history_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="No query history of 'duckdb'"):
        query_history_grants("duckdb")
