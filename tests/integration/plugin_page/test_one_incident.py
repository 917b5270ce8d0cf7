"""What the view of one incident says, and where it is linked."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.store import current_incidents, incidents_table
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from airflow_provider_elementary.storage.records.answer_log import append_answer
from airflow_provider_elementary.storage.records.answers import ANSWERS, Answer
from airflow_provider_elementary.storage.records.results import write_result
from tests.support.incidents import anomaly, failing_test, incident, resolved
from tests.support.page import fill_store
from tests.support.page_answers import ORDERS, words
from tests.support.shop import SUNDAY
from tests.support.stores import opened

ANSWERED = "2026-11-04T12:00:00"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def shown(tmp_path: Path, master_keys: dict[str, str], stores: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Configure a store whose task saved incidents of its newest snapshot."""

    def configure(*incidents: Incident) -> list[str]:
        keys = LocalKeys(master_keys)
        repository = opened(open_store(fill_store(tmp_path, keys, snapshots=1, with_results=False)), keys)
        origin = {"snapshot_id": repository.source().manifest.snapshot_id}
        rows = incidents_table(incidents).to_reader()
        write_result(repository, "incidents", rows, run_key="run", origin=origin, parameters={})
        assert [each.incident_id for each in current_incidents(repository)] == [each.incident_id for each in incidents]
        return stores(repository.uri)

    return configure


def over(condition: Condition, **facts: object) -> Condition:
    return Condition(**{**vars(condition), "ended_at": SUNDAY.replace(hour=18), **facts})  # type: ignore[arg-type]


def test_an_incident_says_what_holds_since_when_how_bad_and_whose(
    admin: TestClient, shown: Callable[..., list[str]]
) -> None:
    downstream = ("SHOP.CORE.CUSTOMERS", "exposure weekly_report")
    held = incident(conditions=(anomaly(), failing_test(severity="critical")), root=ORDERS, downstream=downstream)
    shown(held)

    html = admin.get("/elementary/incident?id=of-orders").text
    text = words(html)

    assert "<script" not in html
    assert f"<h1>{held.title}</h1>" in html
    assert re.search(r"open critical ?, since .*1 Nov 2026", text)
    assert "Holds now" in text
    assert "ended with fail (critical; 1 result not good)" in text
    assert "1 bucket not as expected" in text
    assert "core@shop.example" in text
    assert "exposure weekly_report" in text


def test_an_open_incident_whose_root_is_over_says_what_holds(
    admin: TestClient, shown: Callable[..., list[str]]
) -> None:
    shown(incident(conditions=(over(anomaly()), failing_test())))

    for address in ("/elementary/incident?id=of-orders", "/elementary/incidents", "/elementary/"):
        text = words(admin.get(address).text)
        assert "Test not_null_orders_id" in text, address
        assert "resolved</span>" not in admin.get(address).text, address


def test_a_resolved_incident_says_that_nothing_holds(admin: TestClient, shown: Callable[..., list[str]]) -> None:
    shown(resolved(follows="earlier"))

    html = admin.get("/elementary/incident?id=of-orders").text

    assert "Nothing: every condition is over." in html
    assert 'href="incident?id=earlier"' in html


def test_an_incident_names_the_later_one_of_its_subject(admin: TestClient, shown: Callable[..., list[str]]) -> None:
    shown(incident(incident_id="later", follows="of-orders"), resolved())

    assert 'href="incident?id=later"' in admin.get("/elementary/incident?id=of-orders").text


def test_an_incident_shows_the_history_of_its_tests_and_of_its_metrics(
    admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    links = re.findall(r'href="(incident\?id=[0-9a-f]{16})"', admin.get("/elementary/incidents").text)
    shown = [admin.get(f"/elementary/{link}").text for link in links]

    assert any('<figure class="chart" data-metric>' in html for html in shown)
    assert any('class="strip"' in html for html in shown)


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("", ["of-orders", "of-customers"]),
        ("status=open", ["of-customers"]),
        ("status=resolved", ["of-orders"]),
        ("q=customers", ["of-customers"]),
        ("assignee=bob", ["of-orders", "of-customers"]),
    ],
)
def test_the_list_is_filtered_by_table_and_status_and_not_by_assignee(
    query: str, listed: list[str], admin: TestClient, shown: Callable[..., list[str]]
) -> None:
    shown(resolved(), incident(incident_id="of-customers", root="SHOP.CORE.CUSTOMERS"))

    html = admin.get(f"/elementary/incidents?{query}").text

    assert set(re.findall(r"incident\?id=([a-z-]+)", html)) == set(listed)


