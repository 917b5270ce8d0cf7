"""Snowflake's database and schema by the names that its catalogue has, whatever logging in made of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elementary.access.check.session import TransportFacts

pytest.importorskip("snowflake.connector")

from snowflake.connector.errors import ProgrammingError

from airflow_provider_elementary.access import guard_query
from airflow_provider_elementary.warehouses.snowflake import SnowflakeWarehouse


class Connection:
    """Answers CURRENT_DATABASE, knows some databases by their exact names, and records every statement."""

    def __init__(self, current: str | None, *databases: str) -> None:
        self.current, self.databases = current, databases
        self.statements: list[str] = []
        self.rowcount = 1
        self.description = [SimpleNamespace(name="n")]

    def cursor(self) -> Connection:
        return self

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def execute(self, statement: str, parameters: object = None) -> None:
        self.statements.append(statement)
        if statement.startswith("USE DATABASE ") and statement[14:-1] not in self.databases:
            raise ProgrammingError("no such database")

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [(self.current,)]

    def fetch_arrow_batches(self) -> list[Any]:
        return []


def warehouse(connection: Any, schema: str, database: str | None) -> SnowflakeWarehouse:
    return SnowflakeWarehouse(connection, schema, database, TransportFacts(True, None, True, "test"))


@pytest.mark.parametrize(
    ("given", "current", "databases", "found"),
    [
        ("DWH", "DWH", ["DWH"], "DWH"),
        ("dwh", "DWH", ["DWH"], "DWH"),
        ("dwh", "DWH", ["DWH", "dwh"], "dwh"),
        ("dwh", None, ["dwh"], "dwh"),
        ("Dwh", "DWH", ["Dwh", "DWH"], "Dwh"),
        (None, "DWH", ["DWH"], "DWH"),
    ],
)
def test_the_database_is_the_exact_one_or_the_one_that_login_found(
    given: str | None, current: str | None, databases: list[str], found: str
) -> None:
    assert warehouse(Connection(current, *databases), "ELEMENTARY", given).database == found


def test_names_without_a_schema_mean_the_schema_that_was_found() -> None:
    connection = Connection("DWH", "DWH")
    session = warehouse(connection, "elementary", "DWH")
    query = guard_query("SELECT 1 FROM dbt_models", dialect="snowflake", schema="elementary", database="DWH")

    list(session.stream(query))

    assert connection.statements[-1] == query.sql
