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

from airflow_provider_elementary.anomalies.robust.parameters import Parameters
from airflow_provider_elementary.anomalies.robust.scoring import judge, learn
from airflow_provider_elementary.anomalies.robust.series import (
    KEYS,
    Buckets,
    buckets_of_series,
    rhythm_of,
    seconds_of,
)
from airflow_provider_elementary.anomalies.robust.spool import Spool
from airflow_provider_elementary.anomalies.robust.state import Memory
from airflow_provider_elementary.anomalies.verdicts import series_metrics

#: So many series are in memory at a time.
SERIES_AT_A_TIME = 20_000
#: By what it is seen that the buckets of a series are still what they were.
_FACTS = ("buckets", "fingerprint")
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
        self._spool = Spool(connection, memory.series.select(KEYS) if memory else None)

    def add(self, metrics: pa.Table) -> npt.NDArray[np.int32]:
        """Take rows in, and return the number of each row's series."""
        return self._spool.add(metrics)

    def judge(
        self, judged: pa.Table, series: npt.NDArray[np.int32], until: int, parameters: dict[str, Any]
    ) -> Replayed:
        """Judge buckets, each from all that came before it.

        :param judged: those of the rows taken in that end after ``until``.
        :param series: the number of the series of each.
        :param until: seconds since 1970.
        :param parameters: see :class:`Parameters`; those that the memory was made with.
        """
        p = Parameters.of(parameters)
        # What was learnt from later buckets than those before the judged ones cannot be unlearnt.
        memory = self._memory if self._memory and self._memory.until <= until else None
        after = memory.until if memory else _BEFORE_ALL
        found = self._series(memory, until)
        by_series = np.argsort(series, kind="stable")
        ordered = series[by_series]
        verdicts, remembered = [], []
        for first in range(0, max(len(found.goes_on), 1), SERIES_AT_A_TIME):
            some = slice(first, first + SERIES_AT_A_TIME)
            state = found.state(some, memory)
            for rows in self._spool.slices(first, np.where(found.goes_on[some], after, _BEFORE_ALL), until):
                learn(_buckets(state, rows), state, p)
            remembered.append(found.beside_facts(some, state.table()))
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

    def _series(self, memory: Remembered | None, until: int) -> _Series:
        """Tell what there is of each series, and which of them are as the memory has seen them."""
        keys = self._spool.keys
        histories = self._spool.histories(memory.until if memory else _BEFORE_ALL, until)
        here = histories["series"].to_numpy()
        is_here = np.zeros(keys.num_rows, bool)
        is_here[here] = True
        rhythm = np.zeros(keys.num_rows, np.int8)
        rhythm[here] = rhythm_of(histories["length"].to_numpy())
        goes_on = np.zeros(keys.num_rows, bool)
        if memory:
            is_known = here < memory.series.num_rows
            known = here[is_known]
            goes_on[known] = rhythm[known] == memory.series["rhythm"].to_numpy()[known]
            for name in _FACTS:
                before = histories[f"{name}_before"].to_numpy()[is_known]
                goes_on[known] &= memory.series[name].to_numpy()[known] == before
        facts = {name: np.zeros(keys.num_rows, np.uint64) for name in _FACTS}
        for name in _FACTS:
            facts[name][here] = histories[name].to_numpy()
        return _Series(keys, rhythm, is_here, goes_on, facts)


@dataclass(frozen=True)
class _Series:
    """The series of a run, in the order of their numbers.

    :ivar is_here: it has buckets.
    :ivar goes_on: its buckets are those that the memory has seen.
    :ivar facts: :data:`_FACTS`, by name.
    """

    keys: pa.Table
    rhythm: npt.NDArray[np.int8]
    is_here: npt.NDArray[np.bool_]
    goes_on: npt.NDArray[np.bool_]
    facts: Mapping[str, npt.NDArray[np.uint64]]

    def state(self, some: slice, memory: Remembered | None) -> Memory:
        """Return the memory of some series as their first bucket that is wanted finds it."""
        places = np.flatnonzero(self.goes_on[some])
        stored = memory.series.take(pa.array(places + some.start)) if memory else None
        return Memory.going_on(self.keys[some], self.rhythm[some], stored, places)

    def beside_facts(self, some: slice, state: pa.Table) -> pa.Table:
        """Return the states of some series with what their buckets were, without those that have none."""
        for name in _FACTS:
            state = state.append_column(name, pa.array(self.facts[name][some]))
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
            "value": typed["metric_value"].to_numpy().astype(np.float64),
            "updated": seconds_of(typed["updated_at"]),
        },
    )
