"""What a session on Snowflake can do: every role in reach is walked by SHOW GRANTS, and each grant is judged."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlglot import exp

from airflow_provider_elementary.access.check.canaries import read_nothing, resolve
from airflow_provider_elementary.access.check.findings import (
    Canary,
    Examination,
    Hole,
    Link,
    count_wider_roles,
    judge,
    settled,
    unanswered,
)
from airflow_provider_elementary.access.check.report import Finding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.access.check.snowflake.grants import Place, administrators, hole_of, hole_of_future
from airflow_provider_elementary.access.check.snowflake.roles import Roles, Who, walk
from airflow_provider_elementary.access.check.view_references import judge_views
from airflow_provider_elementary.elementary_schema import TABLES

_IDENTITY = """
SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_SECONDARY_ROLES(), CURRENT_AVAILABLE_ROLES(), CURRENT_IP_ADDRESS(),
       CURRENT_DATABASE()
"""
# Every account has it, and only who may see all queries of the account may read it: there is always one canary.
_QUERY_HISTORY = ("SNOWFLAKE", "ACCOUNT_USAGE", "QUERY_HISTORY")

_NO_GRANT = "no role in reach, nor PUBLIC, holds"
_PROOFS = {
    "administrative-rights": f"{_NO_GRANT} an administrator's role or a privilege on the account",
    "role-memberships": "every role in reach holds only what the sync needs",
    "reads-outside-schema": f"{_NO_GRANT} SELECT outside the schema",
    "writes-inside-schema": f"{_NO_GRANT} more than SELECT on a table or view of the schema",
    "writes-outside-schema": f"{_NO_GRANT} a privilege to change a table outside the schema",
    "creates-objects": f"{_NO_GRANT} CREATE on the database, the schema or elsewhere",
    "temporary-objects": f"{_NO_GRANT} CREATE TEMPORARY TABLE",
    "ownership": "no role in reach owns anything",
    "future-grants": "future grants give SELECT inside the schema at most",
    "definer-functions": f"{_NO_GRANT} USAGE on a function, or on a procedure with its owner's rights",
    "foreign-servers": f"{_NO_GRANT} a privilege on a stage, an integration or a secret",
    "other-databases": f"{_NO_GRANT} a privilege on another database, imported ones included",
    "other-privileges": f"{_NO_GRANT} more than USAGE on a warehouse, the database and the schema",
}


def examine(session: Session, probes: Sequence[str]) -> Examination:
    """Ask a Snowflake session what it can do.

    :param probes: relations outside the schema that must be unreadable.
    """
    user, role, secondary, available, address, database = session.rows(_IDENTITY)[0]
    place = Place(session.database or database, session.schema)
    who = Who(user, role, tuple(json.loads(available or "[]")))
    roles = walk(session, who)
    holes = _holes(session, roles, place)
    findings = [judge(name, [hole for hole in holes if hole.finding == name], proof) for name, proof in _PROOFS.items()]
    return Examination(
        user=user,
        roles=sorted({*roles.names, role} - {None}),
        findings=[
            *(_or_unknown(finding, roles) for finding in count_wider_roles(findings, holes, {user, role, "PUBLIC"})),
            _secondary_roles(session, who, roles, secondary),
            _readable(session, place),
            _views(session, place),
            *settled(["server-functions"], "Snowflake gives SQL no way to its servers' files or settings"),
            *settled(
                ["untrusted-languages"], "Snowflake runs every function in a sandbox; definer-functions names those"
            ),
        ],
        link=Link(client_address=address),
        canaries=_canaries(session, place, probes),
    )


def _holes(session: Session, roles: Roles, place: Place) -> list[Hole]:
    present = [hole_of(grant, place) for grant in roles.grants]
    future = [hole_of_future(grant, place) for grant in roles.future]
    holes = [hole for hole in [*administrators(roles.names), *present, *future] if hole is not None]
    callers = {
        hole.what
        for hole, grant in zip(present, roles.grants, strict=True)
        if hole is not None
        and grant.kind == "PROCEDURE"
        and grant.privilege == "USAGE"
        and _runs_as_caller(session, grant.name)
    }
    return [hole for hole in holes if hole.what not in callers]


def _runs_as_caller(session: Session, procedure: str) -> bool:
    """Say whether a procedure lends nobody its owner's rights; where Snowflake would not tell, it does."""
    # SHOW GRANTS names it DB.SCHEMA."NAME(ARG TYPE):RETURNS" or DB.SCHEMA.NAME(TYPE).
    signature = procedure.replace('"', "").split(":")[0]
    try:
        properties = session.records(f"DESCRIBE PROCEDURE {signature}")
    except StatementDeniedError:
        return False
    return any(row["property"] == "execute as" and row["value"] == "CALLER" for row in properties)


