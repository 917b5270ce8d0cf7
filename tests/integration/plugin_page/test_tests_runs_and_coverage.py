"""The views of tests, runs, freshness and coverage, and the same in JSON."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from airflow_provider_elementary.cli.main import main
from airflow_provider_elementary.page.views.tables import plain_cell
from tests.support.little_project import FAILED_ROW_VALUE, SECRET_VAR, SQL_LITERAL
from tests.support.page_answers import DATA_API, OF_RUN, ORDERS, Elements, edit_manifest, words


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


def test_the_audit_names_rights_keys_and_what_left(admin: TestClient) -> None:
    found = admin.get("/elementary/api/audit").json()
    text = words(admin.get("/elementary/audit?since=2026-01-01").text)
    later = admin.get("/elementary/api/audit?since=2100-01-01").json()

    assert found["snapshots"] == 2
    assert found["broken"] == []
    assert [signer["held_by"] for signer in found["signers"]] == ["the writer's connection"]
    assert {category["master_key_id"][:6] for category in found["categories"]} == {"local:"}
    assert "Query logs" in found["never_left"]
    columns = next(table["columns"] for table in found["tables"] if table["table"] == "dbt_run_results")
    assert "status" in columns["Run results"]
    assert "compiled_code" not in str(columns)
    assert "What the connection can do User elementary_reader" in text
    assert "tls-version was inspected" in text
    assert (later["snapshots"], later["tables"]) == (0, [])


def test_the_command_line_writes_the_audit_to_a_file(
    store: str, stores: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [conn_id] = stores(store)
    file = tmp_path / "audit.html"

    written = main(["audit", "--store-conn-id", conn_id, "--output", str(file)])
    again = main(["audit", "--store-conn-id", conn_id, "--output", str(file)])
    undated = main(["audit", "--store-conn-id", conn_id, "--json", "--since", "yesterday"])

    assert (written, again, undated) == (0, 2, 2)
    assert "What left the warehouse since the date" in words(file.read_text())
    assert "<script" not in file.read_text()
    assert "already" in capsys.readouterr().err


def test_tables_are_sorted_filtered_and_written_as_csv(admin: TestClient) -> None:
    by_name = admin.get("/elementary/api/tables?order=name").json()
    models = admin.get("/elementary/api/tables?kind=model").json()
    saved = admin.get("/elementary/tables.csv?kind=model&order=name")
    shown = admin.get("/elementary/tables.csv?kind=model&order=name&inline=1")

    names = [table["full_name"] for table in by_name["tables"]]
    assert names == sorted(names)
    assert {table["node"]["kind"] for table in models["tables"]} == {"model"}
    assert saved.headers["content-disposition"] == 'attachment; filename="tables.csv"'
    assert saved.text.splitlines()[0] == "table,state,why,tests,kind,owners"
    assert len(saved.text.splitlines()) == models["pagination"]["total"] + 1
    assert shown.text == saved.text
    assert shown.headers["content-type"].startswith("text/plain")


def test_the_columns_of_the_tables_are_chosen_by_the_address(admin: TestClient) -> None:
    boxes = "columns=trend&columns=last_run&columns=rows&columns=nosuchcolumn"

    html = admin.get(f"/elementary/tables?q=core.orders&{boxes}").text
    saved = list(csv.DictReader(io.StringIO(admin.get(f"/elementary/tables.csv?q=core.orders&{boxes}").text)))
    shared = next(address for address in Elements(html).addresses if address.startswith("tables.csv?"))
    found = admin.get(f"/elementary/api/tables?q=core.orders&{boxes}").json()

    assert re.findall(r'data-label="([^"]*)"', html) == ["Table", "Last 14 days", "Last run", "Rows of the run"]
    assert parse_qs(urlsplit(shared).query)["columns"] == ["trend,last_run,rows"]
    assert [list(row) for row in saved] == [["table", "trend", "last_run", "rows"]]
    assert len(saved[0]["trend"].split()) == 14
    assert saved[0]["last_run"].endswith(" UTC")
    assert [row["name"] for row in found["rows"]] == [ORDERS]
    assert found["rows"][0]["run"]["status"] == "success"


def test_csv_is_for_those_only_who_may_see_the_tables(anonymous: TestClient) -> None:
    assert anonymous.get("/elementary/tables.csv").status_code == 401


def test_a_cell_of_csv_starts_no_formula() -> None:
    assert [plain_cell(text) for text in ("=1+1", "@x", "SHOP.CORE")] == ["'=1+1", "'@x", "SHOP.CORE"]


def test_charts_show_the_days_that_are_chosen(admin: TestClient) -> None:
    every, week = (
        admin.get(f"/elementary/api/table?name={ORDERS}&q=row_count&days={days}").json()["charts"][0]["points"]
        for days in ("", 7)
    )

    assert len(week) == 7 < len(every)
    assert week == every[-7:]


def test_lineage_is_followed_over_several_steps(admin: TestClient) -> None:
    near, far = (
        {each["node"]["unique_id"]: each["steps"] for each in found["upstream"] + found["downstream"]}
        for found in (admin.get(f"/elementary/api/table?name=SHOP.RAW.ORDERS&steps={steps}").json() for steps in (1, 5))
    )

    assert set(near.values()) == {1}
    assert near.items() <= far.items()


def test_two_snapshots_are_compared(admin: TestClient) -> None:
    same = admin.get("/elementary/compare?before=1&after=2")
    missing = admin.get("/elementary/compare?before=1&after=99")

    assert "No changes." in same.text
    assert "the same number of rows" in same.text
    assert 'action="compare"' in admin.get("/elementary/snapshots").text
    assert (missing.status_code, admin.get("/elementary/compare?before=x").status_code) == (404, 404)


def test_a_tab_of_airflow_shows_the_snapshot_that_its_task_took(
    admin: TestClient, store: str, stores: Callable[..., list[str]], tmp_path: Path
) -> None:
    stores(edit_manifest(store, tmp_path, lambda manifest: manifest.update(run_key="sync/manual/take/-1")))

    html = admin.get(OF_RUN).text
    other = words(admin.get(OF_RUN.replace("take", "other")).text)

    assert "1 snapshot by task take, run manual, DAG sync" in words(html)
    assert 'href="snapshot?number=2"' in html
    assert "were not written by task other, run manual, DAG sync" in other
