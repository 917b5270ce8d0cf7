"""Removes comments and finds literals before any parser reads the statement.

Parsers and servers differ most often in where a literal or a comment ends. So comments are removed here, and text is
refused that two parsers could split differently. Both parsers read, and the warehouse runs, the text that is left.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_elementary.access.guard.spelling import Lexicon
from airflow_provider_elementary.exceptions import QueryRefusedError

#: Longer than any query that a person writes; limits the time of parsing.
MAX_LENGTH = 50_000
#: Deeper than any query that a person writes; limits the recursion of the parsers.
MAX_DEPTH = 60
#: More than any query that a person writes: the time to parse ``a[1][1]…`` grows with the square of their number.
MAX_SQUARE_BRACKETS = 100


@dataclass(frozen=True)
class Text:
    """A statement without its comments, and where its literals are.

    :param sql: stripped, with no trailing semicolon; every comment has become a space.
    :param literals: first and last position of every string and quoted name in ``sql``, quotes included.
    """

    sql: str
    literals: tuple[tuple[int, int], ...]


#: Characters that mean something else in every warehouse, outside literals and comments.
_SPECIAL = {
    "$": "dollar quotes, parameters and session variables are not allowed",
    "\\": "a backslash outside a string is not allowed",
    "{": "templates and braces are not allowed",
    "}": "templates and braces are not allowed",
    "?": "bind placeholders are not allowed",
    "`": "backticks do not quote names in this dialect",
}
_OPERATOR_CHARACTERS = {
    "@": "stages, variables and versions (@) are not allowed",
    "#": "only -- and /* */ mark comments here",
    "//": "only -- and /* */ mark comments here",
    "->>": "the flow operator is not allowed",
    "|>": "pipe syntax is not allowed",
    "..": "a name with an empty part is not allowed",
}
_WORD_BEFORE_QUOTE = re.compile(r"[\w&$@]+\Z", re.ASCII)


def read_text(sql: str, lexicon: Lexicon) -> Text:
    """Remove the comments from exactly one statement.

    :param sql: what the person wrote.
    :raises QueryRefusedError: more than one statement, or characters that two parsers could read differently.
    """
    _check_characters(sql)
    square_brackets = 0
    out: list[str] = []
    literals: list[tuple[int, int]] = []
    written = depth = i = 0
    end_of_statement = False
    while i < len(sql):
        here, pair = sql[i], sql[i : i + 2]
        if pair == "--":
            newline = sql.find("\n", i)
            i, piece = (len(sql) if newline < 0 else newline), " "
        elif pair == "/*":
            i, piece = _block_comment(sql, i), " "
        elif here.isspace():
            i, piece = i + 1, here
        elif here == ";":
            end_of_statement = True
            i, piece = i + 1, ""
        elif end_of_statement:
            raise QueryRefusedError("more than one statement is not allowed")
        elif here in lexicon.strings or here in lexicon.names:
            end = _literal(sql, i, lexicon)
            i, piece = end, sql[i:end]
            literals.append((written, written + len(piece) - 1))
        elif here == "[" and lexicon.brackets:
            i, piece = _bracketed(sql, i, lexicon)
            literals.append((written, written + len(piece) - 1))
        else:
            piece = _plain(sql, i, lexicon)
            depth += (piece in "([") - (piece in ")]")
            if depth > MAX_DEPTH:
                raise QueryRefusedError(f"more than {MAX_DEPTH} levels of brackets are not allowed")
            square_brackets += piece == "["
            if square_brackets > MAX_SQUARE_BRACKETS:
                raise QueryRefusedError(f"more than {MAX_SQUARE_BRACKETS} square brackets are not allowed")
            i += len(piece)
        out.append(piece)
        written += len(piece)
    text = "".join(out)
    if not text.strip():
        raise QueryRefusedError("the statement is empty")
    lead = len(text) - len(text.lstrip())
    return Text(text.strip(), tuple((start - lead, end - lead) for start, end in literals))


def _check_characters(sql: str) -> None:
    if len(sql) > MAX_LENGTH:
        raise QueryRefusedError(f"the statement has {len(sql)} characters, and at most {MAX_LENGTH} are allowed")
    for character in sql.replace("\r\n", "\n"):
        # Zero-width, bidirectional and control characters, exotic spaces and line ends, NUL, a lone carriage return.
        if not character.isprintable() and character not in "\t\n":
            raise QueryRefusedError(f"the invisible character U+{ord(character):04X} is not allowed")


def _block_comment(sql: str, start: int) -> int:
    end = sql.find("*/", start + 2)
    if end < 0:
        raise QueryRefusedError("a comment does not end")
    body = sql[start + 2 : end]
    if body[:1] in ("!", "+"):
        raise QueryRefusedError("comments that some warehouses execute (/*!, hints) are not allowed")
    # PostgreSQL nests comments, most others do not: they would end it in different places.
    if "/*" in body or body.endswith("/"):
        raise QueryRefusedError("a comment inside a comment is not allowed")
    return end + 2


def _literal(sql: str, start: int, lexicon: Lexicon) -> int:
    """Return the position after the literal's closing quote."""
    quote = sql[start]
    is_string = quote in lexicon.strings
    prefix = _WORD_BEFORE_QUOTE.search(sql, max(0, start - 64), start)
    raw = False
    if prefix:
        raw = is_string and prefix.group().lower() == "r" and "r" in lexicon.prefixes
        if not is_string or prefix.group().lower() not in lexicon.prefixes:
            raise QueryRefusedError("a prefix that touches a quote is not allowed")
    if len(lexicon.strings) > 1 and is_string and sql.startswith(quote * 3, start):
        raise QueryRefusedError("triple quotes are not allowed")
    end, other = _closing(sql, start, escapes=False), _closing(sql, start, escapes=True)
    if lexicon.backslash and is_string and not raw:
        end = other
    # A parser that finds no end of the quote refuses the statement, so a last ESCAPE with a backslash is safe.
    elif end != other and (lexicon.backslash or other is not None):
        raise QueryRefusedError("a backslash before a quote is read differently by different warehouses")
    if end is None:
        raise QueryRefusedError("a quote does not end")
    if end == start + 1 and not is_string:
        raise QueryRefusedError("a name with an empty part is not allowed")
    return end + 1