def _or_unknown(finding: Finding, roles: Roles) -> Finding:
    """Turn a pass into unknown where the grants of a role in reach could not be read."""
    closed = roles.closed_future if finding.name == "future-grants" else roles.closed
    if finding.status != "pass" or not closed:
        return finding
    return unanswered(
        finding.name,
        f"Snowflake refused to show the grants of {', '.join(sorted(closed))}",
        "Take these roles from the user, or let its role see their grants.",
    )


def _secondary_roles(session: Session, who: Who, roles: Roles, secondary: str | None) -> Finding:
    active = json.loads(secondary or "{}")
    mend = f'ALTER USER "{who.user}" SET DEFAULT_SECONDARY_ROLES = ();'
    if active.get("roles") or active.get("value"):
        names = active.get("roles") or active["value"]
        return judge("secondary-roles", [Hole("secondary-roles", f"active in this session: {names}", mend)], "")
    try:
        properties = session.records(f'DESCRIBE USER "{who.user}"')
    except StatementDeniedError:
        if roles.direct <= {who.role}:
            return Finding("secondary-roles", "pass", "none is active, and the user has no role but the session's own")
        return unanswered("secondary-roles", "Snowflake does not show the user's DEFAULT_SECONDARY_ROLES", mend)
    default = next((str(row["value"]) for row in properties if row["property"] == "DEFAULT_SECONDARY_ROLES"), "")
    # Unset means ALL since Snowflake's behaviour change BCR-1692.
    is_all = "ALL" in default.upper() or default.lower() in ("", "null", "none")
    holes = [Hole("secondary-roles", "DEFAULT_SECONDARY_ROLES is ALL", mend)] if is_all else []
    return judge("secondary-roles", holes, "none is active, and the user's default is to have none")


def _readable(session: Session, place: Place) -> Finding:
    visible = {name.lower() for schema, name in _visible(session, place) if schema == place.schema}
    if not visible:
        mend = "Let the role use the schema and read its tables: `airflow-elementary grants` prints the statements."
        return judge("schema-readable", [Hole("schema-readable", "the role sees no table of the schema", mend)], "")
    return Finding(
        "schema-readable", "pass", f"{len(visible & TABLES.keys())} of Elementary's {len(TABLES)} tables are visible"
    )


def _views(session: Session, place: Place) -> Finding:
    statement = _information(place, "VIEWS", "TABLE_SCHEMA", "TABLE_NAME", "VIEW_DEFINITION")
    try:
        rows = session.rows(statement.sql("snowflake"))
    except StatementDeniedError:
        return unanswered("objects-reaching-outside", "Snowflake refused INFORMATION_SCHEMA.VIEWS")
    views = [(name, text) for schema, name, text in rows if schema == place.schema]
    return judge_views(views, session.dialect, place.database, place.schema)


def _canaries(session: Session, place: Place, probes: Sequence[str]) -> list[Canary]:
    canaries = []
    for probe in probes:
        relation = resolve(probe, session.dialect, place.schema, place.database)
        canaries.append(Canary(probe, relation.statement, None))
    outside = [(place.database, *parts) for parts in _visible(session, place) if parts[0] != place.schema]
    for parts in [*outside[:8], _QUERY_HISTORY]:
        canaries.append(Canary(".".join(parts), read_nothing(parts, session.dialect), True))
    return canaries


def _visible(session: Session, place: Place) -> list[tuple[str, str]]:
    """Return schema and name of what the role sees in the database, Snowflake's own views left out."""
    statement = _information(place, "TABLES", "TABLE_SCHEMA", "TABLE_NAME").where(
        "TABLE_SCHEMA <> 'INFORMATION_SCHEMA'"
    )
    try:
        return [(schema, name) for schema, name in session.rows(statement.sql("snowflake"))]
    except StatementDeniedError:
        return []


def _information(place: Place, view: str, *columns: str) -> exp.Select:
    database = exp.to_identifier(place.database, quoted=True)
    table = exp.Table(this=exp.to_identifier(view), db=exp.to_identifier("INFORMATION_SCHEMA"), catalog=database)
    return exp.select(*columns).from_(table)
