"""The access check on Snowflake, over catalogue answers modelled from Snowflake's documentation, not recorded from it.

The shapes are those of SHOW GRANTS, SHOW FUTURE GRANTS, DESCRIBE USER and DESCRIBE PROCEDURE as documented, with the
columns that BCR-1803 added to SHOW GRANTS TO USER.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_elementary.access import AccessReport, check_access
from tests.support.sessions import Answer, DeclaredSession

USER, ROLE = "ELEMENTARY_AIRFLOW", "ELEMENTARY_READER"

Grants = dict[str, list[tuple[str, str, str]]]

TIGHT: Grants = {
    ROLE: [
        ("USAGE", "WAREHOUSE", "WH"),
        ("USAGE", "DATABASE", "DBT"),
        ("USAGE", "SCHEMA", "DBT.ELEMENTARY"),
        ("SELECT", "TABLE", "DBT.ELEMENTARY.DBT_MODELS"),
        ("SELECT", "VIEW", "DBT.ELEMENTARY.MODEL_RUN_RESULTS"),
    ],
    "PUBLIC": [("USAGE", "DATABASE_ROLE", "SNOWFLAKE.CORTEX_USER")],
}


@dataclass
class Account:
    """An account in which one user can reach some roles; a role without an entry in ``grants`` shows nobody its grants.

    :param grants: (privilege, granted_on, name) by role; a database role's name is qualified.
    :param future: the same for future grants.
    :param own: privileges of the user itself.
    :param views: the text of each view of the schema.
    :param extra: answers to further statements, ahead of all others.
    """

    grants: Grants
    future: Grants = field(default_factory=lambda: {ROLE: [("SELECT", "TABLE", "DBT.ELEMENTARY.<TABLE>")]})
    roles: tuple[str, ...] = (ROLE,)
    own: list[tuple[str, str, str]] = field(default_factory=list)
    secondary: dict[str, str] = field(default_factory=lambda: {"roles": "", "value": ""})
    default_secondary: str | None = "[]"
    views: dict[str, str | None] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    extra: dict[str, Answer] = field(default_factory=dict)

    def check(self, **arguments: Any) -> AccessReport:
        """Check the user's access."""
        return check_access(DeclaredSession("snowflake", "ELEMENTARY", "DBT", self._answers()), **arguments)

    def _answers(self) -> dict[str, Answer]:
        return {
            **self.extra,
            "CURRENT_USER()": [
                {
                    "user": USER,
                    "role": ROLE,
                    "secondary": json.dumps(self.secondary),
                    "available": json.dumps([*self.roles, "PUBLIC"]),
                    "ip": "203.0.113.9",
                    "database": "DBT",
                }
            ],
            "SHOW GRANTS TO USER": [
                *({"privilege": "USAGE", "granted_on": "ROLE", "name": role, "role": role} for role in self.roles),
                *({"privilege": p, "granted_on": kind, "name": name, "role": None} for p, kind, name in self.own),
            ],
            **{f"SHOW GRANTS TO {grantee(r)}": shown(grants, "granted_on") for r, grants in self.grants.items()},
            **{
                f"SHOW FUTURE GRANTS TO {grantee(role)}": shown(self.future.get(role, []), "grant_on")
                for role in self.grants
            },
            **(
                {"DESCRIBE USER": [{"property": "DEFAULT_SECONDARY_ROLES", "value": self.default_secondary}]}
                if self.default_secondary is not None
                else {}
            ),
            "INFORMATION_SCHEMA.VIEWS": [
                {"schema": "ELEMENTARY", "name": name, "text": text} for name, text in self.views.items()
            ],
            "INFORMATION_SCHEMA.TABLES": [
                {"schema": "ELEMENTARY", "name": "DBT_MODELS"},
                *({"schema": "RAW", "name": name} for name in self.outside),
            ],
        }


def grantee(role: str) -> str:
    quoted = ".".join(f'"{part}"' for part in role.split("."))
    return f"DATABASE ROLE {quoted}" if "." in role else f"ROLE {quoted}"


