"""The views of tests, runs, freshness and coverage, and the same in JSON."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from tests.support.datasets import FAILED_ROW_VALUE, SECRET_VAR, SQL_LITERAL
from tests.support.page_answers import DATA_API, ORDERS, words


@pytest.fixture(autouse=True)
def shown(store: str, stores: Callable[..., None]) -> None:
    stores(store)


def test_all_tests_are_listed_with_their_fail_rate_and_filters(admin: TestClient) -> None:
    every = words(admin.get("/elementary/tests").text)
    failing = admin.get("/elementary/api/tests?level=failing").json()
    nothing = words(admin.get("/elementary/tests?q=nosuchtest").text)

    assert ORDERS in every
    assert "failing first" in every
    assert {test["status"] for test in failing["tests"]} == {"fail"}
    assert failing["counts"]["failing"] == failing["pagination"]["total"] < sum(failing["counts"].values())
    assert "No test matches" in nothing


def test_dbt_commands_lead_to_their_executions(admin: TestClient) -> None:
    found = admin.get("/elementary/api/runs").json()
    newest = max(found["commands"], key=lambda command: command["nodes"])

    shown = words(admin.get(f"/elementary/run?id={newest['invocation_id']}").text)
    missing = admin.get("/elementary/run?id=nosuchcommand")

    assert newest["command"] in shown
    assert "Executions" in shown
    assert missing.status_code == 404
    assert found["slowest"]


def test_a_source_without_a_check_is_named(admin: TestClient) -> None:
    found = admin.get("/elementary/api/freshness").json()

    named = {check["table"] for check in found["checks"]} | set(found["unchecked"])
    assert "SHOP.RAW.ORDERS" in named
    assert "SHOP.RAW.ORDERS" in words(admin.get("/elementary/freshness").text)


def test_coverage_counts_tables_and_tests_by_dimension(admin: TestClient) -> None:
    found = admin.get("/elementary/api/coverage").json()

    assert [each["dimension"] for each in found["dimensions"]][:2] == ["completeness", "uniqueness"]
    assert found["whole"]["tables"] == sum(schema["tables"] for schema in found["schemas"])
    assert "All schemas" in words(admin.get("/elementary/coverage").text)


@pytest.mark.parametrize("route", [*DATA_API, "/elementary/api/overview", "/elementary/api/snapshots"])
def test_each_view_answers_in_json_without_secrets(route: str, admin: TestClient) -> None:
    answer = admin.get(route)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert {"store", "view"} <= answer.json().keys()
    assert not [secret for secret in (SECRET_VAR, FAILED_ROW_VALUE, SQL_LITERAL) if secret in answer.text]


def test_an_error_is_json_below_the_api(admin: TestClient, anonymous: TestClient) -> None:
    missing = admin.get("/elementary/api/table?name=nosuchtable")

    assert missing.status_code == 404
    assert missing.json()["error"].startswith("Table 'nosuchtable' is not in the newest snapshot")
    assert admin.get("/elementary/api/nosuchview").json() == {"error": "This view does not exist."}
    assert anonymous.get("/elementary/api/tests").status_code == 401