def test_every_list_links_to_the_incident(admin: TestClient, store: str, stores: Callable[..., None]) -> None:
    stores(store)

    for address in ("/elementary/", "/elementary/incidents", f"/elementary/table?name={ORDERS}"):
        links = re.findall(r'href="(incident\?id=[0-9a-f]{16})"', admin.get(address).text)
        assert links, address
        assert admin.get(f"/elementary/{links[0]}").status_code == 200


@pytest.mark.parametrize("wanted", ["", "0123456789abcdef", "%3Cscript%3Ealert(1)%3C/script%3E", "x" * 9000])
def test_an_unknown_incident_is_not_found(
    wanted: str, admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store)

    answer = admin.get(f"/elementary/incident?id={wanted}")

    assert answer.status_code == 404
    assert "is not known in" in answer.text
    assert "90 days after its end" in answer.text
    assert HOSTILE not in answer.text


def test_names_of_an_incident_are_escaped(admin: TestClient, shown: Callable[..., list[str]]) -> None:
    hostile = failing_test(title=f"Test {HOSTILE} failed", evidence=HOSTILE)
    shown(incident(conditions=(hostile,), owners=(HOSTILE,), tags=(HOSTILE,), downstream=(HOSTILE,)))

    for address in ("/elementary/incident?id=of-orders", "/elementary/incidents", "/elementary/"):
        assert HOSTILE not in admin.get(address).text, address


def test_an_incident_shows_its_answers_and_the_command_for_the_next(
    admin: TestClient, shown: Callable[..., list[str]], tmp_path: Path, master_keys: dict[str, str]
) -> None:
    [store] = shown(incident(incident_id="0" * 16))
    opened_again = opened(open_store((tmp_path / "store").as_uri()), LocalKeys(master_keys))
    note = f"it is the loader {HOSTILE}"
    for number, facts in enumerate(({"answer": "assign", "assignee": "bob"}, {"answer": "note", "note": note})):
        append_answer(opened_again, Answer(f"{number}", "0" * 16, answered_by="ada", answered_at=ANSWERED, **facts))

    html = admin.get(f"/elementary/incident?id={'0' * 16}").text
    text = words(html)

    assert "Answered acknowledged" in text
    assert "Assigned to bob" in text
    assert f"note by ada, {ANSWERED} UTC it is the loader" in text
    assert HOSTILE not in html
    assert f"airflow-elementary incidents answer {'0' * 16} acknowledge --store-conn-id {store}" in text
    assert re.findall(r'<option value="([a-z-]+)"', html) == list(ANSWERS)


def test_a_resolved_incident_offers_a_note_only(admin: TestClient, shown: Callable[..., list[str]]) -> None:
    shown(resolved())

    assert re.findall(r'<option value="([a-z-]+)"', admin.get("/elementary/incident?id=of-orders").text) == ["note"]


def test_the_id_of_a_merged_incident_leads_to_the_one_it_is_part_of(
    admin: TestClient, shown: Callable[..., list[str]], tmp_path: Path, master_keys: dict[str, str]
) -> None:
    shown(incident(incident_id="0" * 16))
    opened_again = opened(open_store((tmp_path / "store").as_uri()), LocalKeys(master_keys))
    append_answer(opened_again, Answer("1", "1" * 16, "merge", "ada", ANSWERED, into="0" * 16))

    text = words(admin.get(f"/elementary/incident?id={'1' * 16}").text)
    assert f"Merged into it {'1' * 16}" in text


def test_without_keys_an_incident_is_not_said_to_be_over(
    admin: TestClient, store: str, stores: Callable[..., None]
) -> None:
    stores(store, keys={})

    answer = admin.get("/elementary/incident?id=0123456789abcdef")

    assert "names no keys" in answer.text
    assert "removed 90 days" not in answer.text
