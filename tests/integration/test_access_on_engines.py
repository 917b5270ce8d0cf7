"""The access check finds over-grants on Trino, Athena and Databricks, through their own drivers.

The servers of their protocols answer as each warehouse's documentation says; no warehouse's own engine was asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.access import AccessReport, check_access
from airflow_provider_elementary.hooks.elementary import ElementaryHook
from tests.servers import HOST
from tests.servers.engine import Engine
from tests.support.datasets import write_duckdb
from tests.support.drivers import DATABASE
from tests.support.little_project import small_world
from tests.support.wires import WIRES

_TABLES = "SELECT table_schema, table_name FROM dwh.information_schema.tables"
Rows = list[dict[str, Any]] | None
Check = Callable[..., AccessReport]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_duckdb(small_world(days=1), tmp_path_factory.mktemp("engines") / "world.duckdb")


@contextmanager
def checking(key: str, path: Path, tight: Mapping[str, Rows]) -> Iterator[Check]:
    """Yield a function that checks access on a server that answers as to a tight role, with some answers changed."""
    [wire] = [wire for wire in WIRES if wire.key == key]
    pytest.importorskip(wire.module, reason=f"pip install airflow-provider-elementary[{key}]")
    with wire.serve(path) as (engine, port), pytest.MonkeyPatch.context() as patch:
        connection = {"conn_type": f"elementary_{key}", **wire.connection(port)}
        patch.setenv("AIRFLOW_CONN_ENGINE", json.dumps(connection))
        patch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{port}")

        def check(answers: Mapping[str, Rows], **calls: str) -> AccessReport:
            # The first that matches counts.
            script(engine, {**answers, **{part: tight[part] for part in tight if part not in answers}}, calls)
            return check_access(source.warehouse)

        with ElementaryHook("engine").source() as source:
            yield check


def script(engine: Engine, answers: Mapping[str, Rows], calls: Mapping[str, str]) -> None:
    engine.scripted.clear()
    engine.scripted.update(answers)
    engine.calls.clear()
    engine.calls.update(calls)


def rows(*values: tuple[Any, ...]) -> Rows:
    return [{f"c{number}": value for number, value in enumerate(row)} for row in values]


def failed(report: AccessReport) -> set[str]:
    return {finding.name for finding in report.failed}


READER = "4f6e-service-principal"
UNITY: Mapping[str, Rows] = {
    "current_user()": rows((READER,)),
    "is_member(": rows((False,)),
    # Of dbt, elementary_reader and other_team.
    "is_account_group_member(": rows((False, True, False)),
    "system.information_schema.catalog_privileges": rows(
        ("account users", "BROWSE", DATABASE), ("elementary_reader", "USE_CATALOG", DATABASE)
    ),
    "system.information_schema.schema_privileges": rows(
        ("elementary_reader", "USE_SCHEMA", DATABASE, "elementary"),
        ("elementary_reader", "SELECT", DATABASE, "elementary"),
        ("other_team", "SELECT", DATABASE, "raw"),
    ),
    "system.information_schema.table_privileges": rows(
        ("elementary_reader", "SELECT", DATABASE, "elementary", "dbt_models"),
        ("account users", "SELECT", "system", "information_schema", "tables"),
    ),
    **{f"system.information_schema.{name}_privileges": [] for name in ("volume", "routine", "metastore", "connection")},
    "system.information_schema.external_location_privileges": [],
    "system.information_schema.storage_credential_privileges": [],
    "system.information_schema.catalogs": rows(("dbt", DATABASE), ("System user", "system")),
    "system.information_schema.schemata": rows(("dbt", DATABASE, "elementary")),
    "system.information_schema.tables": rows(("dbt", DATABASE, "elementary", "dbt_models")),
    "system.information_schema.views": [],
    "SHOW SCHEMAS IN hive_metastore": rows(("default",)),
    "ON ANY FILE": [],
    "SHOW GRANTS": [],
}


@pytest.fixture(scope="module")
def databricks(path: Path) -> Iterator[Check]:
    with checking("databricks", path, UNITY) as check:
        yield check


def test_a_tight_reader_of_unity_catalog_fails_nothing(databricks: Check) -> None:
    report = databricks({})

    assert [(finding.name, finding.evidence) for finding in report.failed if finding.name not in LINK] == []
    assert report.user == READER
    assert report.roles == ("elementary_reader",)
    # Nothing outside is visible, so that there is nothing to try; the others do not show in SQL at all.
    assert {finding.name for finding in report.unknown} == {
        "temporary-objects",
        "untrusted-languages",
        "canary-reads",
    }


#: The servers of these tests speak HTTP.
LINK = {"link-encrypted", "tls-version", "certificate-verified"}
VIEW = "SELECT * FROM dwh.raw.users"
OVER_GRANTS_OF_UNITY: Mapping[str, tuple[str, tuple[Any, ...], str]] = {
    "select on a catalog": ("catalog", ("elementary_reader", "SELECT", DATABASE), "future-grants"),
    "the whole catalog of the audit log": ("catalog", (READER, "SELECT", "system"), "reads-outside-schema"),
    "another catalog": ("catalog", (READER, "USE CATALOG", "finance"), "other-databases"),
    "all privileges on the schema": (
        "schema",
        ("elementary_reader", "ALL_PRIVILEGES", DATABASE, "elementary"),
        "writes-inside-schema",
    ),
    "everyone reads another schema": ("schema", ("account users", "SELECT", DATABASE, "raw"), "reads-outside-schema"),
    "the audit log": ("schema", (READER, "SELECT", "system", "access"), "reads-outside-schema"),
    "modify in the schema": ("schema", (READER, "MODIFY", DATABASE, "elementary"), "writes-inside-schema"),
    "create table": ("schema", (READER, "CREATE_TABLE", DATABASE, "elementary"), "creates-objects"),
    "manage": ("schema", (READER, "MANAGE", DATABASE, "elementary"), "administrative-rights"),
    "use of another schema": ("schema", (READER, "USE SCHEMA", DATABASE, "raw"), "other-privileges"),
    "execute in the schema": ("schema", (READER, "EXECUTE", DATABASE, "elementary"), "definer-functions"),
    "one table": ("table", (READER, "SELECT", DATABASE, "raw", "users"), "reads-outside-schema"),
    "a table's rows": ("table", (READER, "MODIFY", DATABASE, "raw", "users"), "writes-outside-schema"),
    "files of a volume": ("volume", (READER, "READ_VOLUME", DATABASE, "raw", "files"), "reads-outside-schema"),
    "files beside the schema's tables": (
        "volume",
        (READER, "WRITE_VOLUME", DATABASE, "elementary", "files"),
        "writes-inside-schema",
    ),
    "a function": ("routine", (READER, "EXECUTE", DATABASE, "raw", "leak"), "definer-functions"),
    "the metastore": ("metastore", (READER, "CREATE CATALOG", "m-1"), "administrative-rights"),
    "a connection": ("connection", (READER, "USE CONNECTION", "postgres"), "foreign-servers"),
    "a location": ("external_location", (READER, "READ FILES", "lake"), "foreign-servers"),
}


@pytest.mark.parametrize("name", OVER_GRANTS_OF_UNITY)
def test_an_over_grant_of_unity_catalog_is_found(databricks: Check, name: str) -> None:
    kind, row, check = OVER_GRANTS_OF_UNITY[name]
    view = f"system.information_schema.{kind}_privileges"

    assert check in failed(databricks({view: [*(UNITY[view] or []), *(rows(row) or [])]}))


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"is_member(": rows((True,))}, "administrative-rights"),
        ({"system.information_schema.tables": rows((READER, DATABASE, "elementary", "mine"))}, "ownership"),
        ({"system.information_schema.catalogs": rows(("elementary_reader", DATABASE))}, "ownership"),
        ({"system.information_schema.views": rows(("v", VIEW))}, "objects-reaching-outside"),
        ({"ON ANY FILE": [{"Principal": READER, "ActionType": "SELECT"}]}, "server-functions"),
        ({"elementary_reader ON ANY FILE": [{"Principal": "g", "ActionType": "SELECT"}]}, "server-functions"),
        ({"SHOW GRANTS": [{"ActionType": "MODIFY", "ObjectType": "SCHEMA"}]}, "writes-inside-schema"),
        (
            {
                "system.information_schema.tables": rows(("dbt", DATABASE, "raw", "open")),
                "FROM dwh.raw.open": [],
            },
            "canary-reads",
        ),
    ],
)
def test_what_else_unity_catalog_shows_is_found(databricks: Check, changes: Mapping[str, Rows], check: str) -> None:
    assert check in failed(databricks(changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"system.information_schema.volume_privileges": None},
        {"system.information_schema.catalogs": None},
        {"is_account_group_member(": None},
        {"SHOW SCHEMAS IN hive_metastore": rows(("default",), ("sales",))},
        {"system.information_schema.schema_privileges": [], "system.information_schema.table_privileges": []},
    ],
)
def test_what_unity_catalog_does_not_show_is_unknown(databricks: Check, changes: Mapping[str, Rows]) -> None:
    report = databricks(changes)

    assert failed(report) - LINK == set()
    assert {"reads-outside-schema", "writes-outside-schema"} <= {finding.name for finding in report.unknown}


TRINO: Mapping[str, Rows] = {
    "applicable_roles": rows(("elementary_reader", "NO")),
    "SHOW CATALOGS": rows((DATABASE,), ("system",)),
    "table_privileges": rows(("elementary_reader", "SELECT", "NO", "elementary", "dbt_models")),
    _TABLES: rows(("elementary", "dbt_models"), ("information_schema", "tables")),
    "information_schema.views": [],
    "system.runtime.queries": rows((0,)),
    "EXPLAIN (TYPE VALIDATE) SELECT 1": rows((True,)),
    "EXPLAIN": None,
    "SELECT current_user": rows(("elementary_sync",)),
}


@pytest.fixture(scope="module")
def trino(path: Path) -> Iterator[Check]:
    with checking("trino", path, TRINO) as check:
        yield check


def test_a_tight_reader_of_trino_fails_nothing(trino: Check) -> None:
    report = trino({})

    assert [(finding.name, finding.evidence) for finding in report.failed if finding.name not in LINK] == []
    assert {finding.name for finding in report.passed} == {
        "schema-readable",
        "role-memberships",
        "writes-inside-schema",
        "ownership",
        "objects-reaching-outside",
        "other-databases",
        "other-privileges",
    }
    assert {report.finding(name).status for name in ("reads-outside-schema", "creates-objects")} == {"unknown"}


def test_a_trino_that_lists_no_role_proves_nothing_of_roles(trino: Check) -> None:
    assert trino({"applicable_roles": []}).finding("role-memberships").status == "unknown"


SEEN = rows(("elementary", "dbt_models"), ("raw", "open"))


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"applicable_roles": rows(("admin", "NO"))}, "administrative-rights"),
        ({"applicable_roles": rows(("elementary_reader", "YES"))}, "role-memberships"),
        ({"SHOW CATALOGS": rows((DATABASE,), ("lake",))}, "other-databases"),
        ({"table_privileges": rows(("PUBLIC", "SELECT", "NO", "raw", "users"))}, "reads-outside-schema"),
        ({"table_privileges": rows(("elementary_reader", "INSERT", "NO", "raw", "t"))}, "writes-outside-schema"),
        (
            {"table_privileges": rows(("elementary_reader", "DELETE", "NO", "elementary", "dbt_models"))},
            "writes-inside-schema",
        ),
        ({"table_privileges": rows(("elementary_sync", "OWNERSHIP", "NO", "elementary", "t"))}, "ownership"),
        (
            {"table_privileges": rows(("elementary_reader", "SELECT", "YES", "elementary", "dbt_models"))},
            "other-privileges",
        ),
        ({"system.runtime.queries": rows((7,))}, "reads-outside-schema"),
        (
            {_TABLES: SEEN, "FROM dwh.raw.open": []},
            "reads-outside-schema",
        ),
        (
            {
                "information_schema.columns": rows(("name",)),
                "EXPLAIN (TYPE VALIDATE) UPDATE dwh.elementary.dbt_models SET name = name": rows((True,)),
            },
            "writes-inside-schema",
        ),
        ({"EXPLAIN (TYPE VALIDATE) INSERT INTO dwh.elementary": rows((True,))}, "writes-inside-schema"),
        ({"EXPLAIN (TYPE VALIDATE) CREATE TABLE dwh.elementary": rows((True,))}, "creates-objects"),
        (
            {
                _TABLES: SEEN,
                "EXPLAIN (TYPE VALIDATE) DELETE FROM dwh.raw.open": rows((True,)),
            },
            "writes-outside-schema",
        ),
        (
            {"information_schema.views": rows(("v", VIEW)), "SHOW CREATE VIEW": rows(("CREATE VIEW v AS\nSELECT",))},
            "objects-reaching-outside",
        ),
        (
            {
                "information_schema.views": rows(("v", VIEW)),
                "SHOW CREATE VIEW": rows(
                    ("CREATE VIEW v COMMENT ' SECURITY INVOKER AS\n' SECURITY DEFINER AS\nSELECT",)
                ),
            },
            "objects-reaching-outside",
        ),
        ({"information_schema.views": rows(("v", VIEW)), "SHOW CREATE VIEW": []}, "objects-reaching-outside"),
    ],
)
def test_an_over_grant_of_trino_is_found(trino: Check, changes: Mapping[str, Rows], check: str) -> None:
    assert check in failed(trino(changes))


def test_a_view_that_reads_with_the_readers_rights_is_no_finding_on_trino(trino: Check) -> None:
    shown = rows(("CREATE VIEW dwh.elementary.v SECURITY INVOKER AS\nSELECT",))

    report = trino({"information_schema.views": rows(("v", VIEW)), "SHOW CREATE VIEW": shown})

    assert report.finding("objects-reaching-outside").status == "pass"


def test_a_trino_that_shows_no_grants_proves_nothing(trino: Check) -> None:
    report = trino(dict.fromkeys(TRINO))

    assert failed(report) - LINK == set()
    assert report.passed == ()


ATHENA: Mapping[str, Rows] = {_TABLES: rows(("elementary", "dbt_models"))}
ROLE = "arn:aws:sts::123456789012:assumed-role/elementary-reader/sync"


@pytest.fixture(scope="module")
def athena(path: Path) -> Iterator[Check]:
    with checking("athena", path, ATHENA) as check:
        yield lambda changes, **calls: check(changes, **{"GetCallerIdentity": ROLE, **calls})


def test_a_tight_role_on_athena_fails_nothing_and_little_is_known_of_it(athena: Check) -> None:
    report = athena({})

    assert [(finding.name, finding.evidence) for finding in report.failed if finding.name not in LINK] == []
    assert report.user == ROLE
    assert [finding.name for finding in report.passed] == ["schema-readable"]
    assert {"reads-outside-schema", "writes-inside-schema", "role-memberships"} <= {
        finding.name for finding in report.unknown
    }


EMPTY = "{}"
BUCKETS = "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"
OTHER = rows(("elementary", "dbt_models"), ("raw", "users"), ("raw", "open"))


@pytest.mark.parametrize(
    ("changes", "calls", "check"),
    [
        ({}, {"GetCallerIdentity": "arn:aws:iam::123456789012:root"}, "administrative-rights"),
        (
            {},
            {"GetCallerIdentity": "arn:aws:sts::1:assumed-role/AWSReservedSSO_AdministratorAccess_ab/me"},
            "administrative-rights",
        ),
        ({}, {"GetDataLakeSettings": EMPTY}, "administrative-rights"),
        ({}, {"ListDataCatalogs": EMPTY}, "other-databases"),
        ({}, {"ListQueryExecutions": EMPTY}, "reads-outside-schema"),
        ({}, {"GetConnections": EMPTY}, "other-privileges"),
        ({}, {"ListBuckets": BUCKETS}, "other-privileges"),
        ({_TABLES: OTHER}, {}, "other-databases"),
        ({_TABLES: OTHER, "FROM raw.open": []}, {}, "reads-outside-schema"),
    ],
)
def test_an_over_grant_on_athena_is_found(
    athena: Check, changes: Mapping[str, Rows], calls: Mapping[str, str], check: str
) -> None:
    assert check in failed(athena(changes, **calls))
