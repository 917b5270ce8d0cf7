"""Reads the commit markers of dbt runs and detects missing ones."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.snapshots.capture.facts import RUN, TableFacts, note_runs
from airflow_provider_elementary.snapshots.manifest import ConsistencyEntry
from airflow_provider_elementary.times import before, parse
from airflow_provider_elementary.times import latest as latest_of
from airflow_provider_elementary.warehouses.clock import MOST_AHEAD, MOST_BEHIND, SLACK, WarehouseClock
from airflow_provider_elementary.warehouses.source import WarehouseSource
from airflow_provider_elementary.warehouses.time_values import TIME, to_times
from airflow_provider_elementary.warehouses.watermarks import Undated

MARKERS = "dbt_invocations"

#: After this many runs without a marker that have ended for sure, markers are not waited for.
SYSTEMIC_RUNS = 3
#: How far back runs without markers are looked for that other runs with markers followed.
_RECURRENCE = timedelta(days=7)
#: Where some runs never get a marker, a run that has written nothing for so long has ended: a hook takes minutes.
QUIET = timedelta(hours=1)
#: How far back runs without markers are looked for.
_LOOK_BACK = timedelta(days=30)
#: Zones are those of sessions that ran lately: summer time comes and goes. Before its window an increment reads the
#: markers of this time alone: runs without a marker are looked for in half of it.
_RECENT = timedelta(days=60)
_QUARTER = timedelta(minutes=15)
_ENDED_AT = ("generated_at", "run_completed_at")
_REMEDY = "set disable_dbt_invocation_autoupload to false, and check that Elementary's on-run-end hook ends well"


@dataclass(frozen=True)
class Markers:
    """The runs that are finished, and the time zones of their sessions.

    :param runs: the ids of the runs, as :func:`is_marked` compares them.
    :param times: when the markers were written.
    :param committed_until: the greatest watermark of a marker; None where none has one.
    :param ahead: the greatest offset from UTC of the recent sessions; None where none is known.
    :param spread: by how much the zones of the sessions lately differ.
    :param spread_ever: by how much the zones of all sessions differ.
    """

    runs: pa.Array
    times: pa.Array
    committed_until: datetime | None
    ahead: timedelta | None
    spread: timedelta
    spread_ever: timedelta

    def latest(self, clock: WarehouseClock) -> datetime:
        """Return the latest time that one of their sessions can have written by now."""
        return clock.latest if self.ahead is None else clock.now + self.ahead + SLACK

    def quiet_until(self, clock: WarehouseClock, watermark: datetime) -> datetime:
        """Return up to which time the newest row of a run has to be for the run to have ended, marker or not."""
        by_rows = before(watermark, QUIET + self.spread)
        return by_rows if self.ahead is None else max(by_rows, clock.now + self.ahead - self.spread - QUIET)


@dataclass(frozen=True)
class Unmarked:
    """Runs without a marker: those newer than the newest marker, and those that markers of other runs followed.

    :param runs: how many are newer than the newest marker.
    :param ended: how many of them have written nothing for longer than a marker is waited for.
    :param since: the time of the newest marker, or None where the days that are counted have none.
    :param marked_until: the newest time of a row whose run has a marker.
    """

    runs: int
    ended: int
    since: datetime | None
    marked_until: datetime | None = None
    lately: int = 0
    """How many runs of the last days have ended without a marker, whatever other runs have."""
    recurrences: int = 0
    """Between how many pairs of successive markers those lie."""
    matches_none: bool = False
    """Whether there are markers, and none of them is of a run that wrote rows lately."""
    quiet: Mapping[str, datetime] = field(default_factory=dict)
    """The runs without a marker that have ended, and their newest rows."""
    newest: Mapping[str, datetime] = field(default_factory=dict)
    """The runs without a marker of the days that are counted, and their newest rows."""

    @property
    def is_systemic(self) -> bool:
        """Whether markers do not come at all, so that waiting for them is of no use."""
        return self.ended >= SYSTEMIC_RUNS

    @property
    def is_recurrent(self) -> bool:
        """Whether markers of some runs come, and those of others do not."""
        return not self.is_systemic and self.recurrences >= SYSTEMIC_RUNS

    def describe(self, commit_timeout: timedelta) -> str | None:
        """Return what is wrong with the markers and what to do, in a sentence or two; None where nothing is."""
        if self.is_recurrent:
            what = f"no dbt_invocations row came for {self.lately} runs within {_RECURRENCE.days} days"
            cause = (
                "its rows name no run of the schema (invocation_id is null or of other runs), or dbt_invocations "
                "autoupload is off"
                if self.matches_none
                else "other runs have one, so dbt_invocations autoupload is probably off in a job"
            )
            return (
                f"{what}: {cause}; {_REMEDY}. Rows of such runs are taken without waiting once the run has written "
                f"nothing for {QUIET.total_seconds() / 3600:g} hour"
            )
        if not self.ended:
            return None
        when = f"since {self.since}" if self.since is not None else f"in the last {_LOOK_BACK.days} days"
        what = f"no dbt_invocations row came for {self.runs} runs {when}"
        if self.is_systemic:
            return f"{what}: dbt_invocations autoupload is probably off; {_REMEDY}. Rows are taken without waiting"
        hours = f"{commit_timeout.total_seconds() / 3600:g} hours"
        return (
            f"{what}: they were killed, or dbt_invocations autoupload is off. Rows of such runs are taken {hours} later"
        )


#: What is said where there is no table of markers.
NO_MARKERS = (
    f"the schema has no table {MARKERS} that can be used, so it is not known which dbt runs are finished: rows are "
    "taken without waiting, and a snapshot may hold half of a run. Run `dbt run --select elementary`, "
    f"and {_REMEDY}"
)


def read_markers(source: WarehouseSource, clock: WarehouseClock, earlier: ConsistencyEntry | None) -> Markers | None:
    """Read the commit markers; None where the source keeps none.

    :param earlier: the consistency point of the snapshot that an increment builds upon: markers from some weeks before
        its window on are read, and what older ones said is taken from it. None to read all of them.
    """
    if MARKERS not in source.tables():
        return None
    held = source.schema(MARKERS).names
    columns = [RUN, "created_at", *(name for name in _ENDED_AT if name in held)]
    window_from = parse(earlier.window_from) if earlier else None
    since = before(window_from, _RECENT) if window_from is not None else None
    with source.read(MARKERS, columns=columns, since=since, undated=Undated.ALL) as reader:
        markers = reader.read_all().combine_chunks()
    created = markers["created_at"]
    usable = pc.fill_null(pc.less_equal(created, pa.scalar(clock.latest, TIME)), False)
    committed_until = pc.max(created.filter(usable)).as_py()
    ever = _offsets(markers.filter(usable))
    recent = (
        _offsets(markers.filter(pc.and_(usable, _is_after(created, before(committed_until, _RECENT)))))
        if committed_until is not None
        else ever
    )
    return Markers(
        runs=pc.unique(_comparable(markers[RUN])).drop_null(),
        times=created.filter(usable),
        committed_until=committed_until or (parse(earlier.committed_until) if earlier else None),
        ahead=max(recent, default=None),
        spread=_spread(recent),
        spread_ever=max(_spread(ever), timedelta(seconds=earlier.zones_apart if earlier else 0)),
    )


def is_marked(runs: pa.Array, markers: pa.Array) -> pa.Array:
    """Return a mask of the runs that have a marker, whatever the case and the padding of their ids."""
    return pc.is_in(_comparable(runs), markers)


def _comparable(runs: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.utf8_trim_whitespace(runs))


def find_unmarked(
    source: WarehouseSource,
    tables: Mapping[str, TableFacts],
    earlier: ConsistencyEntry | None,
    markers: Markers,
    watermark: datetime,
    abandoned_until: datetime,
    quiet_until: datetime,
) -> Unmarked:
    """Return the runs that have no marker: those that wrote rows after the newest one, and others of the last days.

    :param tables: the facts of the tables; runs that are known of a window are not read again.
    :param earlier: the snapshot before says which runs had no marker among the rows older than the window.
    :param watermark: the greatest watermark of all tables.
    :param abandoned_until: a run that has written nothing since then has ended for sure.
    :param quiet_until: where some runs never get a marker, one that has written nothing since then has ended.
    """
    since = markers.committed_until
    lately = before(watermark, _RECURRENCE)
    counted_from = before(watermark, _LOOK_BACK)
    start = counted_from if since is None else min(lately, max(since, counted_from))
    newest = {run: moment for run, time in earlier.unmarked.items() if (moment := parse(time))} if earlier else {}
    window_from = parse(earlier.window_from) if earlier else None
    for name in source.tables():
        if name == MARKERS or RUN not in source.schema(name).names or TABLES[name].watermark is None:
            continue
        if (runs := tables[name].runs) is None:
            runs = _runs_since(source, name, start if window_from is None else window_from, watermark)
        for run, moment in runs.items():
            newest[run] = max(moment, newest.get(run, moment))
    named = pa.array(list(newest), pa.string())
    marked = dict(zip(newest, is_marked(named, markers.runs).to_pylist(), strict=True))
    without = {run: moment for run, moment in newest.items() if not marked[run]}
    after = [moment for moment in without.values() if since is None or moment > since]
    marked_until = parse(earlier.marked_until) if earlier else None
    for run, moment in newest.items():
        marked_until = latest_of(marked_until, moment if marked[run] else None)
    ended = [moment for moment in without.values() if lately <= moment <= abandoned_until]
    times = sorted(markers.times.filter(_is_after(markers.times, lately)).to_pylist())
    return Unmarked(
        runs=len(after),
        ended=sum(moment <= abandoned_until for moment in after),
        since=None if since is None or since < counted_from else since,
        marked_until=marked_until,
        lately=len(ended),
        recurrences=len({bisect_left(times, moment) for moment in ended}),
        matches_none=marked_until is None or marked_until < start,
        quiet={run: moment for run, moment in without.items() if moment <= quiet_until},
        newest={run: moment for run, moment in without.items() if moment >= counted_from},
    )


def _runs_since(source: WarehouseSource, name: str, since: datetime, watermark: datetime) -> dict[str, datetime]:
    runs: dict[str, datetime] = {}
    with source.read(name, columns=[RUN, "created_at"], since=since) as reader:
        for batch in reader:
            in_time = batch.filter(pc.less_equal(batch["created_at"], pa.scalar(watermark, TIME)))
            note_runs(runs, TABLES[name], in_time)
    return runs


def _offsets(markers: pa.Table) -> Counter[timedelta]:
    """Return by how much the sessions' clocks were ahead of UTC, in steps of a quarter of an hour."""
    offsets: Counter[timedelta] = Counter()
    created = markers["created_at"].combine_chunks()
    for name in _ENDED_AT:
        if name not in markers.column_names or not markers.num_rows:
            continue
        ended, _ = to_times(markers[name].combine_chunks())
        apart = pc.subtract(created, ended).drop_null()
        # What is further apart is no zone, but a wrong time; no float holds the microseconds of centuries exactly.
        is_zone = pc.and_(
            pc.greater(apart, pa.scalar(-MOST_BEHIND - _QUARTER / 2, apart.type)),
            pc.less(apart, pa.scalar(MOST_AHEAD + _QUARTER / 2, apart.type)),
        )
        apart = pc.cast(pc.cast(apart.filter(is_zone), pa.int64()), pa.float64())
        steps = pc.cast(pc.round(pc.divide(apart, _QUARTER.total_seconds() * 1e6)), pa.int64())
        for entry in pc.value_counts(steps).to_pylist():
            offsets[entry["values"] * _QUARTER] += entry["counts"]
        if offsets:
            break
    return offsets


def _spread(offsets: Counter[timedelta]) -> timedelta:
    apart = max(offsets, default=timedelta(0)) - min(offsets, default=timedelta(0))
    # A hook that takes a quarter of an hour to write its last row is no other zone.
    return apart if apart >= 2 * _QUARTER else timedelta(0)


def _is_after(times: pa.ChunkedArray, moment: datetime) -> pa.ChunkedArray:
    return pc.fill_null(pc.greater(times, pa.scalar(moment, TIME)), False)
