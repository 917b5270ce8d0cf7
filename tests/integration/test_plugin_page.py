"""The Elementary page inside a real API server: who may see it, what it says, and what it never shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_provider_elementary.plugins import app as page
from airflow_provider_elementary.plugins.elementary import PAGE, ElementaryPlugin, LazyPage, warmed
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from airflow_provider_elementary.snapshots.manifest import manifest_key
from tests.pages import HOSTILE, api_server, fill_store, hostile_world, keys_connection, token
from tests.worlds import FAILED_ROW_VALUE, OWNER_EMAIL, SECRET_VAR, SQL_LITERAL

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

ORDERS = "SHOP.CORE.ORDERS"
DATA_ROUTES = (
    *("/elementary/", "/elementary/tables", f"/elementary/table?name={ORDERS}"),
    *("/elementary/incidents", "/elementary/backtests"),
)
MANIFEST_ROUTES = ("/elementary/snapshots", "/elementary/snapshot?number=1", "/elementary/access")
ROUTES = (*DATA_ROUTES, *MANIFEST_ROUTES, "/elementary/style.css")
VIEWS = (*DATA_ROUTES, *MANIFEST_ROUTES)


@pytest.fixture(scope="module")
def api(airflow_db: None) -> Iterator[Any]:
    with api_server() as app:
        yield app


@pytest.fixture
def anonymous(api: Any) -> TestClient:
    return TestClient(api)


@pytest.fixture
def admin(api: Any) -> TestClient:
    return signed_in(api, "admin")


def signed_in(api: Any, role: str) -> TestClient:
    client = TestClient(api)
    # As the browser does it: the frame of the page sends the cookie of Airflow's login.
    client.cookies.set("_token", token(api, role))
    return client


@pytest.fixture(scope="module")
def master_keys() -> dict[str, str]:
    return LocalKeys.generate()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, master_keys: dict[str, str]) -> str:
    """The URI of a store with two snapshots, metrics and verdicts; only the second snapshot has an access report."""
    return fill_store(tmp_path_factory.mktemp("page"), LocalKeys(master_keys))


@pytest.fixture
def stores(
    monkeypatch: pytest.MonkeyPatch,
    master_keys: dict[str, str],
    airflow_connection: Callable[[str, Mapping[str, object]], str],
) -> Callable[..., None]:
    """Configure the page's stores and keys: those that the store was written with, if nothing else is said."""
    airflow_connection("page_keys", keys_connection(master_keys))

    def configure(*uris: str, keys_conn_id: str = "page_keys") -> None:
        monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", ", ".join(uris))
        monkeypatch.setenv("AIRFLOW__ELEMENTARY__KEYS_CONN_ID", keys_conn_id)

    configure()
    return configure


def edit_manifest(store: str, directory: Path, edit: Callable[[dict[str, Any]], None]) -> str:
    """Copy the newest manifest of a store, changed, into a store of its own."""
    facts = json.loads(open_store(store).get(manifest_key(2)) or b"")
    edit(facts)
    copy = open_store((directory / "copy").as_uri())
    copy.put(manifest_key(2), json.dumps(facts).encode())
    return copy.uri


def words(html: str) -> str:
    """Return what a page says, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


class Elements(HTMLParser):
    """Every element that a browser would see, with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.found}

    @property
    def attributes(self) -> set[str]:
        return {name for _, attributes in self.found for name in attributes}

    @property
    def addresses(self) -> list[str]:
        named = [attributes.get(name) for _, attributes in self.found for name in ("href", "src", "action")]
        return [address for address in named if address]


# Who may see it


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
    assert "script-src" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_it_is_closed_where_airflow_has_no_such_authorization(
    monkeypatch: pytest.MonkeyPatch, stores: Callable[..., None]
) -> None:
    import airflow.api_fastapi.core_api.security as security

    monkeypatch.delattr(security, "requires_access_asset")

    closed = TestClient(page.create_app())

    assert {closed.get(route.removeprefix("/elementary")).status_code for route in ROUTES} == {503}


def test_a_server_that_starts_is_left_as_it_is_and_the_page_warms_up_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = Event()
    monkeypatch.setattr(PAGE, "warm_up", begun.set)
    server = FastAPI()

    assert warmed(server) is server
    assert begun.wait(30)