def shown(grants: list[tuple[str, str, str]], kind: str) -> Answer:
    return [{"privilege": privilege, kind: on, "name": name, "grant_option": "false"} for privilege, on, name in grants]


def tight_with(**more: list[tuple[str, str, str]]) -> Grants:
    """Return the tight grants with more of them, by role."""
    return {role: TIGHT.get(role, []) + more.get(role, []) for role in {**TIGHT, **more}}


def through_reader(*grant: str) -> Account:
    privilege, kind, name = grant
    return Account(tight_with(**{ROLE: [(privilege, kind, name)]}))


def test_a_tight_role_passes_every_check() -> None:
    report = Account(TIGHT).check()

    assert [
        (finding.name, finding.evidence)
        for finding in report.findings
        if finding.status not in ("pass", "not applicable")
    ] == []
    assert (report.user, report.roles) == (USER, (ROLE,))
    report.require()


#: A grant to the reader's own role, and the check that fails for it.
EXCESS = {
    ("SELECT", "TABLE", "DBT.RAW.USERS"): "reads-outside-schema",
    ("SELECT", "VIEW", 'DBT."raw.ELEMENTARY".USERS'): "reads-outside-schema",
    ("SELECT", "MATERIALIZED_VIEW", "OTHER.ELEMENTARY.USERS"): "reads-outside-schema",
    ("SELECT", "STREAM", "DBT.RAW.CHANGES"): "reads-outside-schema",
    ("INSERT", "TABLE", "DBT.ELEMENTARY.DBT_MODELS"): "writes-inside-schema",
    ("TRUNCATE", "TABLE", "DBT.ELEMENTARY.DBT_MODELS"): "writes-inside-schema",
    ("UPDATE", "TABLE", "DBT.RAW.USERS"): "writes-outside-schema",
    ("OWNERSHIP", "TABLE", "DBT.ELEMENTARY.DBT_MODELS"): "ownership",
    ("OWNERSHIP", "WAREHOUSE", "WH"): "ownership",
    ("CREATE TABLE", "SCHEMA", "DBT.ELEMENTARY"): "creates-objects",
    ("CREATE SCHEMA", "DATABASE", "DBT"): "creates-objects",
    ("CREATE TEMPORARY TABLE", "SCHEMA", "DBT.ELEMENTARY"): "temporary-objects",
    ("MANAGE GRANTS", "ACCOUNT", "ACME"): "administrative-rights",
    ("EXECUTE TASK", "ACCOUNT", "ACME"): "administrative-rights",
    ("USAGE", "DATABASE", "SNOWFLAKE"): "other-databases",
    ("USAGE", "DATABASE", "OTHER"): "other-databases",
    ("USAGE", "DATABASE_ROLE", "SNOWFLAKE.GOVERNANCE_VIEWER"): "reads-outside-schema",
    ("USAGE", "PROCEDURE", "DBT.RAW.LEAK(VARCHAR)"): "definer-functions",
    ("USAGE", "FUNCTION", "DBT.RAW.LEAK()"): "definer-functions",
    ("READ", "STAGE", "DBT.RAW.FILES"): "foreign-servers",
    ("USAGE", "INTEGRATION", "S3"): "foreign-servers",
    ("OPERATE", "WAREHOUSE", "WH"): "other-privileges",
    ("USAGE", "SCHEMA", "DBT.RAW"): "other-privileges",
    ("MONITOR", "DATABASE", "DBT"): "other-privileges",
}


@pytest.mark.parametrize(("grant", "check"), EXCESS.items(), ids=" ".join)
def test_a_grant_beyond_the_schema_fails_its_check_and_no_other(grant: tuple[str, str, str], check: str) -> None:
    report = through_reader(*grant).check()

    assert [finding.name for finding in report.failed] == [check]
    assert report.failed[0].remediation


def test_the_remediation_is_a_statement() -> None:
    report = through_reader("SELECT", "TABLE", "DBT.RAW.USERS").check()

    assert (
        report.finding("reads-outside-schema").remediation == f"REVOKE SELECT ON TABLE DBT.RAW.USERS FROM ROLE {ROLE};"
    )


