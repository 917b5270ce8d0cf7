"""When an incident counts as found: a definition to argue with, as functions of verdicts.

A flagged bucket says of an incident if all of these hold:

- **Place.** Its table is the table to which the incident was done, or is made from it by dbt's own lineage. An incident
  of ``*`` was done to everything.
- **Time.** The bucket overlaps the time from the incident's start to its end and :data:`GRACE` longer: what arrives on
  one day is built and tested on the next morning. A change without an end lasts a moment.
- **Metric.** It is one that this kind of change moves (:data:`MOVED_BY`). A flagged bucket of another metric there and
  then is a *coincidence*: it may well be an effect, but it may as well be noise.

The delay runs from the incident's start to the end of the first such bucket, which is the first moment at which it can
be reported; with daily buckets it is a day at the least where the incident began at midnight.

A table's day is quiet where none of its buckets is of the place and time of any incident; what is flagged on it is a
false alarm. Lasting effects of an incident (rows that stay wrong) are not of its time, so they count as false alarms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

GRACE = timedelta(days=1)
_A_DAY = timedelta(days=1)

_VOLUME = ("row_count", "dimension", "sum", "null_count", "missing_count")
_SCHEMA = ("schema_changes", "failed_runs")
#: By kind of incident, the metrics that it moves.
MOVED_BY: Mapping[str, tuple[str, ...]] = {
    "volume_drop": _VOLUME,
    "volume_spike": _VOLUME,
    "slow_drift_down": _VOLUME,
    "dimension_drop": ("dimension",),
    "unexpected_value": ("dimension", "failed_rows"),
    "late_data": ("freshness", "event_freshness", "source_age", "row_count"),
    "event_lag": ("freshness", "event_freshness", "source_age"),
    "null_rate_jump": ("null_count", "null_percent", "missing_count", "missing_percent", "failed_rows"),
    "value_outliers": ("average", "max", "min", "sum", "standard_deviation", "variance", "failed_rows"),
    "duplicates": ("row_count", "failed_rows"),
    "orphan_rows": ("failed_rows",),
    "schema_change_column_dropped": _SCHEMA,
    "schema_change_column_added": _SCHEMA,
    "schema_change_type_changed": _SCHEMA,
    "model_run_failure": ("failed_runs",),
    "slow_model": ("execution_time",),
    "orchestrator_outage": ("invocations",),
}

Verdict = Mapping[str, Any]
Status = Literal["found", "coincidence", "missed"]


@dataclass(frozen=True)
class Truth:
    """What was done.

    :param tables: in upper case, as metrics name them: the one to which it was done, and those made from it; None is
        every table.
    """

    incident_id: str
    kind: str
    tables: frozenset[str] | None
    start: datetime
    end: datetime

    def concerns(self, verdict: Verdict) -> bool:
        """Return whether a bucket is of the incident's place and time."""
        return self.is_at(verdict["full_table_name"]) and self.is_during(*span(verdict))

    def is_at(self, table: str) -> bool:
        """Return whether the incident reaches a table."""
        return self.tables is None or table in self.tables

    def is_during(self, start: datetime, end: datetime) -> bool:
        """Return whether the incident, with its grace, overlaps a time."""
        return start < self.end + GRACE and end > self.start

    def moves(self, verdict: Verdict) -> bool:
        """Return whether a bucket is of a metric that this kind of incident moves."""
        return verdict["metric_name"] in MOVED_BY[self.kind]


@dataclass(frozen=True)
class Outcome:
    """What a method made of an incident.

    :param verdict: the first flagged bucket; None where it was missed.
    :param delay: from the incident's start to the end of that bucket.
    :param reason: why it was missed; empty where it was not.
    """

    status: Status
    verdict: Verdict | None = None
    delay: timedelta | None = None
    reason: str = ""


@dataclass(frozen=True)
class Quiet:
    """What a method said where nothing was done.

    :param table_days: days on which it scored a bucket of a table that no incident touched then.
    :param alarmed: of these, the ones with a flagged bucket.
    :param buckets: flagged buckets on them.
    """

    table_days: int
    alarmed: int
    buckets: int


def span(verdict: Verdict) -> tuple[datetime, datetime]:
    """Return the time of a bucket; one without a start is the moment at which it was measured."""
    end: datetime = verdict["bucket_end"]
    return verdict["bucket_start"] or end - timedelta(microseconds=1), end


