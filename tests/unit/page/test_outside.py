"""Addresses of dbt's docs and of code."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_elementary.page.outside import Outside, outside_of
from airflow_provider_elementary.project.facts import Node

MODEL = Node("model.shop.orders", "SHOP.ORDERS", path="models/core orders.sql")


@pytest.mark.parametrize("base", ["https://code.example/blob/main", "https://code.example/blob/main/{path}"])
def test_a_node_has_the_addresses_that_the_options_make(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__DBT_DOCS_URL", "https://docs.example/")
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__DBT_CODE_URL", base)

    found = outside_of(MODEL)

    assert found.docs == "https://docs.example/#!/model/model.shop.orders"
    assert found.code == "https://code.example/blob/main/models/core%20orders.sql"


@pytest.mark.parametrize("path", ["../../evil/blob/main/login.sql", "models/../../x.sql", "./x.sql"])
def test_a_path_that_leaves_the_project_has_no_address(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__DBT_CODE_URL", "https://code.example/shop/blob/main/{path}")

    assert outside_of(replace(MODEL, path=path)).code == ""


@pytest.mark.parametrize("text", ["", "javascript:alert(1)", "docs.example"])
def test_what_is_no_web_address_is_not_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__DBT_DOCS_URL", text)
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__DBT_CODE_URL", text)

    assert outside_of(MODEL) == Outside("", "")
