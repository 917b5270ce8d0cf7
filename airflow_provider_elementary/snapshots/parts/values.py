"""Converts consistency points, tallies and counts to documents and back."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint
from airflow_provider_elementary.snapshots.capture.day_sums import DaySums, RangeSums
from airflow_provider_elementary.snapshots.capture.facts import TableFacts
from airflow_provider_elementary.snapshots.capture.slices import Slice
from airflow_provider_elementary.snapshots.capture.tally import Tally
from airflow_provider_elementary.snapshots.parts.documents import (
    DaysEntry,
    FactsEntry,
    PointEntry,
    RangeEntry,
    SliceEntry,
    TallyEntry,
)
from airflow_provider_elementary.snapshots.policy.redaction import Exclusions
from airflow_provider_elementary.times import iso, parse
from airflow_provider_elementary.warehouses.values import Rejections

_MICROSECOND = timedelta(microseconds=1)


def write_point(point: ConsistencyPoint) -> PointEntry:
    """Return a consistency point as it is stored."""
    return PointEntry(
        tables={
            name: FactsEntry(iso(facts.newest), facts.settled_rows, iso(facts.settled_from), facts.undated_rows)
            for name, facts in point.tables.items()
        },
        watermark=iso(point.watermark),
        abandoned_until=iso(point.abandoned_until),
        committed_until=iso(point.committed_until),
        read_at=iso(point.read_at),
        markers=_packed(point.markers),
        results=_packed(point.results),
        latest=point.latest.isoformat(),
        spread=microseconds(point.spread),
        spread_ever=microseconds(point.spread_ever),
        marker_problem=point.marker_problem,
        ended=_packed(point.ended),
        ended_until=iso(point.ended_until),
        unmarked={run: moment.isoformat() for run, moment in point.unmarked.items()},
        marked_until=iso(point.marked_until),
    )


def read_point(entry: PointEntry) -> ConsistencyPoint:
    """Return the consistency point that is stored."""
    return ConsistencyPoint(
        tables={
            name: TableFacts(parse(facts.newest), facts.settled_rows, parse(facts.settled_from), facts.undated_rows)
            for name, facts in entry.tables.items()
        },
        watermark=parse(entry.watermark),
        abandoned_until=parse(entry.abandoned_until),
        committed_until=parse(entry.committed_until),
        read_at=parse(entry.read_at),
        markers=_unpacked(entry.markers),
        results=_unpacked(entry.results),
        latest=datetime.fromisoformat(entry.latest),
        spread=_MICROSECOND * entry.spread,
        spread_ever=_MICROSECOND * entry.spread_ever,
        marker_problem=entry.marker_problem,
        ended=_unpacked(entry.ended),
        ended_until=parse(entry.ended_until),
        unmarked={run: datetime.fromisoformat(moment) for run, moment in entry.unmarked.items()},
        marked_until=parse(entry.marked_until),
    )


def write_tally(tally: Tally) -> TallyEntry:
    """Return a tally as it is stored."""
    young = {name: np.concatenate(times) for name, times in tally._young.items() if times}
    return TallyEntry(
        taken=dict(tally.taken),
        waiting=dict(tally.waiting),
        undated=dict(tally.undated),
        old=dict(tally._old),
        oldest={name: oldest.isoformat() for name, oldest in tally._oldest.items()},
        young={name: _pack(pa.array(np.sort(times).astype("datetime64[us]"))) for name, times in young.items()},
        waiting_runs=_pack(pa.array(sorted(tally.waiting_runs), pa.string())),
        abandoned_runs=_pack(pa.array(sorted(tally.abandoned_runs), pa.string())),
        waiting_from=iso(tally.waiting_from),
    )


def read_tally(entry: TallyEntry, young_from: datetime | None) -> Tally:
    """Return the tally that is stored."""
    young = defaultdict(list)
    for name, times in entry.young.items():
        young[name] = [_unpack(times).to_numpy(zero_copy_only=False)]
    return Tally(
        young_from=young_from,
        taken=Counter(entry.taken),
        waiting=Counter(entry.waiting),
        waiting_runs=set(_unpack(entry.waiting_runs).to_pylist()),
        abandoned_runs=set(_unpack(entry.abandoned_runs).to_pylist()),
        waiting_from=parse(entry.waiting_from),
        undated=Counter(entry.undated),
        _old=Counter(entry.old),
        _oldest={name: datetime.fromisoformat(oldest) for name, oldest in entry.oldest.items()},
        _young=young,
    )


def write_range(sums: RangeSums) -> RangeEntry:
    """Return what is compared of a range as it is stored."""
    found, held, before = map(_write_days, (sums.found, sums.held, sums.before))
    return RangeEntry(found, held, before, sums.window)


def read_range(entry: RangeEntry) -> RangeSums:
    """Return what is compared of a range that is stored."""
    found, held, before = map(_read_days, (entry.found, entry.held, entry.before))
    return RangeSums(found, held, before, entry.window)


def read_exclusions(entries: Iterable[Mapping[str, Any]]) -> Exclusions:
    """Return the counts that :meth:`Exclusions.to_list` gave."""
    exclusions = Exclusions()
    for entry in entries:
        category = entry["category"] or ""
        if "rows" in entry:
            exclusions.rows[entry["rule"], entry["table"], category] += entry["rows"]
        else:
            exclusions.values[entry["rule"], entry["column"], category] += entry["values"]
    return exclusions


def read_rejections(entries: Iterable[Mapping[str, Any]]) -> Rejections:
    """Return the counts that :meth:`Rejections.to_list` gave."""
    rejections = Rejections()
    for entry in entries:
        counts, unit = (rejections.rows, "rows") if "rows" in entry else (rejections.values, "values")
        counts[entry["table"], entry["column"], entry["kind"]] += entry[unit]
    return rejections


def write_slice(wanted: Slice) -> SliceEntry:
    """Return a slice as it is stored."""
    return SliceEntry(wanted.table, iso(wanted.since), iso(wanted.until), wanted.rows_of_table)


def read_slice(entry: SliceEntry) -> Slice:
    """Return the slice that is stored."""
    return Slice(entry.table, parse(entry.since), parse(entry.until), entry.rows_of_table)


def microseconds(span: timedelta) -> int:
    """Return a time span as a number."""
    return span // _MICROSECOND


def _write_days(days: DaySums) -> DaysEntry:
    return DaysEntry(
        rows={day.isoformat(): rows for day, rows in days.rows.items()},
        sums={day.isoformat(): f"{total:x}" for day, total in days.sums.items()},
        oldest=iso(days.oldest),
    )


def _read_days(entry: DaysEntry) -> DaySums:
    return DaySums(
        rows=Counter({date.fromisoformat(day): rows for day, rows in entry.rows.items()}),
        sums=Counter({date.fromisoformat(day): int(total, 16) for day, total in entry.sums.items()}),
        oldest=parse(entry.oldest),
    )


def _packed(values: pa.Array | None) -> str | None:
    return None if values is None else _pack(values)


def _unpacked(text: str | None) -> pa.Array | None:
    return None if text is None else _unpack(text)


def _pack(values: pa.Array | pa.ChunkedArray) -> str:
    """Return an array as text; sorted lists of ids and times compress well."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_string(values.type):
        values = values.take(pc.sort_indices(values))
    batch = pa.record_batch({"values": values})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    return base64.b64encode(sink.getvalue()).decode()


def _unpack(text: str) -> pa.Array:
    with pa.ipc.open_stream(pa.BufferReader(base64.b64decode(text))) as reader:
        return reader.read_all()["values"].combine_chunks()
