"""A writer that may not write is refused before it reads, and a retry of what was committed needs no table."""

from __future__ import annotations

from functools import partial
from threading import Thread, current_thread
from typing import Any, TypeVar

import pytest

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import (
    ConfigurationError,
    StoreRefusedError,
    TableLockedError,
    TableReplacedError,
)
from airflow_provider_elementary.snapshots import LocalKeys, Repository, capture, write_snapshot
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.signing import SIGNER, STORE_ID, create
from tests.support.syncs import EVERYTHING, Sync

T = TypeVar("T")
SOME_KEYS = LocalKeys({one: key for one, key in LocalKeys.generate().items() if one is not Category.RUN_RESULTS})


@pytest.mark.parametrize("is_empty", [True, False])
@pytest.mark.parametrize("keys", [None, SOME_KEYS], ids=["no keys", "a key missing"])
@pytest.mark.parametrize(
    ("named", "message"), [({"store_id": STORE_ID}, "No signing key"), ({"signing": SIGNER}, "No store_id")]
)
def test_who_may_not_sign_is_refused_before_anything_is_read(
    keys: LocalKeys | None, named: dict[str, Any], message: str, is_empty: bool, sync: Sync, monkeypatch: Any
) -> None:
    assert sync.repository.store_id == STORE_ID
    if not is_empty:
        sync.snapshot()
    with sync.source() as source:
        monkeypatch.setattr(source, "read", lambda *_, **__: pytest.fail("read before the writer was refused"))

        with pytest.raises(ConfigurationError, match=message):
            write_snapshot(source, Repository(sync.store, keys, **named), policy=EVERYTHING)


def test_connections_are_asked_for_in_the_thread_of_the_task(sync: Sync) -> None:
    asked: list[Thread] = []

    def noted(found: T) -> T:
        # Airflow before 3.2 mixes up its answers where two threads of a task ask at once.
        asked.append(current_thread())
        return found

    create(sync.store)
    keys, signing = partial(noted, sync.keys), partial(noted, SIGNER)
    with sync.source() as source:
        write_snapshot(source, Repository(sync.store, keys, store_id=STORE_ID, signing=signing))

    assert asked == [current_thread()] * 2


def test_no_row_is_taken_to_a_store_in_which_two_writers_would_win(sync: Sync, monkeypatch: Any) -> None:
    def refuse(_: object) -> None:
        raise StoreRefusedError("both won")

    monkeypatch.setattr(capture, "require_one_winner", refuse)

    with pytest.raises(StoreRefusedError, match="both won"):
        sync.snapshot()
    assert not list(sync.store.list("data/"))


def test_a_retry_of_a_committed_run_needs_no_table(sync: Sync, monkeypatch: Any) -> None:
    first = sync.snapshot(run_key="run")

    def locked(_: WarehouseSource) -> None:
        raise TableLockedError("elementary", ["dbt_run_results"], [], 10)

    monkeypatch.setattr(WarehouseSource, "hold", locked)

    assert sync.snapshot(run_key="run").snapshot_id == first.snapshot_id
    with pytest.raises(TableLockedError):
        sync.snapshot(run_key="another")


def test_each_attempt_begins_with_what_is_newest_then(sync: Sync, monkeypatch: Any) -> None:
    captured, heads = capture._capture, list[Any]()

    def replaced_once(attempt: Any, head: Any) -> Any:
        heads.append(head)
        if len(heads) == 1:
            # Another writer commits while this one reads a table that dbt replaces.
            monkeypatch.setattr(capture, "_capture", captured)
            sync.snapshot(run_key="another")
            monkeypatch.setattr(capture, "_capture", replaced_once)
            raise TableReplacedError("elementary", ["dbt_run_results"])
        return captured(attempt, head)

    sync.snapshot()
    monkeypatch.setattr(capture, "_capture", replaced_once)

    sync.snapshot(run_key="run")

    assert [head.document.sequence for head in heads] == [1, 2]
