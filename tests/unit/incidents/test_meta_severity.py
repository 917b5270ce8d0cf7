"""How bad a condition is, where the dbt project says it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_elementary.incidents.current import read_dbt_conditions
from airflow_provider_elementary.incidents.meta_severity import severity_of
from tests.support.dbt_project import project, result, run

TEST = {"unique_id": "not_null", "parent_model_unique_id": "model.shop.orders"}


def severities(model_meta: Any = None, test_meta: Any = None) -> dict[str, str]:
    """Return the severity of a failed test on the orders, and of their failed run."""
    model = {"unique_id": "model.shop.orders", "alias": "orders", "database_name": "shop", "schema_name": "core"}
    found = read_dbt_conditions(
        project(
            dbt_models=[{**model, "meta": json.dumps(model_meta)}],
            dbt_tests=[{**TEST, "meta": json.dumps(test_meta)}],
            elementary_test_results=[result(0, "fail")],
            dbt_run_results=[run(0, status="error")],
        )
    )
    return {condition.kind: condition.severity for condition in found.conditions}


def test_a_test_has_the_severity_of_its_own_meta_then_that_of_its_model() -> None:
    assert severities() == {"test": "high", "run": "critical"}
    assert severities({"severity": "low"}) == {"test": "low", "run": "low"}
    assert severities({"severity": "low"}, {"severity": "critical"}) == {"test": "critical", "run": "low"}


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ('{"severity": "low"}', "low"),
        ('{"severity": " Critical "}', "critical"),
        ('{"alerts_config": {"severity": "normal"}}', "normal"),
        ('{"severity": "high", "alerts_config": {"severity": "low"}}', "high"),
        ('{"severity": "error"}', None),
        ('{"severity": ["low"]}', None),
        ('{"alerts_config": "low"}', None),
        ("[]", None),
        ("***", None),
        ("", None),
        (None, None),
    ],
)
def test_only_the_four_steps_are_a_severity(meta: str | None, expected: str | None) -> None:
    assert severity_of(meta) == expected


def skipped(model_meta: Any = None, test_meta: Any = None, *statuses: str) -> list[tuple[str, str, str, bool]]:
    """Return the conditions of a test and a model of the orders that ended with these statuses, one a day."""
    model = {"unique_id": "model.shop.orders", "alias": "orders", "database_name": "shop", "schema_name": "core"}
    found = read_dbt_conditions(
        project(
            dbt_models=[{**model, "meta": json.dumps(model_meta)}],
            dbt_tests=[{**TEST, "meta": json.dumps(test_meta)}],
            elementary_test_results=[result(day, status) for day, status in enumerate(statuses)],
            dbt_run_results=[run(day, status=status) for day, status in enumerate(statuses)],
        )
    )
    return sorted((each.kind, each.state, each.severity, each.holds) for each in found.conditions)


def test_a_skipped_result_is_a_condition_where_the_project_asks_for_it() -> None:
    asked = {"alert_on_skipped": True}

    assert skipped(None, None, "pass", "skipped") == []
    assert skipped(asked, None, "pass", "skipped") == [
        ("run", "skipped", "low", True),
        ("test", "skipped", "low", True),
    ]
    assert skipped(asked, {"alert_on_skipped": False}, "pass", "skipped") == [("run", "skipped", "low", True)]
    assert skipped({"alerts_config": asked}, None, "skipped", "pass") == [
        ("run", "skipped", "low", False),
        ("test", "skipped", "low", False),
    ]


def test_what_failed_and_was_then_skipped_still_fails() -> None:
    assert skipped({"alert_on_skipped": True}, None, "fail", "skipped") == [
        ("run", "fail", "critical", True),
        ("test", "fail", "high", True),
    ]
