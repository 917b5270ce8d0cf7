"""Counts over-grants that the access check misses, and tight roles that it refuses, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from airflow_provider_elementary.access import AccessReport, check_access
from tests.support.over_grants import OVER_GRANTS
from tests.support.postgres_reader import PsycopgSession, Warehouse
from tests.support.tight_roles import TIGHT, TIGHT_WHERE_INSTALLED

pytestmark = pytest.mark.postgres


class _Savepoints(PsycopgSession):
    """A session whose denied statements end no transaction."""

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._connection.transaction():
            return super().rows(statement, parameters)


def report(connection: psycopg.Connection[tuple[Any, ...]], warehouse: Warehouse, sql: str) -> AccessReport:
    """Return the report after a change that is rolled back."""
    try:
        names = vars(warehouse)
        for name in ("user", "role", "dbt", "wide", "database", "other_database"):
            sql = sql.replace(f"{{{name}}}", names[name])
        connection.execute(sql.encode())
        connection.execute(f"SET SESSION AUTHORIZATION {warehouse.user}".encode())
        return check_access(_Savepoints(connection))
    finally:
        connection.rollback()


def test_no_over_grant_is_missed(warehouse: Warehouse) -> None:
    with warehouse.server.connect(database=warehouse.database) as connection:
        connection.autocommit = False
        missed = [name for name, sql in OVER_GRANTS.items() if not report(connection, warehouse, sql).failed]
    print(f"over-grants: {len(OVER_GRANTS) - len(missed)} found, {len(missed)} missed")

    assert len(OVER_GRANTS) >= 300
    assert missed == []


def test_no_tight_role_is_refused(warehouse: Warehouse) -> None:
    with warehouse.server.connect(database=warehouse.database) as connection:
        available = {name for (name,) in connection.execute("SELECT name FROM pg_available_extensions").fetchall()}
        tight = TIGHT | {name: sql for name, sql in TIGHT_WHERE_INSTALLED.items() if name in available}
        connection.autocommit = False
        refused = {
            name: [finding.evidence for finding in found]
            for name, sql in tight.items()
            if (found := report(connection, warehouse, sql).failed)
        }
    print(f"tight roles: {len(tight) - len(refused)} pass, {len(refused)} refused")

    assert len(TIGHT) >= 100
    assert refused == {}
