"""Checks a session by its information_schema, on any other warehouse."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from airflow_provider_elementary.access.check.canaries import read_nothing, resolve_probe
from airflow_provider_elementary.access.check.findings import (
    Canary,
    ExcessPrivilege,
    Inspection,
    Link,
    answered_finding,
    unanswered,
)
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError

_BY_HAND = "Verify the role's grants in the warehouse's own tools, then name the check in accept_unknown."
_RIGHTS = {
    "reads-outside-schema": "SELECT outside the schema",
    "writes-inside-schema": "more than SELECT inside the schema",
    "writes-outside-schema": "a right to change anything outside the schema",
}
_SYSTEM_SCHEMAS = frozenset({"information_schema", "pg_catalog", "system"})


def inspect(session: Session, probes: Sequence[str]) -> Inspection:
    """Inspect a session with standard SQL only.

    :param probes: relations outside the schema that must be unreadable.
    """
    user = next(iter(_column(session, "SELECT current_user") or []), "unknown")
    roles = sorted(set(_column(session, _select(session, "enabled_roles", "role_name")) or []) - {user})
    tables = _ask(session, _select(session, "tables", "table_schema", "table_name"))
    outside = [(schema, name) for schema, name in tables or [] if not _is_allowed(session, schema)]
    return Inspection(
        user=user,
        roles=roles,
        findings=[
            *_grants(session, {user.lower(), "public", *(role.lower() for role in roles)}),
            _readable(session, tables),
        ],
        link=Link(),
        canaries=[
            *(Canary(probe, _probe(session, probe), None) for probe in probes),
            *(Canary(".".join(parts), read_nothing(parts, session.dialect), True) for parts in outside[:8]),
        ],
    )


def _grants(session: Session, grantees: set[str]) -> list[AccessFinding]:
    columns = ("table_schema", "table_name", "privilege_type", "grantee")
    rows = _ask(session, _select(session, "table_privileges", *columns))
    mine = [(schema, name, right.upper()) for schema, name, right, grantee in rows or [] if grantee.lower() in grantees]
    excess = [_excess_privilege(session, *grant) for grant in mine]
    # Some warehouses return no rows at all: absence proves something only if our own SELECT is shown.
    shows_grants = any(right == "SELECT" and schema.lower() == session.schema.lower() for schema, _, right in mine)
    findings = []
    for name, right in _RIGHTS.items():
        found = [privilege for privilege in excess if privilege and privilege.finding == name]
        if found or (shows_grants and name != "reads-outside-schema"):
            findings.append(answered_finding(name, found, f"information_schema.table_privileges shows no {right}"))
        else:
            findings.append(unanswered(name, f"information_schema does not prove that there is no {right}", _BY_HAND))
    return findings


def _excess_privilege(session: Session, schema: str, name: str, right: str) -> ExcessPrivilege | None:
    inside = schema.lower() == session.schema.lower()
    if schema.lower() in _SYSTEM_SCHEMAS or (inside and right == "SELECT"):
        return None
    finding = (
        "writes-inside-schema" if inside else "reads-outside-schema" if right == "SELECT" else "writes-outside-schema"
    )
    return ExcessPrivilege(finding, f"{schema}.{name}: {right}", f"REVOKE {right} ON {schema}.{name} from the role.")


def _readable(session: Session, tables: Sequence[tuple[str, ...]] | None) -> AccessFinding:
    inside = [name for schema, name in tables or [] if schema.lower() == session.schema.lower()]
    if inside:
        return AccessFinding("schema-readable", "pass", f"{len(inside)} tables of the schema are visible")
    return unanswered("schema-readable", f"information_schema shows no table in {session.schema!r}", _BY_HAND)


def _is_allowed(session: Session, schema: str) -> bool:
    return schema.lower() in _SYSTEM_SCHEMAS or schema.lower() == session.schema.lower()


def _probe(session: Session, probe: str) -> str:
    return resolve_probe(probe, session.dialect, session.schema, session.database).statement


def _select(session: Session, view: str, *columns: str) -> str:
    catalog = exp.to_identifier(session.database, quoted=True) if session.database else None
    table = exp.Table(this=exp.to_identifier(view), db=exp.to_identifier("information_schema"), catalog=catalog)
    return exp.select(*columns).from_(table).sql(dialect=session.dialect)


def _ask(session: Session, statement: str) -> list[tuple[str, ...]] | None:
    """Return a statement's rows as text; None if the warehouse denied it."""
    try:
        return [tuple(str(value) for value in row) for row in session.rows(statement)]
    except StatementDeniedError:
        return None


def _column(session: Session, statement: str) -> list[str] | None:
    rows = _ask(session, statement)
    return None if rows is None else [row[0] for row in rows]
