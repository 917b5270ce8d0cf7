"""What the Elementary page text where a store, a key or a file is missing or damaged; and a store on S3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.snapshots import LocalKeys, open_store
from airflow_provider_elementary.storage.layout import manifest_key
from tests.support.page import fill_store
from tests.support.page_answers import DATA_ROUTES, MANIFEST_ROUTES, ORDERS, VIEWS, edit_manifest, words
from tests.support.stores import Rest
from tests.support.tampering import edit_signed

if TYPE_CHECKING:
    from tests.servers.aws import AwsServer

ON_S3 = {"aws_conn_id": "page_aws", "server_side_encryption": "AES256"}


@pytest.mark.parametrize(
    ("route", "text"),
    [
        ("/elementary/table?name=NO.SUCH.TABLE", "is not in the newest snapshot or verdicts"),
        ("/elementary/table", "is not in the newest snapshot or verdicts"),
        ("/elementary/snapshot?number=77", "It may have been pruned"),
        ("/elementary/snapshot?number=-1", "It may have been pruned"),
        ("/elementary/snapshot", "It may have been pruned"),
        ("/elementary/tables?store=file:///etc", "is not configured"),
        ("/elementary/nowhere", "This view does not exist"),
    ],
)
def test_an_unknown_address_is_explained(
    route: str, text: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    response = admin.get(route)

    assert response.status_code == 404
    assert text in words(response.text)
    assert '<a href="./">Overview</a>' in response.text


@pytest.mark.parametrize("number", ["0", "-3", "abc", "99999999999", "²", "2"])
def test_an_invalid_page_number_shows_a_page(
    number: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    assert [admin.get(f"/elementary/{view}?page={number}").status_code for view in ("", "tables", "incidents")] == [
        200
    ] * 3


@pytest.mark.parametrize("route", DATA_ROUTES)
def test_without_keys_a_notice_says_that_only_manifests_are_shown(
    route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store, keys={})

    response = admin.get(route)

    assert response.status_code == 200
    assert "connection names no keys, so this page shows manifests only" in response.text


@pytest.mark.parametrize("route", MANIFEST_ROUTES)
def test_manifests_are_shown_without_keys(
    route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store, keys={})

    assert 'role="alert"' not in admin.get(route).text


@pytest.mark.parametrize("route", VIEWS)
def test_keys_that_are_missing_are_explained(
    route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store, keys={}, keys_file="/nowhere/keys.json")

    response = admin.get(route)

    assert response.status_code == 200
    assert "cannot be read" in response.text or route in MANIFEST_ROUTES
    assert "Traceback" not in response.text


def test_keys_that_do_not_open_are_explained(
    admin: TestClient,
    store: str,
    stores: Callable[..., None],
) -> None:
    stores(store, keys=LocalKeys.generate())

    response = admin.get("/elementary/")

    assert response.status_code == 200
    assert "does not open what" in response.text
    assert "Last sync" in response.text


def test_a_reader_with_some_of_the_keys_sees_what_they_open(
    admin: TestClient,
    store: str,
    master_keys: dict[str, str],
    stores: Callable[..., None],
) -> None:
    some = {name: key for name, key in master_keys.items() if name in ("metadata", "configuration")}
    stores(store, keys=some)

    html = admin.get("/elementary/tables").text

    assert ORDERS in html
    assert 'role="alert"' in html


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("ftp://elsewhere/store", "is not a store. Use s3://bucket/prefix or file:///absolute/directory"),
        ("file://<img src=x onerror=alert(1)>/", "&lt;img src=x"),
    ],
)
@pytest.mark.parametrize("view", ["", "tables", "incidents", "snapshots", "access"])
def test_a_store_that_does_not_open_is_explained(
    uri: str, text: str, view: str, admin: TestClient, stores: Callable[..., None]
) -> None:
    stores(uri)

    response = admin.get(f"/elementary/{view}")

    assert response.status_code == 200
    assert text in response.text
    assert "Traceback" not in response.text


def test_a_signed_manifest_that_is_not_valid_is_explained(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    copy = edit_manifest(store, tmp_path, lambda facts: None)
    edit_signed(Rest(open_store(copy), LocalKeys({}), tmp_path / "copy"), manifest_key(1), dict.clear)
    stores(copy)

    snapshots = admin.get("/elementary/snapshots").text
    overview = admin.get("/elementary/").text

    # Only the writer's own key makes one: what else the chain says is not believed.
    assert "is not a valid manifest" in snapshots
    assert "is not a valid manifest" in overview


def test_a_manifest_that_nobody_signed_is_not_shown(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    copy = edit_manifest(store, tmp_path, lambda facts: None)
    open_store(copy).put(manifest_key(3), b"{}")
    stores(copy)

    assert "2 of 2 snapshots" in admin.get("/elementary/snapshots").text
    assert "Last sync" in admin.get("/elementary/").text


def test_a_changed_file_is_explained(
    admin: TestClient, tmp_path: Path, master_keys: dict[str, str], stores: Callable[..., None]
) -> None:
    uri = fill_store(tmp_path, LocalKeys(master_keys), snapshots=1)
    for path in (tmp_path / "store" / "results" / "verdicts").rglob("*.parquet"):
        path.write_bytes(b"PAR1 changed")
    stores(uri)

    response = admin.get("/elementary/")

    assert response.status_code == 200
    assert "is not the file that was written" in response.text
    assert "Last sync" in response.text


@pytest.fixture
def aws(
    aws_server: AwsServer,
    airflow_connection: Callable[[str, Mapping[str, object]], str],
) -> AwsServer:
    """S3, over the connection ``page_aws``."""
    airflow_connection("page_aws", aws_server.airflow_connection())
    return aws_server


def test_it_reads_a_store_on_s3(admin: TestClient, store: str, stores: Callable[..., None], aws: AwsServer) -> None:
    client = aws.client("s3")
    client.create_bucket(Bucket="page-bucket", CreateBucketConfiguration={"LocationConstraint": aws.region})
    local = open_store(store)
    for found in local.list(""):
        client.put_object(Bucket="page-bucket", Key=f"elementary/{found.key}", Body=local.get(found.key))
    stores("s3://page-bucket/elementary", **ON_S3)

    assert "2 of 2 snapshots" in admin.get("/elementary/snapshots").text
    assert ORDERS in admin.get("/elementary/tables").text


def test_a_bucket_that_is_not_there_is_explained(
    admin: TestClient, stores: Callable[..., None], aws: AwsServer
) -> None:
    stores("s3://bucket-of-nobody/elementary", **ON_S3)

    text = admin.get("/elementary/").text

    assert 'role="alert">' in text
    assert "NoSuchBucket" in text


def test_each_store_is_opened_with_its_own_keys(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., list[str]]
) -> None:
    others = LocalKeys.generate()
    other = fill_store(tmp_path, LocalKeys(others), snapshots=1)
    [mine], [theirs] = stores(store), stores(other, keys=others)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__ELEMENTARY__STORES", f"{mine}, {theirs}")

        shown = [admin.get(f"/elementary/tables?store={name}").text for name in (mine, theirs)]

    assert all(ORDERS in html and 'role="alert"' not in html for html in shown)


def test_a_connection_that_is_not_there_is_explained(admin: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ELEMENTARY__STORES", "no_such_store")

    answers = [admin.get(route) for route in VIEWS]

    assert {answer.status_code for answer in answers} <= {200, 404}
    assert "Airflow has no connection" in words(answers[0].text)
    assert not [answer for answer in answers if "Traceback" in answer.text]
