"""Makes rows from counters of statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.query_history.schema import COUNTERS_SCHEMA
from airflow_provider_elementary.times import without_zone

_COUNTED = ("calls", "duration_ms", "rows", "bytes")


@dataclass(frozen=True)
class Counted:
    """What the counters say of the time between two reads.

    :param records: one for each statement that ran meanwhile, as a warehouse's list has them.
    :param counters: as they are now, for the next read.
    :param was_reset: they were set to zero meanwhile: runs before that are not known.
    :param evicted: how often entries were removed for others meanwhile: their runs are not known.
    """

    records: list[dict[str, Any]]
    counters: pa.Table
    was_reset: bool
    evicted: int


def counters_of(records: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return the counters that a warehouse lists now."""
    rows = [
        {
            "entry": str(record["query_id"]),
            "calls": int(record["runs"]),
            "duration_ms": float(record["duration_ms"] or 0),
            "rows": int(record["row_count"] or 0),
            "bytes": int(record["bytes"] or 0),
            "reset_at": without_zone(record["reset_at"]) if record["reset_at"] is not None else None,
            "evictions": int(record["evictions"] or 0),
            "read_at": without_zone(record["read_at"]),
        }
        for record in records
    ]
    return pa.Table.from_pylist(rows, schema=COUNTERS_SCHEMA)


def since_last_read(records: list[dict[str, Any]], before: pa.Table) -> Counted:
    """Return what ran between two reads.

    :param records: the counters as a warehouse lists them now.
    :param before: those of the read before; empty at the first read, which only begins to count: how long the counters
        had run until then says nothing about when.
    """
    now = counters_of(records)
    if not before.num_rows or not now.num_rows:
        return Counted([], now if now.num_rows else before, was_reset=False, evicted=0)
    earlier = {row["entry"]: row for row in before.to_pylist()}
    first, last = before.slice(0, 1).to_pylist()[0], now.slice(0, 1).to_pylist()[0]
    was_reset = last["reset_at"] != first["reset_at"]
    counted = (
        _difference(record, entry, None if was_reset else earlier.get(entry["entry"]), first["read_at"])
        for entry, record in zip(now.to_pylist(), records, strict=True)
    )
    found = [record for record in counted if record is not None]
    evicted = 0 if was_reset else max(last["evictions"] - first["evictions"], 0)
    return Counted(found, now, was_reset, evicted)


def _difference(
    record: Mapping[str, Any], entry: dict[str, Any], before: dict[str, Any] | None, since: datetime
) -> dict[str, Any] | None:
    # An entry that was removed and came again counts from zero.
    if before is None or any(entry[name] < before[name] for name in _COUNTED):
        before = dict.fromkeys(_COUNTED, 0)
    calls, milliseconds, rows, size = (entry[name] - before[name] for name in _COUNTED)
    if not calls:
        return None
    # The same two reads make the same id, so that a task that is run again replaces its rows.
    place = hashlib.sha256(f"{entry['entry']}\0{since.isoformat()}".encode()).hexdigest()[:32]
    # A clock that was set back between the reads makes no time that ends before it begins.
    ended = max(entry["read_at"], since)
    return {
        **{name: value for name, value in record.items() if name not in ("reset_at", "evictions", "read_at")},
        "query_id": place,
        "started_at": since,
        "ended_at": ended,
        "runs": calls,
        "duration_ms": milliseconds,
        "row_count": rows,
        "bytes": size,
    }
