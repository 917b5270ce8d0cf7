"""Random histories of which each snapshot is taken twice: in one task, and in parts in another store."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis.strategies as st

from airflow_provider_elementary.snapshots import LocalKeys, Manifest, Store, open_store
from airflow_provider_elementary.warehouses.source import WarehouseSource
from tests.support.history_databases import Database
from tests.support.parts import Parts, rows_of
from tests.support.random_histories import POLICY, History, Statistics
from tests.support.signing import opened


class HistoryInParts(History):
    """A history that loses rows and takes full snapshots more often, and in parts the same."""

    def __init__(
        self, database: Database, draw: Callable[[st.SearchStrategy[Any]], Any], statistics: Statistics
    ) -> None:
        super().__init__(database, draw, statistics)
        self.store_of_parts = open_store((self.directory / "parts").as_uri())

    def what_happens(self) -> tuple[str, ...]:
        losses = (self.old_rows_are_deleted_at_the_source.__name__,) * 6
        return (*super().what_happens(), *losses, self.elementary_is_fully_refreshed.__name__)

    def new_run(self) -> tuple[str, float]:
        return uuid.uuid4().hex, self.draw(st.sampled_from([7, 0, 0]))

    def write_snapshot(self, store: Store, keys: LocalKeys, run_key: str, full_every_days: float) -> Manifest:
        manifest = super().write_snapshot(store, keys, run_key, full_every_days)
        repository = opened(self.store_of_parts, keys)
        rows_per_part = self.draw(st.sampled_from([1, 3, 1_000]))
        run = Parts(
            self.opened,
            lambda: repository,
            run_key=run_key,
            rows_per_part=rows_per_part,
            policy=POLICY,
            full_every_days=full_every_days,
        )
        planned = run.plan()
        # A part that finds rows gone leaves the snapshot to the commit, which takes it in one task.
        assert {run.capture(reference) for reference in planned} <= {"captured", "outdated"}
        in_parts = run.commit(planned[0])
        assert (in_parts.epoch, in_parts.kind) == (manifest.epoch, manifest.kind), (in_parts.reason, manifest.reason)
        assert rows_of(repository, in_parts) == rows_of(opened(self.store, keys), manifest)
        return manifest

    @contextmanager
    def opened(self) -> Iterator[WarehouseSource]:
        with self.database.source() as source:
            yield source
