"""Outlines a statement with sqlparse.

It finds the number and kind of statements, and the names after FROM and JOIN. sqlparse has no grammar and no dialect,
so it does not share the mistakes of the second parser, sqlglot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlparse import tokens as kinds
from sqlparse.engine import FilterStack
from sqlparse.lexer import tokenize

from airflow_provider_elementary.access.guard.spelling import lower
from airflow_provider_elementary.exceptions import QueryRefusedError


@dataclass(frozen=True)
class Word:
    """One token, with its first and last position in the statement."""

    kind: kinds._TokenType
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """The text as keywords are compared: upper case, runs of spaces become one."""
        return " ".join(self.text.upper().split())

    @property
    def is_literal(self) -> bool:
        """Whether this is a string or a quoted name."""
        return self.text[:1] in "'\"`"

    @property
    def is_name(self) -> bool:
        """Whether this may be (a part of) a name; sqlparse takes many names for keywords."""
        return bool(re.match(r"[\"`'\w]", self.text))


@dataclass(frozen=True)
class Outline:
    """What sqlparse sees in a statement.

    :param relations: the dotted names after FROM, JOIN and the commas between, lower case, without quotes.
    :param functions: the names among them that a bracket follows.
    :param literals: first and last position of every string and quoted name.
    """

    relations: frozenset[str]
    functions: frozenset[str]
    literals: tuple[tuple[int, int], ...]


def outline(sql: str, *, from_first: bool = False) -> Outline:
    """Return what sqlparse sees in a text without comments.

    :param from_first: a query may begin with FROM, as on DuckDB.
    :raises QueryRefusedError: it is not exactly one statement, or not a query.
    """
    statements = list(FilterStack().run(sql))  # type: ignore[no-untyped-call]
    if len(statements) != 1:
        raise QueryRefusedError("more than one statement is not allowed")
    words = list(_words((token.ttype, token.value) for token in statements[0].flatten()))
    _check_kind([word for word in words if not word.is_literal], ("SELECT", "WITH", *["FROM"] * from_first))
    names = frozenset(_relations(words))
    functions = frozenset(name for name in names if name.endswith("("))
    return Outline(
        names - functions,
        frozenset(name[:-1] for name in functions),
        tuple((word.start, word.end) for word in words if word.is_literal),
    )


def _words(tokens: Iterable[tuple[kinds._TokenType, str]], position: int = 0) -> Iterator[Word]:
    for kind, text in tokens:
        if kind in kinds.Comment:
            raise QueryRefusedError("the two parsers disagree about where a comment ends")
        if text[0] == "[" and len(text) > 1:
            # This is a list; sqlparse takes it for a name.
            yield from _words([(kinds.Punctuation, "["), *tokenize(text[1:])], position)  # type: ignore[no-untyped-call]
        elif kind in kinds.Keyword.TZCast:
            # AT TIME ZONE 'UTC' is one token to sqlparse, its string included.
            words, _, string = text.partition("'")
            yield Word(kinds.Keyword, words.rstrip(), position, position + len(words.rstrip()) - 1)
            yield Word(kinds.String.Single, f"'{string}", position + len(words), position + len(text) - 1)
        elif not text.isspace():
            yield Word(kind, text, position, position + len(text) - 1)
        position += len(text)


#: Words of statements and clauses that write, or name a table where no FROM stands, whatever a parser makes of them.
_NEVER = frozenset("ALTER CREATE DELETE DROP DUMPFILE INSERT INTO MERGE OUTFILE TABLE TRUNCATE UPDATE UPSERT".split())


def _check_kind(words: list[Word], firsts: tuple[str, ...]) -> None:
    first = next((word for word in words if word.text != "("), None)
    if first is None or first.upper not in firsts:
        raise QueryRefusedError("the statement has to begin with SELECT or WITH")
    for i, word in enumerate(words):
        after = words[i + 1].text if i + 1 < len(words) else ""
        is_name = words[i - 1].upper in (".", "AS") or after in ("(", ".")
        if word.upper.split(" ")[0] in _NEVER and (word.upper == "INTO" or not is_name):
            raise QueryRefusedError(f"{word.upper} is not allowed, only SELECT")


#: Words after which a comma no longer separates relations.
_ENDS_FROM = frozenset(
    "WHERE PREWHERE GROUP HAVING WINDOW QUALIFY ORDER LIMIT OFFSET FETCH UNION EXCEPT INTERSECT MINUS VALUES "
    "WITH".split()
)


@dataclass
class _Level:
    """One level of brackets: whether a SELECT was seen in it, and whether its FROM clause is open."""

    selects: bool = False
    in_from: bool = False
    opened_by_from: bool = field(default=False)


def _relations(words: list[Word]) -> Iterator[str]:
    levels = [_Level()]
    for i, word in enumerate(words):
        level, keyword = levels[-1], word.upper.split(" ")
        named = False
        if word.text == "(":
            # A bracket in the place of a relation, FROM (a JOIN b), holds relations itself unless it holds a query.
            levels.append(_Level(selects=level.opened_by_from, in_from=level.opened_by_from))
            named = level.opened_by_from
        elif word.text == ")":
            if len(levels) > 1:
                levels.pop()
            levels[-1].opened_by_from = False
            continue
        elif i and words[i - 1].text == ".":
            pass
        elif keyword[0] == "SELECT":
            level.selects, level.in_from = True, False
        elif keyword[0] in _ENDS_FROM:
            level.in_from = False
        elif keyword[-1] == "JOIN" or (word.text == "," and level.in_from):
            # ClickHouse's ARRAY JOIN takes expressions.
            named = "ARRAY" not in (keyword[0], keyword[-2:][0], words[i - 1].upper)
            level.in_from = level.in_from and named
        elif keyword == ["APPLY"] and words[i - 1].upper in ("CROSS", "OUTER"):
            named = True
        elif keyword == ["FROM"] and (level.selects or i == 0) and not _is_distinct_from(words, i):
            level.in_from = named = True
        elif keyword[0] == "LATERAL" and level.in_from:
            # The names after LATERAL VIEW are those of columns.
            named = level.in_from = "VIEW" not in (*keyword, *(word.upper for word in words[i + 1 : i + 2]))
        level.opened_by_from = named
        if named and (relation := _dotted_name(words, i + 1)):
            level.opened_by_from = False
            yield relation


def _is_distinct_from(words: list[Word], i: int) -> bool:
    return i > 1 and words[i - 1].upper == "DISTINCT" and words[i - 2].upper in ("IS", "NOT", "IS NOT")


def _dotted_name(words: list[Word], i: int) -> str | None:
    """Read the name that begins here; None if a bracket or a keyword is here instead."""
    if i >= len(words) or not words[i].is_name or words[i].upper in ("SELECT", "LATERAL", "WITH"):
        return None
    if words[i].upper == "VALUES" and [word.text for word in words[i + 1 : i + 2]] == ["("]:
        return None
    text, end = words[i].text, words[i].end
    for word in words[i + 1 :]:
        # Dots may have blanks around them; BigQuery's project names hold dashes, which may not.
        adjacent = word.start == end + 1 and (word.is_name or word.text[0] == "-")
        if not (adjacent or word.text == "." or (text.endswith(".") and word.is_name)):
            break
        text, end = text + word.text, word.end
    following = next((word.text for word in words[i:] if word.start > end), "")
    return lower(without_quotes(text)) + ("(" if following == "(" else "")


def without_quotes(name: str) -> str:
    """Return a name without any quote, including those inside the name: sqlparse does not distinguish them."""
    return re.sub(r"[\"'`]", "", name)
