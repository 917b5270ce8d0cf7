"""What a session on PostgreSQL can do, as its catalogue tells it for every role that the session can become."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from airflow_provider_elementary.access.check.canaries import read_nothing, resolve
from airflow_provider_elementary.access.check.findings import (
    DEDICATED_ROLE,
    Canary,
    Examination,
    Hole,
    Link,
    count_wider_roles,
    judge,
    settled,
    unanswered,
)
from airflow_provider_elementary.access.check.postgres import queries as catalogue
from airflow_provider_elementary.access.check.report import Finding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.elementary_schema import TABLES

# No role but a superuser may read it, and every database has it: there is always one canary.
_PASSWORDS = ("pg_catalog", "pg_authid")


def examine(session: Session, probes: Sequence[str]) -> Examination:
    """Ask a PostgreSQL session what it can do.

    :param probes: relations outside the schema that must be unreadable, besides those that the catalogue names.
    """
    session_user, current_user, _, address, encrypted, version, server_version = session.rows(catalogue.SESSION)[0]
    bind = "$1" if session.placeholder == "$" else session.placeholder
    roles = session.rows(catalogue.in_reach(catalogue.ROLES, bind), [session.schema])
    findings, holes = _interrogate(session, bind, server_version)
    if any(hole.finding == "administrative-rights" and "SUPERUSER" in hole.what for hole in holes):
        # Revoking one by one what a superuser holds mends nothing.
        findings = [_mended(finding) for finding in findings]
    return Examination(
        user=session_user if session_user == current_user else f"{session_user} as {current_user}",
        roles=sorted(name for name, _ in roles if name != session_user),
        findings=[
            *count_wider_roles(findings, holes, {"PUBLIC", *(name for name, depth in roles if depth == 0)}),
            _readable(session, bind),
            *settled(["secondary-roles"], "PostgreSQL has none: rights come by membership only"),
            *settled(["other-privileges"], "every kind of privilege that PostgreSQL has is covered by another check"),
        ],
        link=Link(
            local=None if address else "Unix socket, no network",
            encrypted=encrypted,
            version=version,
            client_address=address,
        ),
        canaries=_canaries(session, bind, probes),
    )


def _interrogate(session: Session, bind: str, server_version: int) -> tuple[list[Finding], list[Hole]]:
    findings: list[Finding] = []
    found: list[Hole] = []
    for question in catalogue.questions(server_version):
        holes: dict[str, list[Hole]] = defaultdict(list)
        totals: dict[str, int] = {}
        try:
            rows = session.rows(question.statement(bind), [session.schema])
        except StatementDeniedError:
            findings.extend(
                unanswered(name, "PostgreSQL's catalogue refused the question.", "Let the role read pg_catalog.")
                for name in question.proofs
            )
            continue
        for name, what, through, mend, total in rows:
            holes[name].append(Hole(name, what, mend, through))
            totals[name] = total
        for name, proof in question.proofs.items():
            findings.append(judge(name, holes[name], proof, total=totals.get(name)))
        found.extend(hole for several in holes.values() for hole in several)
    return findings, found


def _mended(finding: Finding) -> Finding:
    if finding.status != "fail":
        return finding
    return Finding(finding.name, finding.status, finding.evidence, DEDICATED_ROLE, finding.holes)


def _readable(session: Session, bind: str) -> Finding:
    rows = session.rows(catalogue.in_reach(catalogue.SCHEMA, bind), [session.schema])
    if not rows:
        return Finding(
            "schema-readable",
            "fail",
            f"the database has no schema {session.schema!r}",
            "Name the schema that Elementary's dbt package writes to, spelled as the catalogue spells it.",
        )
    known = [row for row in rows if row[0] in TABLES]
    closed = [
        name or "the schema" for name, readable, _, _ in rows if not readable and (name in TABLES or name is None)
    ]
    if closed:
        return judge(
            "schema-readable",
            [
                Hole("schema-readable", f"{name} cannot be read", f'GRANT SELECT ON "{session.schema}".{name} TO …;')
                for name in closed
            ],
            "",
        )
    evidence = f"{len(known)} of Elementary's {len(TABLES)} tables are in the schema and can be read"
    forgetful = sorted({owner for _, _, lasting, owner in known if not lasting})
    if forgetful:
        evidence += f"; a table that {', '.join(forgetful)} builds anew will not be: no default privileges cover it"
    return Finding("schema-readable", "pass", evidence)


def _canaries(session: Session, bind: str, probes: Sequence[str]) -> list[Canary]:
    canaries = []
    for probe in probes:
        relation = resolve(probe, session.dialect, session.schema, session.database)
        # The second of two numbered placeholders; others repeat themselves.
        exists_statement = catalogue.EXISTS.format(schema=bind, name=bind.replace("1", "2"))
        rows = session.rows(exists_statement, relation.parts[-2:])
        elsewhere = len(relation.parts) == 3 and relation.parts[0] != session.database
        exists = bool(rows[0][0]) and not elsewhere
        canaries.append(Canary(probe, relation.statement if exists else None, exists))
    outside = session.rows(catalogue.in_reach(catalogue.OUTSIDE, bind), [session.schema])
    for parts in [*outside, _PASSWORDS]:
        canaries.append(Canary(".".join(parts), read_nothing(parts, session.dialect), True))
    return canaries
