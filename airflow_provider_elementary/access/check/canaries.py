"""Tries reads outside the Elementary schema, which must be denied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from airflow_provider_elementary.access.check.findings import Canary, ExcessPrivilege, answered_finding, unanswered
from airflow_provider_elementary.access.check.report import AccessFinding
from airflow_provider_elementary.access.check.session import Session, StatementDeniedError, StatementFailedError
from airflow_provider_elementary.exceptions import ConfigurationError


@dataclass(frozen=True)
class Relation:
    """A relation that the configuration names as a probe.

    :param parts: its names, the schema's and its own at least, folded as the warehouse folds them.
    :param statement: a query of it that returns no row.
    """

    parts: tuple[str, ...]
    statement: str


def resolve_probe(probe: str, dialect: str, schema: str, database: str | None) -> Relation:
    """Return the relation that a probe names.

    :param probe: as the warehouse's SQL writes it: ``raw.users``, ``"Raw"."Users"``, ``OTHER_DB.RAW.USERS``.
    :param schema: the Elementary schema, where no canary may be.
    :param database: the database that holds it.
    :raises ConfigurationError: the probe is not a qualified name, or it names something inside the Elementary schema.
    """
    try:
        words = len(sqlglot.tokenize(probe, read=dialect))
        table = normalize_identifiers(exp.to_table(probe, dialect=dialect), dialect=dialect)
    except (SqlglotError, ValueError):
        words, table = 0, exp.Table()
    parts = tuple(part.name for part in table.parts)
    # Names and the dots between them, and nothing else.
    if len(parts) < 2 or not all(parts) or words != 2 * len(parts) - 1:
        raise ConfigurationError(
            f"Probe {probe!r} is not a qualified name like raw.users. Write schema and table as in SQL."
        )
    if parts[-2] == schema and (len(parts) < 3 or parts[-3] == database):
        raise ConfigurationError(
            f"Probe {probe!r} is inside the Elementary schema. Name a table that must be unreadable."
        )
    return Relation(parts, read_nothing(parts, dialect))


def read_nothing(parts: Sequence[str], dialect: str) -> str:
    """Return a query that needs SELECT on a relation and returns no row.

    :param parts: its names, from the widest to its own.
    """
    names = [exp.to_identifier(part, quoted=True) for part in reversed(parts)]
    table = exp.Table(**dict(zip(("this", "db", "catalog"), names, strict=False)))
    return exp.select("1").from_(table).where("1 = 0").sql(dialect=dialect)


def read_canaries(session: Session, canaries: Sequence[Canary]) -> AccessFinding:
    """Try every canary and return the finding.

    :raises WarehouseError: the connection was lost.
    """
    denied, absent, open_ = [], [], []
    for canary in {canary.statement or canary.name: canary for canary in canaries}.values():
        if canary.statement is None or canary.exists is False:
            absent.append(canary.name)
            continue
        try:
            session.rows(canary.statement)
            open_.append(canary.name)
        except StatementFailedError:
            absent.append(canary.name)
        except StatementDeniedError:
            denied.append(canary.name)
    if open_:
        excess = [
            ExcessPrivilege("canary-reads", f"{name} was read", f"Revoke the role's SELECT on {name}.")
            for name in open_
        ]
        return answered_finding("canary-reads", excess, "")
    if absent:
        return unanswered(
            "canary-reads",
            f"denied: {', '.join(denied) or 'none'}; not found or not read, which proves nothing: {', '.join(absent)}",
            "Name tables that exist, spelled as in the warehouse's SQL.",
        )
    if not denied:
        return unanswered(
            "canary-reads",
            "no relation outside the schema is known",
            "Name a table outside the schema in probes.",
        )
    return AccessFinding("canary-reads", "pass", f"denied: {', '.join(denied)}")
