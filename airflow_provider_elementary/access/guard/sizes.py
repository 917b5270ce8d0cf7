"""Bounds the arguments of functions that return more than they were given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from sqlglot import Token, TokenType

from airflow_provider_elementary.exceptions import QueryRefusedError

#: Characters to pad to, and characters that a pattern may add.
MAX_SIZE = 10_000
#: Characters of a format or of a replacement.
_MAX_TEXT = 1_000
_MAX_REPLACEMENT = 100
#: A format that takes a width from an argument, or names one of four digits, or nests another.
_WIDE = re.compile(r"\*|\d{4}|\{[^{}]*\{")


def _is_size(argument: Sequence[Token]) -> bool:
    kinds = [token.token_type for token in argument]
    return kinds == [TokenType.NUMBER] and argument[0].text.isdecimal() and int(argument[0].text[:9]) <= MAX_SIZE


def _is_format(argument: Sequence[Token]) -> bool:
    return _is_text(argument, _MAX_TEXT) and not _WIDE.search(argument[0].text)


def _is_replacement(argument: Sequence[Token]) -> bool:
    return _is_text(argument, _MAX_REPLACEMENT)


def _is_text(argument: Sequence[Token], characters: int) -> bool:
    kinds = [token.token_type for token in argument]
    return kinds in ([TokenType.STRING], [TokenType.RAW_STRING]) and len(argument[0].text) <= characters


Check = tuple[int, Callable[[Sequence[Token]], bool], str]

_SIZE = f"a number up to {MAX_SIZE:_}"
_FORMAT = f"a string of up to {_MAX_TEXT:_} characters, with widths below 1000"
_REPLACEMENT = f"a string of up to {_MAX_REPLACEMENT} characters"

#: Which argument of a function decides how much it returns, counted from 0.
_BOUNDED: Mapping[str, Check] = MappingProxyType(
    {
        **dict.fromkeys(
            ("lpad", "rpad", "leftpad", "rightpad", "tofixedstring", "format_number", "str"), (1, _is_size, _SIZE)
        ),
        "bar": (3, _is_size, _SIZE),
        "factorial": (0, _is_size, _SIZE),
        **dict.fromkeys(("printf", "format_string"), (0, _is_format, _FORMAT)),
        "format": (0, _is_format, _FORMAT),
        **dict.fromkeys(
            ("replace", "regexp_replace", "replaceall", "replaceone", "replaceregexpall", "replaceregexpone"),
            (2, _is_replacement, _REPLACEMENT),
        ),
    }
)

#: Types that fill a value up to their size.
_FILLED = frozenset("char character nchar bpchar fixedstring bit binary varying".split())


def check_sizes(tokens: Sequence[Token], sql: str, dialect: str) -> None:
    """Refuse a call whose result may be of any size, and a cast that fills a value up.

    :raises QueryRefusedError: the argument that decides is not a small literal.
    """
    for i, token in enumerate(tokens[:-1]):
        if tokens[i + 1].token_type is not TokenType.L_PAREN:
            continue
        name = sql[token.start : token.end + 1].strip('"`').lower()
        bound = (1, _is_format, _FORMAT) if (name, dialect) == ("format", "tsql") else _BOUNDED.get(name)
        arguments = list(_arguments(tokens, i + 1))
        if bound is not None:
            at, fits, allowed = bound
            if at < len(arguments) and not fits(arguments[at]):
                raise QueryRefusedError(f"argument {at + 1} of {name} has to be {allowed}")
        elif name in _FILLED and arguments and not all(map(_is_size, arguments)):
            raise QueryRefusedError(f"the size of the type {name} has to be {_SIZE}")


def _arguments(tokens: Sequence[Token], opening: int) -> Iterator[list[Token]]:
    """Yield the tokens of each argument after this bracket."""
    depth, argument = 0, list[Token]()
    for token in tokens[opening:]:
        depth += token.token_type in _OPENING
        depth -= token.token_type in _CLOSING
        if depth == 0 or (depth == 1 and token.token_type is TokenType.COMMA):
            yield argument
            argument = []
        elif token is not tokens[opening]:
            argument.append(token)
        if depth == 0:
            return


_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})
