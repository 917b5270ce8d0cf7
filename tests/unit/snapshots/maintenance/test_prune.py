"""A prune measures by the clock of the storage what is old enough to be deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import pyarrow as pa
import pytest

from airflow_provider_elementary.exceptions import StoreRefusedError
from airflow_provider_elementary.snapshots import LocalKeys
from airflow_provider_elementary.snapshots.chain import check_chain, read_chain
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.storage.layout import generation_key
from airflow_provider_elementary.storage.object_store.store import UndeletedObject
from airflow_provider_elementary.storage.records import results as stored_results
from airflow_provider_elementary.storage.records.results import write_result
from tests.support import counting_store
from tests.support.counting_store import BEGAN, CountingStore, SyntheticChain
from tests.support.signing import opened


class ClockedStore(CountingStore):
    """A store whose server has a clock of its own."""

    ahead = timedelta(0)

    def clock_difference(self) -> timedelta:
        return self.ahead


@pytest.mark.parametrize("minutes", [12, -2_000])
def test_a_prune_stops_where_the_clock_is_not_that_of_the_store(minutes: int) -> None:
    store = ClockedStore()
    chain = SyntheticChain(store)
    chain.grow(3)
    store.ahead = timedelta(minutes=minutes)
    before = dict(store.objects)

    with pytest.raises(StoreRefusedError, match=rf"{abs(minutes):,} minutes .* Nothing was written or removed"):
        prune(chain.repository(), Retention(keep_last=1))

    assert store.objects == before
    assert len(prune(chain.repository(), Retention(keep_last=1), dry_run=True).removed) == 2


class OrderedStore(CountingStore):
    """A store that keeps in which order objects were deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[str] = []

    def delete_many(self, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        self.deleted += keys
        return super().delete_many(keys)


def test_the_document_of_a_result_is_deleted_after_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    store = OrderedStore()
    chain = SyntheticChain(store)
    chain.grow(1)
    assert chain.newest is not None
    origin = {"snapshot_id": chain.newest.snapshot_id}
    chain.grow(2)
    repository = opened(store, LocalKeys(LocalKeys.generate()))
    rows = pa.table({"id": ["a"]})
    days = count(1)
    monkeypatch.setattr(stored_results, "_now", lambda: datetime(2026, 2, next(days), tzinfo=UTC))
    results = [
        write_result(repository, "metrics", rows.to_reader(), run_key=str(number), origin=origin, parameters={})
        for number in range(3)
    ]

    prune(repository, Retention(keep_last=1), grace=timedelta(0), now=datetime(2100, 1, 1, tzinfo=UTC))

    deleted = [key for key in store.deleted if key.startswith("results/")]
    assert deleted[-1] == results[0].key
    assert set(deleted) == {results[0].key, *(file.key for file in results[0].files)}


#: When a chain of 300 hourly syncs is long over.
LATER = BEGAN.replace(tzinfo=UTC) + timedelta(days=400)


@pytest.fixture
def compacted(monkeypatch: pytest.MonkeyPatch) -> SyntheticChain:
    """A chain whose generations began at numbers 1 and 169, and whose newest is of a compaction, which began none."""
    monkeypatch.setattr(counting_store, "FILES", counting_store.FILES[:2])
    chain = SyntheticChain(CountingStore())
    chain.grow(300)
    assert chain.compact(chain.repository()).snapshots
    return chain


def test_names_of_outsiders_below_generations_cost_a_prune_few_requests(compacted: SyntheticChain) -> None:
    chain, rows = compacted, compacted.repository().chain().snapshots
    prune(chain.repository(), Retention(keep_last=1), now=LATER)
    for name in {generation_key(row.sequence, row.snapshot_id) for row in rows} - chain.store.objects.keys():
        chain.store.objects[name] = b"junk"
    repository = chain.repository()
    chain.store.reset()

    prune(repository, Retention(keep_last=1), now=LATER + timedelta(days=2))

    assert chain.store.requests["get"] <= 64 + 30
    assert check_chain(read_chain(chain.repository())) == ([], [])


def test_names_of_outsiders_hide_no_generation_that_is_over_for_good(compacted: SyntheticChain) -> None:
    chain, rows = compacted, compacted.repository().chain().snapshots
    first = generation_key(1, rows[0].snapshot_id)
    assert first in chain.store.objects
    for row in rows[199:300]:
        chain.store.objects[generation_key(row.sequence, row.snapshot_id)] = b"junk"

    for days in range(0, 12, 2):
        prune(chain.repository(), Retention(keep_last=1), now=LATER + timedelta(days=days))

    assert first not in chain.store.objects
    assert check_chain(read_chain(chain.repository())) == ([], [])
