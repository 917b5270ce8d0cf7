"""Scores the newest buckets of a stream of metrics, whole or sharded."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.configurations import KEYS, SeriesConfigurations
from airflow_provider_elementary.anomalies.detect import Method, detect
from airflow_provider_elementary.anomalies.feedback import Feedback
from airflow_provider_elementary.anomalies.metric_stream import MetricStream, ReadAllError, RecentWindow
from airflow_provider_elementary.anomalies.robust import ModelState, Replay, UnusableStateError
from airflow_provider_elementary.anomalies.stored_metrics import MetricChanges, MetricRows, Rows
from airflow_provider_elementary.anomalies.summary import recent
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.times import before

log = logging.getLogger(__name__)

_EPOCH = datetime(1970, 1, 1)
#: Memory limit of the buffered buckets; the earlier model state and the new one need memory beside it.
_SPOOL_LIMIT = "128MB"
_SERIES = "series"
#: More days than any history has; a time so long ago still has a date.
_MOST_DAYS = 100_000

#: Loads the model state of an earlier run; asked again where a state proves unusable.
LoadState = Callable[[], ModelState | None]
#: Takes the model state for the next run, some series at a time.
KeepState = Callable[[Iterator[pa.Table]], None]


@dataclass(frozen=True)
class Scored:
    """The result of scoring.

    :param verdicts: on the newest buckets of the shard's tables.
    :param tables: every table of the metrics, those of other shards too.
    :param learned_until: the time, in seconds since 1970, up to which the model state of the robust method has learned;
        None with the other method.
    :param resumed: how many series resumed from the state that was loaded.
    :param replayed: how many were replayed from their first bucket.
    """

    verdicts: pa.Table
    tables: frozenset[str]
    learned_until: int | None = None
    resumed: int = 0
    replayed: int = 0


def score_recent(
    rows: pa.RecordBatchReader | MetricRows,
    *,
    method: Method,
    days: int,
    parameters: Mapping[str, Any],
    shard: int = 0,
    shards: int = 1,
    load_state: LoadState | None = None,
    keep_state: KeepState | None = None,
    reads_all: bool = False,
    adapter: str | None = None,
    configurations: pa.Table | None = None,
    feedback: pa.Table | Iterable[Feedback | Mapping[str, Any]] | None = None,
) -> Scored:
    """Score the buckets that end within the last days before the newest bucket of all tables.

    The verdicts of all shards together are those of the whole, but each shard counts in its own tables how often alarms
    as high came. Where the rows of a series are summed in another order,
    the last of a score's 16 digits may differ.

    :param rows: metrics, as :func:`~airflow_provider_elementary.metrics.compute_metrics` yields them.
    :param method: of :func:`~airflow_provider_elementary.anomalies.detect`.
    :param days: how many days back; counted from the data, so that an old snapshot can be scored as well.
    :param parameters: the method's parameters.
    :param shard: which shard of the tables, from 0.
    :param shards: how many there are.
    :param load_state: returns the model state of an earlier run of the robust method, with the same parameters and
        shard; the verdicts are those of a replay of everything, in less time.
    :param keep_state: takes the model state of the robust method for the next run.
    :param reads_all: read all metrics even where what changed since the model state is known.
    :param adapter: dbt's name of the warehouse that the metrics were measured on, where the parameters of the method
        ``elementary`` name none.
    :param configurations: of each series, the parameters of its dbt test; see
        :func:`~airflow_provider_elementary.anomalies.detect`.
    :param feedback: what people said about verdicts.
    :raises ConfigurationError: there is no such shard, or a parameter does not fit.
    """
    if not 0 <= shard < shards:
        raise ConfigurationError(f"There is no shard {shard}. Shards are numbered from 0 to {shards - 1}.")
    days = min(days, _MOST_DAYS)
    metrics = rows if isinstance(rows, MetricRows) else MetricRows.once(rows)
    if adapter:
        parameters = {"adapter": adapter, **parameters}
    if method == "robust":
        run = _RobustRun(
            metrics, shard, shards, days, parameters, keep_state or _drop, configurations, feedback, reads_all
        )
        return run.score(load_state or (lambda: None))
    with metrics.whole() as reader:
        return _score_by_the_rule(
            MetricStream(shard, shards), reader, method, days, parameters, configurations, feedback
        )


def _score_by_the_rule(
    stream: MetricStream,
    reader: pa.RecordBatchReader,
    method: Method,
    days: int,
    parameters: Mapping[str, Any],
    configurations: pa.Table | None,
    feedback: pa.Table | Iterable[Feedback | Mapping[str, Any]] | None,
) -> Scored:
    parameters = {**parameters, **({"feedback": feedback} if feedback is not None else {})}
    is_windowed = _is_windowed(method, parameters)
    window = RecentWindow(stream, _history(parameters, days, configurations) if is_windowed else None)
    for batch in stream.read(reader):
        stream.note(batch["full_table_name"])
        window.add(_compact(batch, before(stream.newest, timedelta(days=days)) if stream.newest else None))
    metrics = window.rows()
    if stream.newest is None:
        verdicts = detect(metrics, method, configurations, **parameters)
    elif is_windowed:
        verdicts = detect(
            metrics, method, configurations, since=before(stream.newest, timedelta(days=days)), **parameters
        )
    else:
        verdicts = recent(detect(metrics, method, configurations, **parameters), days, stream.newest)
    return Scored(_plain(verdicts), stream.tables)


def _compact(rows: pa.Table, since: datetime | None) -> pa.Table:
    """Return rows whose names are held once each, without the ids of rows before all that is scored."""
    for name in KEYS:
        rows = rows.set_column(rows.column_names.index(name), name, pc.dictionary_encode(rows[name]))
    newest = pc.max(rows["bucket_end"]).as_py()
    if since is None or newest is None or newest > since:
        return rows
    return rows.set_column(rows.column_names.index("id"), "id", pa.nulls(len(rows), pa.string()))


def _plain(verdicts: pa.Table) -> pa.Table:
    """Return verdicts whose names are texts again."""
    fields = [pa.field(one.name, pa.string()) if one.name in KEYS else one for one in verdicts.schema]
    return verdicts.cast(pa.schema(fields))


@dataclass(frozen=True)
class _RobustRun:
    """One run of the robust method; see :func:`score_recent`."""

    metrics: MetricRows
    shard: int
    shards: int
    days: int
    parameters: Mapping[str, Any]
    keep_state: KeepState
    configurations: pa.Table | None
    feedback: pa.Table | Iterable[Feedback | Mapping[str, Any]] | None
    reads_all: bool

    def score(self, load_state: LoadState) -> Scored:
        state = load_state()
        changes = self.metrics.since(state.metrics, state.until) if state and not self.reads_all else None
        while True:
            try:
                with bounded_connection(_SPOOL_LIMIT) as connection:
                    return self._score(connection, state, changes)
            except ReadAllError as error:
                log.info("reading all metrics: %s", error)
                changes = None
            except UnusableStateError:
                # The log says why.
                state, changes = load_state(), None

    def _score(
        self, connection: duckdb.DuckDBPyConnection, state: ModelState | None, changes: MetricChanges | None
    ) -> Scored:
        given = dict(self.parameters)
        adapter = given.pop("adapter", None)
        stream = MetricStream(self.shard, self.shards)
        replay = Replay(connection, state, self.configurations, self.feedback, adapter, has_changes=changes is not None)
        recent_rows = self._taken_in(replay, stream, self._rows(stream, state, changes))
        until = _seconds(before(stream.newest, timedelta(days=self.days))) if stream.newest else 0
        if state and changes:
            if until < state.until:
                raise ReadAllError("the newest bucket is earlier than that of the run before")
            for rows in stream.others(changes.removed):
                replay.remove(rows)
        stream.note(replay.tables)
        found = replay.score(
            recent_rows.drop_columns([_SERIES]),
            recent_rows[_SERIES].to_numpy(),
            until,
            given,
            self.keep_state,
            partial(stream.others, changes.rest) if changes else tuple,
            is_shard=self.shards > 1,
        )
        return Scored(found.verdicts, stream.tables, until, found.resumed, found.replayed)

    def _taken_in(self, replay: Replay, stream: MetricStream, batches: Iterator[pa.Table]) -> pa.Table:
        """Give the replay all rows, and return the newest with the number of their series."""
        window = RecentWindow(stream, timedelta(days=self.days), pa.field(_SERIES, pa.int32()))
        for rows in batches:
            window.add(rows.append_column(_SERIES, pa.array(replay.add(rows))))
        return window.rows()

    def _rows(
        self, stream: MetricStream, state: ModelState | None, changes: MetricChanges | None
    ) -> Iterator[pa.Table]:
        if state is None or changes is None:
            with self.metrics.whole() as reader:
                yield from stream.read(reader)
            return
        if changes.added:
            with changes.added() as reader:
                yield from stream.read(reader)
        if changes.recent:
            after = pa.scalar(_EPOCH + timedelta(seconds=state.until), pa.timestamp("us"))
            with changes.recent() as reader:
                yield from stream.read(reader, after)


def _drop(states: Iterator[pa.Table]) -> None:
    deque(states, maxlen=0)


def _seconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1)


def time_read(
    method: Method, days: int, parameters: Mapping[str, Any], configurations: pa.Table | None = None
) -> timedelta | None:
    """Return how long before the newest bucket the metrics begin that :func:`score_recent` looks at; None for all."""
    if not _is_windowed(method, parameters):
        return None
    return _history(parameters, min(days, _MOST_DAYS), configurations)


def newest_bucket(periods: Iterable[Rows]) -> datetime | None:
    """Return the end of the newest bucket that counts, or None where none does.

    :param periods: opens the metrics of each period, the newest first; those before that bucket stay closed.
    """
    stream = MetricStream(0, 1)
    for rows in periods:
        with rows() as reader:
            deque(stream.read(reader), maxlen=0)
        if stream.newest is not None:
            break
    return stream.newest


def _is_windowed(method: Method, parameters: Mapping[str, Any]) -> bool:
    """Return whether verdicts depend on the newest buckets alone; a run as of a given time picks its own."""
    return method == "elementary" and not {"since", "as_of"} & set(parameters)


def _history(parameters: Mapping[str, Any], days: int, configurations: pa.Table | None) -> timedelta:
    """Return how far back from the newest bucket a verdict on one of the last days may look."""
    known = {name: value for name, value in parameters.items() if name not in ("adapter", "feedback")}
    configured = SeriesConfigurations.of(configurations, known)
    return timedelta(days=days) + configured.longest_look_back
