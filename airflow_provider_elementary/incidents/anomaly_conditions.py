"""Derives conditions from the verdicts on metrics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
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
    of_interest = verdicts if known else _of_anomalous_tables(verdicts)
    buckets, continuing = _buckets(of_interest), _continuing(of_interest)
    newest = max((end for ends in buckets.values() for end in ends), default=None)
    found: list[Condition] = []
    for (table, column, metric, dimension), rows in buckets.items():
        lasting = continuing.get((table, column, metric, dimension), frozenset())
        subject = metric_subject(table, column, metric, dimension)
        severity = "high" if lineage.severity(table, metric, column) == "error" else "normal"
        past = known.pop(("anomaly", subject, _table(table, metric)), [])
        as_expected = [end for end, anomalies in rows.items() if not anomalies and end not in lasting]
        runs = [
            _lasting(_condition(subject, severity, run, ended_at), lasting)
            for run, ended_at in _runs(rows, frozenset(as_expected))
        ]
        found += _continued(past, runs, min(rows), as_expected, lasting)
    for past in known.values():
        found += past
    found = [_no_longer_scored(condition, newest) for condition in found]
    return sorted(found, key=lambda condition: (condition.started_at, condition.key))


def _of_anomalous_tables(verdicts: pa.Table) -> pa.Table:
    tables = pc.unique(verdicts["full_table_name"].filter(is_of_incident(verdicts)))
    return verdicts.filter(pc.is_in(verdicts["full_table_name"], value_set=tables))


def _buckets(verdicts: pa.Table) -> dict[tuple[Any, ...], dict[datetime, list[_Row]]]:
    """Return the scored and the anomalous buckets of each metric, oldest first, each with its anomalous rows."""
    is_anomalous = is_of_incident(verdicts)
    is_scored = pc.and_(pc.is_valid(verdicts["score"]), pc.is_valid(verdicts["bucket_end"]))
    found: dict[tuple[Any, ...], dict[datetime, list[_Row]]] = defaultdict(dict)
    keys = [*METRIC_KEYS, "bucket_end"]
    scored = verdicts.filter(pc.or_(is_scored, is_anomalous)).select(keys).group_by(keys).aggregate([])
    ordered = scored.sort_by("bucket_end")
    for table, *others, end in zip(*(ordered[name].to_pylist() for name in keys), strict=True):
        if table:
            found[table, *others][end] = []
    for row in verdicts.filter(is_anomalous).to_pylist():
        found[tuple(row[name] for name in METRIC_KEYS)][row["bucket_end"]].append(row)
    return found


def _continuing(verdicts: pa.Table) -> dict[tuple[Any, ...], frozenset[datetime]]:
    """Return the ends of each metric's buckets that are not flagged, and do not say that what was flagged is over."""
    found: dict[tuple[Any, ...], set[datetime]] = defaultdict(set)
    rows = verdicts.filter(pc.and_(is_still_off(verdicts["reason"]), pc.is_valid(verdicts["bucket_end"])))
    for row in rows.select([*METRIC_KEYS, "bucket_end"]).to_pylist():
        found[tuple(row[name] for name in METRIC_KEYS)].add(row["bucket_end"])
    return {key: frozenset(ends) for key, ends in found.items()}


def _runs(
    rows: Mapping[datetime, Sequence[_Row]], as_expected: Collection[datetime]
) -> list[tuple[list[Sequence[_Row]], datetime | None]]:
    """Return the unbroken runs of anomalous buckets, each with the end of the bucket that was as expected after it."""
    runs: list[tuple[list[Sequence[_Row]], datetime | None]] = []
    current: list[Sequence[_Row]] = []
    for end, anomalies in rows.items():
        if anomalies:
            current.append(anomalies)
        elif current and end in as_expected:
            runs.append((current, end))
            current = []
    return [*runs, *([(current, None)] if current else [])]


