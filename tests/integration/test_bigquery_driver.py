"""BigQuery is read, and its access checked, by Google's own client from a server of its REST protocol.

The client is real, the engine is not; Airflow's hook is tried in test_bigquery.py, where an emulator is running.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from airflow_provider_elementary.access import AccessReport, check_access
from airflow_provider_elementary.access.check.canaries import read_canaries as read_canaries
from airflow_provider_elementary.access.check.canaries import read_nothing
from airflow_provider_elementary.access.check.findings import Canary
from airflow_provider_elementary.access.check.session import StatementFailedError
from airflow_provider_elementary.warehouses.bigquery import BigQueryWarehouse
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.servers.bigquery import bigquery_server
from tests.servers.engine import SECRET, Engine
from tests.support.connections import bigquery_warehouse
from tests.support.datasets import write_duckdb
from tests.support.drivers import DATABASE
from tests.support.little_project import World, small_world
from tests.support.read_back import assert_holds, assert_splits_at_the_microsecond

pytest.importorskip("google.cloud.bigquery", reason="pip install google-cloud-bigquery")


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(days=3)


@pytest.fixture(scope="module")
def server(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, int]]:
    path: Path = write_duckdb(world, tmp_path_factory.mktemp("bigquery") / "world.duckdb")
    with bigquery_server(path) as running:
        yield running


@pytest.fixture(scope="module")
def engine(server: tuple[Engine, int]) -> Engine:
    return server[0]


@pytest.fixture(scope="module")
def warehouse(server: tuple[Engine, int]) -> Iterator[BigQueryWarehouse]:
    opened = bigquery_warehouse(server[1])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def source(warehouse: BigQueryWarehouse) -> WarehouseSource:
    return WarehouseSource(warehouse)


def test_every_table_is_read_row_by_row_equal(source: WarehouseSource, world: World) -> None:
    assert_holds(source, world)


def test_a_time_span_is_split_at_the_microsecond(source: WarehouseSource, world: World) -> None:
    assert_splits_at_the_microsecond(source, world)


def test_a_denied_read_is_a_denied_canary(warehouse: BigQueryWarehouse) -> None:
    canary = Canary(SECRET, read_nothing(tuple(SECRET.split(".")), "bigquery"), None)

    assert read_canaries(warehouse, [canary]).status == "pass"


def test_a_missing_object_is_not_taken_for_a_denial(warehouse: BigQueryWarehouse) -> None:
    with pytest.raises(StatementFailedError):
        warehouse.rows(read_nothing(("elementary", "no_such_table"), "bigquery"))


ACCOUNT = "sync@dwh.iam.gserviceaccount.com"


def listed(key: str, kind: str, *names: str) -> str:
    references = [
        {f"{kind}Reference": {"projectId": DATABASE, "datasetId": "raw", f"{kind}Id": name}} for name in names
    ]
    return json.dumps({key: references})


def seen(*projects: str) -> str:
    keys = ("friendlyName", "numericId")
    return json.dumps(
        {
            "projects": [
                {**dict.fromkeys(keys, "1"), "id": name, "projectReference": {"projectId": name}} for name in projects
            ]
        }
    )


def bound(*entries: dict[str, str]) -> str:
    reader = {"role": "READER", "userByEmail": ACCOUNT}
    owners = {"role": "OWNER", "specialGroup": "projectOwners"}
    reference = {"projectId": DATABASE, "datasetId": "elementary"}
    return json.dumps({"datasetReference": reference, "access": [reader, owners, *entries]})


ON_PROJECT, ON_TABLE = f"projects/{DATABASE}:testIamPermissions", "/dbt_models:testIamPermissions"
TIGHT: Mapping[str, str] = {
    ON_PROJECT: "bigquery.jobs.create",
    ON_TABLE: "bigquery.tables.getData bigquery.tables.get",
    "/users:testIamPermissions": "bigquery.tables.get",
    "/projects": seen(DATABASE),
    "/datasets": listed("datasets", "dataset", "elementary"),
    "/datasets/elementary/tables": listed("tables", "table", "dbt_models"),
    "/datasets/raw/tables": listed("tables", "table", "users"),
    "/datasets/elementary": bound(),
}


def check(
    engine: Engine, warehouse: BigQueryWarehouse, changes: Mapping[str, str | None], **views: str
) -> AccessReport:
    answers = {**TIGHT, **changes}
    engine.calls.clear()
    engine.calls.update({part: answer for part, answer in answers.items() if answer is not None})
    engine.scripted.clear()
    engine.scripted["SESSION_USER()"] = [{"user": ACCOUNT}]
    engine.scripted["all_routines"] = [{"routine_name": name} for name in views.get("routines", "").split()]
    engine.scripted["all_views"] = [
        {"table_name": "v", "view_definition": text} for text in views.values() if text.startswith("SELECT")
    ]
    return check_access(warehouse)


def test_a_tight_account_fails_nothing(engine: Engine, warehouse: BigQueryWarehouse) -> None:
    report = check(engine, warehouse, {})

    assert [(finding.name, finding.evidence) for finding in report.failed] == []
    assert report.user == ACCOUNT
    # Groups do not show who is in them, and what is hidden or in other projects may still be shared.
    assert {finding.name for finding in report.unknown} == {
        "role-memberships",
        "canary-reads",
        "reads-outside-schema",
        "writes-outside-schema",
        "other-databases",
    }


RAW = {"/datasets": listed("datasets", "dataset", "elementary", "raw")}


@pytest.mark.parametrize(
    ("changes", "check_name"),
    [
        ({ON_PROJECT: "bigquery.tables.getData"}, "reads-outside-schema"),
        ({ON_PROJECT: "bigquery.tables.getData"}, "future-grants"),
        ({ON_PROJECT: "bigquery.jobs.listAll"}, "reads-outside-schema"),
        ({ON_PROJECT: "bigquery.tables.updateData"}, "writes-outside-schema"),
        ({ON_PROJECT: "bigquery.datasets.create"}, "creates-objects"),
        ({ON_PROJECT: "resourcemanager.projects.setIamPolicy"}, "administrative-rights"),
        ({ON_PROJECT: "iam.serviceAccounts.actAs"}, "administrative-rights"),
        ({ON_PROJECT: "bigquery.connections.use"}, "foreign-servers"),
        ({ON_PROJECT: "storage.objects.get"}, "other-privileges"),
        ({ON_TABLE: "bigquery.tables.updateData"}, "writes-inside-schema"),
        ({ON_TABLE: "bigquery.tables.setIamPolicy"}, "administrative-rights"),
        (
            {
                "/datasets/elementary/tables": listed("tables", "table", "dbt_models", "dbt_tests"),
                "/dbt_tests:testIamPermissions": "bigquery.tables.updateData",
            },
            "writes-inside-schema",
        ),
        ({**RAW, "/users:testIamPermissions": "bigquery.tables.getData"}, "reads-outside-schema"),
        ({**RAW, "/users:testIamPermissions": "bigquery.tables.delete"}, "writes-outside-schema"),
        ({"/datasets/elementary": bound({"role": "WRITER", "userByEmail": ACCOUNT})}, "creates-objects"),
        ({"/datasets/elementary": bound({"role": "WRITER", "iamMember": "allUsers"})}, "creates-objects"),
        ({"/projects": seen(DATABASE, "finance")}, "other-databases"),
    ],
)
def test_an_over_grant_of_bigquery_is_found(
    engine: Engine, warehouse: BigQueryWarehouse, changes: Mapping[str, str], check_name: str
) -> None:
    assert check_name in {finding.name for finding in check(engine, warehouse, changes).failed}


def test_a_view_that_reads_another_dataset_is_found(engine: Engine, warehouse: BigQueryWarehouse) -> None:
    report = check(engine, warehouse, {}, view="SELECT * FROM dwh.raw.users")

    assert [finding.name for finding in report.failed] == ["objects-reaching-outside"]


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({ON_PROJECT: None}, "reads-outside-schema"),
        ({ON_PROJECT: None}, "administrative-rights"),
        ({ON_TABLE: None}, "writes-inside-schema"),
        ({"/datasets/elementary/tables": listed("tables", "table")}, "writes-inside-schema"),
        ({**RAW, "/datasets/raw/tables": None}, "reads-outside-schema"),
        ({"/datasets": None}, "reads-outside-schema"),
        ({**RAW, "/users:testIamPermissions": None}, "writes-outside-schema"),
        ({"/projects": None}, "other-databases"),
        ({"/datasets/elementary": None}, "creates-objects"),
        ({"/datasets/elementary": bound({"role": "WRITER", "groupByEmail": "dwh@example.com"})}, "creates-objects"),
    ],
)
def test_what_google_does_not_say_is_unknown(
    engine: Engine, warehouse: BigQueryWarehouse, changes: Mapping[str, str | None], unknown: str
) -> None:
    report = check(engine, warehouse, changes)

    assert report.failed == ()
    assert report.finding(unknown).status == "unknown"


def test_a_routine_of_the_dataset_proves_nothing_of_what_it_reads(engine: Engine, warehouse: BigQueryWarehouse) -> None:
    assert check(engine, warehouse, {}, routines="leak").finding("definer-functions").status == "unknown"
