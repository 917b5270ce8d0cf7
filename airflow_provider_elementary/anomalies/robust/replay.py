"""Scores the newest buckets, resuming from a stored model state where possible.

The verdicts are those of a replay of everything. Every series is a model of its own: one whose buckets up to the time
of the model state are unchanged resumes from it; any other (new, corrected or filled in late) is replayed from its
first bucket. The state for the next run ends where the scored buckets begin, so these may still change.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from airflow_provider_elementary.anomalies.configurations import KEYS, SeriesConfigurations
from airflow_provider_elementary.anomalies.feedback import Feedback, feedback_of
from airflow_provider_elementary.anomalies.robust.fingerprint import Fingerprints, mixed
from airflow_provider_elementary.anomalies.robust.model.settings import SeriesSettings
from airflow_provider_elementary.anomalies.robust.rarity import AlarmTotals
from airflow_provider_elementary.anomalies.robust.row_counts import NO_COUNT, RowCounts, counted_by
from airflow_provider_elementary.anomalies.robust.scoring import (
    beside,
    finished,
    learn,
    score_buckets,
    split_parameters,
)
from airflow_provider_elementary.anomalies.robust.series import (
    Buckets,
    FirstBuckets,
    buckets_of_series,
    scales_of_metrics,
    seconds_of,
    values_of,
)
from airflow_provider_elementary.anomalies.robust.series_spool import Spool
from airflow_provider_elementary.anomalies.robust.state import (
    ModelState,
    SeriesStates,
    stored_firsts,
    with_firsts,
)
from airflow_provider_elementary.anomalies.schema import VERDICT_SCHEMA, series_metrics

#: Number of series in memory at a time.
SERIES_AT_A_TIME = 5_000
_BEFORE_ALL = -1
_FINGERPRINT = ("buckets", "fingerprint")


@dataclass(frozen=True)
class Replayed:
    """The result of a run.

    :param verdicts: on the buckets to score, in their order.
    :param resumed: how many series resumed from the earlier state.
    :param replayed: how many were replayed from their first bucket.
    """

    verdicts: pa.Table
    resumed: int
    replayed: int


class Replay:
    """Takes metrics in, in any order, then scores the newest of them.

    :param connection: where buckets wait; it belongs to the replay.
    :param earlier: the state of an earlier run with the same parameters.
    :param configurations: as ``feedback`` and ``adapter`` of :func:`~.scoring.score`; a series of which they changed is
        replayed.
    :param has_changes: only what changed since the earlier state is taken in, and every bucket after it.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        earlier: ModelState | None = None,
        configurations: pa.Table | None = None,
        feedback: pa.Table | Iterable[Feedback | Mapping[str, Any]] | None = None,
        adapter: str | None = None,
        *,
        has_changes: bool = False,
    ) -> None:
        self._configurations, self._feedback, self._adapter = configurations, feedback_of(feedback), adapter
        self._earlier, self._has_changes = earlier, has_changes
        self._spool = Spool(connection, earlier.series.select(KEYS), earlier.until) if earlier else Spool(connection)
        if earlier and has_changes:
            self._spool.seen = Fingerprints(*(earlier.series[name].to_numpy().copy() for name in _FINGERPRINT))

    @property
    def tables(self) -> pa.ChunkedArray:
        """The name of the table of each series that has rows."""
        return self._spool.keys["full_table_name"].filter(pa.array(self._is_here))

    @property
    def _is_here(self) -> npt.NDArray[np.bool_]:
        is_here = self._spool.firsts.is_here
        if self._has_changes:
            is_here[: len(self._spool.seen.buckets)] |= self._spool.seen.buckets > 0
        return is_here

    def add(self, metrics: pa.Table) -> npt.NDArray[np.int32]:
        """Take rows in, and return the number of each row's series."""
        return self._spool.add(metrics)

    def remove(self, metrics: pa.Table) -> None:
        """Take note of rows that the earlier state was learned from and that are gone."""
        self._spool.remove(metrics)

    def score(
        self,
        rows: pa.Table,
        series: npt.NDArray[np.int32],
        until: int,
        given: dict[str, Any],
        keep: Callable[[Iterator[pa.Table]], None],
        rest: Callable[[], Iterable[pa.Table]] = tuple,
        *,
        is_shard: bool = False,
    ) -> Replayed:
        """Score buckets, each from all that came before it; once, as the earlier state is released on the way.

        :param rows: those of the rows taken in that end after ``until``.
        :param series: the number of the series of each.
        :param until: seconds since 1970.
        :param given: see :class:`Parameters`; those that the earlier state was made with.
        :param keep: takes the state for the next run, some series at a time.
        :param rest: with ``has_changes``, the other rows; read only where a series has to be replayed.
        :param is_shard: the series are those of one shard of the tables.
        :raises UnusableStateError: the earlier state cannot be read, or is not that of the rows.
        """
        parameters, arguments = split_parameters(given)
        configured = SeriesConfigurations.of(self._configurations, arguments)
        keys = self._spool.keys
        settings = [
            SeriesSettings.of(keys[first : first + SERIES_AT_A_TIME], configured, self._feedback, self._adapter)
            for first in range(0, max(keys.num_rows, 1), SERIES_AT_A_TIME)
        ]
        kind, is_volume = scales_of_metrics(keys)
        scale = kind.astype(np.uint64) * np.uint64(2) + is_volume.astype(np.uint64)
        codes = np.concatenate([each.codes() for each in settings]) ^ mixed(scale)
        # A state that has learned from the buckets to score, or from later ones, cannot be used for them.
        earlier = self._earlier if self._earlier and self._earlier.until <= until else None
        counted = counted_by(keys)
        found = self._series(earlier, codes, counted)
        if self._has_changes:
            found = self._with_rest(found, counted, rest)
        verdicts: list[pa.Table] = []
        known, totals = AlarmTotals.of_nothing(), AlarmTotals.of_nothing()
        to_score = _rows_to_score(rows, series, counted)
        by_series = np.lexsort((to_score["value"], to_score["ends"], series))
        ordered = series[by_series]
        after = earlier.until if earlier else _BEFORE_ALL
        arrays = _Arrays(earlier.arrays() if earlier else iter(()))
        del earlier
        self._earlier = None

        def states() -> Iterator[pa.Table]:
            nonlocal known, totals
            for first, of_series in zip(itertools.count(0, SERIES_AT_A_TIME), settings, strict=False):
                some = slice(first, first + SERIES_AT_A_TIME)
                state = found.state(some, arrays.next(SERIES_AT_A_TIME))
                since = np.where(found.is_resumed[some], after, _BEFORE_ALL)
                for past in self._spool.slices(first, since, until, counted[some]):
                    learn(_buckets(state, of_series, past), state, parameters)
                    found.learned.add(past["series"] + first, past["starts"], past["ends"], past["value"])
                known += AlarmTotals.of(state)
                yield found.beside_learned(some, state.table())
                mine = by_series[slice(*np.searchsorted(ordered, [first, first + SERIES_AT_A_TIME]))]
                newest = {name: column[mine] for name, column in to_score.items()}
                newest["series"] -= first
                buckets = _buckets(state, of_series, newest, self._spool.newest)
                scored = score_buckets(rows.take(pa.array(mine)), buckets, state, parameters, configured)
                # The rows are here already.
                verdicts.append(scored.select(VERDICT_SCHEMA.names))
                totals += AlarmTotals.of(state)
                # The next series need the room.
                del state

        keep(states())
        found_verdicts = pa.concat_tables(verdicts).take(pa.array(np.argsort(by_series)))
        resumed = int(found.is_resumed.sum())
        return Replayed(
            verdicts=finished(
                beside(rows, found_verdicts), known, totals, parameters, self._feedback, is_shard=is_shard
            ),
            resumed=resumed,
            replayed=int(found.is_here.sum()) - resumed,
        )

    def _with_rest(
        self, found: _Series, counted: npt.NDArray[np.int64], rest: Callable[[], Iterable[pa.Table]]
    ) -> _Series:
        """Take in all rows of the series that are replayed; the others are what the earlier state knows.

        :param counted: per series, the one that counts its rows, which is needed with it.
        """
        is_wanted = found.is_here & ~found.is_resumed
        is_wanted[counted[is_wanted & (counted != NO_COUNT)]] = True
        known = len(self._spool.seen.buckets)
        if not is_wanted[:known].any():
            return found
        for metrics in rest():
            self._spool.add_of(metrics, is_wanted)
        # Series whose rows all lack an end are numbered too.
        taken_in = self._spool.firsts.codes[: len(is_wanted)]
        firsts = FirstBuckets(np.where(found.is_resumed[:, None], found.firsts.codes, taken_in))
        return replace(found, firsts=firsts, frequency=firsts.frequencies())

    def _series(
        self, earlier: ModelState | None, codes: npt.NDArray[np.uint64], counted: npt.NDArray[np.int64]
    ) -> _Series:
        """Return each series, and whether its buckets are those that the earlier state was learned from."""
        keys, is_here = self._spool.keys, self._is_here
        firsts = FirstBuckets(self._spool.firsts.codes.copy())
        if earlier and self._has_changes:
            firsts.merge(stored_firsts(earlier.series, earlier.until))
        frequency = firsts.frequencies()
        is_resumed = np.zeros(keys.num_rows, bool)
        learned = Fingerprints.of_nothing(keys.num_rows)
        if earlier:
            seen, known = self._spool.seen, earlier.series.num_rows
            before = {name: earlier.series[name].to_numpy() for name in ("frequency", *_FINGERPRINT, "settings")}
            is_resumed[:known] = (
                is_here[:known]
                & (frequency[:known] == before["frequency"])
                & (seen.buckets == before["buckets"])
                & (seen.fingerprint == before["fingerprint"])
                & (codes[:known] == before["settings"])
            )
            # What a percentage teaches depends on its number of rows.
            is_resumed &= (counted == NO_COUNT) | is_resumed[counted]
            for name in _FINGERPRINT:
                getattr(learned, name)[is_resumed] = before[name][is_resumed[:known]]
        return _Series(keys, frequency, firsts, is_here, is_resumed, learned, codes)


