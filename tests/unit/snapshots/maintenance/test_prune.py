"""A prune measures by the clock of the storage what is old enough to be deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_elementary.exceptions import StoreRefusedError
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from tests.support.counting_store import CountingStore, SyntheticChain


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