def test_a_page_that_warmed_up_has_read_what_its_first_view_shows(
    monkeypatch: pytest.MonkeyPatch, stores: Callable[..., None], store: str
) -> None:
    monkeypatch.setattr(page, "_authorization", lambda: (lambda: None, lambda: None))
    stores(store)
    served = LazyPage()

    served.warm_up()
    monkeypatch.setattr("airflow_provider_elementary.plugins.reading.read_project", refuse_to_read)

    assert "Health per schema" in words(TestClient(served).get("/").text)


def refuse_to_read(snapshot: object) -> None:
    raise AssertionError("the snapshot is read again")


def test_the_menu_leads_to_the_page_wherever_airflow_is_mounted() -> None:
    view = ElementaryPlugin.external_views[0]

    assert ElementaryPlugin.fastapi_apps[0]["url_prefix"] == "/" + view["href"].strip("/")
    assert not view["href"].startswith("/")


# What it says


def test_it_says_how_to_name_stores(admin: TestClient, stores: Callable[..., None]) -> None:
    text = admin.get("/elementary/").text

    assert "No store is shown yet" in text
    assert "AIRFLOW__ELEMENTARY__STORES" in text


def test_the_overview_tells_health_incidents_sync_and_access(
    admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    text = words(admin.get("/elementary/").text)

    assert "Last sync" in text
    assert "1 pass, 1 unknown" in text
    assert "orders: row_count 100 on" in text
    assert "SHOP.CORE" in text
    assert "dbt build" in text


def test_tables_are_found_by_name_owner_and_state(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    by_owner = admin.get(f"/elementary/tables?q={OWNER_EMAIL.lower()}+orders").text
    by_state = admin.get("/elementary/tables?state=failing").text
    nothing = admin.get("/elementary/tables?q=nosuchtable").text

    assert ORDERS in by_owner
    assert "SHOP.CORE.CUSTOMERS" not in by_owner
    assert "1 of 2 tests fail" in words(admin.get("/elementary/tables?q=orders").text)
    assert "SHOP.CORE.CUSTOMERS" in by_state
    assert "No table matches" in nothing


def test_a_table_tells_metrics_tests_runs_lineage_and_owners(
    admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    html = admin.get(f"/elementary/table?name={ORDERS}").text
    text = words(html)

    assert '<path class="band"' in html
    assert '<path class="mark"' in html
    assert "row_count 100 on" in text
    assert "expected" in text
    assert "volume" in text
    assert "success" in text
    assert "SHOP.RAW.ORDERS" in text
    assert OWNER_EMAIL in text


def test_every_chart_has_a_title_a_description_and_its_numbers(
    admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    found = Elements(admin.get(f"/elementary/table?name={ORDERS}").text).found

    charts = [attributes for tag, attributes in found if tag == "svg" and attributes.get("role") == "img"]
    named = {attributes.get("id") for _, attributes in found}
    assert charts
    assert all(set((chart["aria-labelledby"] or "").split()) <= named for chart in charts)
    assert sum(tag == "caption" for tag, _ in found) >= len(charts)


def test_metrics_are_found_by_name(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    html = admin.get(f"/elementary/table?name={ORDERS}&q=execution").text

    assert "<strong>execution_time</strong>" in html
    assert "<strong>row_count</strong>" not in html


def test_incidents_are_told_from_their_root(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    text = words(admin.get("/elementary/incidents").text)

    assert ORDERS in text
    assert "row_count 100 on" in text
    assert "open" in text


def test_a_backtest_is_drawn_and_told(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    html = admin.get("/elementary/backtests").text

    assert "Elementary&#39;s own rule: 60 days, sensitivity 3" in html
    assert "elementary_backtest · manual" in html
    assert '<rect class="hit"' in html
    assert f"<title>{ORDERS}, " in html
    assert 'data-label="Metric">row_count' in html


def test_a_store_without_backtests_says_how_to_make_one(
    admin: TestClient, tmp_path: Path, master_keys: dict[str, str], stores: Callable[..., None]
) -> None:
    stores(fill_store(tmp_path, LocalKeys(master_keys), snapshots=1, with_results=False))

    html = admin.get("/elementary/backtests").text

    assert "Trigger the DAG <code>elementary_backtest</code>" in html


def test_the_chain_of_a_store_is_shown(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    text = admin.get("/elementary/snapshots").text

    assert store in text
    assert "2 of 2 snapshots" in text
    assert text.index('data-label="Chain">linked') < text.index('data-label="Chain">first')
    assert "1 unknown" in text
    assert "<li>Run results:" in text
    assert SECRET_VAR not in text


def test_a_snapshot_tells_its_keys_and_what_left_the_warehouse(
    admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    text = words(admin.get("/elementary/snapshot?number=1").text)

    assert "local:" in text
    assert "yes" in text
    assert "values of dbt_invocations." in text
    assert "Query logs" in text
    assert "are there, in the size that the manifest names" in text


def test_a_lost_file_is_told(
    admin: TestClient, tmp_path: Path, master_keys: dict[str, str], stores: Callable[..., None]
) -> None:
    uri = fill_store(tmp_path, LocalKeys(master_keys), snapshots=1, with_results=False)
    next((tmp_path / "store" / "data").rglob("*.parquet")).unlink()
    stores(uri)

    assert "1 of" in words(admin.get("/elementary/snapshot?number=1").text)
    assert "missing or differ in size" in admin.get("/elementary/snapshot?number=1").text


def test_access_tells_the_newest_report(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    text = words(admin.get("/elementary/access").text)

    assert "elementary_reader" in text
    assert "tls-version was looked at" in text
    assert "the link uses TLS 1.2 or newer" in text
    assert "no earlier report to compare with" in text


def test_a_broken_chain_is_shown(admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]) -> None:
    changed = edit_manifest(store, tmp_path, lambda facts: facts["parent"].update(sha256="0" * 64))
    open_store(changed).put(manifest_key(1), open_store(store).get(manifest_key(1)) or b"")
    stores(changed)

    assert 'data-label="Chain" class="bad">broken' in admin.get("/elementary/snapshots").text


def test_one_of_several_stores_is_chosen(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    stores((tmp_path / "empty").as_uri(), store)

    first = admin.get("/elementary/").text
    second = admin.get(f"/elementary/?store={quote(store)}").text

    assert "No snapshot yet" in first
    assert "Last sync" in second
    assert f"tables?store={quote(store, safe='')}" in second


@pytest.mark.parametrize("route", VIEWS)
def test_every_address_in_it_is_relative(
    route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    addresses = Elements(admin.get(route).text).addresses

    assert addresses
    assert not [address for address in addresses if address.startswith(("/", "http", "//", "javascript"))]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_340_000_000, "2.3 GB")]
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    from airflow_provider_elementary.plugins.rendering import readable_size

    assert readable_size(count) == text


# What it never shows


@pytest.mark.parametrize("route", [*VIEWS, "/elementary/table?name=SHOP.CORE.CUSTOMERS"])
@pytest.mark.parametrize("secret", [SECRET_VAR, FAILED_ROW_VALUE, SQL_LITERAL])
def test_no_secret_raw_value_or_literal_is_shown(
    secret: str, route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    assert secret not in admin.get(route).text


def test_no_column_of_raw_values_sql_or_secrets_is_read() -> None:
    from airflow_provider_elementary.catalog import TABLES, Sensitivity
    from airflow_provider_elementary.plugins.project import READ

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
        facts["held_back"] = [{"rule": HOSTILE, "table": HOSTILE, "rows": 1}]
        facts["access"] = {"user": HOSTILE, "findings": [{"name": HOSTILE, "status": HOSTILE, "holes": [HOSTILE]}]}

    stores(edit_manifest(store, tmp_path, edit))

    for route in ("snapshots", "snapshot?number=2", "access", ""):
        assert not Elements(admin.get(f"/elementary/{route}").text).tags & {"script", "img"}


# What goes wrong


@pytest.mark.parametrize(
    ("route", "says"),
    [
        ("/elementary/table?name=NO.SUCH.TABLE", "Expected a table that the newest snapshot or verdicts know"),
        ("/elementary/table", "Expected a table that the newest snapshot or verdicts know"),
        ("/elementary/snapshot?number=77", "Expected the number of a snapshot"),
        ("/elementary/snapshot?number=-1", "Expected the number of a snapshot"),
        ("/elementary/snapshot", "Expected the number of a snapshot"),
        ("/elementary/tables?store=file:///etc", "Expected one of the stores of Airflow"),
        ("/elementary/nowhere", "There is no such view"),
    ],
)
def test_what_is_not_there_is_a_friendly_page(
    route: str, says: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    response = admin.get(route)

    assert response.status_code == 404
    assert says in words(response.text)
    assert '<a href="./">Overview</a>' in response.text


@pytest.mark.parametrize("number", ["0", "-3", "abc", "99999999999", "²", "2"])
def test_a_page_number_that_is_none_shows_a_page(
    number: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    assert [admin.get(f"/elementary/{view}?page={number}").status_code for view in ("", "tables", "incidents")] == [
        200
    ] * 3


@pytest.mark.parametrize("route", DATA_ROUTES)
def test_without_keys_it_says_that_it_shows_manifests_only(
    route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store, keys_conn_id="")

    response = admin.get(route)

    assert response.status_code == 200
    assert "No keys are configured, so this page shows manifests only" in response.text


@pytest.mark.parametrize("route", MANIFEST_ROUTES)
def test_manifests_are_shown_without_keys(
    route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store, keys_conn_id="")

    assert 'role="alert"' not in admin.get(route).text


@pytest.mark.parametrize("route", VIEWS)
def test_keys_that_are_missing_are_explained(
    route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store, keys_conn_id="nobody_has_this")

    response = admin.get(route)

    assert response.status_code == 200
    assert "Traceback" not in response.text


def test_keys_that_do_not_open_are_explained(
    admin: TestClient,
    store: str,
    stores: Callable[..., None],
    airflow_connection: Callable[[str, Mapping[str, object]], str],
) -> None:
    stores(store, keys_conn_id=airflow_connection("page_other_keys", keys_connection(LocalKeys.generate())))

    response = admin.get("/elementary/")

    assert response.status_code == 200
    assert "which does not open it" in response.text
    assert "Last sync" in response.text


def test_a_reader_with_some_of_the_keys_sees_what_they_open(
    admin: TestClient,
    store: str,
    master_keys: dict[str, str],
    stores: Callable[..., None],
    airflow_connection: Callable[[str, Mapping[str, object]], str],
) -> None:
    some = {name: key for name, key in master_keys.items() if name in ("metadata", "configuration")}
    stores(store, keys_conn_id=airflow_connection("page_some_keys", keys_connection(some)))

    html = admin.get("/elementary/tables").text

    assert ORDERS in html
    assert 'role="alert"' in html


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("ftp://elsewhere/store", "Expected a store like s3://bucket/prefix or file:///absolute/directory"),
        ("file://<img src=x onerror=alert(1)>/", "&lt;img src=x"),
    ],
)
@pytest.mark.parametrize("view", ["", "tables", "incidents", "snapshots", "access"])
def test_a_store_that_does_not_open_is_explained(
    uri: str, says: str, view: str, admin: TestClient, stores: Callable[..., None]
) -> None:
    stores(uri)

    response = admin.get(f"/elementary/{view}")

    assert response.status_code == 200
    assert says in response.text
    assert "Traceback" not in response.text


def test_a_manifest_that_is_none_is_explained_beside_the_others(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    copy = edit_manifest(store, tmp_path, lambda facts: None)
    open_store(copy).put(manifest_key(3), b"{}")
    stores(copy)

    snapshots = admin.get("/elementary/snapshots").text
    overview = admin.get("/elementary/").text

    assert "to be a manifest, found something else" in snapshots
    assert "1 of 2 snapshots" in snapshots
    assert "to be a manifest, found something else" in overview
    assert "Last sync" in overview


def test_a_changed_file_is_explained(
    admin: TestClient, tmp_path: Path, master_keys: dict[str, str], stores: Callable[..., None]
) -> None:
    uri = fill_store(tmp_path, LocalKeys(master_keys), snapshots=1)
    for path in (tmp_path / "store" / "results" / "verdicts").rglob("*.parquet"):
        path.write_bytes(b"PAR1 changed")
    stores(uri)

    response = admin.get("/elementary/")

    assert response.status_code == 200
    assert "found that it does not" in response.text
    assert "Last sync" in response.text


# On S3


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


def test_it_reads_a_store_on_s3(admin: TestClient, store: str, stores: Callable[..., None], aws: AwsServer) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket="page-bucket", CreateBucketConfiguration={"LocationConstraint": aws.region})
    local = open_store(store)
    for found in local.list(""):
        client.put_object(Bucket="page-bucket", Key=f"elementary/{found.key}", Body=local.open(found.key).read())
    stores("s3://page-bucket/elementary")

    assert "2 of 2 snapshots" in admin.get("/elementary/snapshots").text
    assert ORDERS in admin.get("/elementary/tables").text


def test_a_bucket_that_is_not_there_is_explained(
    admin: TestClient, stores: Callable[..., None], aws: AwsServer
) -> None:
    stores("s3://bucket-of-nobody/elementary")

    text = admin.get("/elementary/").text

    assert 'role="alert">' in text
    assert "NoSuchBucket" in text