class _Arrays:
    """The stored arrays of consecutive series, released once read, as the state for the next run grows meanwhile."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._waiting: list[pa.Array] = []

    def next(self, series: int) -> pa.Table:
        """Return the arrays of the next series, as many as there are."""
        while sum(map(len, self._waiting)) < series and (batch := next(self._batches, None)) is not None:
            self._waiting.append(batch["arrays"])
        taken: list[pa.Array] = []
        while self._waiting and series:
            chunk = self._waiting.pop(0)
            if len(chunk) > series:
                self._waiting.insert(0, chunk[series:])
            taken.append(chunk[:series])
            series -= len(taken[-1])
        return pa.table({"arrays": pa.chunked_array(taken, pa.large_binary())})


@dataclass(frozen=True)
class _Series:
    """The series of a run, in the order of their numbers.

    :ivar firsts: their first buckets.
    :ivar is_here: it has buckets.
    :ivar is_resumed: its buckets are those that the earlier state was learned from.
    :ivar settings: hashes of its scale, configuration and feedback.
    :ivar learned: fingerprints of the buckets that its state was learned from.
    """

    keys: pa.Table
    frequency: npt.NDArray[np.int8]
    firsts: FirstBuckets
    is_here: npt.NDArray[np.bool_]
    is_resumed: npt.NDArray[np.bool_]
    learned: Fingerprints
    settings: npt.NDArray[np.uint64]

    def state(self, some: slice, stored: pa.Table) -> SeriesStates:
        """Return the state of some series before their first bucket to read.

        :param stored: the arrays of those that the earlier state holds; they come first.
        """
        places = np.flatnonzero(self.is_resumed[some])
        if len(places) < stored.num_rows:
            stored = stored.take(pa.array(places))
        return SeriesStates.resumed(self.keys[some], self.frequency[some], stored, places)

    def beside_learned(self, some: slice, state: pa.Table) -> pa.Table:
        """Return the states of some series with what they were learned from, without those that have no buckets."""
        state = state.append_column("buckets", pa.array(self.learned.buckets[some]))
        state = state.append_column("fingerprint", pa.array(self.learned.fingerprint[some]))
        state = state.append_column("settings", pa.array(self.settings[some]))
        state = with_firsts(state, self.firsts.codes[some])
        is_here = self.is_here[some]
        return state if is_here.all() else state.filter(pa.array(is_here))


def _buckets(
    state: SeriesStates,
    settings: SeriesSettings,
    rows: Mapping[str, npt.NDArray[Any]],
    newest: int | None = None,
) -> Buckets:
    series = rows["series"].astype(np.int64)
    return buckets_of_series(
        keys=state.keys,
        frequency=state.keys["frequency"].to_numpy(),
        settings=settings.settings,
        series=series,
        start=rows["starts"],
        value=rows["value"],
        updated=rows["updated"],
        mark=settings.marks(series, rows["starts"], rows["ends"], rows["value"], newest),
        row_count=rows["row_count"],
    )


def _rows_to_score(
    rows: pa.Table, series: npt.NDArray[np.int32], counted: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[Any]]:
    """Return what the model reads of the rows to score, as the spool yields it of those before."""
    typed = series_metrics(rows)
    start, end = (seconds_of(typed[name]) for name in ("bucket_start", "bucket_end"))
    given: dict[str, npt.NDArray[Any]] = {
        "series": series,
        "starts": np.where(start >= 0, start, end),
        "ends": end,
        "value": values_of(typed["metric_value"]),
        "updated": seconds_of(typed["updated_at"]),
    }
    is_count = np.isin(series, counted)
    row_counts = RowCounts.of({name: column[is_count] for name, column in given.items()})
    return {**given, "row_count": row_counts.find(counted[series], given["starts"], given["ends"])}
