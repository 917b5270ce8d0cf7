"""Checks a Snowflake session by the grants of every reachable role."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlglot import exp

from airflow_provider_elementary.access.check.canaries import read_nothing, resolve_probe
from airflow_provider_elementary.access.check.findings import (
    Canary,
    ExcessPrivilege,
    Inspection,
    Link,
    answered_finding,
    count_wider_roles,
    not_applicable,
    unanswered,
)
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.access.check.snowflake.grants import (
    SnowflakePlace,
    administrators,
    excess_of,
    excess_of_future,
)
from airflow_provider_elementary.access.check.snowflake.roles import Roles, Who, walk
from airflow_provider_elementary.access.check.view_references import evaluate_views
from airflow_provider_elementary.elementary_schema import TABLES

_IDENTITY = """
SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_SECONDARY_ROLES(), CURRENT_AVAILABLE_ROLES(), CURRENT_IP_ADDRESS(),
       CURRENT_DATABASE()
"""
# Every account has it, and a reader of one schema may not read it: there is always one canary.
_QUERY_HISTORY = ("SNOWFLAKE", "ACCOUNT_USAGE", "QUERY_HISTORY")

_NO_GRANT = "no reachable role, nor PUBLIC, holds"
_PROOFS = {
    "administrative-rights": f"{_NO_GRANT} an administrator's role or a privilege on the account",
    "role-memberships": "every reachable role holds only what the sync needs",
    "reads-outside-schema": f"{_NO_GRANT} SELECT outside the schema",
    "writes-inside-schema": f"{_NO_GRANT} more than SELECT on a table or view of the schema",
    "writes-outside-schema": f"{_NO_GRANT} a privilege to change a table outside the schema",
    "creates-objects": f"{_NO_GRANT} CREATE on the database, the schema or elsewhere",
    "temporary-objects": f"{_NO_GRANT} CREATE TEMPORARY TABLE",
    "ownership": "no reachable role owns anything",
    "future-grants": "future grants give SELECT inside the schema at most",
    "definer-functions": f"{_NO_GRANT} USAGE on a function, or on a procedure with its owner's rights",
    "foreign-servers": f"{_NO_GRANT} a privilege on a stage, an integration or a secret",
    "other-databases": f"{_NO_GRANT} a privilege on another database, imported ones included",
    "other-privileges": f"{_NO_GRANT} more than USAGE on a warehouse, the database and the schema",
}


def inspect(session: Session, probes: Sequence[str]) -> Inspection:
    """Inspect a Snowflake session.

    :param probes: relations outside the schema that must be unreadable.
    """
    user, role, secondary, available, address, database = session.rows(_IDENTITY)[0]
    place = SnowflakePlace(session.database or database, session.schema)
    who = Who(user, role, tuple(json.loads(available or "[]")))
    roles = walk(session, who)
    excess = _excess(session, roles, place)
    findings = [
        answered_finding(name, [privilege for privilege in excess if privilege.finding == name], proof)
        for name, proof in _PROOFS.items()
    ]
    return Inspection(
        user=user,
        roles=sorted({*roles.names, role} - {None}),
        findings=[
            *(_or_unknown(finding, roles) for finding in count_wider_roles(findings, excess, {user, role, "PUBLIC"})),
            _secondary_roles(session, who, roles, secondary),
            _readable(session, place),
            _views(session, place),
            *not_applicable(["server-functions"], "Snowflake's SQL cannot reach its servers' files or settings"),
            *not_applicable(
                ["untrusted-languages"], "Snowflake runs every function in a sandbox; definer-functions names those"
            ),
        ],
        link=Link(client_address=address),
        canaries=_canaries(session, place, probes),
    )


def _excess(session: Session, roles: Roles, place: SnowflakePlace) -> list[ExcessPrivilege]:
    present = [excess_of(grant, place) for grant in roles.grants]
    future = [excess_of_future(grant, place) for grant in roles.future]
    excess = [privilege for privilege in [*administrators(roles.names), *present, *future] if privilege is not None]
    callers = {
        privilege.what
        for privilege, grant in zip(present, roles.grants, strict=True)
        if privilege is not None
        and grant.kind == "PROCEDURE"
        and grant.privilege == "USAGE"
        and _runs_as_caller(session, grant.name)
    }
    return [privilege for privilege in excess if privilege.what not in callers]


def _runs_as_caller(session: Session, procedure: str) -> bool:
    """Return whether a procedure runs with its caller's rights; False if Snowflake does not say."""
    # SHOW GRANTS names it DB.SCHEMA."NAME(ARG TYPE):RETURNS" or DB.SCHEMA.NAME(TYPE).
    signature = procedure.replace('"', "").split(":")[0]
    try:
        properties = session.records(f"DESCRIBE PROCEDURE {signature}")
    except StatementDeniedError:
        return False
    return any(row["property"] == "execute as" and row["value"] == "CALLER" for row in properties)


