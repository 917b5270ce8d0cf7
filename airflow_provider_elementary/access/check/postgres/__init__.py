"""Checks a PostgreSQL session by its system catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from airflow_provider_elementary.access.check.canaries import read_nothing, resolve_probe
from airflow_provider_elementary.access.check.findings import (
    DEDICATED_ROLE,
    Canary,
    ExcessPrivilege,
    Inspection,
    Link,
    answered_finding,
    count_wider_roles,
    not_applicable,
    unanswered,
)
from airflow_provider_elementary.access.check.postgres.queries import bind_names, check_queries, load, with_roles
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.elementary_schema import TABLES

# Only a superuser may read it, and every database has it: there is always one canary.
_PASSWORDS = ("pg_catalog", "pg_authid")


def inspect(session: Session, probes: Sequence[str]) -> Inspection:
    """Inspect a PostgreSQL session.

    :param probes: relations outside the schema that must be unreadable, besides those that the system catalog names.
    """
    session_user, current_user, _, address, encrypted, version, server_version, _ = session.rows(load("session"))[0]
    bind = "$1" if session.placeholder == "$" else session.placeholder
    roles = session.rows(with_roles("roles", bind), [session.schema])
    findings, excess = _run_check_queries(session, bind, server_version)
    if any(privilege.finding == "administrative-rights" and "SUPERUSER" in privilege.what for privilege in excess):
        # A superuser keeps every right, whatever is revoked.
        findings = [_with_dedicated_role(finding) for finding in findings]
    return Inspection(
        user=session_user if session_user == current_user else f"{session_user} as {current_user}",
        roles=sorted(name for name, _ in roles if name != session_user),
        findings=[
            *count_wider_roles(findings, excess, {"PUBLIC", *(name for name, depth in roles if depth == 0)}),
            _readable(session, bind),
            *not_applicable(["secondary-roles"], "PostgreSQL has none: rights come by membership only"),
        ],
        link=Link(
            local=None if address else "Unix socket, no network",
            encrypted=encrypted,
            version=version,
            client_address=address,
        ),
        canaries=_canaries(session, bind, probes),
    )


def _run_check_queries(
    session: Session, bind: str, server_version: int
) -> tuple[list[AccessFinding], list[ExcessPrivilege]]:
    findings: list[AccessFinding] = []
    found: list[ExcessPrivilege] = []
    for query in check_queries(server_version):
        excess: dict[str, list[ExcessPrivilege]] = defaultdict(list)
        totals: dict[str, int] = {}
        try:
            rows = session.rows(query.statement(bind), [session.schema])
        except StatementDeniedError:
            findings.extend(
                unanswered(name, "PostgreSQL denied the query of its system catalog", "Let the role read pg_catalog.")
                for name in query.proofs
            )
            continue
        for name, what, through, remediation, total in rows:
            excess[name].append(ExcessPrivilege(name, what, remediation, through))
            totals[name] = total
        for name, proof in query.proofs.items():
            findings.append(answered_finding(name, excess[name], proof, total=totals.get(name)))
        found.extend(privilege for several in excess.values() for privilege in several)
    return findings, found


def _with_dedicated_role(finding: AccessFinding) -> AccessFinding:
    if finding.status != "fail":
        return finding
    return AccessFinding(finding.name, finding.status, finding.evidence, DEDICATED_ROLE, finding.excess)


def _readable(session: Session, bind: str) -> AccessFinding:
    rows = session.rows(with_roles("schema", bind), [session.schema])
    if not rows:
        return AccessFinding(
            "schema-readable",
            "fail",
            f"the database has no schema {session.schema!r}",
            "Name the schema that Elementary's dbt package writes to, spelled as in the system catalog.",
        )
    known = [row for row in rows if row[0] in TABLES]
    closed = [
        name or "the schema" for name, readable, _, _ in rows if not readable and (name in TABLES or name is None)
    ]
    if closed:
        return answered_finding(
            "schema-readable",
            [
                ExcessPrivilege(
                    "schema-readable", f"{name} cannot be read", f'GRANT SELECT ON "{session.schema}".{name} TO …;'
                )
                for name in closed
            ],
            "",
        )
    evidence = f"{len(known)} of Elementary's {len(TABLES)} tables are in the schema and can be read"
    uncovered = sorted({owner for _, _, lasting, owner in known if not lasting})
    if uncovered:
        evidence += f"; a table that {', '.join(uncovered)} rebuilds cannot be read: no default privileges cover it"
    return AccessFinding("schema-readable", "pass", evidence)


def _canaries(session: Session, bind: str, probes: Sequence[str]) -> list[Canary]:
    canaries = []
    for probe in probes:
        relation = resolve_probe(probe, session.dialect, session.schema, session.database)
        rows = session.rows(bind_names(load("exists"), bind), relation.parts[-2:])
        elsewhere = len(relation.parts) == 3 and relation.parts[0] != session.database
        exists = bool(rows[0][0]) and not elsewhere
        canaries.append(Canary(probe, relation.statement if exists else None, exists))
    outside = session.rows(with_roles("outside", bind), [session.schema])
    for parts in [*outside, _PASSWORDS]:
        canaries.append(Canary(".".join(parts), read_nothing(parts, session.dialect), True))
    return canaries
