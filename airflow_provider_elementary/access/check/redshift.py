"""Checks a Redshift session by its SVV views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from airflow_provider_elementary.access.check.view_references import evaluate_views
from airflow_provider_elementary.elementary_schema import TABLES

_IDENTITY = "SELECT current_user::text, current_database()::text"
_ROLES = "SELECT role_name, admin_option::boolean FROM svv_user_grants WHERE user_name = current_user"
_ROLES_OF_ROLES = "SELECT role_name, granted_role_name FROM svv_role_grants"
_GROUPS = (
    "SELECT g.groname::text FROM pg_group g, pg_user u WHERE u.usename = current_user AND u.usesysid = ANY (g.grolist)"
)
_USER = "SELECT usesuper, usecreatedb FROM pg_user WHERE usename = current_user"
# Only a superuser may read it, and every cluster has it: there is always one canary.
_PASSWORDS = ("pg_catalog", "pg_shadow")
_SYSTEM_SCHEMAS = ("pg_catalog", "information_schema", "pg_internal", "pg_automv", "pg_s3")

# Each yields (object, privilege, identity, kind of identity), and the schema where the object is in one.
_RELATIONS = """
SELECT namespace_name, relation_name, privilege_type, identity_name, identity_type FROM svv_relation_privileges
UNION ALL
SELECT namespace_name, relation_name || ', column ' || column_name, privilege_type, identity_name, identity_type
FROM svv_column_privileges
"""
_SCHEMAS = (
    "SELECT namespace_name, namespace_name, privilege_type, identity_name, identity_type FROM svv_schema_privileges"
)
_DATABASES = (
    "SELECT database_name, database_name, privilege_type, identity_name, identity_type FROM svv_database_privileges"
)
_DEFAULTS = """
SELECT schema_name, object_type || ' of ' || owner_name, privilege_type, grantee_name, grantee_type
FROM svv_default_privileges
"""
_DEFINERS = """
SELECT f.namespace_name, f.function_name, f.privilege_type, f.identity_name, f.identity_type
FROM svv_function_privileges f
WHERE EXISTS (
  SELECT 1 FROM pg_proc_info p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE p.prosecdef AND n.nspname = f.namespace_name AND p.proname = f.function_name)
"""
_EXTERNAL = "SELECT schemaname FROM svv_external_schemas"
_OWNED = """
SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_user u ON u.usesysid = c.relowner WHERE u.usename = current_user
"""
_TABLES = """
SELECT n.nspname::text, c.relname::text, has_table_privilege(current_user, c.oid, 'SELECT')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' ORDER BY 1, 2
"""
_VIEWS = "SELECT schemaname::text, viewname::text, definition FROM pg_views"

_BY_HAND = "Verify the role's privileges as a superuser, then name the check in accept_unknown."

Row = tuple[Any, ...]


def inspect(session: Session, probes: Sequence[str]) -> Inspection:
    """Inspect a Redshift session.

    :param probes: relations outside the schema that must be unreadable.
    """
    user, database = session.rows(_IDENTITY)[0]
    identities = _Identities(session, user)
    tables = _ask(session, _TABLES) or []
    findings, excess = _evaluate_privileges(session, identities)
    return Inspection(
        user=user,
        roles=sorted({*identities.roles, *identities.groups}),
        findings=[
            *count_wider_roles(findings, excess, {user, "public"}),
            _readable(session, tables),
            _views(session, database),
            *not_applicable(["secondary-roles"], "Redshift has none: rights come by membership only"),
            *not_applicable(["server-functions"], "Redshift's SQL cannot reach its servers' files"),
            *not_applicable(
                ["other-privileges"], "every kind of privilege that Redshift shows is covered by another check"
            ),
        ],
        link=Link(),
        canaries=_canaries(session, probes, tables, database),
    )


class _Identities:
    """The identities whose privileges the session has or can take.

    :param user: who the session is.
    """

    def __init__(self, session: Session, user: str) -> None:
        granted = _ask(session, _ROLES)
        inherited = _ask(session, _ROLES_OF_ROLES)
        groups = _ask(session, _GROUPS)
        #: Whether Redshift answered for all of them.
        self.known = None not in (granted, inherited, groups)
        self.administered = [name for name, admin in granted or [] if admin]
        self.groups = {name for (name,) in groups or []}
        self.roles: set[str] = set()
        waiting = {name for name, _ in granted or []}
        while waiting:
            self.roles |= waiting
            waiting = {inner for outer, inner in inherited or [] if outer in waiting} - self.roles
        self._identities = {("user", user), ("public", "public")}
        self._identities |= {("role", name) for name in self.roles} | {("group", name) for name in self.groups}

    def holds(self, identity: str, kind: str) -> bool:
        """Return whether a row's grantee is one of these identities."""
        return (kind, identity) in self._identities


