"""Qualifies and quotes the names of a checked query."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from airflow_provider_elementary.access.guard.name_resolution import Resolved, SchemaPlace
from airflow_provider_elementary.access.guard.spelling import FOLDINGS, LEXICONS, UNKNOWN, Folding, Lexicon, lower
from airflow_provider_elementary.exceptions import QueryRefusedError

Edit = tuple[int, int, str]

#: Words that begin a statement, or a relation that is none, where a parser may see a name.
_STATEMENT_WORDS = frozenset(
    "alter analyze attach backup begin break bulk call checkpoint close comment commit continue copy create dbcc "
    "deallocate declare delete deny desc describe detach disable do drop enable end exec execute exit explain export "
    "fetch force from go goto grant if import insert install kill list listen load lock merge notify open optimize "
    "pivot pragma print put raiserror readtext reconfigure refresh release reset restore return revert revoke rollback "
    "save send set setuser show shutdown summarize system table throw truncate uncache undrop unload unlock unpivot "
    "update updatetext use vacuum values waitfor while writetext".split()
)
_AFTER_AS = re.compile(r"\bas\s+\Z", re.IGNORECASE)


def qualify(sql: str, statement: exp.Expr, resolved: Resolved, place: SchemaPlace) -> str:
    """Return the statement with every table fully qualified, and every name that it defines or reads from in quotes.

    The text between these names stays as it was. A name in quotes is no keyword, so ``(show users)`` cannot become a
    statement, and a fully qualified one does not depend on the session's search path.

    :raises QueryRefusedError: a name cannot be quoted, or its position is unknown.
    """
    out, position = [], 0
    for start, end, name in sorted(set(_edits(statement, resolved, place, sql))):
        if start < position:
            raise QueryRefusedError("two names have one place in the text")
        # A quote that touches a word would be read as a prefix of a string.
        before = " " if start and (sql[start - 1].isalnum() or sql[start - 1] == "_") else ""
        after = " " if sql[end + 1 : end + 2].isalnum() or sql[end + 1 : end + 2] == "_" else ""
        out.append(sql[position:start] + before + name + after)
        position = end + 1
    return "".join([*out, sql[position:]])


def _edits(statement: exp.Expr, resolved: Resolved, place: SchemaPlace, sql: str) -> Iterator[Edit]:
    folding = FOLDINGS.get(place.dialect, UNKNOWN)
    lexicon = LEXICONS.get(place.dialect, Lexicon())
    for table in statement.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            continue
        spans = [_span(part) for part in table.parts]
        start, end = min(span[0] for span in spans), max(span[1] for span in spans)
        _check_word(table.parts[0], sql, start)
        if id(table) not in resolved.of_catalog:
            yield start, end, _quoted(_spelled(table.this, folding), lexicon)
        else:
            parts = (place.database, place.schema, folding.name(table.this))
            yield start, end, ".".join(_quoted(part, lexicon) for part in parts if part is not None)
    for identifier in _defined(statement):
        if not identifier.args.get("quoted") and "start" in identifier.meta:
            _check_word(identifier, sql, _span(identifier)[0])
            yield *_span(identifier), _quoted(_spelled(identifier, folding), lexicon)


def _defined(statement: exp.Expr) -> Iterator[exp.Identifier]:
    """Yield the names that a statement gives to columns and relations."""
    for node in statement.walk():
        names: list[object] = []
        if isinstance(node, exp.Alias):
            names = [node.args.get("alias")]
        elif isinstance(node, exp.Aliases):
            names = list(node.expressions)
        elif isinstance(node, exp.TableAlias):
            names = [node.this, *node.columns]
        elif isinstance(node, exp.Unnest):
            names = [node.args.get("offset")]
        yield from (name for name in names if isinstance(name, exp.Identifier))


def _check_word(identifier: exp.Expr, sql: str, start: int) -> None:
    """Refuse a name that the warehouse may read as the beginning of a statement."""
    word = lower(identifier.name)
    if word in _STATEMENT_WORDS and not identifier.args.get("quoted") and not _AFTER_AS.search(sql, 0, start):
        raise QueryRefusedError(f"the word {word.upper()} has to be quoted to be a name")


def _span(identifier: exp.Expr) -> tuple[int, int]:
    try:
        return identifier.meta["start"], identifier.meta["end"]
    except KeyError:
        raise QueryRefusedError("the position of a name is unknown") from None


def _spelled(identifier: exp.Identifier, folding: Folding) -> str:
    """Return the name as it has to be written in quotes."""
    return identifier.name if identifier.args.get("quoted") else folding.spelled(identifier.name)


def _quoted(name: str, lexicon: Lexicon) -> str:
    quote = lexicon.names[0]
    if ("\\" in name and lexicon.backslash) or (quote in name and quote != '"'):
        raise QueryRefusedError("a name with a quote or a backslash in it is not allowed")
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"
