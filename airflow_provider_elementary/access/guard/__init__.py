"""Refuses every statement except one plain query over Elementary's tables.

Two parsers read the statement: sqlparse splits and classifies it, sqlglot parses it in the warehouse's dialect. They
have to agree on every literal and every relation. Only what :mod:`grammar` and :mod:`functions` list is allowed. What
runs has every table fully qualified and every name of a relation in quotes, and is itself checked. The guard is the
second line of defence, after the role of the connection.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import InitVar, dataclass
from functools import lru_cache
from itertools import pairwise

from sqlglot import Dialects, Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel

from airflow_provider_elementary.access.guard.functions import FUNCTIONS, PORTABLE, TABLE_FUNCTIONS
from airflow_provider_elementary.access.guard.grammar import GRAMMAR_WORDS, TYPE_WORDS, check_grammar, column_lists
from airflow_provider_elementary.access.guard.name_resolution import Resolved, SchemaPlace, resolve_names
from airflow_provider_elementary.access.guard.preprocess import Text, read_text
from airflow_provider_elementary.access.guard.qualification import qualify
from airflow_provider_elementary.access.guard.sizes import check_sizes
from airflow_provider_elementary.access.guard.spelling import LEXICONS, Lexicon
from airflow_provider_elementary.access.guard.sqlparse_outline import outline, without_quotes
from airflow_provider_elementary.access.guard.tokens import STRINGS
from airflow_provider_elementary.exceptions import QueryRefusedError

_PASSED = object()
#: Dialects in which a query may begin with FROM.
_FROM_FIRST = frozenset({"clickhouse", "duckdb"})


@dataclass(frozen=True)
class GuardedQuery:
    """A statement that has passed the guard; only :func:`guard_query` creates one.

    :param sql: the statement to run: every table qualified, without comments and without a trailing semicolon.
    :param tables: the catalog tables that it reads, lower case, sorted.
    :param dialect: sqlglot's name of the SQL that it is written in.
    """

    sql: str
    tables: tuple[str, ...]
    dialect: str
    passed: InitVar[object] = None

    def __post_init__(self, passed: object) -> None:
        if passed is not _PASSED:
            raise TypeError("Only guard_query() may create a GuardedQuery: it checks the statement.")


def guard_query(
    sql: str, *, dialect: str, schema: str, database: str | None = None, quoted_tables: frozenset[str] = frozenset()
) -> GuardedQuery:
    """Return the statement if it is one plain query over tables of the Elementary schema, else refuse it.

    :param sql: what a person wrote.
    :param dialect: sqlglot's name of the warehouse's SQL. For dialects that only sqlglot knows, only portable
        functions are allowed, and names only as the dbt package spells them.
    :param schema: the Elementary schema, spelled as in the warehouse's system catalog.
    :param database: the database of that schema, spelled the same way; without it, statements may not name a database.
    :param quoted_tables: tables that the warehouse stores as dbt quotes their names, in lower case on Snowflake.
    :raises QueryRefusedError: the statement is not allowed; the reason is the first one found.
    """
    try:
        return _guard(sql, dialect, schema, database, quoted_tables)
    except RecursionError:
        raise QueryRefusedError("the statement is nested too deeply to be read") from None


# The answer depends on nothing else; a triggerer and a long test ask about the same few statements again and again.
@lru_cache(maxsize=256)
def _guard(sql: str, dialect: str, schema: str, database: str | None, quoted_tables: frozenset[str]) -> GuardedQuery:
    if dialect not in Dialects.__members__.values() or not dialect:
        raise QueryRefusedError(f"no grammar is known for the dialect {dialect!r}; known well: {', '.join(LEXICONS)}")
    place = SchemaPlace(dialect, schema, database, FUNCTIONS.get(dialect, PORTABLE), quoted_tables)
    checked = _check(sql, place)
    rewritten = qualify(checked.sql, checked.statement, checked.resolved, place)
    # What runs is what was checked: the rewritten text passes on its own, and there is nothing left to rewrite in it.
    again = _check(rewritten, place)
    unchanged = qualify(again.sql, again.statement, again.resolved, place) == again.sql == rewritten
    if not unchanged or again.resolved.tables != checked.resolved.tables:
        raise QueryRefusedError("its names mean something else once they are qualified")
    return GuardedQuery(rewritten, again.resolved.tables, dialect, _PASSED)


@dataclass(frozen=True)
class _Checked:
    sql: str
    statement: exp.Query
    resolved: Resolved


def _check(sql: str, place: SchemaPlace) -> _Checked:
    """Return the statement without comments, parsed and resolved.

    :raises QueryRefusedError: it is not allowed.
    """
    lexicon = LEXICONS.get(place.dialect, Lexicon())
    text = read_text(sql, lexicon)
    table_functions = TABLE_FUNCTIONS.get(place.dialect, frozenset())
    first = outline(text.sql, from_first=place.dialect in _FROM_FIRST)
    tokens, statement = _parse(text, place.dialect)
    if text.literals != first.literals or text.literals != _literals(tokens, text):
        raise QueryRefusedError("the two parsers disagree about where a string or a quoted name ends")
    _check_calls(statement, tokens, text.sql, place.functions | table_functions)
    check_sizes(tokens, text.sql, place.dialect)
    check_grammar(statement, place.dialect)
    _check_no_string_is_a_table(statement, text.sql, lexicon)
    resolved = resolve_names(statement, place)
    if frozenset(map(without_quotes, resolved.relations)) != first.relations:
        raise QueryRefusedError("the two parsers disagree about which tables it reads")
    if others := first.functions - table_functions - GRAMMAR_WORDS:
        raise QueryRefusedError(f"the table function {_shown(min(others))} is not on the allow-list")
    return _Checked(text.sql, statement, resolved)


def _parse(text: Text, dialect: str) -> tuple[list[Token], exp.Query]:
    grammar = Dialect.get_or_raise(dialect)
    # Another offset makes sqlglot infer types within each bracket again; no SQL is written from this tree.
    grammar.INDEX_OFFSET = 0
    try:
        tokens = grammar.tokenize(text.sql)
        statements = grammar.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text.sql)
    except RecursionError:
        raise
    except Exception:  # on some input, sqlglot raises errors of any kind
        raise QueryRefusedError(f"it is not valid {dialect} SQL, or of a kind that is not known") from None
    if len(statements) != 1:
        raise QueryRefusedError("more than one statement is not allowed")
    if not isinstance(statements[0], exp.Query):
        raise QueryRefusedError("the statement has to begin with SELECT or WITH")
    return tokens, statements[0]


_QUOTED = STRINGS | {TokenType.IDENTIFIER}


def _literals(tokens: list[Token], text: Text) -> tuple[tuple[int, int], ...]:
    """Return where sqlglot sees literals, prefixes not counted."""
    found = []
    for token in tokens:
        if token.token_type in _QUOTED:
            prefix = 0 if text.sql[token.start] in "'\"`" else 1
            found.append((token.start + prefix, token.end))
    return tuple(found)


def _check_no_string_is_a_table(statement: exp.Expr, sql: str, lexicon: Lexicon) -> None:
    """Refuse FROM 'name', which sqlglot reads as a quoted name and a warehouse as a file."""
    for table in statement.find_all(exp.Table):
        if any(sql[part.meta.get("start", 0)] in lexicon.strings for part in table.parts):
            raise QueryRefusedError("stages and files are not tables")


def _check_calls(statement: exp.Expr, tokens: list[Token], sql: str, functions: frozenset[str]) -> None:
    """Refuse every call of a function that is not listed, by its name as written.

    sqlglot gives many spellings one meaning; the warehouse may have a user-defined function of the spelling used.
    """
    for call in statement.find_all(exp.Func):
        if "start" in call.meta:
            _check_function(sql[call.meta["start"] : call.meta["end"] + 1], functions)
        elif isinstance(call, (exp.Anonymous, exp.AnonymousAggFunc)):
            _check_function(call.name, functions)
    # sqlglot parses some calls as grammar (EXTRACT, TRIM), so the tokens are read as well.
    words = functions | GRAMMAR_WORDS | TYPE_WORDS
    column_lists_left = Counter(column_lists(statement))
    for i, (token, following) in enumerate(pairwise(tokens)):
        word = sql[token.start : token.end + 1]
        quoted = token.token_type is TokenType.IDENTIFIER
        if following.token_type is not TokenType.L_PAREN or not (quoted or word[0].isalpha() or word[0] == "_"):
            continue
        # GROUP BY and the like are one token: its last word is the one before the bracket.
        name = _unquoted(word) if quoted else word.lower().split()[-1]
        if i and tokens[i - 1].token_type is TokenType.DOT:
            _check_function(name if _follows_safe(tokens, i, sql) else f".{name}", functions)
        elif column_lists_left[name] > 0 and name not in words:
            column_lists_left[name] -= 1
        else:
            _check_function(word if quoted else name, words)


def _check_function(name: str, allowed: frozenset[str]) -> None:
    if name.lower() not in allowed:
        raise QueryRefusedError(f"the function {_shown(_unquoted(name))} is not on the allow-list")


def _follows_safe(tokens: list[Token], i: int, sql: str) -> bool:
    """Return whether BigQuery's SAFE. comes before the function, and nothing before that."""
    before = tokens[i - 2]
    return sql[before.start : before.end + 1].upper() == "SAFE" and tokens[i - 3].token_type is not TokenType.DOT


def _unquoted(name: str) -> str:
    return name.strip('."`').lower()


def _shown(name: str) -> str:
    return repr(name if len(name) <= 63 else name[:60] + "...")
