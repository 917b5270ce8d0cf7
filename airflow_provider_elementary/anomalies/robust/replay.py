"""The newest buckets of a stream of metrics, judged from a stored memory or from the first bucket on: it is the same.

Every series is a model of its own, so each is looked at by itself. One whose buckets up to the time of the memory are
still what they were then goes on from there; any other, new, corrected or filled in late, is replayed from its first
bucket. What is remembered for the next run ends where the judged buckets begin, so these may still change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from airflow_provider_elementary.anomalies.robust.fingerprint import Fingerprints
from airflow_provider_elementary.anomalies.robust.parameters import Parameters
from airflow_provider_elementary.anomalies.robust.scoring import judge, learn
from airflow_provider_elementary.anomalies.robust.series import (
    KEYS,
    Buckets,
    buckets_of_series,
    rhythm_of,
    seconds_of,
    values_of,
)
from airflow_provider_elementary.anomalies.robust.series_spool import Spool
from airflow_provider_elementary.anomalies.robust.state import Memory
from airflow_provider_elementary.anomalies.schema import series_metrics

#: So many series are in memory at a time.
SERIES_AT_A_TIME = 10_000
_BEFORE_ALL = -1


@dataclass(frozen=True)
class Remembered:
    """What a run leaves for the next one.

    :param series: one row per series: its keys, what its buckets were, and what the model knows of it.
    :param until: seconds since 1970: every bucket that ended by then is in it, and no other.
    """

    series: pa.Table
    until: int


@dataclass(frozen=True)
class Replayed:
    """What a run said.

    :param verdicts: on the buckets that were to be judged, in their order.
    :param remembered: for the next run.
    :param resumed: how many series went on from the memory.
    :param replayed: how many began with their first bucket.
    """

    verdicts: pa.Table
    remembered: Remembered
    resumed: int
    replayed: int


class Replay:
    """Takes metrics in, in any order, then judges the newest of them.

    :param connection: where buckets wait; it belongs to the replay.
    :param memory: of an earlier run with the same parameters.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, memory: Remembered | None = None) -> None:
        self._memory = memory
        self._spool = Spool(connection, memory.series.select(KEYS), memory.until) if memory else Spool(connection)

    @property
    def tables(self) -> pa.ChunkedArray:
        """The name of the table of each series that has rows."""
        return self._spool.keys["full_table_name"].filter(pa.array(self._spool.is_here))

    def add(self, metrics: pa.Table) -> npt.NDArray[np.int32]:
        """Take rows in, and return the number of each row's series."""
        return self._spool.add(metrics)

    def judge(
        self, judged: pa.Table, series: npt.NDArray[np.int32], until: int, parameters: dict[str, Any]
    ) -> Replayed:
        """Judge buckets, each from all that came before it; once, for the memory is let go of on the way.

        :param judged: those of the rows taken in that end after ``until``.
        :param series: the number of the series of each.
        :param until: seconds since 1970.
        :param parameters: see :class:`Parameters`; those that the memory was made with.
        """
        p = Parameters.of(parameters)
        # What was learnt from later buckets than those before the judged ones cannot be unlearnt.
        memory = self._memory if self._memory and self._memory.until <= until else None
        after = memory.until if memory else _BEFORE_ALL
        found = self._series(memory)
        states = _States(memory.series["arrays"] if memory else pa.chunked_array([], pa.large_binary()))
        del memory
        self._memory = None
        by_series = np.argsort(series, kind="stable")
        ordered = series[by_series]
        verdicts, remembered = [], []
        for first in range(0, max(len(found.goes_on), 1), SERIES_AT_A_TIME):
            some = slice(first, first + SERIES_AT_A_TIME)
            state = found.state(some, states.next(SERIES_AT_A_TIME))
            for rows in self._spool.slices(first, np.where(found.goes_on[some], after, _BEFORE_ALL), until):
                learn(_buckets(state, rows), state, p)
                found.learnt.add(rows["series"] + first, rows["starts"], rows["ends"], rows["value"])
            remembered.append(found.beside_learnt(some, state.table()))
            mine = by_series[slice(*np.searchsorted(ordered, [first, first + SERIES_AT_A_TIME]))]
            chosen = judged.take(pa.array(mine))
            verdicts.append(judge(chosen, _judged_buckets(state, chosen, series[mine] - first), state, p))
        resumed = int(found.goes_on.sum())
        return Replayed(
            verdicts=pa.concat_tables(verdicts).take(pa.array(np.argsort(by_series))),
            remembered=Remembered(pa.concat_tables(remembered), until),
            resumed=resumed,
            replayed=int(found.is_here.sum()) - resumed,
        )

    def _series(self, memory: Remembered | None) -> _Series:
        """Tell what there is of each series, and which of them are as the memory has seen them."""
        keys = self._spool.keys
        rhythm, is_here = rhythm_of(self._spool.lengths), self._spool.is_here
        goes_on = np.zeros(keys.num_rows, bool)
        learnt = Fingerprints.of_nothing(keys.num_rows)
        if memory:
            seen, known = self._spool.seen, memory.series.num_rows
            before = {name: memory.series[name].to_numpy() for name in ("rhythm", "buckets", "fingerprint")}
            goes_on[:known] = (
                is_here[:known]
                & (rhythm[:known] == before["rhythm"])
                & (seen.buckets == before["buckets"])
                & (seen.fingerprint == before["fingerprint"])
            )
            for name in ("buckets", "fingerprint"):
                getattr(learnt, name)[goes_on] = before[name][goes_on[:known]]
        return _Series(keys, rhythm, is_here, goes_on, learnt)


