"""Reads JSON in Elementary's text columns, whatever stands there."""

from __future__ import annotations

import json
from typing import Any


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
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
