"""The access check on Spark, which has no grants, over declared answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_elementary.access import AccessReport, check_access
from tests.support.sessions import Answer, DeclaredSession


def rows(*values: tuple[Any, ...]) -> Answer:
    return [{str(position): value for position, value in enumerate(row)} for row in values]


def shown(schema: str, *names: str) -> Answer:
    return [{"namespace": schema, "tablename": name, "istemporary": False} for name in names]


CLOSED: Mapping[str, Answer] = {
    "current_user()": rows(("sync",)),
    "SHOW SCHEMAS": rows(("elementary",), ("default",)),
    "SHOW CATALOGS": rows(("spark_catalog",)),
    "SHOW TABLES IN `elementary`": shown("elementary", "dbt_models"),
    "SHOW TABLES IN `default`": [],
    "FROM `elementary`.`dbt_models`": [],
    "EXPLAIN SELECT TRANSFORM": rows(("Error occurred during query planning: \nno Hive support",)),
}


def check(changes: Mapping[str, Answer]) -> AccessReport:
    session = DeclaredSession("databricks", "elementary", None, {**changes, **CLOSED, **changes})
    session.adapter = "spark"
    return check_access(session)


def test_a_closed_spark_fails_nothing_and_what_it_may_change_is_unknown() -> None:
    report = check({})

    assert report.failed == ()
    assert {finding.name for finding in report.passed if finding.name not in LINK} == {"schema-readable"}
    unknown = {finding.name: finding.evidence for finding in report.unknown}
    assert set(unknown) == {
        "administrative-rights",
        "reads-outside-schema",
        "writes-inside-schema",
        "writes-outside-schema",
        "creates-objects",
        "foreign-servers",
        "other-databases",
        "server-functions",
        "untrusted-languages",
        "canary-reads",
    }
    assert unknown["writes-inside-schema"].startswith("Spark itself has no grants")


LINK = ("link-encrypted", "tls-version", "certificate-verified")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        (
            {"SHOW TABLES IN `default`": shown("default", "users"), "FROM `default`.`users`": []},
            "reads-outside-schema",
        ),
        (
            {"SHOW TABLES IN `global_temp`": shown("global_temp", "v"), "FROM `global_temp`.`v`": []},
            "reads-outside-schema",
        ),
        ({"SHOW TABLES IN `default`": shown("default", "users"), "FROM `default`.`users`": []}, "canary-reads"),
        ({"text.`file:/etc/hostname`": []}, "server-functions"),
        ({"reflect(": rows(("1",))}, "server-functions"),
        ({"EXPLAIN SELECT TRANSFORM": rows(("== Physical Plan ==\n",))}, "untrusted-languages"),
        ({"SHOW CATALOGS": rows(("spark_catalog",), ("lake",))}, "other-databases"),
    ],
)
def test_what_a_spark_session_reaches_beside_the_schema_fails(changes: Mapping[str, Answer], name: str) -> None:
    assert name in {finding.name for finding in check(changes).failed}
