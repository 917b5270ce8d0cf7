"""The access check on warehouses with nothing but information_schema, and on Redshift; both over declared answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_elementary.access import AccessReport, check_access
from airflow_provider_elementary.access.check.report import CHECKS, ONLY_ON
from airflow_provider_elementary.exceptions import AccessDeniedError
from tests.support.sessions import Answer, DeclaredSession


def rows(*values: tuple[Any, ...]) -> Answer:
    return [{str(position): value for position, value in enumerate(row)} for row in values]


STANDARD: Mapping[str, Answer] = {
    "SELECT current_user": rows(("reader",)),
    "enabled_roles": rows(("elementary_reader",)),
    "table_privileges": rows(("elementary", "dbt_models", "SELECT", "elementary_reader")),
    "information_schema.tables": rows(("elementary", "dbt_models")),
}


def check(changes: Mapping[str, Answer], **arguments: Any) -> AccessReport:
    return check_access(DeclaredSession("presto", "elementary", None, {**changes, **STANDARD, **changes}), **arguments)


class TestStandard:
    def test_what_information_schema_shows_is_settled_and_the_rest_is_unknown(self) -> None:
        report = check({}, probes=["raw.users"])

        assert {finding.name for finding in report.findings if finding.status == "pass"} == {
            "schema-readable",
            "writes-inside-schema",
            "writes-outside-schema",
            "canary-reads",
            "link-encrypted",
            "tls-version",
            "certificate-verified",
        }
        unused = {finding.name for finding in report.findings if finding.status == "not applicable"}
        elsewhere = {name for name, (dialects, _) in ONLY_ON.items() if report.dialect not in dialects}
        assert unused == {"client-address", *elsewhere}
        assert report.failed == ()
        assert [finding.name for finding in report.findings] == list(CHECKS)

    def test_a_warehouse_that_answers_nothing_proves_nothing(self) -> None:
        report = check_access(DeclaredSession("presto", "elementary", None, {}, transport=None))

        assert report.passed == ()
        assert report.failed == ()

    @pytest.mark.parametrize(
        ("grant", "name"),
        [
            (("elementary", "dbt_models", "INSERT", "reader"), "writes-inside-schema"),
            (("raw", "users", "SELECT", "PUBLIC"), "reads-outside-schema"),
            (("raw", "users", "DELETE", "ELEMENTARY_READER"), "writes-outside-schema"),
        ],
    )
    def test_a_grant_beyond_the_schema_fails(self, grant: tuple[str, ...], name: str) -> None:
        report = check({"table_privileges": rows(grant)})

        assert [finding.name for finding in report.failed] == [name]

    def test_a_grant_to_somebody_else_does_not_count(self) -> None:
        assert check({"table_privileges": rows(("raw", "users", "SELECT", "analyst"))}).failed == ()

    def test_a_visible_table_outside_that_can_be_read_fails(self) -> None:
        report = check(
            {
                "information_schema.tables": rows(("elementary", "dbt_models"), ("raw", "users")),
                'SELECT 1 FROM "raw"."users"': rows(),
            }
        )

        assert [finding.excess for finding in report.failed] == [("raw.users was read",)]

    def test_nothing_to_probe_is_unknown(self) -> None:
        finding = check({}).finding("canary-reads")

        assert (finding.status, finding.remediation) == ("unknown", "Name a table outside the schema in probes.")


REDSHIFT: Mapping[str, Answer] = {
    "SELECT current_user::text": rows(("reader", "dbt")),
    "svv_user_grants": rows(("elementary_reader", False)),
    "svv_role_grants": rows(),
    "pg_group": rows(),
    "usesuper": rows((False, False)),
    "svv_relation_privileges": rows(("elementary", "dbt_models", "SELECT", "elementary_reader", "role")),
    "svv_schema_privileges": rows(("elementary", "elementary", "USAGE", "elementary_reader", "role")),
    "svv_database_privileges": rows(),
    "svv_default_privileges": rows(("elementary", "RELATION of dbt", "SELECT", "elementary_reader", "role")),
    "svv_function_privileges": rows(),
    "svv_external_schemas": rows(("spectrum",)),
    "usesysid = c.relowner": rows(),
    "has_table_privilege": rows(("elementary", "dbt_models", True), ("raw", "users", False)),
    "pg_views": rows(("elementary", "v", "SELECT * FROM elementary.dbt_models")),
}


def check_redshift(**changes: Answer) -> AccessReport:
    return check_access(DeclaredSession("redshift", "elementary", "dbt", {**REDSHIFT, **changes}))


class TestRedshift:
    def test_a_tight_role_leaves_unknown_only_what_redshift_does_not_show(self) -> None:
        report = check_redshift()

        assert report.failed == ()
        assert [finding.name for finding in report.unknown] == ["untrusted-languages"]
        assert report.finding("canary-reads").evidence == "denied: raw.users, pg_catalog.pg_shadow"

    @pytest.mark.parametrize(
        ("view", "row", "failed"),
        [
            ("usesuper", (True, False), {"administrative-rights"}),
            ("svv_user_grants", ("sys:dba", False), {"role-memberships"}),
            ("svv_user_grants", ("elementary_reader", True), {"role-memberships"}),
            ("svv_relation_privileges", ("raw", "users", "SELECT", "reader", "user"), {"reads-outside-schema"}),
            ("svv_relation_privileges", ("raw", "users", "SELECT", "public", "public"), {"reads-outside-schema"}),
            ("svv_relation_privileges", ("elementary", "t", "INSERT", "reader", "user"), {"writes-inside-schema"}),
            ("svv_relation_privileges", ("raw", "users", "DROP", "reader", "user"), {"writes-outside-schema"}),
            ("svv_relation_privileges", ("raw", "users", "SELECT", "analyst", "role"), set()),
            ("svv_schema_privileges", ("public", "public", "CREATE", "public", "public"), {"creates-objects"}),
            ("svv_schema_privileges", ("spectrum", "spectrum", "USAGE", "reader", "user"), {"foreign-servers"}),
            ("svv_database_privileges", ("dbt", "dbt", "TEMP", "public", "public"), {"temporary-objects"}),
            ("svv_database_privileges", ("other", "other", "USAGE", "reader", "user"), {"other-databases"}),
            ("svv_default_privileges", ("raw", "RELATION of x", "SELECT", "reader", "user"), {"future-grants"}),
            ("svv_function_privileges", ("raw", "leak", "EXECUTE", "public", "public"), {"definer-functions"}),
            ("usesysid = c.relowner", ("elementary", "mine"), {"ownership"}),
            ("pg_views", ("elementary", "v", "SELECT * FROM raw.users"), {"objects-reaching-outside"}),
        ],
    )
    def test_an_excess_privilege_fails_its_check(self, view: str, row: tuple[Any, ...], failed: set[str]) -> None:
        report = check_redshift(**{view: rows(row)})

        assert {finding.name for finding in report.failed} == failed

    def test_a_role_of_a_role_counts(self) -> None:
        report = check_redshift(
            svv_role_grants=rows(("elementary_reader", "wide")),
            svv_relation_privileges=rows(("raw", "users", "SELECT", "wide", "role")),
        )

        assert {finding.name for finding in report.failed} == {"role-memberships", "reads-outside-schema"}

    def test_a_system_catalog_that_refuses_everything_is_an_error(self) -> None:
        with pytest.raises(AccessDeniedError, match="Permission denied while reading the system catalog of redshift"):
            check_access(DeclaredSession("redshift", "elementary", "dbt", {}))