class _States:
    """The states of consecutive series, given out once and then let go of: beside them grow those for the next run."""

    def __init__(self, arrays: pa.ChunkedArray) -> None:
        self._type = arrays.type
        self._chunks = arrays.chunks[::-1]

    def next(self, series: int) -> pa.Table:
        """Return the states of the next series, as many as there are."""
        taken: list[pa.Array] = []
        while self._chunks and series:
            chunk = self._chunks.pop()
            if len(chunk) > series:
                self._chunks.append(chunk[series:])
            taken.append(chunk[:series])
            series -= len(taken[-1])
        return pa.table({"arrays": pa.chunked_array(taken, self._type)})


@dataclass(frozen=True)
class _Series:
    """The series of a run, in the order of their numbers.

    :ivar is_here: it has buckets.
    :ivar goes_on: its buckets are those that the memory has seen.
    :ivar learnt: what the buckets are from which its state was learnt.
    """

    keys: pa.Table
    rhythm: npt.NDArray[np.int8]
    is_here: npt.NDArray[np.bool_]
    goes_on: npt.NDArray[np.bool_]
    learnt: Fingerprints

    def state(self, some: slice, stored: pa.Table) -> Memory:
        """Return the memory of some series as their first bucket that is wanted finds it.

        :param stored: the states of those that an earlier run remembers; they come first.
        """
        places = np.flatnonzero(self.goes_on[some])
        if len(places) < stored.num_rows:
            stored = stored.take(pa.array(places))
        return Memory.going_on(self.keys[some], self.rhythm[some], stored, places)

    def beside_learnt(self, some: slice, state: pa.Table) -> pa.Table:
        """Return the states of some series with what they were learnt from, without those that have no buckets."""
        state = state.append_column("buckets", pa.array(self.learnt.buckets[some]))
        state = state.append_column("fingerprint", pa.array(self.learnt.fingerprint[some]))
        return state.filter(pa.array(self.is_here[some]))


def _buckets(state: Memory, rows: Mapping[str, npt.NDArray[Any]]) -> Buckets:
    return buckets_of_series(
        keys=state.keys,
        rhythm=state.keys["rhythm"].to_numpy(),
        series=rows["series"].astype(np.int64),
        start=rows["starts"],
        value=rows["value"],
        updated=rows["updated"],
    )


def _judged_buckets(state: Memory, rows: pa.Table, series: npt.NDArray[np.int32]) -> Buckets:
    typed = series_metrics(rows)
    start, end = (seconds_of(typed[name]) for name in ("bucket_start", "bucket_end"))
    return _buckets(
        state,
        {
            "series": series,
            "starts": np.where(start >= 0, start, end),
            "value": values_of(typed["metric_value"]),
            "updated": seconds_of(typed["updated_at"]),
        },
    )
