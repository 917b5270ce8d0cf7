"""What views read outside the Elementary schema, by their text: where every view lends its owner's rights."""

from __future__ import annotations

from collections.abc import Iterable

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from airflow_provider_elementary.access.check.findings import Hole, judge, unanswered
from airflow_provider_elementary.access.check.report import Finding

_NAME = "objects-reaching-outside"


def judge_views(views: Iterable[tuple[str, str | None]], dialect: str, database: str, schema: str) -> Finding:
    """Return the finding on the views of a schema.

    :param views: name and text of each view; None where the warehouse hides the text.
    :param database: the database that holds the schema, as the warehouse spells it.
    :param schema: the Elementary schema, likewise.
    """
    holes: list[Hole] = []
    hidden: list[str] = []
    for name, text in views:
        relations = _relations(text, dialect)
        if relations is None:
            hidden.append(name)
            continue
        for parts in relations:
            place = [database, schema, ""][: 3 - len(parts)] + parts
            if place[0] != database or place[1] not in (schema, "INFORMATION_SCHEMA", "information_schema"):
                holes.append(
                    Hole(_NAME, f"view {name} reads {'.'.join(parts)}", f"Take the view {name} from the role.")
                )
    if hidden and not holes:
        return unanswered(
            _NAME,
            f"the warehouse hides what these views read: {', '.join(sorted(hidden))}",
            "Take them from the role, or look at them as their owner.",
        )
    return judge(_NAME, holes, "no view of the schema reads anything outside it")


def _relations(text: str | None, dialect: str) -> list[list[str]] | None:
    """Return the names of what a view reads, qualified as it wrote them; None where its text tells not all."""
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
    # A function of somebody's own may read anything; in SELECT the check of functions has named those in reach.
    if any(not isinstance(rows.this, exp.Explode) for rows in query.find_all(exp.TableFromRows)):
        return None
    return [[part.name for part in table.parts] for table in tables]