def _bracketed(sql: str, start: int, lexicon: Lexicon) -> tuple[int, str]:
    """Return the position after a name in brackets, and that name in quotes."""
    name, closed, _ = sql[start + 1 :].partition("]")
    end, quote = start + len(name) + 2, lexicon.names[0]
    if not closed or not name or quote in name or "[" in name or sql.startswith("]", end):
        raise QueryRefusedError("a name in brackets with a bracket or a quote in it is not allowed")
    if _WORD_BEFORE_QUOTE.search(sql, max(0, start - 64), start):
        raise QueryRefusedError("a prefix that touches a quote is not allowed")
    return end, f"{quote}{name}{quote}"


def _closing(sql: str, start: int, *, escapes: bool) -> int | None:
    quote, i = sql[start], start + 1
    while i < len(sql):
        if sql[i] == "\\" and escapes:
            i += 2
        elif sql[i] != quote:
            i += 1
        elif sql.startswith(quote, i + 1):
            i += 2
        else:
            return i
    return None


def _plain(sql: str, start: int, lexicon: Lexicon) -> str:
    """Return the operator or the single character at this position, outside literals and comments."""
    for length in (3, 2):
        operator = sql[start : start + length]
        if operator in lexicon.operators:
            return operator
        if operator in _OPERATOR_CHARACTERS:
            raise QueryRefusedError(_OPERATOR_CHARACTERS[operator])
    here = sql[start]
    if reason := _SPECIAL.get(here) or _OPERATOR_CHARACTERS.get(here):
        raise QueryRefusedError(reason)
    if not here.isascii():
        # Some letters become ASCII when their case is folded, and some quotes and signs only look like ASCII.
        raise QueryRefusedError("letters outside ASCII are only allowed in strings and quoted names")
    return here
