"""Checks a Trino session by its grants and by statements only validated."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_provider_elementary.access.check.findings import (
    ExcessPrivilege,
    Inspection,
    Link,
    answered_finding,
    not_applicable,
    unanswered,
)
from airflow_provider_elementary.access.check.privileges import (
    BY_HAND,
    Held,
    ask,
    check_of,
    evaluate_each,
    evaluate_readable,
    probed,
    qualified_names,
    readable,
    tried,
    visible,
)
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError, StatementFailedError
from airflow_provider_elementary.access.check.view_references import evaluate_views
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.quoting import identifier, literal

_STRING = re.compile(r"'(?:[^']|'')*'")
_SYSTEM_SCHEMAS = frozenset({"information_schema"})
_OTHERS_QUERIES = 'SELECT count(*) FROM system.runtime.queries WHERE "user" <> current_user'
#: Its creation is validated, and never run.
_NEW_TABLE = "elementary_access_check"

_INSIDE = (
    (None, re.compile(r"SELECT\b")),
    ("ownership", re.compile(r"OWNERSHIP\b")),
    ("writes-inside-schema", re.compile(r"INSERT|UPDATE|DELETE|TRUNCATE")),
    ("creates-objects", re.compile(r"CREATE\b")),
)
_OUTSIDE = (
    ("reads-outside-schema", re.compile(r"SELECT\b")),
    _INSIDE[1],
    ("writes-outside-schema", _INSIDE[2][1]),
    _INSIDE[3],
)


def inspect(session: Session, probes: Sequence[str]) -> Inspection:
    """Inspect a Trino session.

    :param probes: relations outside the schema that must be unreadable.
    """
    user = str((ask(session, "SELECT current_user") or [("unknown",)])[0][0])
    applicable = _catalog(session, "applicable_roles", "role_name, is_grantable")
    roles = sorted({str(name) for name, _ in applicable or []})
    tables = visible(session)
    inside = [name for schema, name in tables if schema == session.schema]
    outside = [
        qualified_names(session, schema, name)
        for schema, name in tables
        if schema not in _SYSTEM_SCHEMAS and schema != session.schema
    ]
    held = _held(session, {user, *roles, "PUBLIC", "public"})
    excess = [found for each in held for found in _excess(session, each)]
    shows_grants = any(each.right == "SELECT" and each.place[-2] == session.schema for each in held)
    canaries = tried(session, outside)
    catalogs = ask(session, "SHOW CATALOGS")
    others = [str(row[0]) for row in catalogs or [] if row[0] not in (session.database, "system")]
    return Inspection(
        user=user,
        roles=roles,
        findings=[
            *_of_roles(applicable),
            *_reads(session, [*excess, *readable(session, canaries)]),
            *_statements(session, excess, inside, outside),
            *evaluate_each(
                ["ownership", "other-privileges"],
                excess,
                is_known=shows_grants,
                proof="the catalog's table_privileges show no such right",
                otherwise="the catalog does not show the session's own grants",
            ),
            _other_catalogs(catalogs, others),
            evaluate_readable(session, inside),
            _views(session),
            *not_applicable(["temporary-objects"], "Trino has no temporary tables"),
        ],
        link=Link(),
        canaries=[*probed(session, probes), *canaries],
    )


def _catalog(session: Session, view: str, columns: str, where: str = "") -> list[tuple[object, ...]] | None:
    database = f"{identifier(session.database, 'trino')}." if session.database else ""
    return ask(session, f"SELECT {columns} FROM {database}information_schema.{view}{where}")  # noqa: S608 - quoted


def _held(session: Session, mine: set[str]) -> list[Held]:
    rows = _catalog(session, "table_privileges", "grantee, privilege_type, is_grantable, table_schema, table_name")
    return [
        Held(str(right).upper(), "table", (str(schema), str(name)), str(grantee), str(grantable).upper() == "YES")
        for grantee, right, grantable, schema, name in rows or []
        if grantee in mine and schema not in _SYSTEM_SCHEMAS
    ]


def _excess(session: Session, held: Held) -> list[ExcessPrivilege]:
    check = check_of(held, _INSIDE if held.place[0] == session.schema else _OUTSIDE)
    found = [] if check is None else [held.excess(check, "trino")]
    if held.may_grant:
        found.append(held.excess("other-privileges", "trino"))
    return found


def _of_roles(applicable: list[tuple[object, ...]] | None) -> list[AccessFinding]:
    administers = [
        ExcessPrivilege("administrative-rights", f"the role {name} can be taken", f"Revoke {name} from the user.")
        for name, _ in applicable or []
        if str(name).lower() in ("admin", "system_admin", "accountadmin")
    ]
    grants = [
        ExcessPrivilege("role-memberships", f"may grant {name} to others", f"Revoke ADMIN OPTION FOR {name}.")
        for name, grantable in applicable or []
        if str(grantable).upper() == "YES"
    ]
    # An access control beside the catalog's roles may let a user administer: its rules do not show here.
    return [
        *evaluate_each(
            ["administrative-rights"],
            administers,
            is_known=False,
            proof="",
            otherwise="the rules of the coordinator's access control do not show in SQL",
        ),
        *evaluate_each(
            ["role-memberships"],
            grants + [ExcessPrivilege("role-memberships", each.what, each.remediation) for each in administers],
            is_known=bool(applicable),
            proof="no role of the catalog administers, nor may be granted to others",
            otherwise="the catalog does not list the session's roles",
        ),
    ]


def _reads(session: Session, excess: list[ExcessPrivilege]) -> list[AccessFinding]:
    rows = ask(session, _OTHERS_QUERIES)
    if rows and rows[0][0]:
        excess = [
            *excess,
            ExcessPrivilege(
                "reads-outside-schema",
                f"system.runtime.queries shows {rows[0][0]} queries of other users",
                "Let the rules for queries give this user its own only.",
            ),
        ]
    return evaluate_each(
        ["reads-outside-schema"],
        excess,
        is_known=False,
        proof="",
        otherwise="no visible table outside the schema can be read; what is hidden may still be readable",
    )


def _statements(
    session: Session, excess: list[ExcessPrivilege], inside: list[str], outside: list[tuple[str, ...]]
) -> list[AccessFinding]:
    """Return what may be changed: Trino checks the right when it validates a statement, without running it."""
    own = sorted(set(inside) & set(TABLES))[:1]
    asked: dict[str, list[tuple[str, str]]] = {
        "writes-inside-schema": [
            each for name in own for each in _writes(session, qualified_names(session, session.schema, name))
        ],
        "writes-outside-schema": [each for place in sorted(outside)[:3] for each in _writes(session, place)],
        "creates-objects": [
            (
                f"CREATE TABLE in {schema}",
                f"CREATE TABLE {_name(qualified_names(session, schema, _NEW_TABLE))} AS SELECT 1 a",
            )
            for schema in sorted({session.schema, *(place[-2] for place in outside[:3])})
        ],
    }
    # Where Trino validates nothing for this user, a denial proves nothing.
    validates = ask(session, "EXPLAIN (TYPE VALIDATE) SELECT 1") is not None
    findings = []
    for check, statements in asked.items():
        found = [privilege for privilege in excess if privilege.finding == check]
        denied = 0
        for what, sql in statements:
            try:
                session.rows(f"EXPLAIN (TYPE VALIDATE) {sql}")
            except StatementFailedError:
                continue
            except StatementDeniedError:
                denied += 1
            else:
                remediation = "Revoke it, or deny it in the rules of the coordinator's access control."
                found.append(ExcessPrivilege(check, f"{what} is allowed", remediation))
        proof = f"Trino denied each of {denied} statements when it validated them; none was run"
        # Other schemas and their tables may be hidden.
        known = validates and 0 < denied == len(statements) and check == "writes-inside-schema"
        findings += evaluate_each(
            [check], found, is_known=known, proof=proof, otherwise="Trino could not be asked about every place"
        )
    return findings


def _writes(session: Session, place: tuple[str, ...]) -> list[tuple[str, str]]:
    name, shown = _name(place), ".".join(place)
    of_table = " AND ".join(
        f"{part} = {literal(value, 'trino')}"
        for part, value in zip(("table_schema", "table_name"), place[-2:], strict=True)
    )
    listed = _catalog(session, "columns", "column_name", f" WHERE {of_table} ORDER BY ordinal_position LIMIT 1")
    columns = [identifier(str(row[0]), "trino") for row in listed or []]
    return [
        (f"INSERT into {shown}", f"INSERT INTO {name} SELECT * FROM {name}"),  # noqa: S608 - quoted, and never run
        (f"DELETE from {shown}", f"DELETE FROM {name}"),  # noqa: S608 - quoted, and never run
        *(
            (f"UPDATE of {shown}", f"UPDATE {name} SET {column} = {column}")  # noqa: S608 - quoted, and never run
            for column in columns
        ),
    ]


def _name(place: tuple[str, ...]) -> str:
    return ".".join(identifier(part, "trino") for part in place)


def _other_catalogs(catalogs: list[tuple[object, ...]] | None, others: list[str]) -> AccessFinding:
    name = "other-databases"
    if catalogs is None:
        return unanswered(name, "Trino did not list its catalogs", BY_HAND)
    excess = [ExcessPrivilege(name, f"the catalog {each} is visible", "Deny it in the rules.") for each in others]
    return answered_finding(name, excess, "no other catalog is visible")


def _views(session: Session) -> AccessFinding:
    name = "objects-reaching-outside"
    of_schema = f" WHERE table_schema = {literal(session.schema, 'trino')}"
    rows = _catalog(session, "views", "table_name, view_definition", of_schema)
    if rows is None:
        return unanswered(name, "Trino did not list the views", BY_HAND)
    views = [(str(view), None if text is None else str(text)) for view, text in rows]
    finding = evaluate_views(views, "trino", session.database or "", session.schema)
    if finding.status != "fail":
        return finding
    # A view reads with its owner's rights unless it says otherwise.
    lending = [(view, text) for view, text in views if not _is_invoker(session, view)]
    return evaluate_views(lending, "trino", session.database or "", session.schema)


def _is_invoker(session: Session, view: str) -> bool:
    rows = ask(session, f"SHOW CREATE VIEW {_name(qualified_names(session, session.schema, view))}")
    if not rows:
        return False
    # A comment of the view may hold any text.
    head = _STRING.sub("''", str(rows[0][0])).partition("\n")[0]
    return head.endswith(" SECURITY INVOKER AS")
