"""Finds views that read outside the Elementary schema, by their SQL."""

from __future__ import annotations

from collections.abc import Iterable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from airflow_provider_elementary.access.check.findings import ExcessPrivilege, answered_finding, unanswered
from airflow_provider_elementary.access.check.report import AccessFinding

_NAME = "objects-reaching-outside"


def evaluate_views(views: Iterable[tuple[str, str | None]], dialect: str, database: str, schema: str) -> AccessFinding:
    """Return the finding on the views of a schema.

    :param views: name and SQL of each view; None if the warehouse hides the SQL.
    :param database: the database that holds the schema, as the warehouse spells it.
    :param schema: the Elementary schema, spelled the same way.
    """
    excess: list[ExcessPrivilege] = []
    hidden: list[str] = []
    for name, text in views:
        relations = _relations(text, dialect)
        if relations is None:
            hidden.append(name)
            continue
        for parts in relations:
            place = [database, schema, ""][: 3 - len(parts)] + parts
            if place[0] != database or place[1] not in (schema, "INFORMATION_SCHEMA", "information_schema"):
                excess.append(
                    ExcessPrivilege(
                        _NAME,
                        f"view {name} reads {'.'.join(parts)}",
                        f"Revoke the role's SELECT on the view {name}.",
                    )
                )
    if hidden and not excess:
        return unanswered(
            _NAME,
            f"the warehouse hides the SQL of these views: {', '.join(sorted(hidden))}",
            "Revoke SELECT on them from the role, or read their SQL as their owner.",
        )
    return answered_finding(_NAME, excess, "no view of the schema reads anything outside it")


def _relations(text: str | None, dialect: str) -> list[list[str]] | None:
    """Return the relations that a view names, as it writes them; None if its SQL does not name all of them."""
    if not text:
        return None
    try:
        query = normalize_identifiers(sqlglot.parse_one(text, read=dialect), dialect=dialect)
    except SqlglotError:
        return None
    query = query.expression if isinstance(query, exp.Create) else query
    if not isinstance(query, exp.Query):
        return None
    named = {cte.alias for cte in query.find_all(exp.CTE)}
    tables = [table for table in query.find_all(exp.Table) if table.db or table.name not in named]
    if not all(isinstance(part, exp.Identifier) for table in tables for part in table.parts):
        return None
    # A user-defined function may read anything; the check of functions covers those in SELECT.
    if any(not isinstance(rows.this, exp.Explode) for rows in query.find_all(exp.TableFromRows)):
        return None
    return [[part.name for part in table.parts] for table in tables]
