"""Reads JSON in Elementary's text columns, valid or not."""

from __future__ import annotations

import ast
import json
from functools import lru_cache
from typing import Any

_NOTHING = frozenset({"", "none", "null", "nan"})


def json_list(text: str | None) -> list[Any]:
    """Return the entries of a JSON list; anything else, and what is no JSON, is one entry, and nothing is none."""
    if text is None:
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [text]
    return found if isinstance(found, list) else [found]


def json_object(text: str | None) -> dict[str, Any] | None:
    """Return a JSON object; None for anything else."""
    found = _parsed(text)
    return found if isinstance(found, dict) else None


# Owners and tags repeat from node to node.
@lru_cache(4096)
def words_of(text: str | None) -> tuple[str, ...]:
    """Return the names in a column of owners, tags or ids, each once.

    A JSON list, a JSON text, a list as Python prints it, or names with commas between them; what stands for nothing
    (``null``, ``None``, an empty text or list, an object) yields none.
    """
    return tuple(dict.fromkeys(_names(_parsed(text), text or "")))


def _names(value: Any, text: str) -> list[str]:
    if value is None and text.lstrip().startswith("["):
        value = _python_list(text)
    elif value is None:
        value = text
    if isinstance(value, str):
        entries: list[Any] = value.split(",")
    elif isinstance(value, list):
        entries = value
    else:
        entries = [value] if isinstance(value, int) and not isinstance(value, bool) else []
    named = [str(entry).strip() for entry in entries if isinstance(entry, str | int) and not isinstance(entry, bool)]
    # A policy masks a value by asterisks.
    return [name for name in named if name.strip("*").lower() not in _NOTHING]


def _python_list(text: str) -> list[Any]:
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return []
    return found if isinstance(found, list) else []


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
