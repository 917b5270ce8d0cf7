"""No secret, no raw value and no markup of others is on the Elementary page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.snapshots import LocalKeys
from tests.support.little_project import FAILED_ROW_VALUE, SECRET_VAR, SQL_LITERAL
from tests.support.page import HOSTILE, fill_store, hostile_world
from tests.support.page_answers import ORDERS, VIEWS, Elements, edit_manifest


@pytest.mark.parametrize("route", [*VIEWS, "/elementary/table?name=SHOP.CORE.CUSTOMERS"])
@pytest.mark.parametrize("secret", [SECRET_VAR, FAILED_ROW_VALUE, SQL_LITERAL])
def test_no_secret_raw_value_or_literal_is_shown(
    secret: str, route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    assert secret not in admin.get(route).text


def test_no_column_of_raw_values_sql_or_secrets_is_read() -> None:
    from airflow_provider_elementary.elementary_schema import TABLES, Sensitivity
    from airflow_provider_elementary.project.reading import READ

    read = [TABLES[table].column(name) for table, columns in READ.items() for name in columns.columns]

    assert {column.sensitivity for column in read if column} <= {None, Sensitivity.PERSONAL}


@pytest.fixture(scope="module")
def hostile_store(tmp_path_factory: pytest.TempPathFactory, master_keys: dict[str, str]) -> str:
    return fill_store(tmp_path_factory.mktemp("hostile"), LocalKeys(master_keys), world=hostile_world(), snapshots=1)


@pytest.mark.parametrize(
    "route",
    [
        "/elementary/",
        "/elementary/tables",
        f"/elementary/tables?q={quote(HOSTILE)}&state={quote(HOSTILE)}&page={quote(HOSTILE)}",
        f"/elementary/table?name={quote(f'shop.{HOSTILE}.{HOSTILE}'.upper())}",
        f"/elementary/table?name={quote(HOSTILE)}",
        f"/elementary/table?name={ORDERS}&q={quote(HOSTILE)}",
        f"/elementary/incidents?q={quote(HOSTILE)}",
        f"/elementary/snapshot?number={quote(HOSTILE)}",
        f"/elementary/?store={quote(HOSTILE)}",
    ],
)
def test_a_hostile_name_is_text_and_never_markup(
    route: str, admin: TestClient, hostile_store: str, stores: Callable[..., None]
) -> None:
    stores(hostile_store)

    elements = Elements(admin.get(route).text)

    assert not elements.tags & {"script", "img"}
    assert not {name for name in elements.attributes if name.startswith("on")}
    assert not [address for address in elements.addresses if address.startswith("javascript")]


def test_a_hostile_name_is_shown_as_it_is_and_leads_to_its_table(
    admin: TestClient, hostile_store: str, stores: Callable[..., None]
) -> None:
    stores(hostile_store)
    [address] = [address for address in Elements(admin.get("/elementary/tables").text).addresses if "SCRIPT" in address]

    response = admin.get(f"/elementary/{address}")

    assert response.status_code == 200
    assert "&lt;/TITLE&gt;&lt;SCRIPT&gt;" in response.text
    assert "{{ 7*7 }}" in response.text
    assert "جدول 表" in response.text


def test_what_a_manifest_says_is_text_and_never_markup(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    def edit(facts: dict[str, Any]) -> None:
        facts["snapshot_id"] = HOSTILE
        facts["exclusions"] = [{"rule": HOSTILE, "table": HOSTILE, "rows": 1}]
        facts["access"] = {"user": HOSTILE, "findings": [{"name": HOSTILE, "status": HOSTILE, "excess": [HOSTILE]}]}

    stores(edit_manifest(store, tmp_path, edit))

    for route in ("snapshots", "snapshot?number=2", "access", ""):
        assert not Elements(admin.get(f"/elementary/{route}").text).tags & {"script", "img"}
