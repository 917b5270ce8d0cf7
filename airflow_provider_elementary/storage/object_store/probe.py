"""Tests whether concurrent writers can rely on a store."""

from __future__ import annotations

import secrets
from threading import Barrier
from typing import TYPE_CHECKING

from airflow_provider_elementary.exceptions import StoreRefusedError
from airflow_provider_elementary.timeouts import in_background

if TYPE_CHECKING:
    from airflow_provider_elementary.storage.object_store.store import Store


def probe_key() -> str:
    """Return the name of an object to try something with; nobody reads what has such a name."""
    return f"quarantine/probe-{secrets.token_hex(8)}"


def require_one_winner(store: Store) -> None:
    """Let two writers put one object at the same time, and a third one afterwards.

    :raises StoreRefusedError: not exactly one of the first two succeeded, or its content was replaced.
    """
    key, start = probe_key(), Barrier(2)

    def put(content: bytes) -> bool:
        start.wait()
        return store.put_if_absent(key, content)

    first, second, third = (secrets.token_bytes(16) for _ in range(3))
    racing = {content: in_background("probe", put, content) for content in (first, second)}
    try:
        won = [content for content, attempt in racing.items() if attempt.result()]
        is_safe = len(won) == 1 and not store.put_if_absent(key, third) and store.get(key) == won[0]
    finally:
        store.delete(key)
    if not is_safe:
        raise StoreRefusedError(
            f"{store.uri} lets two writers create the same object (it ignores If-None-Match), so that snapshots could "
            "be lost. Use a store that supports conditional writes, or update its server."
        )
