"""What each view of the Elementary page says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.access import AccessFinding, AccessReport
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from airflow_provider_elementary.storage.layout import manifest_key
from airflow_provider_elementary.storage.records.report_log import record
from tests.support.connections import local_store
from tests.support.little_project import OWNER_EMAIL, SECRET_VAR
from tests.support.page import fill_store
from tests.support.page_answers import OF_RUN, ORDERS, VIEWS, Elements, edit_manifest, words
from tests.support.signing import opened


def test_it_says_how_to_name_stores(admin: TestClient, stores: Callable[..., None]) -> None:
    text = admin.get("/elementary/").text

    assert "No store is configured" in text
    assert "AIRFLOW__ELEMENTARY__STORES" in text


def test_the_overview_shows_health_incidents_sync_and_access(
    admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    text = words(admin.get("/elementary/").text)

    assert "Last sync" in text
    assert "1 of 2 checks pass, 1 unknown" in text
    assert "orders: row count 100 rows on" in text
    assert "SHOP.CORE" in text
    assert "dbt build" in text


def test_tables_are_found_by_name_owner_and_state(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    by_owner = admin.get(f"/elementary/tables?q={OWNER_EMAIL.lower()}+orders").text
    by_state = admin.get("/elementary/tables?state=failing").text
    nothing = admin.get("/elementary/tables?q=nosuchtable").text

    assert ORDERS in by_owner
    assert "SHOP.CORE.CUSTOMERS" not in by_owner
    assert "1 of 2 tests fails" in words(admin.get("/elementary/tables?q=orders").text)
    assert "SHOP.CORE.CUSTOMERS" in by_state
    assert "No table matches" in nothing


def test_a_table_shows_metrics_tests_runs_lineage_and_owners(
    admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    html = admin.get(f"/elementary/table?name={ORDERS}").text
    text = words(html)

    assert '<path class="band"' in html
    assert '<path class="mark"' in html
    assert "row count 100 rows on" in text
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

    assert "<strong>Run time</strong>" in html
    assert "<strong>Row count</strong>" not in html


def test_incidents_are_shown_with_their_root(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    text = words(admin.get("/elementary/incidents").text)

    assert ORDERS in text
    assert "row count 100 rows on" in text
    assert "open" in text


def test_a_backtest_is_drawn_with_its_numbers(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    html = admin.get("/elementary/backtests").text

    assert "Elementary&#39;s own rule: 60 days, sensitivity 3" in html
    assert "elementary_backtest · manual" in html
    assert '<rect class="hit"' in html
    assert f"<title>{ORDERS}, " in html
    assert 'data-label="Metric">row count' in html


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


def test_a_snapshot_shows_keys_contents_and_exclusions(
    admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    text = words(admin.get("/elementary/snapshot?number=1").text)

    assert "local:" in text
    assert "yes" in text
    assert "values of dbt_invocations." in text
    assert "Query logs" in text
    assert "exist with the size in the manifest" in text


def test_a_missing_file_is_shown(
    admin: TestClient, tmp_path: Path, master_keys: dict[str, str], stores: Callable[..., None]
) -> None:
    uri = fill_store(tmp_path, LocalKeys(master_keys), snapshots=1, with_results=False)
    next((tmp_path / "store" / "data").rglob("*.parquet")).unlink()
    stores(uri)

    assert "1 of" in words(admin.get("/elementary/snapshot?number=1").text)
    assert "missing or differ in size" in admin.get("/elementary/snapshot?number=1").text


def test_access_shows_the_newest_report(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    text = words(admin.get("/elementary/access").text)

    assert "elementary_reader" in text
    assert "tls-version was inspected" in text
    assert "the link uses TLS 1.2 or newer" in text
    assert "no earlier report to compare with" in text


def test_a_failed_audit_after_the_snapshot_is_what_overview_and_access_show(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    shutil.copytree(urlsplit(store).path, tmp_path / "store")
    changed = (tmp_path / "store").as_uri()
    failed = AccessFinding("ownership", "fail", "raw.users is owned", "Give it away.", ("raw.users",))
    unused = AccessFinding("secondary-roles", "not applicable", "none")
    audit = AccessReport("duckdb", None, "elementary", "auditor", (), datetime.now(UTC), (failed, unused))
    record(opened(open_store(changed)), audit, subject="nightly_conn", run_key="night")
    stores(changed)

    overview, access = (words(admin.get(f"/elementary/{view}").text) for view in ("", "access"))

    assert "fail 0 of 1 checks pass, 1 fail, nightly_conn" in overview
    assert "The access check of connection nightly_conn failed" in overview
    assert "the check of connection nightly_conn" in access
    assert "raw.users is owned" in access


def test_a_failed_check_is_over_once_a_snapshot_was_taken_over_the_same_session(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    shutil.copytree(urlsplit(store).path, tmp_path / "store")
    changed = (tmp_path / "store").as_uri()
    failed = AccessFinding("ownership", "fail", "raw.users is owned", "Give it away.", ("raw.users",))
    before = datetime(2026, 10, 1, tzinfo=UTC)
    same = AccessReport("duckdb", "shop", "elementary", "elementary_reader", (), before, (failed,))
    for subject, report in (("same_session", same), ("other_user", replace(same, user="another"))):
        record(opened(open_store(changed)), report, subject=subject, run_key="night")
    stores(changed)

    overview = words(admin.get("/elementary/").text)

    assert "connection same_session failed" not in overview
    assert "connection other_user failed" in overview


def test_access_shows_audits_of_a_store_without_snapshots(
    admin: TestClient, tmp_path: Path, stores: Callable[..., None]
) -> None:
    accepted = AccessFinding("ownership", "warning", "x is owned", accepted="agreed with its owner")
    audit = AccessReport("duckdb", None, "elementary", "auditor", (), datetime.now(UTC), (accepted,))
    record(opened(open_store((tmp_path / "new").as_uri())), audit, subject="nightly_conn", run_key="night")
    stores((tmp_path / "new").as_uri())

    text = words(admin.get("/elementary/access").text)

    assert "Accepted: agreed with its owner" in text
    assert "0 of 1 checks pass, 1 accepted as a warning" in text


def test_a_broken_chain_is_shown(admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]) -> None:
    changed = edit_manifest(store, tmp_path, lambda facts: facts["parent"].update(sha256="0" * 64))
    open_store(changed).put(manifest_key(1), open_store(store).get(manifest_key(1)) or b"")
    stores(changed)

    assert 'data-label="Chain" class="bad">broken' in admin.get("/elementary/snapshots").text


def test_one_of_several_stores_is_chosen(
    admin: TestClient, store: str, tmp_path: Path, stores: Callable[..., None]
) -> None:
    local_store(tmp_path / "empty")
    _, name = stores((tmp_path / "empty").as_uri(), store)

    first = admin.get("/elementary/").text
    second = admin.get(f"/elementary/?store={name}").text

    assert "No snapshot yet" in first
    assert "Last sync" in second
    assert f"tables?store={name}" in second


@pytest.mark.parametrize("route", VIEWS)
def test_every_address_in_it_is_relative(
    route: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    addresses = Elements(admin.get(route).text).addresses

    assert addresses
    assert not [address for address in addresses if address.startswith(("/", "http", "//", "javascript"))]


def test_no_link_of_a_view_is_dead(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)
    pages = {route: admin.get(route) for route in (*VIEWS, OF_RUN)}
    found = [urljoin(route, link) for route, page in pages.items() for link in Elements(page.text).links]
    # Links of one kind differ in a name or a number only.
    kinds = {
        (urlsplit(link).path, *sorted(parse_qs(urlsplit(link).query)), urlsplit(link).fragment): link for link in found
    }

    answers = {link: admin.get(link) for link in kinds.values()}

    assert len(kinds) > 40
    assert {link: answer.status_code for link, answer in answers.items() if answer.status_code != 200} == {}
    named = {link: Elements(answer.text).ids for link, answer in answers.items() if urlsplit(link).fragment}
    assert [link for link, ids in named.items() if urlsplit(link).fragment not in ids] == []


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2_340_000_000, "2.3 GB")]
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    from airflow_provider_elementary.page.rendering import readable_size

    assert readable_size(count) == text
