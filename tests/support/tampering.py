"""What somebody does to a store who may write to it, or what happens to one by accident."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_provider_elementary.storage.documents import sha256
from airflow_provider_elementary.storage.layout import GENESIS, INDEX, generation_key, manifest_key
from tests.support.signing import SIGNER, signed
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
    """Change what a signed document says, as somebody without the key; the signature stays."""
    line, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(line + b"\n" + _changed(body, change))


def edit_signed(rest: Rest, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a signed document says and sign it, as a writer with a bug would."""
    _, _, body = rest.path(name).read_bytes().partition(b"\n")
    store_id = sha256(rest.path(GENESIS).read_bytes())
    rest.path(name).write_bytes(signed(SIGNER, store_id, name, _changed(body, change)))
    # Who may replace manifests may remove the pages that list them.
    remove_pages(rest)


def remove_pages(rest: Rest) -> None:
    """Remove all pages of the index."""
    for found in list(rest.store.list(INDEX)):
        rest.store.delete(found.key)


def edit_generation(rest: Rest, sequence: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Give one manifest a generation of its own, with other facts, as a writer with a bug would."""
    facts = json.loads(rest.path(manifest_key(sequence)).read_bytes().partition(b"\n")[2])
    name = generation_key(sequence, "of-its-own")
    rest.path(name).write_bytes(rest.path(facts["generation"]["name"]).read_bytes())
    edit_signed(rest, name, change)
    digest = sha256(rest.path(name).read_bytes().partition(b"\n")[2])
    edit_signed(rest, manifest_key(sequence), lambda facts: facts["generation"].update(name=name, sha256=digest))


def _changed(body: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    facts = json.loads(body)
    change(facts)
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(rest: Rest, sequence: int) -> str:
    """Return the hash by which the chain names a manifest."""
    return sha256(rest.path(manifest_key(sequence)).read_bytes().partition(b"\n")[2])


def rewrite_chain(rest: Rest, first: int, last: int) -> None:
    """Change a manifest, and make all later links fit, as only a writer could."""
    edit_signed(rest, manifest_key(first), lambda facts: facts.update(run_key="forged"))
    for sequence in range(first + 1, last + 1):
        before = digest_of(rest, sequence - 1)

        def link(facts: dict[str, Any], before: str = before) -> None:
            facts["parent"].update(sha256=before)

        edit_signed(rest, manifest_key(sequence), link)


def exchange_data_keys(rest: Rest, sequence: int, one: str, other: str) -> None:
    """Let two categories of a manifest change their data keys."""

    def change(facts: dict[str, Any]) -> None:
        keys = facts["keys"]
        keys[one], keys[other] = keys[other], keys[one]

    edit_generation(rest, sequence, change)
