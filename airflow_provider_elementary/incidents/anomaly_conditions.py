"""Derives conditions from the verdicts on metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.explain import is_still_off, public_sentence
from airflow_provider_elementary.anomalies.schema import is_of_incident
from airflow_provider_elementary.elementary_schema import METRIC_KEYS
from airflow_provider_elementary.incidents.conditions import (
    NO_LONGER_MEASURED,
    PROJECT,
    PROJECT_METRICS,
    Condition,
    metric_family,
    metric_subject,
)
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.times import minute_in_utc

#: A metric without a score for this long, while others have scores, is no longer measured.
NO_LONGER_SCORED = timedelta(days=14)

_Row = Mapping[str, Any]


def anomaly_conditions(verdicts: pa.Table, lineage: Lineage, before: Iterable[Condition] = ()) -> list[Condition]:
    """Return the conditions of anomalous metrics, continuing those of the previous run.

    A condition ends with the first later bucket whose score is as expected; a bucket without a score says nothing, and
    one that is as far off and not flagged again continues it.

    :param verdicts: of :func:`~airflow_provider_elementary.anomalies.detect`, of the buckets that the run reports.
    :param lineage: severities of the tests that monitor the metrics.
    :param before: the conditions of the previous run; those of other kinds are left out.
    """
    known: dict[tuple[str, str, str], list[Condition]] = defaultdict(list)
    for condition in before:
        if condition.kind == "anomaly":
            known[condition.key].append(condition)
    reported = _reported(verdicts if known else _of_anomalous_tables(verdicts))
    newest = max((end for buckets in reported.values() for end in buckets), default=None)
    found: list[Condition] = []
    for (table, column, metric, dimension), buckets in reported.items():
        subject = metric_subject(table, column, metric, dimension)
        severity = "high" if lineage.severity(table, metric, column) == "error" else "normal"
        past = known.pop(("anomaly", subject, _table(table, metric)), [])
        runs = [_condition(subject, severity, run, ended_at) for run, ended_at in _runs(buckets)]
        found += _continued(past, runs, buckets)
    for past in known.values():
        found += past
    found = [_no_longer_scored(condition, newest) for condition in found]
    return sorted(found, key=lambda condition: (condition.started_at, condition.key))


def _of_anomalous_tables(verdicts: pa.Table) -> pa.Table:
    tables = pc.unique(verdicts["full_table_name"].filter(is_of_incident(verdicts)))
    return verdicts.filter(pc.is_in(verdicts["full_table_name"], value_set=tables))


@dataclass(frozen=True, slots=True)
class _Bucket:
    """A scored or anomalous bucket of a metric.

    :ivar start: None where only the time of the run is known.
    :ivar is_still_off: it is not flagged, and does not say that what was flagged is over.
    :ivar anomalies: its anomalous rows.
    """

    start: datetime | None
    is_still_off: bool
    anomalies: list[_Row]

    @property
    def is_as_expected(self) -> bool:
        return not (self.anomalies or self.is_still_off)


#: The buckets that a run reports of one metric by their ends, oldest first.
_Buckets = Mapping[datetime, _Bucket]


def _reported(verdicts: pa.Table) -> dict[tuple[Any, ...], dict[datetime, _Bucket]]:
    """Return the buckets of each metric."""
    is_anomalous = is_of_incident(verdicts)
    is_scored = pc.and_(pc.is_valid(verdicts["score"]), pc.is_valid(verdicts["bucket_end"]))
    found: dict[tuple[Any, ...], dict[datetime, _Bucket]] = defaultdict(dict)
    keys = [*METRIC_KEYS, "bucket_end"]
    rows = verdicts.select([*keys, "bucket_start"]).append_column("is_still_off", is_still_off(verdicts["reason"]))
    scored = rows.filter(pc.or_(is_scored, is_anomalous)).group_by(keys)
    buckets = scored.aggregate([("bucket_start", "min"), ("is_still_off", "any")]).sort_by("bucket_end")
    names = (*keys, "bucket_start_min", "is_still_off_any")
    for table, *others, end, start, is_off in zip(*(buckets[name].to_pylist() for name in names), strict=True):
        if table:
            found[table, *others][end] = _Bucket(start, is_off, [])
    for row in verdicts.filter(is_anomalous).to_pylist():
        found[tuple(row[name] for name in METRIC_KEYS)][row["bucket_end"]].anomalies.append(row)
    return found


def _runs(buckets: _Buckets) -> list[tuple[dict[datetime, _Bucket], datetime | None]]:
    """Return the runs of buckets that are not as expected, each with the end of the bucket that was so after it.

    A run begins with an anomalous bucket.
    """
    runs: list[tuple[dict[datetime, _Bucket], datetime | None]] = []
    current: dict[datetime, _Bucket] = {}
    for end, bucket in buckets.items():
        if bucket.anomalies or (current and bucket.is_still_off):
            current[end] = bucket
        elif current:
            runs.append((current, end))
            current = {}
    return [*runs, *([(current, None)] if current else [])]


def _condition(subject: str, severity: Any, run: dict[datetime, _Bucket], ended_at: datetime | None) -> Condition:
    every = [row for bucket in run.values() for row in bucket.anomalies]
    # The end decides between equal scores, so that the order of the rows does not.
    worst = min(every, key=lambda row: (-abs(row["score"] or 0), row["bucket_end"], str(row["reason"])))
    first, last_seen = every[0], next(reversed(run))
    return Condition(
        kind="anomaly",
        subject=subject,
        table=_table(first["full_table_name"], first["metric_name"]),
        column=first["column_name"] or None,
        family=metric_family(first["metric_name"], first["column_name"]),
        severity=severity,
        # A test without a timestamp column has only the time of its run.
        started_at=min(row["bucket_start"] or row["bucket_end"] for row in next(iter(run.values())).anomalies),
        last_seen=last_seen,
        ended_at=ended_at,
        times=len(run),
        state=worst["kind"] or "anomalous",
        title=public_sentence(worst),
        evidence=_evidence(len(run), last_seen),
    )


def _evidence(buckets: int, newest: datetime) -> str:
    counted = f"{buckets} buckets in a row" if buckets > 1 else "1 bucket"
    return f"{counted} not as expected, the newest until {minute_in_utc(newest)}"


def _table(table: str, metric: str) -> str:
    return PROJECT if metric in PROJECT_METRICS else table


def _continued(past: Sequence[Condition], runs: Sequence[Condition], buckets: _Buckets) -> list[Condition]:
    """Return the conditions of one metric: those of the previous run, ended or continued by the new buckets."""
    earlier = {known: _before(known, buckets) for known in (_without_end(each, buckets) for each in past)}
    found: list[Condition] = []
    for run in runs:
        same = next((known for known, kept in earlier.items() if _is_continued(known, kept, run, buckets)), None)
        if same is None:
            found.append(run)
            continue
        kept = earlier.pop(same)
        if kept.started_at < run.started_at:
            between = [end for end in _still_off(buckets, kept) if end <= run.started_at]
            times = kept.times + len(between) + run.times
            evidence = _evidence(times, run.last_seen)
            run = replace(run, started_at=kept.started_at, times=times, evidence=evidence)
        found.append(run)
    continued = [_ended(kept, buckets) if known.holds else known for known, kept in earlier.items()]
    # Where no bucket is left, all were corrected.
    return [*found, *(condition for condition in continued if condition.times)]


def _without_end(known: Condition, buckets: _Buckets) -> Condition:
    """Return a condition that holds again where the bucket that ended it was corrected and is off."""
    bucket = buckets.get(known.ended_at) if known.ended_at and not known.is_closed else None
    return known if bucket is None or bucket.is_as_expected else replace(known, ended_at=None)


def _before(known: Condition, buckets: _Buckets) -> Condition:
    """Return a condition of the previous run as the buckets made it that are not reported again."""
    again = sum(known.started_at <= end <= known.last_seen for end in buckets)
    if not again:
        return known
    end, first = next(iter(buckets.items()))
    is_earlier = known.started_at < (first.start or end)
    times = max(known.times - again, 1) if is_earlier else 0
    last_seen = max(first.start, known.started_at) if first.start else known.started_at
    return replace(known, last_seen=last_seen, times=times, evidence=_evidence(times, last_seen))


def _still_off(buckets: _Buckets, condition: Condition) -> list[datetime]:
    """Return the ends of the buckets after a condition's newest one that are still off."""
    return [end for end, bucket in buckets.items() if bucket.is_still_off and end > condition.last_seen]


