"""Whether a snapshot is full or incremental, decided by facts alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airflow_provider_elementary.exceptions import SnapshotConflictError
from airflow_provider_elementary.snapshots.capture.consistency import ConsistencyPoint
from airflow_provider_elementary.snapshots.capture.day_sums import Difference, WindowState
from airflow_provider_elementary.snapshots.capture.facts import TableFacts
from airflow_provider_elementary.snapshots.capture.history import check_history, with_emptied
from airflow_provider_elementary.snapshots.capture.plan import Plan
from airflow_provider_elementary.snapshots.manifest import ConsistencyEntry, Manifest, TableEntry
from airflow_provider_elementary.snapshots.reader import SnapshotSource

NAME = "elementary_test_results"
SETTLED = datetime(2026, 11, 1)
WATERMARK = datetime(2026, 11, 20)
SEEN = datetime(2026, 11, 20, 1)
NOW = datetime(2026, 11, 21)


def plan(settled_rows: int | None = 100, watermark: datetime | None = WATERMARK, undated_rows: int = 0) -> Plan:
    """Return the plan to build upon a snapshot that saw this number of settled rows up to a watermark."""
    consistency = ConsistencyEntry(
        watermark=watermark.isoformat() if watermark else None,
        committed_until=None,
        window_from="2026-11-19T00:00:00",
        read_at=SEEN.isoformat(),
        overlap=3600,
        commit_timeout=21600,
    )
    table = TableEntry(
        100, (), (), (), settled_rows=settled_rows, settled_from=SETTLED.isoformat(), undated_rows=undated_rows
    )
    manifest = cast(
        Manifest, SimpleNamespace(consistency=consistency, tables={NAME: table}, epoch=3, snapshot_id="parent")
    )
    return Plan(manifest, cast(SnapshotSource, SimpleNamespace(manifest=manifest)), None)


def point(**seen: Any) -> ConsistencyPoint:
    """Return what the source holds now; without arguments what the parent saw, grown."""
    of_table = {name: seen.pop(name) for name in ("settled_rows", "settled_from", "undated_rows") if name in seen}
    facts = replace(TableFacts(WATERMARK, 100, SETTLED), **of_table)
    return replace(ConsistencyPoint({NAME: facts}, NOW, None, None, NOW, None), **seen)


@pytest.mark.parametrize(
    ("seen", "before", "reason", "epoch"),
    [
        ({}, {}, None, 3),
        ({"watermark": WATERMARK}, {}, None, 3),
        ({"settled_rows": 7}, {"settled_rows": None}, None, 3),
        ({"settled_rows": 101}, {}, "1 row older than the overlap of 3600 s", 3),
        ({"settled_rows": 99}, {}, "history went back", 4),
        ({"settled_from": datetime(2026, 11, 2)}, {}, "history went back", 4),
        ({"watermark": datetime(2026, 11, 19)}, {}, "the newest row is of 2026-11-19", 4),
        ({"watermark": None}, {}, "the newest row is of None", 4),
        ({"watermark": None}, {"watermark": None}, None, 3),
        ({"undated_rows": 5}, {"undated_rows": 5}, None, 3),
        ({"undated_rows": 6}, {"undated_rows": 5}, None, 3),
        ({"undated_rows": 4}, {"undated_rows": 5}, "history went back", 4),
        ({"undated_rows": 10**9}, {"undated_rows": 5}, "rows without a time are too many to compare", 3),
        ({"latest": datetime(2026, 11, 19)}, {}, "ahead of the warehouse's clock", 3),
    ],
)
def test_what_the_source_holds_decides(
    seen: dict[str, Any], before: dict[str, Any], reason: str | None, epoch: int
) -> None:
    found = check_history(plan(**before), point(**seen))

    assert found.kind == ("full" if reason else "incremental")
    assert (reason or "") in (found.reason or "")
    assert found.epoch == epoch


def test_a_session_that_sees_less_and_is_older_is_a_conflict() -> None:
    with pytest.raises(SnapshotConflictError, match="Another writer came first"):
        check_history(plan(), point(settled_rows=99, read_at=SEEN))


def test_the_first_snapshot_has_no_history() -> None:
    first = Plan(None, None, "the first snapshot of this store")

    assert check_history(first, point()) is first
    assert (first.kind, first.epoch, first.window_from) == ("full", 1, None)


WINDOW = datetime(2026, 11, 19, 12)
GONE = TableFacts(WATERMARK, 0, None, difference=Difference(lost=(date(2026, 11, 5), date(2026, 11, 19))))
OLD_GONE = replace(GONE, difference=Difference(lost=(date(2026, 11, 5),)))
PURGED = TableFacts(WATERMARK, 5, datetime(2026, 11, 10), difference=Difference())


HELD, UNKNOWN, LOST = {"a": WindowState.HELD}, {"b": WindowState.UNKNOWN}, {"b": WindowState.LOST}


@pytest.mark.parametrize(
    ("tables", "windows", "left_from"),
    [
        # Nothing shows that the tables were not made again.
        ({"a": GONE, "b": OLD_GONE}, {}, {}),
        # The window of one table shows it of all of which none was taken.
        ({"a": GONE, "b": OLD_GONE}, HELD, {"a": WINDOW, "b": WINDOW}),
        ({"a": GONE, "b": OLD_GONE}, HELD | UNKNOWN, {"a": WINDOW}),
        ({"a": GONE, "b": OLD_GONE}, HELD | LOST, {"a": WINDOW}),
        # Where another table has older rows than those that are gone, a table has to show it itself.
        ({"a": GONE, "b": OLD_GONE, "c": PURGED}, {}, {"b": PURGED.settled_from}),
        ({"a": GONE, "b": OLD_GONE, "c": PURGED}, UNKNOWN, {}),
        ({"a": GONE, "b": OLD_GONE, "c": PURGED}, HELD, {"a": WINDOW, "b": PURGED.settled_from}),
    ],
)
def test_the_window_shows_that_tables_without_other_rows_were_purged(
    tables: dict[str, TableFacts], windows: dict[str, WindowState], left_from: dict[str, datetime]
) -> None:
    found = with_emptied(tables, WINDOW, lambda name: windows.get(name, WindowState.NONE))

    assert found == {
        name: replace(facts, difference=Difference(), settled_from=left_from[name]) if name in left_from else facts
        for name, facts in tables.items()
    }
