"""A sync that finds nothing new asks the store at most twenty times, wherever it is in the chain."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from airflow_provider_elementary.snapshots import LocalKeys
from airflow_provider_elementary.snapshots.maintenance import compaction
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from tests.support.counting_store import CountingStore, SyntheticChain
from tests.support.hourly_project import HourlyProject

MOST = 20
QUIET = 36
#: Before the real writer continues it, so that pages of each width but the widest are written on the way.
EARLIER = 190


class Hours:
    """A small project after a chain, with a compaction after each sync."""

    def __init__(self, folder: Path) -> None:
        self.store, keys = CountingStore(), LocalKeys(LocalKeys.generate())
        chain = SyntheticChain(self.store, keys=keys)
        while chain.syncs < EARLIER:
            chain.commit(chain.repository())
            chain.compact(chain.repository())
        self.project = HourlyProject(self.store, folder, 24, began=chain.ends, keys=keys)

    def sync(self, hour: int) -> int:
        """Take a snapshot and merge; return the requests of the first."""
        repository = self.project.repository()
        self.store.reset()
        self.project.take(hour, repository)
        asked = self.store.total
        with patch.object(compaction, "utc_now", return_value=self.project.now(hour)):
            compaction.compact(self.project.repository())
        return asked


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """Return the requests of quiet syncs: after a full one, after some increments, and after a prune."""
    hours = Hours(tmp_path_factory.mktemp("hours"))
    hours.project.write(0)
    hours.sync(0)
    found = {"after a full one": [hours.sync(hour) for hour in (1, 2)]}
    for hour in range(3, 9):
        hours.project.write(hour)
        hours.sync(hour)
    found["after increments"] = [hours.sync(9 + hour) for hour in range(QUIET)]
    now = hours.project.now(9 + QUIET).replace(tzinfo=UTC)
    assert prune(hours.project.repository(), Retention(keep_last=20), now=now + timedelta(hours=1)).removed
    found["after a prune"] = [hours.sync(9 + QUIET + hour) for hour in range(QUIET)]
    return found


@pytest.mark.parametrize("when", ["after a full one", "after increments", "after a prune"])
def test_a_sync_with_nothing_new_asks_at_most_twenty_times(quiet: dict[str, list[int]], when: str) -> None:
    assert max(quiet[when]) <= MOST
