"""Says what a snapshot must hold: reads the source with plain SQL, and shares no code with the package."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tests.support.history_databases import COLUMNS, Database, Row

COMMIT_TIMEOUT = timedelta(hours=6)
EVENTS = tuple(name for name, columns in COLUMNS.items() if "created_at" in columns)


def consistent_state(database: Database) -> dict[str, list[Row]]:
    """Return what a snapshot taken now has to hold, before any policy."""
    rows = {table: database.rows(table) for table in COLUMNS}
    times = [row["created_at"] for table in EVENTS for row in rows[table] if row["created_at"]]
    if not times:
        return rows
    expired = max(times) - COMMIT_TIMEOUT
    if markers_do_not_come(rows, max(times)):
        return rows
    quiet = runs_that_never_get_a_marker(rows, max(times))
    finished = {*quiet, *(row["invocation_id"] for row in rows["dbt_invocations"])}
    commits = [row["created_at"] for row in rows["dbt_invocations"] if row["created_at"]]
    last_commit = max((*commits, *quiet.values()), default=datetime.min)

    def is_old(row: Row) -> bool:
        return row["created_at"] is None or row["created_at"] <= expired

    def is_finished(row: Row) -> bool:
        run = row.get("invocation_id")
        return row["created_at"] <= last_commit if run is None else run in finished

    taken = dict(rows)
    for table in EVENTS:
        taken[table] = [row for row in rows[table] if is_old(row) or is_finished(row)]
    young = expired - COMMIT_TIMEOUT
    results = {
        row["id"] for row in taken["elementary_test_results"] if row["created_at"] and row["created_at"] >= young
    }
    taken["test_result_rows"] = [
        row for row in rows["test_result_rows"] if is_old(row) or row["elementary_test_results_id"] in results
    ]
    return taken


def markers_do_not_come(rows: Mapping[str, list[Row]], newest: datetime) -> bool:
    """The oracle of markers: three runs ended after the newest marker, and have none."""
    markers = rows["dbt_invocations"]
    last_commit = max((row["created_at"] for row in markers if row["created_at"]), default=datetime.min)
    since = max(last_commit, newest - timedelta(days=30))
    ends = ends_without_marker(rows)
    return sum(last_commit < end and since <= end <= newest - COMMIT_TIMEOUT for end in ends.values()) >= 3


def runs_that_never_get_a_marker(rows: Mapping[str, list[Row]], newest: datetime) -> dict[str, datetime]:
    """The oracle of some markers: runs of a week ended without one, and lie between three pairs of other markers."""
    lately = newest - timedelta(days=7)
    markers = [row["created_at"] for row in rows["dbt_invocations"] if row["created_at"]]
    ends = ends_without_marker(rows)
    gaps = {
        sum(lately < marker < end for marker in markers)
        for end in ends.values()
        if lately <= end <= newest - COMMIT_TIMEOUT
    }
    last_commit = max(markers, default=None)
    read_from = newest - timedelta(days=30)
    if last_commit is not None:
        read_from = min(lately, max(last_commit, read_from))
    return {run: end for run, end in ends.items() if len(gaps) >= 3 and read_from <= end <= newest - timedelta(hours=1)}


def ends_without_marker(rows: Mapping[str, list[Row]]) -> dict[str, datetime]:
    """The newest row of each run that has no marker."""
    ends: dict[str, datetime] = {}
    for table in ("dbt_run_results", "elementary_test_results"):
        for row in rows[table]:
            if row["invocation_id"] and row["created_at"]:
                ends[row["invocation_id"]] = max(row["created_at"], ends.get(row["invocation_id"], datetime.min))
    for row in rows["dbt_invocations"]:
        ends.pop(row["invocation_id"], None)
    return ends
