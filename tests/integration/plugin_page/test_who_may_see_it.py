"""Who may see the Elementary page, and how it stands in Airflow's API server."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_provider_elementary.plugins import elementary as plugin
from airflow_provider_elementary.plugins.elementary import PAGE, ElementaryPlugin, LazyPage, warmed
from tests.support.page_answers import DATA_API, DATA_ROUTES, MANIFEST_ROUTES, ROUTES, VIEWS, signed_in, words


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_sees_it_without_signing_in(route: str, anonymous: TestClient) -> None:
    assert anonymous.get(route).status_code == 401


@pytest.mark.parametrize("route", ROUTES)
def test_a_forged_token_is_refused(route: str, anonymous: TestClient) -> None:
    anonymous.cookies.set("_token", "forged")

    assert anonymous.get(route).status_code == 403


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_those_who_may_see_plugins_and_assets_see_it(
    route: str, role: str, api: Any, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    assert signed_in(api, role).get(route).status_code == 200


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_sees_it_who_may_not_see_plugins(
    route: str, api: Any, store: str, stores: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stores(store)
    monkeypatch.setattr(api.state.auth_manager, "is_authorized_view", lambda **asked: False)

    assert signed_in(api, "viewer").get(route).status_code == 403


@pytest.mark.parametrize(
    ("route", "status"),
    [*((route, 403) for route in DATA_ROUTES), *((route, 200) for route in MANIFEST_ROUTES)],
)
def test_nobody_sees_tables_and_metrics_who_may_not_read_assets(
    route: str, status: int, api: Any, store: str, stores: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stores(store)
    monkeypatch.setattr(api.state.auth_manager, "is_authorized_asset", lambda **asked: False)

    assert signed_in(api, "viewer").get(route).status_code == status


def test_json_is_for_those_only_who_may_see_the_view(
    api: Any, store: str, stores: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stores(store)
    closed = {route: TestClient(api).get(route).status_code for route in DATA_API}
    monkeypatch.setattr(api.state.auth_manager, "is_authorized_asset", lambda **asked: False)

    without_assets = {route: signed_in(api, "viewer").get(route).status_code for route in DATA_API}

    assert set(closed.values()) == {401}
    assert set(without_assets.values()) == {403}
    assert signed_in(api, "viewer").get("/elementary/api/snapshots").status_code == 200


def test_an_incident_is_seen_by_those_only_who_may_read_assets(
    api: Any, store: str, stores: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stores(store)
    monkeypatch.setattr(api.state.auth_manager, "is_authorized_asset", lambda **asked: False)

    assert TestClient(api).get("/elementary/incident?id=00ff").status_code == 401
    assert signed_in(api, "viewer").get("/elementary/incident?id=00ff").status_code == 403


def test_a_refusal_is_a_page_for_people(anonymous: TestClient) -> None:
    response = anonymous.get("/elementary/incidents")

    assert "Sign in to Airflow" in response.text
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("route", ["docs", "redoc", "openapi.json"])
def test_its_interface_is_described_to_nobody(route: str, admin: TestClient) -> None:
    assert admin.get(f"/elementary/{route}").status_code == 404


@pytest.mark.parametrize("route", [*VIEWS, "/elementary/style.css"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(method: str, route: str, admin: TestClient) -> None:
    assert admin.request(method, route).status_code == 405


@pytest.mark.parametrize("client", ["anonymous", "admin"])
@pytest.mark.parametrize(
    "route", [*ROUTES, "/elementary/nowhere", "/elementary/table?name=nobody", "/elementary/?store=x"]
)
def test_every_answer_is_protected(
    client: str, route: str, request: pytest.FixtureRequest, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    headers = request.getfixturevalue(client).get(route).headers

    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "script-src 'self'; connect-src 'self'; style-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_it_is_closed_where_airflow_has_no_such_authorization(
    monkeypatch: pytest.MonkeyPatch, stores: Callable[..., None]
) -> None:
    import airflow.api_fastapi.core_api.security as security

    monkeypatch.delattr(security, "requires_access_asset")

    closed = TestClient(LazyPage())

    assert {closed.get(route.removeprefix("/elementary")).status_code for route in ROUTES} == {503}


def test_a_server_that_starts_is_left_as_it_is_and_the_page_warms_up_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Event()
    prepared = Event()
    monkeypatch.setattr(PAGE, "warm_up", begun.set)
    monkeypatch.setattr(PAGE, "prepare", prepared.set)
    server = FastAPI()

    assert warmed(server) is server
    assert prepared.is_set()
    assert begun.wait(30)


def test_a_server_starts_where_its_page_cannot_be_prepared(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(PAGE, "warm_up", Event().set)
    monkeypatch.setattr(PAGE, "prepare", partial(refuse_to_read, None))
    server = FastAPI()

    assert warmed(server) is server
    assert "preparing the Elementary page failed" in caplog.text


def test_a_page_that_warmed_up_has_read_what_its_first_view_shows(
    monkeypatch: pytest.MonkeyPatch, stores: Callable[..., None], store: str
) -> None:
    monkeypatch.setattr(plugin, "authorization", lambda: (lambda: None, lambda: None))
    stores(store)
    served = LazyPage()

    served.warm_up()
    monkeypatch.setattr("airflow_provider_elementary.page.store_reader.read_project", refuse_to_read)

    assert "Health per schema" in words(TestClient(served).get("/").text)


def refuse_to_read(snapshot: object) -> None:
    raise AssertionError("the snapshot is read again")


def test_the_menu_leads_to_the_page_wherever_airflow_is_mounted() -> None:
    view = ElementaryPlugin.external_views[0]

    assert ElementaryPlugin.fastapi_apps[0]["url_prefix"] == "/" + view["href"].strip("/")
    assert not view["href"].startswith("/")
