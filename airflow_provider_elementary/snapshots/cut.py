"""What a consistent cut is: which rows of the source belong to finished runs, as of the warehouse's own time.

A run's hook writes ``dbt_invocations`` last, so that row is the run's commit marker. Rows that name a run are taken
once its marker is there; samples follow the test result that they belong to; rows that name no run are taken up to the
newest marker. What is older than the time-out before the newest row of all is taken as it is, its run reported.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from airflow_provider_elementary import quoting
from airflow_provider_elementary.catalog import TABLES, Table
from airflow_provider_elementary.snapshots.manifest import CutEntry
from airflow_provider_elementary.source import require_watermark
from airflow_provider_elementary.times import earliest, iso, latest, without_zone
from airflow_provider_elementary.warehouses.source import WarehouseSource

MARKERS = "dbt_invocations"
RESULTS = "elementary_test_results"
SAMPLES = "test_result_rows"
RUN = "invocation_id"

_TIME = pa.timestamp("us")
#: Warehouses where every statement of one session sees the tables as of one moment, and the clock tells which.
_ONE_VIEW = frozenset({"postgres"})
#: So many runs are named in a manifest; the others are counted.
_NAMED = 1_000


@dataclass(frozen=True)
class TableFacts:
    """What one query tells of a table with a watermark.

    :param newest: its greatest watermark, or None where it holds no rows.
    :param settled_rows: rows older than the window that is read again.
    :param settled_from: the least watermark among them, or None.
    """

    newest: datetime | None
    settled_rows: int
    settled_from: datetime | None


@dataclass(frozen=True)
class Cut:
    """Where the history of a source is cut.

    :param tables: the facts of every table with a watermark.
    :param watermark: the greatest watermark of all; the warehouse's "now".
    :param expired_until: rows up to this time are taken whatever became of their run.
    :param committed_until: the greatest watermark of a commit marker.
    :param read_at: when the source's tables were seen, by the warehouse's clock; None where each statement sees
        another moment.
    :param markers: the runs that are finished; None where the source keeps no markers.
    :param results: the young test results that the cut takes; None where the source holds no test results.
    """

    tables: Mapping[str, TableFacts]
    watermark: datetime | None
    expired_until: datetime | None
    committed_until: datetime | None
    read_at: datetime | None
    markers: pa.Array | None
    results: pa.Array | None = None

    def takes(self, table: Table, batch: pa.RecordBatch) -> pa.Array:
        """Tell which rows of a batch the cut takes.

        :param batch: rows of a table, with the columns of :func:`columns_needed`.
        """
        if table.watermark is None or self.watermark is None:
            return pa.array(np.ones(batch.num_rows, dtype=bool))
        created = batch[table.watermark]
        seen = pc.fill_null(pc.less_equal(created, _moment(self.watermark)), True)
        if self.markers is None:
            return seen
        # Rows without a watermark were there before the package had the column.
        expired = pc.fill_null(pc.less_equal(created, _moment(self.expired_until)), True)
        return pc.and_(seen, pc.or_(expired, self._is_finished(table, batch, created)))

    def _is_finished(self, table: Table, batch: pa.RecordBatch, created: pa.Array) -> pa.Array:
        in_time = pc.fill_null(pc.less_equal(created, _moment(self.committed_until)), False)
        if table.name == SAMPLES and self.results is not None:
            return pc.is_in(batch["elementary_test_results_id"], self.results)
        if RUN in batch.schema.names:
            return pc.if_else(pc.is_valid(batch[RUN]), pc.is_in(batch[RUN], self.markers), in_time)
        return in_time

    def unfinished(self, runs: Iterable[str]) -> list[str]:
        """Return those of these runs that have no commit marker, sorted."""
        named = pa.array(sorted(set(runs)), pa.string())
        if self.markers is None:
            return []
        unfinished: list[str] = named.filter(pc.invert(pc.is_in(named, self.markers))).to_pylist()
        return unfinished


@dataclass
class Tally:
    """What a cut took and left, counted while tables stream by.

    :param young_from: rows at or after this time may wait or be read again; how many there are is bounded.
    """

    young_from: datetime | None
    taken: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    waiting_runs: set[str] = field(default_factory=set)
    expired_runs: set[str] = field(default_factory=set)
    waiting_from: datetime | None = None
    _old: Counter[str] = field(default_factory=Counter)
    _oldest: dict[str, datetime] = field(default_factory=dict)
    _young: dict[str, list[npt.NDArray[np.datetime64]]] = field(default_factory=lambda: defaultdict(list))

    def count(self, cut: Cut, table: Table, batch: pa.RecordBatch, taken: pa.Array) -> None:
        """Count the rows of a batch that the snapshot holds from now on, and those that wait."""
        self.taken[table.name] += pc.sum(taken).as_py() or 0
        if table.watermark is None:
            return
        waiting = batch.filter(pc.invert(taken))
        self.waiting[table.name] += waiting.num_rows
        self.waiting_from = earliest(self.waiting_from, pc.min(waiting[table.watermark]).as_py())
        self._count_age(table, batch[table.watermark].filter(taken))
        if RUN in batch.schema.names and cut.markers is not None:
            self.waiting_runs.update(pc.unique(waiting[RUN]).drop_null().to_pylist())
            runs = batch[RUN].filter(taken)
            unmarked = runs.filter(pc.invert(pc.is_in(runs, cut.markers)))
            self.expired_runs.update(pc.unique(unmarked).drop_null().to_pylist())

    def settled(self, table: Table, window_from: datetime | None) -> tuple[int, datetime | None]:
        """Return how many rows of a table are older than a time, and the oldest time among them."""
        young = np.concatenate([np.empty(0, dtype="datetime64[us]"), *self._young[table.name]])
        older = young[young < np.datetime64(window_from)] if window_from is not None else young[:0]
        oldest = older.min().item() if older.size else None
        return self._old[table.name] + int(older.size), earliest(self._oldest.get(table.name), oldest)

    def _count_age(self, table: Table, created: pa.Array) -> None:
        young = pc.fill_null(pc.greater_equal(created, _moment(self.young_from)), False)
        old = created.filter(pc.invert(young))
        self._old[table.name] += len(old)
        if (oldest := earliest(self._oldest.get(table.name), pc.min(old).as_py())) is not None:
            self._oldest[table.name] = oldest
        if len(recent := created.filter(young)):
            self._young[table.name].append(recent.to_numpy(zero_copy_only=False))


def find_cut(source: WarehouseSource, commit_timeout: timedelta, window_from: datetime | None) -> Cut:
    """Read from the source where it can be cut.

    The markers are read before any row that they stand for, so that even where statements see different moments
    nothing of a finished run is missing.

    :param commit_timeout: after how long rows of a run without a marker are taken as they are.
    :param window_from: where the window begins that is read again, or None to read everything.
    """
    read_at = _read_at(source)
    markers, committed_until = _markers(source)
    tables = {
        name: _facts(source, TABLES[name], window_from)
        for name in source.tables()
        if TABLES[name].watermark is not None
    }
    watermark = max((facts.newest for facts in tables.values() if facts.newest), default=None)
    expired_until = watermark - commit_timeout if watermark else None
    cut = Cut(tables, watermark, expired_until, committed_until, read_at, markers)
    if watermark is None or markers is None or not {RESULTS, SAMPLES} <= set(source.tables()):
        return cut
    return replace(cut, results=_young_results(source, cut, watermark - 2 * commit_timeout))


def columns_needed(table: Table) -> frozenset[str]:
    """Return the columns by which a table is cut."""
    if table.watermark is None:
        return frozenset()
    link = {"elementary_test_results_id"} if table.name == SAMPLES else {RUN} & {c.name for c in table.columns}
    return frozenset({table.watermark, *link})


def cut_entry(
    cut: Cut,
    tally: Tally,
    *,
    window_from: datetime | None,
    overlap: timedelta,
    commit_timeout: timedelta,
    earlier: CutEntry | None,
) -> CutEntry:
    """Return what the manifest says of a cut.

    :param window_from: where the next snapshot reads from.
    :param earlier: the cut of the snapshot that this one builds upon.
    """
    incomplete = cut.unfinished([*tally.expired_runs, *(earlier.incomplete if earlier else ())])
    waiting = sorted(tally.waiting_runs)
    return CutEntry(
        watermark=iso(cut.watermark),
        committed_until=iso(cut.committed_until),
        window_from=iso(window_from),
        read_at=iso(cut.read_at),
        overlap=overlap.total_seconds(),
        commit_timeout=commit_timeout.total_seconds(),
        waiting=tuple(waiting[:_NAMED]),
        waiting_count=len(waiting),
        incomplete=tuple(incomplete[:_NAMED]),
        incomplete_count=len(incomplete),
    )


def next_window(cut: Cut, tally: Tally, overlap: timedelta, earlier: datetime | None) -> datetime | None:
    """Return where the next snapshot has to read from: before the overlap, and before everything that waits.

    :param earlier: where this snapshot read from; the window never goes back behind it.
    """
    if cut.watermark is None:
        return earlier
    window_from = earliest(cut.watermark - overlap, tally.waiting_from)
    return latest(window_from, earlier)


def _facts(source: WarehouseSource, table: Table, window_from: datetime | None) -> TableFacts:
    held = source.held(table.name)
    watermark = quoting.column(held.columns[require_watermark(table)])
    relation = exp.table_(held.name, db=source.warehouse.schema, catalog=source.warehouse.database, quoted=True)
    selected: list[exp.Expr] = [exp.func("max", watermark).as_("newest")]
    if window_from is not None:
        bound = quoting.timestamp(window_from)
        selected += [
            exp.func("count", exp.Star()).as_("all_rows"),
            exp.func("min", watermark.copy()).as_("oldest"),
            exp.func("count", exp.Case().when(watermark.copy() >= bound, exp.Literal.number(1))).as_("recent"),
        ]
    found = _one_row(source, exp.select(*selected).from_(relation).sql(source.warehouse.dialect))
    newest = _time(found["newest"])
    if window_from is None:
        return TableFacts(newest, 0, None)
    oldest = _time(found["oldest"])
    settled_from = oldest if oldest is not None and oldest < window_from else None
    return TableFacts(newest, int(found["all_rows"]) - int(found["recent"]), settled_from)


def _markers(source: WarehouseSource) -> tuple[pa.Array | None, datetime | None]:
    if MARKERS not in source.tables():
        return None, None
    with source.read(MARKERS, columns=[RUN, "created_at"]) as reader:
        markers = reader.read_all()
    runs = pc.unique(markers[RUN]).drop_null()
    return runs, pc.max(markers["created_at"]).as_py()


def _young_results(source: WarehouseSource, cut: Cut, since: datetime) -> pa.Array:
    """Return the ids of the test results that the cut takes, of those young enough to have samples that could wait."""
    table = TABLES[RESULTS]
    with source.read(RESULTS, columns=["id", *sorted(columns_needed(table))], since=since) as reader:
        taken = [batch["id"].filter(cut.takes(table, batch)) for batch in reader]
    return pa.chunked_array(taken, pa.string()).combine_chunks()


def _read_at(source: WarehouseSource) -> datetime | None:
    warehouse = source.warehouse
    if warehouse.dialect not in _ONE_VIEW or MARKERS not in source.tables():
        return None
    relation = exp.table_(source.held(MARKERS).name, db=warehouse.schema, catalog=warehouse.database, quoted=True)
    query = exp.select(exp.CurrentTimestamp().as_("read_at"), exp.func("count", exp.Star()).as_("n")).from_(relation)
    return _time(_one_row(source, query.sql(warehouse.dialect))["read_at"])


def _one_row(source: WarehouseSource, sql: str) -> dict[str, Any]:
    with source.query(sql) as reader:
        row = reader.read_all()
    found: dict[str, Any] = {}
    for name, column in zip(row.column_names, row.columns, strict=True):
        # Drivers differ in unit and case; Python knows microseconds.
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        found[name.lower()] = column[0].as_py()
    return found


def _time(moment: datetime | None) -> datetime | None:
    return without_zone(moment) if moment else None


def _moment(moment: datetime | None) -> pa.Scalar:
    return pa.scalar(moment, _TIME)
