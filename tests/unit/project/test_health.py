"""The one state of a table, out of tests, runs and incidents."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.project.facts import Node, Project
from airflow_provider_elementary.project.health import schema_health, table_health

TABLE = "SHOP.CORE.ORDERS"


def project(tests: dict[str, int] | None = None, run: str | None = None, freshness: str | None = None) -> Project:
    node = Node("model.orders", "model", TABLE, "SHOP.CORE", "orders")
    return Project(
        nodes={node.unique_id: node},
        tables={TABLE: node.unique_id},
        own=frozenset({"SHOP.ELEMENTARY.DBT_MODELS"}),
        downstream={},
        test_states={TABLE: tests} if tests else {},
        run_states={TABLE: run} if run else {},
        freshness_states={TABLE: freshness} if freshness else {},
        invocation=None,
        missing=(),
    )


def incident(status: str, root: str = TABLE, *followers: str) -> Incident:
    from datetime import datetime

    at = datetime(2026, 11, 1)
    facts: dict[str, Any] = {"incident_id": "1", "status": status, "transition": "opened", "root": root}
    facts |= {"followers": followers, "started_at": at, "last_anomaly_at": at, "resolved_at": None, "anomalies": 1}
    facts |= {"metrics": (), "kinds": (), "severity": "warn", "worst_score": 4.0, "sentence": ""}
    return Incident(**facts)


@pytest.mark.parametrize(
    ("tests", "run", "incidents", "judged", "state"),
    [
        ({"pass": 3, "fail": 1}, "success", [], [], "failing"),
        ({"pass": 3, "error": 1}, "success", [], [], "failing"),
        ({"pass": 3}, "error", [], [], "failing"),
        ({"pass": 3, "warn": 1}, "success", ["open"], [TABLE], "anomalous"),
        ({"pass": 3, "warn": 1}, "success", ["resolved"], [TABLE], "warning"),
        ({"pass": 3}, "success", [], [], "healthy"),
        (None, "success", [], [TABLE], "healthy"),
        (None, "success", [], [], "unwatched"),
        (None, None, [], [], "unwatched"),
    ],
)
def test_a_table_has_the_worst_of_its_states(
    tests: dict[str, int] | None, run: str | None, incidents: list[str], judged: list[str], state: str
) -> None:
    [table] = table_health(project(tests, run), judged, [incident(status) for status in incidents])

    assert table.state == state


def test_a_follower_is_anomalous_with_its_root() -> None:
    [table] = [
        table for table in table_health(project(), [], [incident("open", "SHOP.RAW.ORDERS", TABLE)]) if table.node
    ]

    assert (table.state, table.why) == ("anomalous", "1 open incident")


def test_a_table_that_dbt_does_not_know_is_there_too() -> None:
    [table] = table_health(None, ["DB.S.T"], [])

    assert (table.full_name, table.schema, table.name, table.node) == ("DB.S.T", "DB.S", "t", None)


def test_the_tables_of_elementary_itself_are_left_out() -> None:
    tables = table_health(project(), [TABLE, "SHOP.ELEMENTARY.DBT_MODELS"], [])

    assert [table.full_name for table in tables] == [TABLE]


def test_a_schema_tells_the_share_of_its_watched_tables_that_are_healthy() -> None:
    [schema] = schema_health(table_health(None, ["DB.S.A", "DB.S.B"], [incident("open", "DB.S.B")]))

    assert (schema.tables, schema.share) == (2, 50)
