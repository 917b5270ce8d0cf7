"""Finds the table that columns of a model are computed from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, build_scope


@dataclass(frozen=True)
class ColumnsRead:
    """Columns of one table.

    :param table: its name as the query writes it, upper case: one to three parts.
    :param columns: lower case.
    """

    table: str
    columns: frozenset[str]


def columns_read(sql: str, columns: Collection[str], dialect: str | None) -> ColumnsRead | None:
    """Return what columns of a query are computed from, where that is one table which the query selects from.

    A column of a joined table is not followed: what is wrong with it may be of the join. Rows that the query filters
    or groups are not looked at.

    :param columns: of the query's result, lower case.
    :param dialect: sqlglot's name of the SQL; None for what most dialects share.
    :return: None where a column is computed from several tables or none, or the query cannot be parsed.
    """
    try:
        scope = build_scope(sqlglot.parse_one(sql, read=dialect))
    except (SqlglotError, RecursionError):
        return None
    return _read(scope, frozenset(columns)) if scope is not None and columns else None


def _read(scope: Scope, columns: frozenset[str]) -> ColumnsRead | None:
    query = scope.expression
    if isinstance(query, exp.SetOperation):
        parts = [each for each in scope.traverse() if each.expression is query.left or each.expression is query.right]
        found = {_read(part, columns) for part in parts}
        return found.pop() if len(parts) == 2 and len(found) == 1 else None
    if not isinstance(query, exp.Select) or (source := query.args.get("from_")) is None:
        return None
    if source.this.args.get("pivots"):
        return None
    if any(join.side in ("RIGHT", "FULL") for join in query.args.get("joins") or ()):
        return None
    name = source.this.alias_or_name
    named = frozenset(
        read for column in columns for read in _columns_of(query, column, name, alone=len(scope.selected_sources) == 1)
    )
    if not named or "" in named:
        return None
    inner = scope.sources.get(name)
    if isinstance(inner, Scope):
        return _read(inner, named)
    if not isinstance(inner, exp.Table):
        return None
    return ColumnsRead(".".join(part.name for part in inner.parts).upper(), named)


def _columns_of(query: exp.Select, column: str, source: str, *, alone: bool) -> frozenset[str]:
    """Return the columns of the query's first table that a column is computed from; with an empty name, others too."""
    for projection in query.selects:
        if projection.alias_or_name.lower() == column:
            read = list(projection.find_all(exp.Column))
            is_of_source = all(each.table.lower() == source.lower() or (alone and not each.table) for each in read)
            is_plain = projection.find(exp.Query) is None
            return frozenset(each.name.lower() for each in read) if read and is_of_source and is_plain else _UNKNOWN
    stars = [each for each in query.selects if each.is_star and not each.find(exp.Func)]
    if any(name.name.lower() == column for each in stars for name in _changed_by(each)):
        return _UNKNOWN
    qualifiers = {each.table.lower() if isinstance(each, exp.Column) else "" for each in stars}
    return frozenset({column}) if qualifiers and qualifiers <= {source.lower(), *([""] if alone else [])} else _UNKNOWN


def _changed_by(star: exp.Expr) -> Iterator[exp.Identifier]:
    """Yield the names that a star leaves out, renames or replaces."""
    for each in star.find_all(exp.Star):
        yield from each.find_all(exp.Identifier)


_UNKNOWN = frozenset({""})