def grantable(statement: str, kind: str, privilege: str, on: str, name: str) -> dict[str, Answer]:
    row = {"privilege": privilege, kind: on, "name": name, "grant_option": "true"}
    # Without the closing quote, it is another key than that of the tight grants.
    return {f"{statement} TO {grantee(ROLE)}".rstrip('"'): [row]}


@pytest.mark.parametrize(
    ("privilege", "kind", "name"),
    [("SELECT", "TABLE", "DBT.ELEMENTARY.DBT_MODELS"), ("USAGE", "SCHEMA", "DBT.ELEMENTARY")],
)
def test_a_right_that_may_be_granted_on_fails(privilege: str, kind: str, name: str) -> None:
    report = Account(TIGHT, extra=grantable("SHOW GRANTS", "granted_on", privilege, kind, name)).check()

    finding = report.finding("other-privileges")
    assert finding.evidence == f"GRANT OPTION for {privilege} on {kind} {name} through {ROLE}"
    assert finding.remediation == f"REVOKE GRANT OPTION FOR {privilege} ON {kind} {name} FROM ROLE {ROLE};"


def test_a_future_right_that_may_be_granted_on_fails() -> None:
    extra = grantable("SHOW FUTURE GRANTS", "grant_on", "SELECT", "TABLE", "DBT.ELEMENTARY.<TABLE>")

    report = Account(TIGHT, extra=extra).check()

    assert [finding.name for finding in report.failed] == ["future-grants"]
    assert "SELECT WITH GRANT OPTION" in report.failed[0].evidence


def test_a_grant_to_public_is_everybodys() -> None:
    report = Account(tight_with(PUBLIC=[("SELECT", "TABLE", "DBT.RAW.USERS")])).check()

    assert [finding.name for finding in report.failed] == ["reads-outside-schema"]
    assert "through PUBLIC" in report.failed[0].evidence


def test_an_inherited_role_is_walked() -> None:
    report = Account(
        tight_with(
            ELEMENTARY_READER=[("USAGE", "ROLE", "MIDDLE")],
            MIDDLE=[("USAGE", "ROLE", "WIDE")],
            WIDE=[("SELECT", "TABLE", "DBT.RAW.USERS")],
        )
    ).check()

    assert {finding.name for finding in report.failed} == {"role-memberships", "reads-outside-schema"}
    assert report.finding("role-memberships").excess == ("member of WIDE, which fails reads-outside-schema",)
    assert report.roles == (ROLE, "MIDDLE", "WIDE")


def test_a_database_role_is_walked() -> None:
    report = Account(
        tight_with(
            **{
                ROLE: [("USAGE", "DATABASE_ROLE", "DBT.ANALYSTS")],
                "DBT.ANALYSTS": [("SELECT", "TABLE", "DBT.RAW.USERS")],
            }
        )
    ).check()

    assert {finding.name for finding in report.failed} == {"role-memberships", "reads-outside-schema"}


def test_a_further_role_of_the_user_counts_although_it_is_not_active() -> None:
    report = Account(tight_with(WIDE=[("SELECT", "TABLE", "DBT.RAW.USERS")]), roles=(ROLE, "WIDE")).check()

    assert {finding.name for finding in report.failed} == {"role-memberships", "reads-outside-schema"}


def test_an_administrators_role_in_reach_fails() -> None:
    report = Account(tight_with(SYSADMIN=[]), roles=(ROLE, "SYSADMIN")).check()

    assert {finding.name for finding in report.failed} == {"administrative-rights", "role-memberships"}


def test_a_privilege_of_the_user_itself_counts() -> None:
    report = Account(TIGHT, own=[("SELECT", "TABLE", "DBT.RAW.USERS")]).check()

    assert [finding.name for finding in report.failed] == ["reads-outside-schema"]


def test_a_role_whose_grants_are_hidden_makes_every_check_on_grants_unknown() -> None:
    report = Account(TIGHT, roles=(ROLE, "HIDDEN")).check()

    assert "HIDDEN" in report.finding("reads-outside-schema").evidence
    assert {finding.status for finding in report.findings if finding.name.startswith(("reads", "writes"))} == {
        "unknown"
    }


