"""Reads the tables of a statement and removes its literals."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel

from airflow_provider_elementary.access.guard.tokens import STRINGS

#: A longer statement is not read: what it does is not known.
LONGEST = 100_000
_NODES_READ = 8
#: What a name is, quoted or not.
_NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER})
_LITERALS = STRINGS | {TokenType.NUMBER, TokenType.PLACEHOLDER}
_BEGINNINGS = frozenset(
    {
        TokenType.SELECT,
        TokenType.WITH,
        TokenType.L_PAREN,
        TokenType.INSERT,
        TokenType.UPDATE,
        TokenType.DELETE,
        TokenType.MERGE,
        TokenType.CREATE,
    }
)
_KINDS = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create)
_CREATED = frozenset({"TABLE", "VIEW"})
#: Anything else in quotes may be a text that its author took for a literal.
_NAME = re.compile(r"[\w$ .\-]{1,255}")
_NODE = re.compile(r"(?:model|test|seed|snapshot|operation|analysis|unit_test|source)\.[\w.\-]{1,400}")
_JSON_OBJECT = re.compile(r"\{[^{}]{0,4000}\}")
_COMMENT = re.compile(r"/\*(.{0,5000}?)\*/", re.DOTALL)
#: dbt writes its comment before the statement, or after it where the project says so.
_COMMENT_PLACES = 6_000
_VALUE = "?"
_Found: TypeAlias = tuple[tuple[str, ...], str | None] | None
_MOST_KNOWN = 20_000
_KNOWN: dict[bytes, _Found] = {}


@dataclass(frozen=True)
class Statement:
    """What is kept of a statement.

    :param sha256: of the text without literals and comments, its first half; None where it was not understood.
    :param text: that text.
    :param tables: the tables that it reads, sorted, as Elementary writes names: in upper case.
    :param target: the table that it writes.
    """

    sha256: str | None = None
    text: str | None = None
    tables: tuple[str, ...] = ()
    target: str | None = None


#: A statement of which nothing is known.
NOT_UNDERSTOOD = Statement()


def read_statement(text: str | None, dialect: str) -> Statement:
    """Return what a statement reads, and its text without literals and comments.

    Only a query, and a statement that writes rows or builds a table or view, is read; nothing of another one is kept.

    :param text: as the warehouse shows it.
    :param dialect: sqlglot's name of the warehouse's SQL.
    """
    if not text or len(text) > LONGEST:
        return NOT_UNDERSTOOD
    try:
        with _without_warnings():
            tokens = _grammar(dialect).tokenize(text)
            if not tokens or tokens[0].token_type not in _BEGINNINGS or _has_bare_value(tokens):
                return NOT_UNDERSTOOD
            canonical = _canonical(tokens, text)
            found = _known(canonical, tokens, text, dialect)
    except Exception:  # on some input sqlglot raises errors of any kind, whose text quotes it
        return NOT_UNDERSTOOD
    if found is None:
        return NOT_UNDERSTOOD
    digest = hashlib.sha256(canonical.encode("utf-8", "replace")).hexdigest()[:32]
    return Statement(digest, canonical, *found)


def dbt_node(*texts: str | None) -> str | None:
    """Return the dbt node that a query's tag or the comment of dbt names; None where none does.

    Only the id is taken: anybody who writes a query may name any node.
    """
    for text in texts:
        for found in _objects(text or ""):
            if isinstance(found, dict):
                name = found.get("node_id")
                if isinstance(name, str) and _NODE.fullmatch(name):
                    return name
    return None


def _objects(text: str) -> Iterator[object]:
    places = [text] if text.lstrip().startswith("{") else []
    if not places:
        ends = text if len(text) <= 2 * _COMMENT_PLACES else f"{text[:_COMMENT_PLACES]}\n{text[-_COMMENT_PLACES:]}"
        places = [found[1] for found in _COMMENT.finditer(ends)][:_NODES_READ]
    for place in places:
        for found in list(_JSON_OBJECT.finditer(place))[:_NODES_READ]:
            try:
                yield json.loads(found[0])
            except (ValueError, RecursionError):
                continue


def _canonical(tokens: list[Token], text: str) -> str:
    """Return the words of a statement, with one mark in place of each literal or list of literals."""
    words: list[str] = []
    before: Token | None = None
    for token in tokens:
        if token.token_type is TokenType.HINT:
            continue
        word = _word(token)
        is_attached = before is not None and before.end + 1 == token.start
        if words and words[-1] == _VALUE and token.token_type is TokenType.VAR and is_attached:
            # The rest of a number, as in 1_000 or 5L.
            before = token
            continue
        if word == _VALUE:
            if words and words[-1] in ("$", "@"):
                words.pop()
            if words[-2:] == [_VALUE, ","]:
                del words[-2:]
        words.append(word)
        if words[-7:] == ["(", _VALUE, ")", ",", "(", _VALUE, ")"]:
            del words[-4:]
        before = token
    return " ".join(words)


def _has_bare_value(tokens: list[Token]) -> bool:
    """Return whether options name a value without quotes, which could be a password: two names in a row."""
    depth = 0
    for before, token in pairwise(tokens):
        if token.token_type is TokenType.L_PAREN and (depth or before.text.upper() == "OPTIONS"):
            depth += 1
        elif token.token_type is TokenType.R_PAREN and depth:
            depth -= 1
        elif depth and {before.token_type, token.token_type} <= _NAMES:
            return True
    return False


def _word(token: Token) -> str:
    if token.token_type in _LITERALS:
        return _VALUE
    if token.token_type is TokenType.IDENTIFIER:
        return f'"{token.text if _NAME.fullmatch(token.text) else _VALUE}"'
    return token.text.lower()


def _grammar(dialect: str) -> Dialect:
    grammar = Dialect.get_or_raise(dialect)
    # Another offset makes sqlglot infer types within each bracket again; no SQL is written from the tree.
    grammar.INDEX_OFFSET = 0
    return grammar


def _known(canonical: str, tokens: list[Token], text: str, dialect: str) -> _Found:
    """Return what statements that differ in literals only have in common: most of a history repeats few of them."""
    # A digest, as a text may be long.
    key = hashlib.sha256(f"{dialect}\0{canonical}".encode("utf-8", "replace")).digest()
    if key not in _KNOWN:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = _parsed(tokens, text, dialect)
    return _KNOWN[key]


def _parsed(tokens: list[Token], text: str, dialect: str) -> _Found:
    """Return the tables that a statement reads, and the one it writes; None for a statement of another kind."""
    trees = _grammar(dialect).parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, text)
    if len(trees) != 1 or not isinstance(tree := trees[0], _KINDS) or tree.find(exp.Command) is not None:
        return None
    if isinstance(tree, exp.Create) and str(tree.args.get("kind", "")).upper() not in _CREATED:
        return None
    writes = not isinstance(tree, exp.Query) and isinstance(tree.this, exp.Expression)
    target = tree.this.find(exp.Table) if writes else None
    for hint in tree.find_all(exp.Hint):
        hint.set("expressions", [])
    read = {
        name
        for table in tree.find_all(exp.Table)
        if table is not target and (name := _name(table)) and not _is_cte(table, name)
    }
    return tuple(sorted(read)), _name(target) if target is not None else None


def _is_cte(table: exp.Table, name: str) -> bool:
    """Return whether a name is that of a CTE: one of a query around the table, or, within a CTE, an earlier one."""
    inner: exp.Expr = table
    while (outer := inner.parent) is not None:
        clause = outer if isinstance(outer, exp.With) else outer.args.get("with_")
        if isinstance(clause, exp.With) and clause is not inner:
            for cte in clause.expressions:
                if cte is inner and not clause.recursive:
                    break
                if cte.alias.upper() == name:
                    return True
        inner = outer
    return False


def _name(table: exp.Table) -> str | None:
    # What is no identifier is a function, or a value.
    if not all(isinstance(part, exp.Identifier) for part in table.parts):
        return None
    parts = [part.name for part in table.parts]
    if not parts or not all(_NAME.fullmatch(part) for part in parts):
        return None
    return ".".join(parts).upper()


class _QuietFilter(logging.Filter):
    """Drops what sqlglot would log of a statement: its text, with the literals."""

    def __init__(self) -> None:
        super().__init__()
        self.here = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self.here, "is_quiet", False)


_QUIET = _QuietFilter()
logging.getLogger("sqlglot").addFilter(_QUIET)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Let sqlglot log nothing in this thread."""
    _QUIET.here.is_quiet = True
    try:
        yield
    finally:
        _QUIET.here.is_quiet = False
