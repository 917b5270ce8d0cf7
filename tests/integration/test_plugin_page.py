"""The Elementary page inside a real API server: who may see it, what it says, and what it never shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.plugins import app as page
from airflow_provider_elementary.plugins.elementary import ElementaryPlugin, LazyPage
from airflow_provider_elementary.snapshots import LocalKeys, open_store, write_snapshot
from airflow_provider_elementary.snapshots.manifest import manifest_key
from airflow_provider_elementary.snapshots.policy import Policy
from airflow_provider_elementary.warehouses.duckdb import DuckDBWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.worlds import SECRET_VAR, small_world, write_duckdb

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

ROUTES = ("/elementary/", "/elementary/style.css")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def api(airflow_db: None) -> Iterator[Any]:
    """Airflow's API server with the plugin mounted by hand, so that the package need not be installed."""
    from airflow.api_fastapi.app import create_app, purge_cached_app

    purge_cached_app()
    app = create_app()
    app.router.routes = [route for route in app.router.routes if getattr(route, "path", "") != "/elementary"]
    app.mount("/elementary", LazyPage())
    # Ahead of the route that answers every path with the UI.
    app.router.routes.insert(0, app.router.routes.pop())
    yield app
    purge_cached_app()


@pytest.fixture
def anonymous(api: Any) -> TestClient:
    return TestClient(api)


@pytest.fixture
def admin(api: Any) -> TestClient:
    return signed_in(api, "admin")