@pytest.mark.parametrize(
    "secondary", [{"roles": "WIDE", "value": "ALL"}, {"roles": "", "value": "ALL"}], ids=["some", "none yet"]
)
def test_active_secondary_roles_fail(secondary: dict[str, str]) -> None:
    report = Account(TIGHT, secondary=secondary).check()

    assert [finding.name for finding in report.failed] == ["secondary-roles"]


@pytest.mark.parametrize("default", ['["ALL"]', "null", ""])
def test_a_user_whose_secondary_roles_default_to_all_fails(default: str) -> None:
    report = Account(TIGHT, default_secondary=default).check()

    assert [finding.name for finding in report.failed] == ["secondary-roles"]
    assert report.failed[0].remediation == f'ALTER USER "{USER}" SET DEFAULT_SECONDARY_ROLES = ();'


def test_a_hidden_default_does_no_harm_where_the_user_has_one_role() -> None:
    assert Account(TIGHT, default_secondary=None).check().finding("secondary-roles").status == "pass"


def test_a_hidden_default_is_unknown_where_the_user_has_more_roles() -> None:
    report = Account(tight_with(EMPTY=[]), roles=(ROLE, "EMPTY"), default_secondary=None).check()

    assert [finding.name for finding in report.unknown] == ["secondary-roles"]


@pytest.mark.parametrize(
    "grant",
    [
        ("SELECT", "TABLE", "DBT.<TABLE>"),
        ("SELECT", "TABLE", "DBT.RAW.<TABLE>"),
        ("INSERT", "TABLE", "DBT.ELEMENTARY.<TABLE>"),
        ("USAGE", "SCHEMA", "DBT.<SCHEMA>"),
    ],
    ids=" ".join,
)
def test_a_future_grant_that_will_widen_fails(grant: tuple[str, str, str]) -> None:
    report = Account(TIGHT, future={ROLE: [grant]}).check()

    assert [finding.name for finding in report.failed] == ["future-grants"]


def test_a_procedure_with_its_callers_rights_passes() -> None:
    account = through_reader("USAGE", "PROCEDURE", "DBT.TOOLS.HELP(VARCHAR)")
    account.extra = {
        "DESCRIBE PROCEDURE DBT.TOOLS.HELP(VARCHAR)": [{"property": "execute as", "value": "CALLER"}],
    }

    assert account.check().failed == ()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("create or replace view DBT.ELEMENTARY.V as ( select * from DBT.ELEMENTARY.dbt_models )", "pass"),
        ("create view v as with raw as (select 1 as id) select * from raw", "pass"),
        ("create view v as select * from dbt.information_schema.tables", "pass"),
        ("create view v as select * from dbt.raw.users", "fail"),
        ("create view v as select * from raw.users", "fail"),
        ("create view v as select (select max(id) from other.elementary.users)", "fail"),
        ("create view v as select * from table(leak())", "unknown"),
        ("create view v as this is no sql", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_view_may_read_the_schema_only(text: str | None, status: str) -> None:
    report = Account(TIGHT, views={"V": text}).check()

    assert report.finding("objects-reaching-outside").status == status


def test_the_query_history_of_the_account_is_a_canary() -> None:
    report = Account(TIGHT).check(probes=["raw.users"])

    assert report.finding("canary-reads").evidence == "denied: raw.users, SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY"


def test_a_canary_that_is_not_denied_fails() -> None:
    account = Account(TIGHT, outside=["USERS"], extra={'SELECT 1 FROM "DBT"."RAW"."USERS"': []})

    report = account.check()

    assert [finding.name for finding in report.failed] == ["canary-reads"]
    assert report.failed[0].excess == ("DBT.RAW.USERS was read",)


def test_the_address_that_snowflake_sees_is_held_against_the_allow_list() -> None:
    account = Account(TIGHT)

    assert account.check(allowed_addresses=["203.0.113.0/24"]).failed == ()
    assert [finding.name for finding in account.check(allowed_addresses=["10.0.0.0/8"]).failed] == ["client-address"]