def _evaluate_privileges(
    session: Session, identities: _Identities
) -> tuple[list[AccessFinding], list[ExcessPrivilege]]:
    answers: dict[str, list[ExcessPrivilege] | None] = {
        "administrative-rights": _administration(session),
        "role-memberships": [
            *(
                _excess_privilege("role-memberships", f"member of {name}", name)
                for name in sorted(identities.roles)
                if ":" in name
            ),
            *(
                _excess_privilege("role-memberships", f"may grant {name} to others", name)
                for name in identities.administered
            ),
        ],
        "ownership": _owned(session),
        "future-grants": _privileges(session, identities, _DEFAULTS, "future-grants", allow={"SELECT"}),
        "definer-functions": _privileges(session, identities, _DEFINERS, "definer-functions"),
        **_schemas(session, identities),
        **_relations(session, identities),
        **_databases(session, identities),
    }
    findings = []
    for name, excess in answers.items():
        if excess:
            findings.append(answered_finding(name, excess, ""))
        elif excess is None or not identities.known:
            findings.append(unanswered(name, "Redshift denied its SVV views", _BY_HAND))
        else:
            findings.append(
                answered_finding(name, [], "no reachable user, group or role, nor PUBLIC, holds such a privilege")
            )
    return findings, [privilege for excess in answers.values() for privilege in excess or []]


def _privileges(
    session: Session,
    identities: _Identities,
    statement: str,
    finding: str,
    allow: frozenset[str] | set[str] = frozenset(),
) -> list[ExcessPrivilege] | None:
    """Return the excess privileges that a view shows; those allowed inside the Elementary schema are left out."""
    rows = _ask(session, statement)
    if rows is None:
        return None
    return [
        _excess_privilege(finding, f"{right} on {schema or 'any schema'}, {name} through {identity}", identity)
        for schema, name, right, identity, kind in rows
        if identities.holds(identity, kind) and not (schema == session.schema and right in allow)
    ]


def _relations(session: Session, identities: _Identities) -> dict[str, list[ExcessPrivilege] | None]:
    rows = _ask(session, _RELATIONS)
    names = ("reads-outside-schema", "writes-inside-schema", "writes-outside-schema")
    if rows is None:
        return dict.fromkeys(names)
    found: dict[str, list[ExcessPrivilege] | None] = {name: [] for name in names}
    for schema, name, right, identity, kind in rows:
        inside = schema == session.schema
        if not identities.holds(identity, kind) or schema in _SYSTEM_SCHEMAS or (inside and right == "SELECT"):
            continue
        finding = names[1] if inside else names[0] if right == "SELECT" else names[2]
        excess = found[finding]
        if excess is not None:
            excess.append(_excess_privilege(finding, f"{schema}.{name}: {right} through {identity}", identity))
    return found


