"""Two writers, a compactor, a prune that is killed, a reader and a verify at once lose no row."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from airflow_provider_elementary.exceptions import PrunedMeanwhileError, SnapshotConflictError, StoreError
from airflow_provider_elementary.snapshots import Manifest, open_snapshot
from airflow_provider_elementary.snapshots.maintenance import mergeable
from airflow_provider_elementary.snapshots.maintenance.compaction import compact
from airflow_provider_elementary.snapshots.maintenance.prune import prune
from airflow_provider_elementary.snapshots.maintenance.retention import Retention
from airflow_provider_elementary.snapshots.verify import verify
from airflow_provider_elementary.source import read_all
from airflow_provider_elementary.storage.object_store.local import LocalStore
from airflow_provider_elementary.storage.object_store.store import UndeletedObject
from tests.support.signing import opened
from tests.support.stores import DAYS, Rest, local_rest, take, world_after_hours

#: ``make acceptance`` takes more.
RACES = int(os.environ.get("ELEMENTARY_RACES", "1"))
FIRST_HOURS = 4
TABLE = "dbt_run_results"


class DyingStore(LocalStore):
    """A store whose power goes out while objects are deleted."""

    def delete_many(self, keys: Sequence[str]) -> Sequence[UndeletedObject]:
        super().delete_many(keys[:3])
        if len(keys) > 3:
            raise StoreError("power cut")
        return ()


def sync(rest: Rest, folder: Path, hours: int) -> Manifest:
    folder.mkdir(exist_ok=True)
    return take(rest, folder / "warehouse.duckdb", world_after_hours(hours), overlap=timedelta(minutes=10))


def run_all(*acts: tuple[Callable[[], object], tuple[type[Exception], ...]]) -> None:
    """Run acts at once, each with the errors that it may end with."""
    with ThreadPoolExecutor(len(acts)) as threads:
        for running, allowed in [(threads.submit(act), allowed) for act, allowed in acts]:
            if (error := running.exception()) is not None and not isinstance(error, allowed):
                raise error


@pytest.mark.parametrize("race", range(RACES))
def test_six_actors_at_once_lose_no_row(race: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mergeable, "SNAPSHOTS", 2)
    rest = local_rest(tmp_path)
    for hours in range(1, FIRST_HOURS):
        sync(rest, tmp_path / "first", hours)
    dying = opened(DyingStore(rest.folder), rest.keys)

    for hours in range(FIRST_HOURS, DAYS - 1):
        # Each prune deletes what the one before recorded.
        now = datetime.now(UTC) + timedelta(hours=25 * hours)
        keep = Retention(keep_last=2)

        def read() -> None:
            for _ in range(5):
                assert read_all(open_snapshot(rest.repository), TABLE).num_rows >= 5 * (FIRST_HOURS - 1)

        def check() -> None:
            # The newest is kept by every prune.
            assert verify(rest.repository).findings == ()

        def prune_once(hours: int = hours, now: datetime = now, keep: Retention = keep) -> None:
            repository = dying if hours % 2 else rest.repository
            prune(repository, keep, now=now, orphan_age=timedelta(days=1000))

        conflict = (SnapshotConflictError,)
        run_all(
            (partial(sync, rest, tmp_path / "one", hours), conflict),
            (partial(sync, rest, tmp_path / "other", hours), conflict),
            (partial(compact, rest.repository), ()),
            (prune_once, (SnapshotConflictError, StoreError)),
            # What was opened a day ago by the clock of the prune may go.
            (read, (PrunedMeanwhileError,)),
            (check, (PrunedMeanwhileError,)),
        )

    sync(rest, tmp_path / "first", DAYS)
    prune(rest.repository, Retention(keep_last=2), now=datetime.now(UTC) + timedelta(days=30))

    kinds = {row.kind for row in rest.repository.chain().links.values()}
    assert verify(rest.repository, snapshot="all").findings == ()
    assert read_all(rest.repository.source(), TABLE).num_rows == 5 * DAYS
    assert "compaction" in kinds
