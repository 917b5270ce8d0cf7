"""Says how each dialect spells strings and names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from types import MappingProxyType

from sqlglot import exp

Fold = Callable[[str], str]

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def lower(name: str) -> str:
    """Fold a name as warehouses do. ``str.lower`` makes the Kelvin sign a k, which is another name to them."""
    return name.translate(_LOWER)


_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


def _exact(name: str) -> str:
    return name


def _upper(name: str) -> str:
    return name.translate(_UPPER)


@dataclass(frozen=True)
class Lexicon:
    """The spelling of one SQL dialect.

    :param strings: the characters that open and close a string.
    :param names: the characters that open and close a quoted name.
    :param backslash: whether a backslash in a string escapes the character after it.
    :param prefixes: letters that may touch the opening quote of a string, lower case.
    :param brackets: whether ``[name]`` is a quoted name; it becomes one in the first quotes of ``names``.
    :param operators: operators with characters that are refused elsewhere (``#``, ``@``, ``//``, ``->>``).
    """

    strings: str = "'"
    names: str = '"'
    backslash: bool = False
    prefixes: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset({"->>"})
    brackets: bool = False


LEXICONS: Mapping[str, Lexicon] = MappingProxyType(
    {
        "athena": Lexicon(),
        "bigquery": Lexicon("'\"", "`", backslash=True, prefixes=frozenset({"r"})),
        "clickhouse": Lexicon("'", '"`', backslash=True),
        "databricks": Lexicon("'\"", "`", backslash=True, prefixes=frozenset({"r"})),
        "duckdb": Lexicon(operators=frozenset({"->>", "//", "@>", "<@"})),
        "mysql": Lexicon("'\"", "`"),
        "postgres": Lexicon(
            prefixes=frozenset({"e"}),
            operators=frozenset({"->>", "#>", "#>>", "@>", "<@"}),
        ),
        "presto": Lexicon(),
        "redshift": Lexicon(),
        "snowflake": Lexicon(backslash=True, operators=frozenset()),
        "spark": Lexicon("'\"", "`", backslash=True, prefixes=frozenset({"r"})),
        "trino": Lexicon(),
        "tsql": Lexicon(operators=frozenset(), brackets=True),
    }
)


@dataclass(frozen=True)
class Folding:
    """How a warehouse decides that two spellings are one name.

    :param unquoted: turns a name without quotes into the name that it means.
    :param quoted: the same for a name in quotes.
    :param stored: how it stores the tables that the dbt package writes.
    :param stored_in_quotes: how it stores them where dbt quotes their names; None if that is the same.
    :param cte: the same for the name of a CTE or an alias, quoted or not; None if they are no special case.
    :param spelled: how a name without quotes is written in quotes.
    """

    unquoted: Fold = lower
    quoted: Fold = _exact
    stored: Fold = lower
    stored_in_quotes: Fold | None = None
    cte: Fold | None = None
    spelled: Fold = _exact

    def name(self, identifier: exp.Identifier) -> str:
        """Return the table or schema that this name means."""
        return (self.quoted if identifier.args.get("quoted") else self.unquoted)(identifier.name)

    def local(self, identifier: exp.Identifier) -> str:
        """Return the CTE or alias that this name means."""
        return self.cte(identifier.name) if self.cte else self.name(identifier)


#: Warehouses that compare names without regard to case still never confuse two tables of the catalog.
_CASELESS = Folding(quoted=lower)
#: For a warehouse whose rule is not known, names have to be written as the dbt package writes them.
UNKNOWN = Folding(unquoted=_exact)

FOLDINGS: Mapping[str, Folding] = MappingProxyType(
    {
        "athena": _CASELESS,
        "bigquery": Folding(unquoted=_exact, cte=lower),
        "clickhouse": Folding(unquoted=_exact),
        "databricks": _CASELESS,
        "duckdb": _CASELESS,
        "mysql": UNKNOWN,
        "postgres": Folding(spelled=lower),
        "presto": _CASELESS,
        # Quoted names fold too unless enable_case_sensitive_identifier is set, which a guard cannot see.
        "redshift": Folding(spelled=lower),
        "snowflake": Folding(unquoted=_upper, stored=_upper, stored_in_quotes=lower, spelled=_upper),
        "spark": _CASELESS,
        "trino": _CASELESS,
        # The collation of the database decides.
        "tsql": UNKNOWN,
    }
)

#: Warehouses where `a.b` with `a` no table of the query is a sequence or a function, not a field of column `a`.
STRICT_QUALIFIERS = frozenset({"postgres", "redshift", "snowflake"})
#: Warehouses where `t.f` calls the function f(t) if table t has no column f.
CALLS_BY_DOT = frozenset({"postgres", "redshift"})
