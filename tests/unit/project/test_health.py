"""The one state of a table, out of tests, runs and incidents."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.project.facts import Node
from airflow_provider_elementary.project.health import schema_health, table_health
from airflow_provider_elementary.project.project import Project

TABLE = "SHOP.CORE.ORDERS"


def project(tests: dict[str, int] | None = None, run: str | None = None, freshness: str | None = None) -> Project:
    node = Node("model.orders", TABLE, schema="SHOP.CORE", name="orders")
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


@pytest.mark.parametrize(
    ("tests", "run", "incidents", "scored", "state"),
    [
        ({"pass": 3, "fail": 1}, "success", 0, [], "failing"),
        ({"pass": 3, "error": 1}, "success", 0, [], "failing"),
        ({"pass": 3}, "error", 0, [], "failing"),
        ({"pass": 3}, "success", 1, [TABLE], "anomalous"),
        ({"pass": 3, "warn": 1}, "success", 0, [TABLE], "warning"),
        ({"pass": 3}, "success", 0, [], "healthy"),
        (None, "success", 0, [TABLE], "healthy"),
        (None, "success", 0, [], "unwatched"),
        (None, None, 0, [], "unwatched"),
    ],
)
def test_a_table_has_the_worst_of_its_states(
    tests: dict[str, int] | None, run: str | None, incidents: int, scored: list[str], state: str
) -> None:
    [table] = table_health(project(tests, run), scored, {TABLE: incidents})

    assert table.state == state


def test_a_warning_with_an_incident_is_anomalous_only_where_a_metric_is() -> None:
    known = project({"warn": 1}, "success")
    [warned] = table_health(known, [TABLE], {TABLE: 1})
    [anomalous] = table_health(known, [TABLE], {TABLE: 1}, {TABLE})

    assert (warned.state, warned.why) == ("warning", "1 of 1 test warns")
    assert (anomalous.state, anomalous.why) == ("anomalous", "1 open incident")


def test_a_follower_is_anomalous_with_its_root() -> None:
    [table] = [table for table in table_health(project(), [], {"SHOP.RAW.ORDERS": 1, TABLE: 1}) if table.node]

    assert (table.state, table.why) == ("anomalous", "1 open incident")


def test_a_table_that_dbt_does_not_know_is_there_too() -> None:
    [table] = table_health(None, ["DB.S.T"], {})

    assert (table.full_name, table.schema, table.name, table.node) == ("DB.S.T", "DB.S", "t", None)


def test_the_tables_of_elementary_itself_are_left_out() -> None:
    tables = table_health(project(), [TABLE, "SHOP.ELEMENTARY.DBT_MODELS"], {})

    assert [table.full_name for table in tables] == [TABLE]


def test_a_schema_tells_the_share_of_its_watched_tables_that_are_healthy() -> None:
    [schema] = schema_health(table_health(None, ["DB.S.A", "DB.S.B"], {"DB.S.B": 1}))

    assert (schema.tables, schema.share) == (2, 50)