def _condition(subject: str, severity: Any, run: Sequence[Sequence[_Row]], ended_at: datetime | None) -> Condition:
    every = [row for rows in run for row in rows]
    # The end decides between equal scores, so that the order of the rows does not.
    worst = min(every, key=lambda row: (-abs(row["score"] or 0), row["bucket_end"], str(row["reason"])))
    first, last = run[0][0], run[-1][0]
    return Condition(
        kind="anomaly",
        subject=subject,
        table=_table(first["full_table_name"], first["metric_name"]),
        column=first["column_name"] or None,
        family=metric_family(first["metric_name"], first["column_name"]),
        severity=severity,
        # A test without a timestamp column has only the time of its run.
        started_at=min(row["bucket_start"] or row["bucket_end"] for row in run[0]),
        last_seen=last["bucket_end"],
        ended_at=ended_at,
        times=len(run),
        state=worst["kind"] or "anomalous",
        title=public_sentence(worst),
        evidence=_evidence(len(run), last["bucket_end"]),
    )


def _evidence(buckets: int, newest: datetime) -> str:
    counted = f"{buckets} buckets in a row" if buckets > 1 else "1 bucket"
    return f"{counted} not as expected, the newest until {minute_in_utc(newest)}"


def _lasting(condition: Condition, continuing: Collection[datetime]) -> Condition:
    """Return a condition with the buckets that continue it and are not flagged again."""
    before_end = condition.ended_at or datetime.max
    later = [end for end in continuing if condition.last_seen < end < before_end]
    if not later:
        return condition
    times, last_seen = condition.times + len(later), max(later)
    return replace(condition, times=times, last_seen=last_seen, evidence=_evidence(times, last_seen))


def _table(table: str, metric: str) -> str:
    return PROJECT if metric in PROJECT_METRICS else table


def _continued(
    past: Sequence[Condition],
    runs: Sequence[Condition],
    reported: datetime,
    as_expected: Sequence[datetime],
    continuing: Collection[datetime],
) -> list[Condition]:
    """Return the conditions of one metric: those of the previous run, ended or continued by the new buckets.

    :param reported: the end of the first of the new buckets.
    :param as_expected: the ends of those that were as expected, oldest first.
    :param continuing: the ends of those that continue what was flagged.
    """
    found = [
        condition
        for condition in past
        if condition.last_seen < reported or not condition.holds or condition.last_seen in continuing
    ]
    for run in runs:
        same = next(
            (known for known in past if known.started_at <= run.last_seen and _reaches(known, run, as_expected)), None
        )
        if same is None:
            found.append(run)
            continue
        # The condition of the previous run holds what its buckets said before the new ones came.
        found = [condition for condition in found if condition is not same]
        earlier = same.started_at < run.started_at
        found.append(replace(run, started_at=same.started_at, times=max(same.times, run.times)) if earlier else run)
    return [_lasting(_ended(condition, as_expected), continuing) for condition in found]


def _reaches(known: Condition, run: Condition, as_expected: Sequence[datetime]) -> bool:
    """Return whether no bucket between a known condition and a run of anomalous ones was as expected."""
    return not any(known.last_seen < end <= run.started_at for end in as_expected) and (
        known.ended_at is None or run.started_at < known.ended_at
    )


def _ended(condition: Condition, as_expected: Sequence[datetime]) -> Condition:
    if not condition.holds:
        return condition
    return replace(condition, ended_at=min((end for end in as_expected if end > condition.last_seen), default=None))


def _no_longer_scored(condition: Condition, newest: datetime | None) -> Condition:
    if not condition.holds or newest is None or newest - condition.last_seen <= NO_LONGER_SCORED:
        return condition
    evidence = f"no score for {NO_LONGER_SCORED.days} days: the metric is no longer measured"
    ended_at = condition.last_seen + NO_LONGER_SCORED
    return replace(condition, ended_at=ended_at, state=NO_LONGER_MEASURED, evidence=evidence)
