"""Writes counts with their nouns."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 table``, ``2 tables``, ``3 categories``."""
    many = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"