def _schemas(session: Session, identities: _Identities) -> dict[str, list[ExcessPrivilege] | None]:
    rows = _ask(session, _SCHEMAS)
    external = _ask(session, _EXTERNAL)
    if rows is None or external is None:
        return {"creates-objects": None, "foreign-servers": None}
    elsewhere = {name for (name,) in external}
    held = [(name, right, identity) for name, _, right, identity, kind in rows if identities.holds(identity, kind)]
    return {
        "creates-objects": [
            _excess_privilege("creates-objects", f"CREATE on schema {name} through {identity}", identity)
            for name, right, identity in held
            if right == "CREATE"
        ],
        "foreign-servers": [
            _excess_privilege("foreign-servers", f"{right} on external schema {name} through {identity}", identity)
            for name, right, identity in held
            if name in elsewhere
        ],
    }


def _databases(session: Session, identities: _Identities) -> dict[str, list[ExcessPrivilege] | None]:
    rows = _ask(session, _DATABASES)
    if rows is None:
        return {"temporary-objects": None, "other-databases": None}
    held = [(name, right, identity) for name, _, right, identity, kind in rows if identities.holds(identity, kind)]
    return {
        "temporary-objects": [
            _excess_privilege("temporary-objects", f"{right} on database {name} through {identity}", identity)
            for name, right, identity in held
            if right in ("TEMP", "TEMPORARY")
        ],
        "other-databases": [
            _excess_privilege("other-databases", f"{right} on database {name} through {identity}", identity)
            for name, right, identity in held
            if name != session.database and session.database is not None
        ],
    }


def _administration(session: Session) -> list[ExcessPrivilege] | None:
    rows = _ask(session, _USER)
    if not rows:
        return None
    flags = zip(("SUPERUSER", "CREATEDB"), rows[0], strict=True)
    return [_excess_privilege("administrative-rights", f"the user is {flag}") for flag, held in flags if held]


def _owned(session: Session) -> list[ExcessPrivilege] | None:
    rows = _ask(session, _OWNED)
    if rows is None:
        return None
    return [_excess_privilege("ownership", f"{schema}.{name} is owned by the user") for schema, name in rows]


def _readable(session: Session, tables: Sequence[Row]) -> AccessFinding:
    known = {name: readable for schema, name, readable in tables if schema == session.schema and name in TABLES}
    closed = [name for name, readable in known.items() if not readable]
    if closed or not known:
        what = [f"{name} cannot be read" for name in closed] or [f"no table in schema {session.schema!r}"]
        return answered_finding("schema-readable", [_excess_privilege("schema-readable", each) for each in what], "")
    return AccessFinding("schema-readable", "pass", f"{len(known)} of Elementary's {len(TABLES)} tables can be read")


def _views(session: Session, database: str) -> AccessFinding:
    rows = _ask(session, _VIEWS)
    if rows is None:
        return unanswered("objects-reaching-outside", "Redshift denied pg_views")
    views = [(name, text) for schema, name, text in rows if schema == session.schema]
    return evaluate_views(views, session.dialect, database, session.schema)


def _canaries(session: Session, probes: Sequence[str], tables: Sequence[Row], database: str) -> list[Canary]:
    outside = [
        (schema, name) for schema, name, _ in tables if schema != session.schema and schema not in _SYSTEM_SCHEMAS
    ]
    canaries = []
    for probe in probes:
        relation = resolve_probe(probe, session.dialect, session.schema, database)
        canaries.append(Canary(probe, relation.statement, relation.parts[-2:] in outside))
    for parts in [*outside[:8], _PASSWORDS]:
        canaries.append(Canary(".".join(parts), read_nothing(parts, session.dialect), True))
    return canaries


def _excess_privilege(finding: str, what: str, through: str | None = None) -> ExcessPrivilege:
    return ExcessPrivilege(
        finding, what, "Revoke it; `airflow-elementary grants redshift` prints what the role needs.", through
    )


def _ask(session: Session, statement: str) -> list[Row] | None:
    """Return a statement's rows; None if Redshift denied it."""
    try:
        return session.rows(statement)
    except StatementDeniedError:
        return None
