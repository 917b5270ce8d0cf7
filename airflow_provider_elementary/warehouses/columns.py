"""Selects columns of any type so that the driver delivers values."""

from __future__ import annotations

from sqlglot import exp

#: PostgreSQL's types that ADBC delivers as values; of others it delivers the server's own binary form. A `money` comes
#: as hundredths, and `char(n)` with its padding.
_DIRECT = frozenset(
    {
        "array",
        "bigint",
        "boolean",
        "bytea",
        "character varying",
        "date",
        "double precision",
        "integer",
        "json",
        "jsonb",
        "numeric",
        "real",
        "smallint",
        "text",
        "time without time zone",
        "timestamp with time zone",
        "timestamp without time zone",
        "uuid",
    }
)


def selected(name: str, data_type: str, dialect: str) -> exp.Expr:
    """Return what to select for a column.

    :param name: as the warehouse spells it.
    :param data_type: as information_schema names it, lower case.
    """
    column = exp.column(exp.to_identifier(name, quoted=True))
    if dialect != "postgres" or data_type in _DIRECT:
        return column
    value: exp.Expr = exp.cast(column, "decimal") if data_type == "money" else column
    return exp.cast(value, "text").as_(name, quoted=True)
