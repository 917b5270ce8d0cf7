"""What somebody does to a store who may write to it, or what happens to one by accident."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.layout import manifest_key
from tests.support.stores import Rest


def flip(path: Path) -> None:
    """Change one bit."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap(first: Path, second: Path) -> None:
    """Let two files change places."""
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a document, and write it as this package does."""
    facts = json.loads(path.read_bytes())
    change(facts)
    path.write_bytes(json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def rewrite_chain(rest: Rest, first: int, last: int) -> None:
    """Change a manifest, and make all later links fit."""
    edit(rest.path(manifest_key(first)), lambda facts: facts.update(held_back=[], run_key="forged"))
    for sequence in range(first + 1, last + 1):
        before = sha256(rest.path(manifest_key(sequence - 1)).read_bytes())
        edit(rest.path(manifest_key(sequence)), lambda facts, before=before: facts["parent"].update(sha256=before))


def exchange_data_keys(rest: Rest, sequence: int, one: str, other: str) -> None:
    """Let two categories of a manifest change their data keys."""

    def change(facts: dict[str, Any]) -> None:
        keys = facts["keys"]
        keys[one], keys[other] = keys[other], keys[one]

    edit(rest.path(manifest_key(sequence)), change)
