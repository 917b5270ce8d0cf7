"""Sorts listed privileges by the checks that they fail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_elementary.access.check.canaries import read_nothing, resolve_probe
from airflow_provider_elementary.access.check.findings import Canary, ExcessPrivilege, answered_finding, unanswered
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.quoting import identifier

BY_HAND = "Verify it with the warehouse's own tools, then name the check in accept_unknown."
#: Relations outside the schema that are tried at most.
TRIED = 8

Row = tuple[Any, ...]
#: The first pattern that matches a privilege, as in ``SELECT on table``, names its check; None where a reader needs it.
Rules = Sequence[tuple[str | None, re.Pattern[str]]]


@dataclass(frozen=True)
class Held:
    """One privilege that the session has.

    :param right: as the warehouse names it, in upper case.
    :param kind: of object, as in ``table``.
    :param place: its names, from the widest to its own.
    :param through: the grantee.
    :param may_grant: it may be granted to others.
    """

    right: str
    kind: str
    place: tuple[str, ...]
    through: str
    may_grant: bool = False

    def excess(self, check: str, grants: str) -> ExcessPrivilege:
        """Return it as excess of a check; ``grants`` names the warehouse whose grants are printed."""
        where = ".".join(self.place)
        return ExcessPrivilege(
            check,
            f"{self.right} on {self.kind} {where} through {self.through}",
            f"Revoke it; `airflow-elementary grants {grants}` prints what the role needs.",
            self.through,
        )


def check_of(held: Held, rules: Rules) -> str | None:
    """Return the check that a privilege fails; None where a reader needs it, or it shows names only."""
    named = f"{held.right} on {held.kind}"
    return next((check for check, pattern in rules if pattern.match(named)), "other-privileges")


def evaluate_each(
    checks: Iterable[str], excess: Sequence[ExcessPrivilege], *, is_known: bool, proof: str, otherwise: str
) -> list[AccessFinding]:
    """Return the findings of checks that the same answers decide.

    :param is_known: no excess proves that there is none.
    :param proof: the evidence of a pass.
    :param otherwise: why an empty answer proves nothing.
    """
    findings = []
    for name in checks:
        found = [privilege for privilege in excess if privilege.finding == name]
        if found or is_known:
            findings.append(answered_finding(name, found, proof))
        else:
            findings.append(unanswered(name, otherwise, BY_HAND))
    return findings


def evaluate_readable(session: Session, names: Iterable[str]) -> AccessFinding:
    """Return whether one of Elementary's tables can be read: one is tried.

    :param names: the names of the schema's relations that the session sees.
    """
    known = sorted(set(names) & set(TABLES))
    if not known:
        return unanswered("schema-readable", f"no table of Elementary is visible in {session.schema!r}", BY_HAND)
    if ask(session, read_nothing(qualified_names(session, session.schema, known[0]), session.dialect)) is None:
        excess = ExcessPrivilege("schema-readable", f"{known[0]} cannot be read", "Grant SELECT on the schema.")
        return answered_finding("schema-readable", [excess], "")
    return AccessFinding(
        "schema-readable", "pass", f"{len(known)} of Elementary's {len(TABLES)} tables are visible, {known[0]} was read"
    )


def qualified_names(session: Session, *names: str) -> tuple[str, ...]:
    """Return the names of a relation, below the session's database where it has one."""
    return (session.database, *names) if session.database else names


def visible(session: Session) -> list[tuple[str, str]]:
    """Return schema and name of each relation that the database's information_schema shows."""
    database = f"{identifier(session.database, session.dialect)}." if session.database else ""
    rows = ask(session, f"SELECT table_schema, table_name FROM {database}information_schema.tables")  # noqa: S608
    return [(str(schema), str(name)) for schema, name in rows or []]


def probed(session: Session, probes: Sequence[str]) -> list[Canary]:
    """Return a canary for each probe that the configuration names."""
    found = [(probe, resolve_probe(probe, session.dialect, session.schema, session.database)) for probe in probes]
    return [Canary(probe, relation.statement, None) for probe, relation in found]


def tried(session: Session, relations: Iterable[tuple[str, ...]]) -> list[Canary]:
    """Return a canary for each of the first relations outside the schema."""
    first = sorted(set(relations))[:TRIED]
    return [Canary(".".join(parts), read_nothing(parts, session.dialect), True) for parts in first]


def readable(session: Session, canaries: Iterable[Canary]) -> list[ExcessPrivilege]:
    """Return the canaries that the session can read, as excess of ``reads-outside-schema``."""
    name = "reads-outside-schema"
    return [
        ExcessPrivilege(name, f"{canary.name} can be read", f"Revoke the session's right to read {canary.name}.")
        for canary in canaries
        if canary.statement and ask(session, canary.statement) is not None
    ]


def ask(session: Session, statement: str) -> list[Row] | None:
    """Return a statement's rows; None if the warehouse denied it, or does not know it."""
    try:
        return session.rows(statement)
    except StatementDeniedError:
        return None


def records(session: Session, statement: str) -> list[dict[str, Any]] | None:
    """Return a statement's rows by column name; None if the warehouse denied it, or does not know it."""
    try:
        return session.records(statement)
    except StatementDeniedError:
        return None
