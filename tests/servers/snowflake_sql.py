"""Folds Snowflake's names, and builds statements that fakesnow can run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

INFORMATION_SCHEMA = "INFORMATION_SCHEMA"


def identifier_of(part: object) -> str | None:
    """Return a parsed identifier as Snowflake stores it: upper case unless it is quoted."""
    if not isinstance(part, exp.Identifier):
        return None
    return part.name if part.args.get("quoted") else part.name.upper()


def stored_name(name: str) -> str:
    """Return a written, perhaps qualified name as Snowflake stores it: each part upper case unless it is quoted."""
    parts = re.findall(r'"[^"]*"|[^."\s]+', name)
    return ".".join(part[1:-1] if part.startswith('"') else part.upper() for part in parts)


def as_rows(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a query whose result is these rows."""
    names = ", ".join(f'"{column}"' for column in columns)
    shown = rows or [tuple("" for _ in columns)]
    lines = ", ".join("(" + ", ".join(exp.Literal.string(value).sql() for value in row) + ")" for row in shown)
    return f"SELECT * FROM (VALUES {lines}) AS t({names}) WHERE {'TRUE' if rows else 'FALSE'}"


def in_place_of(function: exp.Expr, value: exp.Expr) -> exp.Expr:
    """Keep the name of a result column whose expression is replaced."""
    is_column = isinstance(function.parent, exp.Select) and function.arg_key == "expressions"
    return exp.alias_(value, function.sql(dialect="snowflake"), quoted=True) if is_column else value