def _is_continued(known: Condition, kept: Condition, run: Condition, buckets: _Buckets) -> bool:
    """Return whether a run of buckets continues a known condition: none in between was as expected.

    :param kept: the known condition without the buckets that are reported again.
    """
    if not known.started_at <= run.last_seen or (known.ended_at and known.ended_at <= run.started_at):
        return False
    # Of one whose first bucket is reported again, any bucket is evidence: it stays the same incident.
    return (not kept.times and run.started_at < known.last_seen) or not any(
        bucket.is_as_expected and kept.last_seen < end <= run.started_at for end, bucket in buckets.items()
    )


def _ended(condition: Condition, buckets: _Buckets) -> Condition:
    """Return a condition that held with the buckets after it that are still off, and its end where there is one."""
    after = {end: bucket for end, bucket in buckets.items() if end > condition.last_seen}
    ended_at = next((end for end, bucket in after.items() if bucket.is_as_expected), None)
    more = [end for end in _still_off(buckets, condition) if ended_at is None or end < ended_at]
    times, last_seen = condition.times + len(more), max(more, default=condition.last_seen)
    evidence = _evidence(times, last_seen) if more else condition.evidence
    return replace(condition, last_seen=last_seen, ended_at=ended_at, times=times, evidence=evidence)


def _no_longer_scored(condition: Condition, newest: datetime | None) -> Condition:
    if not condition.holds or newest is None or newest - condition.last_seen <= NO_LONGER_SCORED:
        return condition
    evidence = f"no score for {NO_LONGER_SCORED.days} days: the metric is no longer measured"
    ended_at = condition.last_seen + NO_LONGER_SCORED
    return replace(condition, ended_at=ended_at, state=NO_LONGER_MEASURED, evidence=evidence)