def outcome(truth: Truth, verdicts: Sequence[Verdict], bar: float) -> Outcome:
    """Return whether an incident was found, and if not, why.

    :param verdicts: of one method, on every bucket.
    :param bar: the score from which the method flags.
    """
    there = [verdict for verdict in verdicts if truth.concerns(verdict)]
    for status, is_moved in (("found", True), ("coincidence", False)):
        flagged = [row for row in there if row["is_anomalous"] and truth.moves(row) is is_moved]
        if flagged:
            first = min(flagged, key=lambda row: (row["bucket_end"], -abs(row["score"] or 0), row["full_table_name"]))
            reason = "" if is_moved else _why_missed(truth, there, verdicts, bar)
            return Outcome(status, first, first["bucket_end"] - truth.start, reason)  # type: ignore[arg-type]
    return Outcome("missed", reason=_why_missed(truth, there, verdicts, bar))


def chance(truth: Truth, verdicts: Sequence[Verdict], incidents: Collection[Truth]) -> float | None:
    """Return how often the incident would have been "found" at times when nothing was done to its tables.

    Its time is moved by whole days to wherever the method scored a moved metric and no incident touched the tables.

    :return: the share of these times with a flagged bucket of a moved metric; None where there are none.
    """
    rows = [row for row in verdicts if truth.is_at(row["full_table_name"]) and truth.moves(row)]
    scored = [row for row in rows if row["score"] is not None]
    others = [other for other in incidents if _shares_tables(truth, other)]
    tried = found = 0
    for moved in _moved(truth, scored):
        if any(other.start < moved.end + GRACE and other.end + GRACE > moved.start for other in others):
            continue
        here = [row for row in scored if moved.is_during(*span(row))]
        tried += bool(here)
        found += any(row["is_anomalous"] for row in here)
    return found / tried if tried else None


def quiet(verdicts: Iterable[Verdict], incidents: Collection[Truth]) -> Quiet:
    """Count what a method scored, and what it flagged, outside the place and time of every incident."""
    days: dict[tuple[str, Any], int] = {}
    touched = set()
    for verdict in verdicts:
        start, _ = span(verdict)
        day = (verdict["full_table_name"], start.date())
        if any(truth.concerns(verdict) for truth in incidents):
            touched.add(day)
        elif verdict["score"] is not None:
            days[day] = days.get(day, 0) + bool(verdict["is_anomalous"])
    kept = {day: flagged for day, flagged in days.items() if day not in touched}
    return Quiet(len(kept), sum(flagged > 0 for flagged in kept.values()), sum(kept.values()))


def named(verdict: Verdict) -> str:
    """Return a bucket's series in short: the last part of its table, its column, its metric."""
    table = verdict["full_table_name"].rpartition(".")[2].lower()
    parts = [table, verdict["column_name"], verdict["metric_name"], verdict["dimension"]]
    return " ".join(part for part in parts if part)


def _why_missed(truth: Truth, there: Sequence[Verdict], verdicts: Sequence[Verdict], bar: float) -> str:
    metrics = ", ".join(MOVED_BY[truth.kind])
    rows = [row for row in there if truth.moves(row)]
    if not rows:
        is_collected = any(truth.is_at(row["full_table_name"]) and truth.moves(row) for row in verdicts)
        return f"no bucket of {metrics} at that time" if is_collected else f"nothing collects {metrics} there"
    scored = [row for row in rows if row["score"] is not None]
    if not scored:
        [(reason, _)] = Counter(row["reason"] for row in rows).most_common(1)
        return f"no verdict: {reason}"
    closest = max(scored, key=lambda row: (abs(row["score"]), row["full_table_name"], row["metric_name"]))
    if abs(closest["score"]) > bar:
        return f"not flagged: {named(closest)}: {closest['reason']}"
    return f"below the bar: {named(closest)} scored {closest['score']:.2f} of {bar:g}"


def _shares_tables(truth: Truth, other: Truth) -> bool:
    return truth.tables is None or other.tables is None or not truth.tables.isdisjoint(other.tables)


def _moved(truth: Truth, scored: Sequence[Verdict]) -> Iterator[Truth]:
    """Yield the incident moved by whole days, while all of it is within the scored time."""
    if not scored:
        return
    first, last = min(span(row)[0] for row in scored), max(row["bucket_end"] for row in scored)
    moved_by = -((truth.start - first) // _A_DAY) * _A_DAY
    while truth.end + moved_by <= last:
        yield replace(truth, start=truth.start + moved_by, end=truth.end + moved_by)
        moved_by += _A_DAY
