"""The access check on ClickHouse, over lines as its SHOW GRANTS FINAL writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_elementary.access import AccessReport, check_access
from tests.support.sessions import Answer, DeclaredSession

TABLE = ("elementary", "dbt_models", "MergeTree", "CREATE TABLE elementary.dbt_models (`a` Int32)", "")


def rows(*values: tuple[Any, ...]) -> Answer:
    return [{str(position): value for position, value in enumerate(row)} for row in values]


TIGHT: Mapping[str, Answer] = {
    "currentUser()": rows(("elementary_sync",)),
    "SHOW GRANTS": rows(("GRANT SELECT ON elementary.* TO elementary_sync",)),
    "system.enabled_roles": rows(("elementary_reader",)),
    "system.tables": rows(TABLE),
    "system.functions": rows(),
}


def check(changes: Mapping[str, Answer]) -> AccessReport:
    return check_access(DeclaredSession("clickhouse", "elementary", None, {**TIGHT, **changes}))


def failed(changes: Mapping[str, Answer]) -> list[str]:
    return [finding.name for finding in check(changes).failed]


def test_a_user_with_select_on_the_database_alone_passes() -> None:
    report = check({})

    assert report.failed == ()
    assert [finding.name for finding in report.unknown] == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("GRANT SELECT ON raw.users TO elementary_sync", "reads-outside-schema"),
        ("GRANT SELECT ON *.* TO elementary_sync", "reads-outside-schema"),
        ("GRANT SELECT(id, name) ON raw.users TO elementary_sync", "reads-outside-schema"),
        ("GRANT SELECT ON element*.* TO elementary_sync", "reads-outside-schema"),
        ("GRANT SELECT ON `elementary `.* TO elementary_sync", "reads-outside-schema"),
        ("GRANT SELECT ON raw.`x ON elementary.* TO y` TO elementary_sync", "reads-outside-schema"),
        ("GRANT SELECT(`a ON elementary.* TO z`, b) ON raw.users TO elementary_sync", "reads-outside-schema"),
        ("GRANT SHOW TABLES, SELECT(a), INSERT ON raw.users TO elementary_sync", "reads-outside-schema"),
        ("GRANT dictGet ON raw.dict TO elementary_sync", "reads-outside-schema"),
        ("GRANT SELECT, INSERT ON elementary.* TO elementary_sync", "writes-inside-schema"),
        ("GRANT ALTER UPDATE ON elementary.dbt_models TO elementary_sync", "writes-inside-schema"),
        ("GRANT INSERT ON raw.* TO elementary_sync", "writes-outside-schema"),
        ("GRANT CREATE TABLE ON elementary.* TO elementary_sync", "creates-objects"),
        ("GRANT CREATE TEMPORARY TABLE ON *.* TO elementary_sync", "temporary-objects"),
        ("GRANT CREATE USER ON *.* TO elementary_sync", "administrative-rights"),
        ("GRANT SYSTEM FLUSH LOGS ON *.* TO elementary_sync", "administrative-rights"),
        ("GRANT SET DEFINER ON * TO elementary_sync", "administrative-rights"),
        ("GRANT URL ON *.* TO elementary_sync", "foreign-servers"),
        ("GRANT READ ON S3 TO elementary_sync", "foreign-servers"),
        ("GRANT FILE ON *.* TO elementary_sync", "server-functions"),
        ("GRANT NAMED COLLECTION ON * TO elementary_sync", "other-privileges"),
        ("GRANT SELECT ON elementary.* TO elementary_sync WITH GRANT OPTION", "other-privileges"),
        ("GRANT admin TO elementary_sync WITH ADMIN OPTION", "role-memberships"),
    ],
)
def test_a_grant_beyond_reading_the_database_fails(line: str, name: str) -> None:
    assert failed({"SHOW GRANTS": rows(("GRANT SELECT ON elementary.* TO elementary_sync",), (line,))})[:1] == [name]


@pytest.mark.parametrize(
    "table",
    [
        ("elementary", "remote", "Distributed", "CREATE TABLE elementary.remote", ""),
        ("elementary", "copy", "MaterializedView", "CREATE MATERIALIZED VIEW elementary.copy TO raw.t (`a` Int32)", ""),
        (
            "elementary",
            "v",
            "View",
            "CREATE VIEW elementary.v SQL SECURITY DEFINER AS SELECT",
            "SELECT * FROM raw.users",
        ),
    ],
)
def test_a_table_that_lends_rows_of_elsewhere_fails(table: tuple[str, ...]) -> None:
    assert failed({"system.tables": rows(TABLE, table)}) == ["objects-reaching-outside"]


VIEW = "CREATE MATERIALIZED VIEW "
REFRESH = "REFRESH EVERY 1 HOUR OFFSET 5 MINUTE DEPENDS ON elementary.a, elementary.`x ( TO y` SETTINGS z = '(' APPEND"


@pytest.mark.parametrize("database", ["raw", "`raw data`", "`ra\\`w`"])
@pytest.mark.parametrize(
    "head",
    [
        "elementary.copy",
        "elementary.`a copy`",
        "elementary.`a \\` TO elementary.t`",
        "elementary.copy REFRESH AFTER 1 DAY",
        f"elementary.`a copy` {REFRESH}",
        "elementary.copy\nREFRESH EVERY 1 HOUR\n",
    ],
)
def test_the_target_of_a_materialized_view_is_found_however_it_is_printed(head: str, database: str) -> None:
    def view(place: str) -> Mapping[str, Answer]:
        text = f"{VIEW}{head} TO {place}.t (`a` Int32) AS SELECT"
        return {"system.tables": rows(TABLE, ("elementary", "copy", "MaterializedView", text, ""))}

    assert failed(view(database)) == ["objects-reaching-outside"]
    assert failed(view("elementary")) == []


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GRANT SELECT ON raw.* TO elementary_sync", "unknown"),
        ("GRANT SHOW TABLES ON elementary.* TO elementary_sync", "unknown"),
        ("GRANT SELECT ON elementary.dbt_models TO elementary_sync", "pass"),
        ("GRANT SELECT ON *.* TO elementary_sync", "pass"),
    ],
)
def test_the_schema_is_readable_by_a_right_to_read_it_and_no_other(line: str, status: str) -> None:
    [found] = [each for each in check({"SHOW GRANTS": rows((line,))}).findings if each.name == "schema-readable"]

    assert found.status == status


def test_a_view_with_the_readers_own_rights_is_no_finding() -> None:
    view = ("elementary", "v", "View", "CREATE VIEW elementary.v AS SELECT * FROM raw.users", "SELECT * FROM raw.users")

    assert failed({"system.tables": rows(TABLE, view)}) == []


def test_grants_that_are_not_understood_or_not_shown_prove_nothing() -> None:
    unreadable = check({"SHOW GRANTS": rows(("ENTRUST SELECT",))})

    assert unreadable.failed == ()
    assert {finding.name for finding in unreadable.unknown} >= {"reads-outside-schema", "writes-inside-schema"}
