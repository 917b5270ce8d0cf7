"""Builders of conditions and incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_elementary.incidents.conditions import Condition, metric_family, metric_subject
from airflow_provider_elementary.incidents.dbt_evidence import DbtConditions
from airflow_provider_elementary.incidents.removed import ProjectLists
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.source import Source
from tests.support.shop import ORDERS, SUNDAY

NOON = datetime(2026, 11, 3, 12)
_TITLE = "orders: row count 10 on Sun 1 Nov 2026; expected 90 to 110 from the last 14 buckets"


def anomaly(table: str = ORDERS, metric: str = "row_count", **facts: Any) -> Condition:
    """Return an anomaly of a metric, named as ``email.null_percent`` or ``row_count``, that began on Sunday."""
    column, _, name = metric.rpartition(".")
    name, _, dimension = name.partition(" ")
    known = Condition(
        kind="anomaly",
        subject=metric_subject(table, column or None, name, dimension or None),
        table=table,
        column=column or None,
        family=metric_family(name, column or None),
        severity="normal",
        started_at=SUNDAY,
        last_seen=SUNDAY + timedelta(days=1),
        ended_at=None,
        times=1,
        state="drop",
        title=_TITLE,
        evidence="1 bucket not as expected",
    )
    return replace(known, **facts)


def failing_test(name: str = "not_null_orders_id", table: str = ORDERS, **facts: Any) -> Condition:
    """Return a dbt test that has failed since Sunday."""
    known: dict[str, Any] = {
        "kind": "test",
        "subject": f"test.shop.{name}.0123456789",
        "family": "nulls",
        "severity": "high",
        "state": "fail",
        "title": f"Test {name} on {table} ended with fail",
        "evidence": "1 result not good",
    }
    return replace(anomaly(table), **{**known, **facts})


def of_dbt(*conditions: Condition) -> DbtConditions:
    """Return what was read of a project that has these conditions, and no lists of its nodes."""
    lists = ProjectLists({}, {}, uploaded_at=None, command=None, is_single=True, as_of=None)
    return DbtConditions(conditions, {}, lists, {})


def incident(
    *,
    root: str = ORDERS,
    followers: tuple[str, ...] = (),
    subjects: tuple[str, ...] = ("row_count",),
    started_at: datetime = SUNDAY,
    last_seen: datetime | None = None,
    severity: Any = "normal",
    title: str = _TITLE,
    titles: tuple[str, ...] = (),
    conditions: tuple[Condition, ...] = (),
    **facts: Any,
) -> Incident:
    """Return an incident of the orders that opened on Sunday.

    :param subjects: the metrics of the root that are anomalous.
    :param titles: of further anomalies of the root.
    """
    shared: dict[str, Any] = {
        "started_at": started_at,
        "last_seen": last_seen or started_at + timedelta(days=1),
        "ended_at": facts.get("resolved_at"),
        "severity": severity,
    }
    made = (
        *(anomaly(root, metric, **shared, title=title) for metric in subjects),
        *(anomaly(root, subjects[0], **shared, title=other) for other in titles),
        *(anomaly(table, **shared) for table in followers),
    )
    known = Incident(
        incident_id="of-orders",
        status="open",
        transition="opened",
        conditions=conditions or made,
        resolved_at=None,
        owners=("core@shop.example",),
        tags=("core",),
    )
    return replace(known, **facts)


def resolved(**facts: Any) -> Incident:
    """Return an incident of the orders that the last run saw end."""
    over = {"status": "resolved", "transition": "resolved", "resolved_at": SUNDAY + timedelta(days=2)}
    return incident(**{**over, **facts})


def require_conditions_of_failing_tests(source: Source, incidents: Sequence[Incident]) -> set[str]:
    """Check that the tests whose newest result is not good are those of open incidents, and return them.

    No incident is open without a condition that holds, and none is over with one.
    """
    with source.read("elementary_test_results", columns=["test_unique_id", "status", "created_at"]) as batches:
        rows = batches.read_all().to_pylist()
    newest: dict[str, tuple[Any, str]] = {}
    for row in rows:
        seen = newest.get(row["test_unique_id"])
        if row["status"] != "skipped" and (seen is None or row["created_at"] > seen[0]):
            newest[row["test_unique_id"]] = (row["created_at"], row["status"])
    not_good = {test for test, (_, status) in newest.items() if status != "pass"}
    opened = [found for found in incidents if found.status == "open"]
    assert {held.subject for found in opened for held in found.holding if held.kind == "test"} == not_good
    assert all(found.holding for found in opened)
    assert not any(held.holds for found in incidents if found.status == "resolved" for held in found.conditions)
    return not_good
