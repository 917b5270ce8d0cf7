"""Quotes names and texts in SQL, by each warehouse's rules."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

# sqlglot is imported where it is used: the page imports this module and writes no SQL for a warehouse.
if TYPE_CHECKING:
    from sqlglot import exp


def identifier(name: str, dialect: str) -> str:
    """Return a name as a quoted identifier."""
    from sqlglot import exp

    return exp.to_identifier(name, quoted=True).sql(dialect)


def literal(text: str, dialect: str) -> str:
    """Return a text as a string literal; where a backslash escapes, it is escaped."""
    from sqlglot import exp

    if dialect == "redshift":
        # A doubled quote ends no literal of Redshift's, whether or not backslashes escape there; sqlglot writes \\'.
        return literal(text.replace("\\", "\\\\"), "postgres")
    return exp.Literal.string(text).sql(dialect)


def column(name: str) -> exp.Column:
    """Return a quoted column."""
    from sqlglot import exp

    return exp.column(exp.to_identifier(name, quoted=True))


def timestamp(moment: datetime) -> exp.Cast:
    """Return a time without a zone, to the microsecond."""
    from sqlglot import exp

    return exp.cast(exp.Literal.string(moment.isoformat(sep=" ", timespec="microseconds")), "timestamp")
