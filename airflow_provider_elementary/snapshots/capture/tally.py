"""Counts the rows that a snapshot takes."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import Table
from airflow_provider_elementary.snapshots.capture.commit_markers import is_marked
from airflow_provider_elementary.snapshots.capture.facts import RUN
from airflow_provider_elementary.snapshots.capture.window import StoredRows
from airflow_provider_elementary.times import earliest as earliest_of

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint

_TIME = pa.timestamp("us")


@dataclass
class Tally:
    """Counts the rows that are taken and those that wait, while tables are read.

    :param young_from: rows at or after this time may wait or be read again; how many there are is bounded.
    :param stored: by table, what the files hold of its window; a table of which that is not known is not in it.
    """

    young_from: datetime | None
    taken: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    waiting_runs: set[str] = field(default_factory=set)
    abandoned_runs: set[str] = field(default_factory=set)
    waiting_from: datetime | None = None
    undated: Counter[str] = field(default_factory=Counter)
    stored: dict[str, list[StoredRows]] = field(default_factory=dict)
    _old: Counter[str] = field(default_factory=Counter)
    _oldest: dict[str, datetime] = field(default_factory=dict)
    _young: dict[str, list[npt.NDArray[np.datetime64]]] = field(default_factory=lambda: defaultdict(list))

    def count(self, point: ConsistencyPoint, table: Table, batch: pa.RecordBatch, taken: pa.Array) -> None:
        """Count the rows of a batch that the snapshot holds from now on, and those that wait."""
        self.taken[table.name] += pc.sum(taken).as_py() or 0
        if table.watermark is None:
            return
        waiting = batch.slice(0, 0) if pc.all(taken).as_py() else batch.filter(pc.invert(taken))
        self.waiting[table.name] += waiting.num_rows
        self.waiting_from = earliest_of(self.waiting_from, pc.min(waiting[table.watermark]).as_py())
        created = batch[table.watermark].filter(taken)
        self._count_age(table, created)
        if RUN in batch.schema.names and point.markers is not None:
            self.waiting_runs.update(pc.unique(waiting[RUN]).drop_null().to_pylist())
            runs = batch[RUN].filter(taken)
            unmarked = runs.filter(pc.invert(is_marked(runs, point.markers)))
            self.abandoned_runs.update(pc.unique(unmarked).drop_null().to_pylist())

    def add(self, other: Tally) -> None:
        """Count what another part of the same snapshot counted."""
        for own, counts in (
            (self.taken, other.taken),
            (self.waiting, other.waiting),
            (self.undated, other.undated),
            (self._old, other._old),
        ):
            own.update(counts)
        self.waiting_runs |= other.waiting_runs
        self.abandoned_runs |= other.abandoned_runs
        self.waiting_from = earliest_of(self.waiting_from, other.waiting_from)
        for name, oldest in other._oldest.items():
            self._oldest[name] = min(oldest, self._oldest.get(name, oldest))
        for name, young in other._young.items():
            self._young[name] += young
        for name, stored in other.stored.items():
            self.stored.setdefault(name, []).extend(stored)

    def settled(self, table: Table, window_from: datetime | None) -> tuple[int, datetime | None]:
        """Return how many rows of a table are older than a time, and the oldest time among them."""
        young = self.young_times(table.name)
        older = young[young < np.datetime64(window_from)] if window_from is not None else young[:0]
        oldest = older.min().item() if older.size else None
        return self._old[table.name] + int(older.size), earliest_of(self._oldest.get(table.name), oldest)

    def young_times(self, table: str) -> npt.NDArray[np.datetime64]:
        """Return the watermarks of the taken rows of a table that are young."""
        return np.concatenate([np.empty(0, dtype="datetime64[us]"), *self._young[table]])

    def _count_age(self, table: Table, created: pa.Array) -> None:
        self.undated[table.name] += created.null_count
        created, young_from = created.drop_null(), pa.scalar(self.young_from, _TIME)
        young = pc.fill_null(pc.greater_equal(created, young_from), False)
        old = created.filter(pc.invert(young))
        self._old[table.name] += len(old)
        if (oldest := earliest_of(self._oldest.get(table.name), pc.min(old).as_py())) is not None:
            self._oldest[table.name] = oldest
        if len(recent := created.filter(young)):
            self._young[table.name].append(recent.to_numpy(zero_copy_only=False))
