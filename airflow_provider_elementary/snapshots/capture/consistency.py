"""Finds the consistency point: the rows of finished dbt runs.

A run's hook writes ``dbt_invocations`` last, so that row is the run's commit marker. Rows that name a run are taken
once its marker is there; samples follow the test result that they belong to; rows that name no run are taken up to the
newest marker. What is older than the time-out before the newest row of all is taken as it is, its run reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import TABLES, Table
from airflow_provider_elementary.snapshots.capture.commit_markers import (
    MARKERS,
    NO_MARKERS,
    Unmarked,
    find_unmarked,
    is_marked,
    read_markers,
)
from airflow_provider_elementary.snapshots.capture.facts import RUN, TableFacts, read_facts
from airflow_provider_elementary.snapshots.manifest import ConsistencyEntry, FileEntry
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.times import before, iso, parse
from airflow_provider_elementary.times import earliest as earliest_of
from airflow_provider_elementary.times import latest as latest_of
from airflow_provider_elementary.warehouses.clock import WarehouseClock, read_clock
from airflow_provider_elementary.warehouses.registry import by_adapter
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.values import Rejections

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.capture.tally import Tally

RESULTS = "elementary_test_results"
SAMPLES = "test_result_rows"
FUTURE = "time ahead of the warehouse's clock"

_TIME = pa.timestamp("us")
#: At most this many runs are named in a manifest; the others are counted.
_NAMED = 1_000


@dataclass(frozen=True)
class ConsistencyPoint:
    """Up to which rows a snapshot takes the history of a source.

    :param tables: the facts of every table with a watermark.
    :param watermark: the greatest watermark of all that the warehouse's clock and its sessions' zones allow.
    :param abandoned_until: rows up to this time are taken even if their run has no commit marker.
    :param committed_until: the greatest watermark of a commit marker.
    :param read_at: when the source's tables were seen, by the warehouse's clock; None where each statement sees
        another moment.
    :param markers: the runs that are finished; None where the source keeps no markers.
    :param results: the young test results that are taken; None where the source holds no test results.
    :param latest: no session of any zone can have written a later time by now; rows that have one are left out.
    :param spread: by how much the time zones of the sessions differ that ran lately.
    :param spread_ever: by how much those of all sessions differ.
    :param ended: runs without a marker that are taken as finished, since such runs never get one.
    :param ended_until: the newest of their rows.
    :param marker_problem: what is wrong with the commit markers, in words; None where nothing is.
    :param unmarked: the runs without a marker of the last weeks, and their newest rows.
    :param marked_until: the newest row of a run that has one.
    """

    tables: Mapping[str, TableFacts]
    watermark: datetime | None
    abandoned_until: datetime | None
    committed_until: datetime | None
    read_at: datetime | None
    markers: pa.Array | None
    results: pa.Array | None = None
    latest: datetime = datetime.max
    spread: timedelta = timedelta(0)
    spread_ever: timedelta = timedelta(0)
    marker_problem: str | None = None
    ended: pa.Array | None = None
    ended_until: datetime | None = None
    unmarked: Mapping[str, datetime] = field(default_factory=dict)
    marked_until: datetime | None = None

    def without_future(self, table: Table, batch: pa.RecordBatch, rejections: Rejections) -> pa.RecordBatch:
        """Return the rows of a batch that can be of now or earlier; the others are counted."""
        if table.watermark is None:
            return batch
        future = pc.fill_null(pc.greater(batch[table.watermark], _moment(self.latest)), False)
        if not (count := pc.sum(future).as_py()):
            return batch
        rejections.rows[table.name, table.watermark, FUTURE] += count
        return batch.filter(pc.invert(future))

    def takes(self, table: Table, batch: pa.RecordBatch) -> pa.Array:
        """Return a mask of the rows of a batch that are taken.

        :param batch: rows of a table, with the columns of :func:`consistency_columns`.
        """
        if table.watermark is None or self.watermark is None:
            return pa.array(np.ones(batch.num_rows, dtype=bool))
        created = batch[table.watermark]
        seen = pc.fill_null(pc.less_equal(created, _moment(self.watermark)), True)
        if self.markers is None:
            return seen
        # Rows without a watermark were there before the package had the column.
        abandoned = pc.fill_null(pc.less_equal(created, _moment(self.abandoned_until)), True)
        return pc.and_(seen, pc.or_(abandoned, self._is_finished(table, batch, created)))

    def _is_finished(self, table: Table, batch: pa.RecordBatch, created: pa.Array) -> pa.Array:
        committed_until = latest_of(self.committed_until, self.ended_until)
        in_time = pc.fill_null(pc.less_equal(created, _moment(committed_until)), False)
        if table.name == SAMPLES and self.results is not None:
            return pc.is_in(batch["elementary_test_results_id"], self.results)
        if RUN in batch.schema.names:
            finished = is_marked(batch[RUN], self.markers)
            if self.ended is not None:
                finished = pc.or_(finished, pc.is_in(batch[RUN], self.ended))
            return pc.if_else(pc.is_valid(batch[RUN]), finished, in_time)
        return in_time

    def unfinished(self, runs: Iterable[str]) -> list[str]:
        """Return those of these runs that have no commit marker, sorted."""
        named = pa.array(sorted(set(runs)), pa.string())
        if self.markers is None:
            return []
        unfinished: list[str] = named.filter(pc.invert(is_marked(named, self.markers))).to_pylist()
        return unfinished


def find_consistency_point(
    source: WarehouseSource,
    commit_timeout: timedelta,
    base: SnapshotSource | None,
    kept: Mapping[str, Sequence[str]] | None = None,
) -> ConsistencyPoint:
    """Read the consistency point of the source.

    The markers are read before any row that they stand for, so that even where statements see different moments
    nothing of a finished run is missing.

    :param commit_timeout: after how long rows of a run without a marker are taken as they are.
    :param base: the snapshot before, whose window is read again; None to read everything.
    :param kept: the columns of the tables whose windows are kept, so that each is read once.
    :raises ElementaryError: the files of the snapshot before do not open.
    """
    earlier = base.manifest.consistency if base is not None else None
    window_from = parse(earlier.window_from) if earlier else None
    clock, read_at = _clock(source)
    markers = read_markers(source, clock, earlier)
    latest = markers.latest(clock) if markers else clock.latest
    tables = read_facts(source, window_from, latest, kept or {})
    watermark = max((facts.newest for facts in tables.values() if facts.newest), default=None)
    point = ConsistencyPoint(
        tables=tables,
        watermark=watermark,
        abandoned_until=None,
        committed_until=markers.committed_until if markers else None,
        read_at=read_at,
        markers=markers.runs if markers else None,
        latest=clock.latest,
        spread=markers.spread if markers else timedelta(0),
        spread_ever=markers.spread_ever if markers else timedelta(0),
        marker_problem=None if markers else NO_MARKERS,
    )
    if watermark is None:
        return point
    point = replace(point, abandoned_until=before(watermark, commit_timeout + point.spread))
    if markers is None:
        return point
    unmarked = find_unmarked(
        source,
        tables,
        earlier,
        markers,
        watermark,
        before(watermark, commit_timeout + point.spread),
        markers.quiet_until(clock, watermark),
    )
    point = _without_waiting(point, unmarked, commit_timeout)
    if not {RESULTS, SAMPLES} <= set(source.tables()):
        return point
    since = before(watermark, 2 * commit_timeout + point.spread)
    return replace(point, results=_young_results(source, point, since, base))


def _without_waiting(point: ConsistencyPoint, unmarked: Unmarked, commit_timeout: timedelta) -> ConsistencyPoint:
    """Return the point without waiting for markers, where they do not come."""
    point = replace(
        point,
        marker_problem=unmarked.describe(commit_timeout),
        # Where the markers themselves have no times, rows of their runs have some.
        committed_until=point.committed_until or unmarked.marked_until,
        unmarked=unmarked.newest,
        marked_until=unmarked.marked_until,
    )
    if unmarked.is_recurrent and unmarked.quiet:
        # Runs that do get markers are waited for all the same.
        ended = pa.array(list(unmarked.quiet), pa.string())
        return replace(point, ended=ended, ended_until=max(unmarked.quiet.values()))
    return replace(point, abandoned_until=point.watermark) if unmarked.is_systemic else point


def consistency_columns(table: Table) -> frozenset[str]:
    """Return the columns that decide which rows of a table are taken."""
    if table.watermark is None:
        return frozenset()
    link = {"elementary_test_results_id"} if table.name == SAMPLES else {RUN} & {c.name for c in table.known_columns}
    return frozenset({table.watermark, *link})


def consistency_entry(
    point: ConsistencyPoint,
    tally: Tally,
    *,
    window_from: datetime | None,
    overlap: timedelta,
    commit_timeout: timedelta,
    earlier: ConsistencyEntry | None,
) -> ConsistencyEntry:
    """Return the entry of a consistency point in the manifest.

    :param window_from: where the next snapshot reads from.
    :param earlier: the consistency point of the snapshot that this one builds upon.
    """
    incomplete = point.unfinished([*tally.abandoned_runs, *(earlier.incomplete if earlier else ())])
    waiting = sorted(tally.waiting_runs)
    unmarked = sorted(point.unmarked.items(), key=itemgetter(1), reverse=True)
    return ConsistencyEntry(
        watermark=iso(point.watermark),
        committed_until=iso(point.committed_until),
        window_from=iso(window_from),
        read_at=iso(point.read_at),
        overlap=overlap.total_seconds(),
        commit_timeout=commit_timeout.total_seconds(),
        waiting=tuple(waiting[:_NAMED]),
        waiting_count=len(waiting),
        incomplete=tuple(incomplete[:_NAMED]),
        incomplete_count=len(incomplete),
        marker_problem=point.marker_problem,
        unmarked={run: moment.isoformat() for run, moment in unmarked[:_NAMED]},
        marked_until=iso(point.marked_until),
        zones_apart=point.spread_ever.total_seconds(),
    )


def next_window_start(
    point: ConsistencyPoint, tally: Tally, overlap: timedelta, earlier: datetime | None
) -> datetime | None:
    """Return where the next snapshot has to read from: before the overlap, and before everything that waits.

    :param earlier: where this snapshot read from; the window never goes back behind it.
    """
    if point.watermark is None:
        return earlier
    # Sessions of another zone write times that lie behind what others wrote before.
    window_from = earliest_of(before(point.watermark, overlap + point.spread_ever), tally.waiting_from)
    return latest_of(window_from, earlier)


def _young_results(
    source: WarehouseSource, point: ConsistencyPoint, since: datetime, base: SnapshotSource | None
) -> pa.Array:
    """Return the ids of the test results that are taken, of those young enough to have samples that could wait.

    Those before the window are in the snapshot before, as what waited is in the window: the warehouse is not asked.
    """
    table = TABLES[RESULTS]
    results, samples = point.tables[RESULTS].kept, point.tables[SAMPLES].kept
    if results is None or samples is None or base is None or not _shows_results(base):
        columns = ["id", *sorted(consistency_columns(table) & {*source.schema(RESULTS).names})]
        with source.read(RESULTS, columns=columns, since=since) as reader:
            taken = [batch["id"].filter(point.takes(table, batch)) for batch in reader]
        return _strings(taken)
    sampled = pc.unique(_strings(batch["elementary_test_results_id"] for batch in samples)).drop_null()
    older = sampled.filter(pc.invert(pc.is_in(sampled, _strings(batch["id"] for batch in results))))
    taken = [batch["id"].filter(point.takes(table, batch)) for batch in results]
    return _strings([*taken, _held_results(base, older, since)])


def _shows_results(base: SnapshotSource) -> bool:
    """Return whether a snapshot holds test results by the ids that the warehouse has."""
    return RESULTS in base.tables() and f"{RESULTS}.id" not in base.manifest.policy["hashed_columns"]


def _held_results(base: SnapshotSource, wanted: pa.Array, since: datetime) -> pa.Array:
    """Return which of some test results a snapshot holds; of its files, the newest are read until all are found."""
    written: dict[tuple[str, str], list[FileEntry]] = {}
    for file in base.manifest.files:
        newest = parse(file.max_watermark) if file.table == RESULTS else None
        if newest is not None and newest >= since:
            written.setdefault((file.snapshot_id, file.part), []).append(file)
    found = pa.array([], pa.string())
    for files in sorted(written.values(), key=lambda files: files[0].max_watermark or "", reverse=True):
        if len(found) == len(wanted):
            break
        with base.only(files).read(RESULTS, columns=["id"], since=since) as reader:
            held = [batch["id"].filter(pc.is_in(batch["id"], wanted)) for batch in reader]
        found = pc.unique(_strings([found, *held]))
    return found


def _strings(arrays: Iterable[pa.Array]) -> pa.Array:
    return pa.chunked_array(list(arrays), pa.string()).combine_chunks()


def _clock(source: WarehouseSource) -> tuple[WarehouseClock, datetime | None]:
    """Return the warehouse's clock, and when its tables were seen where that is one moment for all of them."""
    held = source.tables()
    clock = read_clock(source, MARKERS if MARKERS in held else held[0])
    has_one_view = by_adapter(source.adapter).has_one_view and MARKERS in held
    return clock, clock.now if has_one_view else None


def _moment(moment: datetime | None) -> pa.Scalar:
    return pa.scalar(moment, _TIME)
