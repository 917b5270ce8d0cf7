"""Checks a ClickHouse session by what SHOW GRANTS says of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_elementary.access.check.canaries import read_nothing, resolve_probe
from airflow_provider_elementary.access.check.findings import (
    Canary,
    ExcessPrivilege,
    Inspection,
    Link,
    answered_finding,
    not_applicable,
    unanswered,
)
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.access.check.view_references import evaluate_views
from airflow_provider_elementary.elementary_schema import TABLES

# Merged over the user's own grants and those of every granted role; nobody needs a right to ask it of themselves.
_GRANTS = "SHOW GRANTS FINAL"
_ROLES = "SELECT role_name FROM system.enabled_roles"
_TABLES = "SELECT database, name, engine, create_table_query, as_select FROM system.tables"
_PROGRAMS = "SELECT name FROM system.functions WHERE origin = 'ExecutableUserDefined'"
_SYSTEM_DATABASES = frozenset({"system", "information_schema", "INFORMATION_SCHEMA"})

_NAME = r"(?:`(?:[^`\\]|\\.)*`|[^\s`.,()]+)"
_RIGHT = rf"([A-Za-z][A-Za-z0-9 ]*)(?:\({_NAME}(?:, {_NAME})*\))?"
# Names in backticks may hold anything, the words of another grant too: each part is matched strictly.
_GRANT = re.compile(
    rf"GRANT (?P<rights>{_RIGHT}(?:, {_RIGHT})*) ON (?P<database>{_NAME})(?:\.(?P<table>{_NAME}))? TO (?P<rest>.+)",
    re.DOTALL,
)
_MEMBERSHIP = re.compile(rf"GRANT (?P<roles>{_NAME}(?:, {_NAME})*) TO (?P<rest>.+)", re.DOTALL)

#: Rights that a reader may hold anywhere: they show names.
_HARMLESS = frozenset({"SHOW DATABASES", "SHOW TABLES", "SHOW COLUMNS", "SHOW DICTIONARIES", "USAGE", "NONE"})
#: The first pattern that matches names the check; what matches none needs no reader either.
_CHECKS = (
    ("reads-outside-schema", re.compile(r"SELECT\b|DICTGET\b")),
    ("temporary-objects", re.compile(r"CREATE (?:ARBITRARY )?TEMPORARY")),
    (
        "administrative-rights",
        re.compile(
            r"ALL\b|ACCESS MANAGEMENT|(?:CREATE|ALTER|DROP) (?:USER|ROLE|ROW|QUOTA|SETTINGS)|ROLE ADMIN|SYSTEM|KILL"
        ),
    ),
    ("administrative-rights", re.compile(r"SET DEFINER|IMPERSONATE|BACKUP|ALLOW SQL SECURITY")),
    ("creates-objects", re.compile(r"CREATE\b")),
    ("writes-outside-schema", re.compile(r"INSERT|ALTER|DELETE|UPDATE|TRUNCATE|OPTIMIZE|DROP|UNDROP|MOVE PARTITION")),
    ("server-functions", re.compile(r"FILE\b|INTROSPECTION|DISK\b")),
    (
        "foreign-servers",
        re.compile(r"SOURCES|READ\b|WRITE\b|URL|REMOTE|CLUSTER|S3|HDFS|[OJ]DBC|MYSQL|POSTGRES|MONGO|REDIS|KAFKA|AZURE"),
    ),
)
_FROM_GRANTS = (
    "administrative-rights",
    "role-memberships",
    "reads-outside-schema",
    "writes-inside-schema",
    "writes-outside-schema",
    "creates-objects",
    "temporary-objects",
    "server-functions",
    "foreign-servers",
    "other-privileges",
)
#: Engines whose rows lie in the table itself.
_OWN_ROWS = re.compile(r"\w*MergeTree|\w*Log|Memory|Null|Set|Join|View|MaterializedView|Dictionary")
_LENDING = re.compile(r"\bSQL SECURITY (?:DEFINER|NONE)\b")
#: ClickHouse prints the target after the name, or after REFRESH; a name in backticks may hold these words.
_TARGET = re.compile(
    rf"CREATE MATERIALIZED VIEW (?:IF NOT EXISTS )?{_NAME}(?:\.{_NAME})?(?: UUID '[^']*')?(?: ON CLUSTER \S+)?"
    rf"(?:\s+REFRESH\b(?:`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'|[^`'(])*?)?\s+TO\s+(?P<database>{_NAME})\.{_NAME}",
    re.DOTALL,
)

_BY_HAND = "Verify it as an administrator, then name the check in accept_unknown."


@dataclass(frozen=True)
class ClickHouseGrant:
    """One right that the session holds on one place.

    :param right: as ClickHouse names it, upper case, without columns.
    :param place: as ClickHouse writes it.
    :param is_inside: it is the Elementary database, or a table of it.
    :param may_grant: the session may grant it to others.
    """

    right: str
    place: str
    is_inside: bool
    may_grant: bool


def inspect(session: Session, probes: Sequence[str]) -> Inspection:
    """Inspect a ClickHouse session.

    :param probes: relations outside the schema that must be unreadable.
    """
    user = str(session.rows("SELECT currentUser()")[0][0])
    lines = _ask(session, _GRANTS)
    grants, memberships = _parsed([str(row[0]) for row in lines or []], session.schema)
    tables = _ask(session, _TABLES)
    known = lines is not None and grants is not None
    outside = [(str(row[0]), str(row[1])) for row in tables or [] if row[0] not in {session.schema, *_SYSTEM_DATABASES}]
    return Inspection(
        user=user,
        roles=sorted(str(row[0]) for row in _ask(session, _ROLES) or []),
        findings=[
            *_privileges(grants or [], memberships, is_known=known),
            _readable(session, grants or [], tables),
            _reaching_outside(session, tables),
            _programs(session),
            *not_applicable(
                ["future-grants"], "ClickHouse has no grants for later objects: a grant on a database covers them"
            ),
            *not_applicable(["ownership"], "ClickHouse has no owners: rights come by grants only"),
            *not_applicable(["definer-functions"], "ClickHouse's functions run with the rights of their caller"),
            *not_applicable(["other-databases"], "no database is entered: what is read elsewhere is another check"),
        ],
        link=Link(),
        canaries=[
            *(_probe(session, probe) for probe in probes),
            *(Canary(".".join(parts), read_nothing(parts, session.dialect), True) for parts in outside[:8]),
            # Who is not an administrator may not read it, and every server has it.
            Canary("system.users", read_nothing(("system", "users"), session.dialect), True),
        ],
    )


def _probe(session: Session, probe: str) -> Canary:
    return Canary(probe, resolve_probe(probe, session.dialect, session.schema, session.database).statement, None)


def _parsed(lines: Sequence[str], schema: str) -> tuple[list[ClickHouseGrant] | None, list[str]]:
    """Return the grants, None if a line is not understood, and the roles that may be granted to others."""
    grants: list[ClickHouseGrant] = []
    administered: list[str] = []
    for line in lines:
        if line.startswith("REVOKE "):
            # It narrows a grant that counts in full.
            continue
        if found := _GRANT.fullmatch(line):
            place = ".".join(part for part in (found["database"], found["table"]) if part)
            is_inside = _plain(found["database"]) == schema and found["table"] is not None
            may_grant = found["rest"].endswith("WITH GRANT OPTION")
            for right in re.finditer(_RIGHT, found["rights"]):
                grants.append(ClickHouseGrant(right[1].upper(), place, is_inside, may_grant))
        elif found := _MEMBERSHIP.fullmatch(line):
            if found["rest"].endswith("WITH ADMIN OPTION"):
                administered.append(found["roles"])
        else:
            return None, administered
    return grants, administered


def _plain(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith("`") else name


def _check(grant: ClickHouseGrant) -> str | None:
    """Return the check that a grant fails; None where a reader needs it, or it shows names only."""
    if grant.right in _HARMLESS:
        return None
    name = next((name for name, pattern in _CHECKS if pattern.match(grant.right)), "other-privileges")
    if grant.is_inside and name == "reads-outside-schema":
        return None
    return "writes-inside-schema" if grant.is_inside and name == "writes-outside-schema" else name


def _privileges(
    grants: Sequence[ClickHouseGrant], administered: Sequence[str], *, is_known: bool
) -> list[AccessFinding]:
    excess = [
        _excess(name, f"{grant.right} on {grant.place}") for grant in grants if (name := _check(grant)) is not None
    ]
    excess += [
        _excess("other-privileges", f"may grant {grant.right} on {grant.place} to others")
        for grant in grants
        if grant.may_grant
    ]
    excess += [_excess("role-memberships", f"may grant {roles} to others") for roles in administered]
    findings = []
    for name in _FROM_GRANTS:
        found = [each for each in excess if each.finding == name]
        if found or is_known:
            findings.append(answered_finding(name, found, "SHOW GRANTS FINAL shows no such right, of any granted role"))
        else:
            findings.append(unanswered(name, "ClickHouse did not show the session's grants", _BY_HAND))
    return findings


def _readable(
    session: Session, grants: Sequence[ClickHouseGrant], tables: Sequence[tuple[Any, ...]] | None
) -> AccessFinding:
    there = [row[1] for row in tables or [] if row[0] == session.schema and row[1] in TABLES]
    if there and any(
        grant.right in ("SELECT", "ALL") and (grant.is_inside or grant.place == "*.*") for grant in grants
    ):
        return AccessFinding(
            "schema-readable", "pass", f"{len(there)} of Elementary's {len(TABLES)} tables are visible"
        )
    return unanswered("schema-readable", f"ClickHouse shows no readable table in {session.schema!r}", _BY_HAND)


def _reaching_outside(session: Session, tables: Sequence[tuple[Any, ...]] | None) -> AccessFinding:
    name = "objects-reaching-outside"
    if tables is None:
        return unanswered(name, "ClickHouse denied system.tables", _BY_HAND)
    inside = [row[1:] for row in tables if row[0] == session.schema]
    excess = [
        _excess(name, f"table {table} has the engine {engine}, whose rows lie elsewhere")
        for table, engine, _, _ in inside
        if not _OWN_ROWS.fullmatch(str(engine))
    ]
    excess += [
        _excess(name, f"materialized view {table} writes to {target['database']}, and is read in its place")
        for table, _, text, _ in inside
        if (target := _TARGET.match(str(text))) and _plain(target["database"]) != session.schema
    ]
    if excess:
        return answered_finding(name, excess, "")
    lending = [(str(table), str(query)) for table, _, text, query in inside if _LENDING.search(str(text))]
    return evaluate_views(lending, session.dialect, "", session.schema)


def _programs(session: Session) -> AccessFinding:
    rows = _ask(session, _PROGRAMS)
    if rows is None:
        return unanswered("untrusted-languages", "ClickHouse denied system.functions", _BY_HAND)
    excess = [_excess("untrusted-languages", f"function {row[0]} runs a program on the server") for row in rows]
    return answered_finding("untrusted-languages", excess, "no function runs a program on the server")


def _excess(finding: str, what: str) -> ExcessPrivilege:
    return ExcessPrivilege(
        finding, what, "Revoke it; `airflow-elementary grants clickhouse` prints what the user needs."
    )


def _ask(session: Session, statement: str) -> list[tuple[Any, ...]] | None:
    """Return a statement's rows; None if ClickHouse denied it."""
    try:
        return session.rows(statement)
    except StatementDeniedError:
        return None