def _or_unknown(finding: AccessFinding, roles: Roles) -> AccessFinding:
    """Turn a pass into unknown if the grants of a reachable role could not be read."""
    closed = roles.closed_future if finding.name == "future-grants" else roles.closed
    if finding.status != "pass" or not closed:
        return finding
    return unanswered(
        finding.name,
        f"Snowflake denied showing the grants of {', '.join(sorted(closed))}",
        "Revoke these roles from the user, or let its role see their grants.",
    )


def _secondary_roles(session: Session, who: Who, roles: Roles, secondary: str | None) -> AccessFinding:
    active = json.loads(secondary or "{}")
    remediation = f'ALTER USER "{who.user}" SET DEFAULT_SECONDARY_ROLES = ();'
    if active.get("roles") or active.get("value"):
        names = active.get("roles") or active["value"]
        return answered_finding(
            "secondary-roles", [ExcessPrivilege("secondary-roles", f"active in this session: {names}", remediation)], ""
        )
    try:
        properties = session.records(f'DESCRIBE USER "{who.user}"')
    except StatementDeniedError:
        if roles.direct <= {who.role}:
            return AccessFinding(
                "secondary-roles", "pass", "none is active, and the user has no role but the session's own"
            )
        return unanswered("secondary-roles", "Snowflake does not show the user's DEFAULT_SECONDARY_ROLES", remediation)
    default = next((str(row["value"]) for row in properties if row["property"] == "DEFAULT_SECONDARY_ROLES"), "")
    # Unset means ALL since Snowflake's behaviour change BCR-1692.
    is_all = "ALL" in default.upper() or default.lower() in ("", "null", "none")
    excess = [ExcessPrivilege("secondary-roles", "DEFAULT_SECONDARY_ROLES is ALL", remediation)] if is_all else []
    return answered_finding("secondary-roles", excess, "none is active, and the user's default is to have none")


def _readable(session: Session, place: SnowflakePlace) -> AccessFinding:
    visible = {name.lower() for schema, name in _visible(session, place) if schema == place.schema}
    if not visible:
        remediation = (
            "Let the role use the schema and read its tables: `airflow-elementary grants` prints the statements."
        )
        return answered_finding(
            "schema-readable",
            [ExcessPrivilege("schema-readable", "the role sees no table of the schema", remediation)],
            "",
        )
    return AccessFinding(
        "schema-readable", "pass", f"{len(visible & TABLES.keys())} of Elementary's {len(TABLES)} tables are visible"
    )


def _views(session: Session, place: SnowflakePlace) -> AccessFinding:
    statement = _information(place, "VIEWS", "TABLE_SCHEMA", "TABLE_NAME", "VIEW_DEFINITION")
    try:
        rows = session.rows(statement.sql("snowflake"))
    except StatementDeniedError:
        return unanswered("objects-reaching-outside", "Snowflake denied INFORMATION_SCHEMA.VIEWS")
    views = [(name, text) for schema, name, text in rows if schema == place.schema]
    return evaluate_views(views, session.dialect, place.database, place.schema)


def _canaries(session: Session, place: SnowflakePlace, probes: Sequence[str]) -> list[Canary]:
    canaries = []
    for probe in probes:
        relation = resolve_probe(probe, session.dialect, place.schema, place.database)
        canaries.append(Canary(probe, relation.statement, None))
    outside = [(place.database, *parts) for parts in _visible(session, place) if parts[0] != place.schema]
    for parts in [*outside[:8], _QUERY_HISTORY]:
        canaries.append(Canary(".".join(parts), read_nothing(parts, session.dialect), True))
    return canaries


def _visible(session: Session, place: SnowflakePlace) -> list[tuple[str, str]]:
    """Return schema and name of what the role sees in the database, without Snowflake's own views."""
    statement = _information(place, "TABLES", "TABLE_SCHEMA", "TABLE_NAME").where(
        "TABLE_SCHEMA <> 'INFORMATION_SCHEMA'"
    )
    try:
        return [(schema, name) for schema, name in session.rows(statement.sql("snowflake"))]
    except StatementDeniedError:
        return []


def _information(place: SnowflakePlace, view: str, *columns: str) -> exp.Select:
    database = exp.to_identifier(place.database, quoted=True)
    table = exp.Table(this=exp.to_identifier(view), db=exp.to_identifier("INFORMATION_SCHEMA"), catalog=database)
    return exp.select(*columns).from_(table)