def signed_in(api: Any, role: str) -> TestClient:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = api.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username=role, role=role))
    client = TestClient(api)
    # As the browser does it: the frame of the page sends the cookie of Airflow's login.
    client.cookies.set("_token", token)
    return client


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of a store with two snapshots; the second one's access report and policy have something to say."""
    directory = tmp_path_factory.mktemp("page")
    path = write_duckdb(small_world(days=3), directory / "shop.duckdb")
    store = open_store((directory / "store").as_uri())
    keys = LocalKeys(LocalKeys.generate())
    findings = [{"name": "tls-version", "status": "unknown"}, {"name": "schema-readable", "status": "pass"}]
    with WarehouseSource(DuckDBWarehouse(path, "elementary")) as source:
        write_snapshot(source, store, keys, policy=Policy(), run_key="one", access=None)
        write_snapshot(source, store, keys, policy=Policy(), run_key="two", access={"findings": findings})
    return store.uri


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Configure the stores of the page."""

    def configure(*uris: str) -> None:
        monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", ", ".join(uris))

    configure()
    return configure


def edit_manifest(store: str, directory: Path, edit: Callable[[dict[str, Any]], None]) -> str:
    """Copy the newest manifest of a store, changed, into a store of its own."""
    facts = json.loads(open_store(store).get(manifest_key(2)) or b"")
    edit(facts)
    copy = open_store((directory / "copy").as_uri())
    copy.put(manifest_key(2), json.dumps(facts).encode())
    return copy.uri


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_sees_it_without_signing_in(route: str, anonymous: TestClient) -> None:
    assert anonymous.get(route).status_code == 401


@pytest.mark.parametrize("route", ROUTES)
def test_a_forged_token_is_refused(route: str, anonymous: TestClient) -> None:
    anonymous.cookies.set("_token", "forged")

    assert anonymous.get(route).status_code == 403


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_those_who_may_see_plugins_see_it(route: str, role: str, api: Any, stores: Callable[..., None]) -> None:
    assert signed_in(api, role).get(route).status_code == 200


@pytest.mark.parametrize("route", ["docs", "redoc", "openapi.json"])
def test_its_interface_is_described_to_nobody(route: str, admin: TestClient) -> None:
    assert admin.get(f"/elementary/{route}").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_changed(method: str, admin: TestClient) -> None:
    assert admin.request(method, "/elementary/").status_code == 405


@pytest.mark.parametrize("client", ["anonymous", "admin"])
@pytest.mark.parametrize("route", [*ROUTES, "/elementary/nowhere"])
def test_every_answer_is_protected(
    client: str, route: str, request: pytest.FixtureRequest, stores: Callable[..., None]
) -> None:
    headers = request.getfixturevalue(client).get(route).headers

    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "script-src" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_it_is_closed_where_airflow_has_no_such_authorization(
    monkeypatch: pytest.MonkeyPatch, stores: Callable[..., None]
) -> None:
    import airflow.api_fastapi.core_api.security as security

    monkeypatch.delattr(security, "requires_access_view")

    closed = TestClient(page.create_app())

    assert [closed.get(route.removeprefix("/elementary")).status_code for route in ROUTES] == [503, 503]


def test_it_says_how_to_name_stores(admin: TestClient, stores: Callable[..., None]) -> None:
    text = admin.get("/elementary/").text

    assert "No store is shown yet" in text
    assert "AIRFLOW__ELEMENTARY__STORES" in text


def test_it_shows_the_chain_of_a_store(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    text = admin.get("/elementary/").text

    assert store in text
    assert "2 of 2 snapshots" in text
    assert text.index('data-label="Chain">linked') < text.index('data-label="Chain">first')
    assert "1 unknown" in text
    assert "<li>tls-version</li>" in text
    assert "<li>run_results:" in text
    assert "values of dbt_invocations." in text
    assert SECRET_VAR not in text


def test_a_broken_chain_is_shown(admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]) -> None:
    changed = edit_manifest(store, tmp_path, lambda facts: facts["parent"].update(sha256="0" * 64))
    open_store(changed).put(manifest_key(1), open_store(store).get(manifest_key(1)) or b"")
    stores(changed)

    assert 'data-label="Chain" class="bad">broken' in admin.get("/elementary/").text


def test_what_a_manifest_says_is_text_and_never_markup(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    def edit(facts: dict[str, Any]) -> None:
        facts["snapshot_id"] = HOSTILE
        facts["held_back"] = [{"rule": HOSTILE, "table": HOSTILE, "rows": 1}]
        facts["access"] = {"findings": [{"name": HOSTILE, "status": HOSTILE}]}

    stores(edit_manifest(store, tmp_path, edit))

    text = admin.get("/elementary/").text

    assert "<img" not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;") >= 4


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("ftp://elsewhere/store", "Expected a store like s3://bucket/prefix or file:///absolute/directory"),
        (f"file://{HOSTILE}/", "&lt;img src=x"),
    ],
)
def test_a_store_that_does_not_open_is_explained_beside_the_others(
    uri: str, says: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(uri, store)

    response = admin.get("/elementary/")

    assert response.status_code == 200
    assert says in response.text
    assert "2 of 2 snapshots" in response.text
    assert "Traceback" not in response.text


def test_a_manifest_that_is_none_is_explained_beside_the_others(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    copy = edit_manifest(store, tmp_path, lambda facts: None)
    open_store(copy).put(manifest_key(3), b"{}")
    stores(copy)

    text = admin.get("/elementary/").text

    assert "to be a manifest, found something else" in text
    assert "1 of 2 snapshots" in text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_340_000_000, "2.3 GB")]
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert page.readable_size(count) == text


def test_the_menu_leads_to_the_page_wherever_airflow_is_mounted() -> None:
    view = ElementaryPlugin.external_views[0]

    assert ElementaryPlugin.fastapi_apps[0]["url_prefix"] == "/" + view["href"].strip("/")
    assert not view["href"].startswith("/")


@pytest.fixture
def aws(
    aws_server: AwsServer,
    airflow_connection: Callable[[str, Mapping[str, object]], str],
    monkeypatch: pytest.MonkeyPatch,
) -> AwsServer:
    """S3, over the connection that the page is configured with."""
    monkeypatch.setenv(
        "AIRFLOW__ELEMENTARY__AWS_CONN_ID", airflow_connection("page_aws", aws_server.airflow_connection())
    )
    return aws_server


def test_it_reads_a_store_on_s3_without_any_key(
    admin: TestClient, store: str, stores: Callable[..., None], aws: AwsServer
) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket="page-bucket", CreateBucketConfiguration={"LocationConstraint": aws.region})
    manifest = open_store(store).get(manifest_key(1)) or b""
    client.put_object(Bucket="page-bucket", Key=f"elementary/{manifest_key(1)}", Body=manifest)
    stores("s3://page-bucket/elementary")

    assert "1 of 1 snapshots" in admin.get("/elementary/").text


def test_a_bucket_that_is_not_there_is_explained(
    admin: TestClient, stores: Callable[..., None], aws: AwsServer
) -> None:
    stores("s3://bucket-of-nobody/elementary")

    text = admin.get("/elementary/").text

    assert 'role="alert">' in text
    assert "NoSuchBucket" in text
