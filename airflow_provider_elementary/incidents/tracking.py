"""Groups anomalous buckets of one cause into incidents.

Adjacent anomalous buckets of one table are an episode. Episodes of tables in one lineage are an incident with one root.
Incidents keep their id from run to run.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.anomalies.explain import public_sentence
from airflow_provider_elementary.anomalies.schema import is_of_incident
from airflow_provider_elementary.project.lineage import Lineage

Status = Literal["open", "resolved"]
#: What the last run changed; ``past``: an earlier run resolved the incident.
Transition = Literal["opened", "continues", "resolved", "past"]

#: Anomalous buckets of one table at most this far apart are one episode.
ADJACENT = timedelta(days=1)
#: An episode upstream is a likely cause if it began at most this long after the one downstream, or ended this long
#: before it: what is loaded on one day is often built and seen on the next.
SLACK = timedelta(days=1)
#: An incident is resolved after this long without a score for its root, while other tables have scores.
NO_LONGER_SCORED = timedelta(days=14)


@dataclass(frozen=True)
class Episode:
    """Adjacent anomalous buckets of one table.

    :param table: its ``full_table_name``.
    :param start: of the first bucket.
    :param end: of the last bucket.
    :param anomalies: the verdicts, those of single dimension values last, then by the size of the score.
    """

    table: str
    start: datetime
    end: datetime
    anomalies: tuple[Mapping[str, Any], ...] = field(repr=False, default=())


@dataclass(frozen=True)
class Incident:
    """Episodes of one cause.

    :param incident_id: the same in every run that sees the incident: a hash of its first root and its start.
    :param status: whether it is open.
    :param transition: what the last run changed.
    :param root: the table where it began, as far as can be seen.
    :param followers: tables downstream of the root that are anomalous with it.
    :param started_at: start of the first anomalous bucket.
    :param last_anomaly_at: end of the last anomalous bucket.
    :param resolved_at: end of the bucket by which all metrics of the root were as expected again.
    :param anomalies: anomalous buckets over all tables.
    :param metrics: what is anomalous, as ``column.metric`` or ``metric``, of the root.
    :param kinds: ``drop``, ``spike``, … of all tables.
    :param severity: ``error`` if a dbt test of that severity monitors one of the anomalous metrics, else ``warn``.
    :param worst_score: the score furthest from 0.
    :param sentence: the worst anomaly of the root in words, without raw values.
    :param owners: of the root.
    :param tags: of the root.
    :param downstream: tables and exposures downstream of the root, the nearest first.
    """

    incident_id: str
    status: Status
    transition: Transition
    root: str
    followers: tuple[str, ...]
    started_at: datetime
    last_anomaly_at: datetime
    resolved_at: datetime | None
    anomalies: int
    metrics: tuple[str, ...]
    kinds: tuple[str, ...]
    severity: str
    worst_score: float | None
    sentence: str
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    downstream: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """The root and its followers."""
        return (self.root, *self.followers)


def track_incidents(verdicts: pa.Table, lineage: Lineage, before: Sequence[Incident] = ()) -> list[Incident]:
    """Update incidents with the verdicts of a run; the same verdicts a second time change nothing.

    :param verdicts: of :func:`~airflow_provider_elementary.anomalies.detect`, of the buckets that the run reports.
    :param lineage: which table is upstream of which.
    :param before: the incidents after the previous run.
    :return: input of the next run: open incidents, and past ones whose buckets may be reported again;
        open ones first, then the newest.
    """
    seen = [_incident(root, followers, lineage) for root, followers in _grouped(episodes_of(verdicts), lineage)]
    scored = _scored_buckets(verdicts)
    carried: list[Incident] = []
    taken: set[str] = set()
    for incident in sorted(seen, key=lambda found: (found.started_at, found.root)):
        same = [known for known in before if known.incident_id not in taken and _is_same(known, incident)]
        taken.update(known.incident_id for known in same)
        carried.append(_resolve_if_expected(_merged(same, incident), scored))
    oldest = pc.min(verdicts["bucket_end"]).as_py() or datetime.min
    for known in before:
        if known.incident_id in taken:
            continue
        if known.status == "open":
            carried.append(_resolve_if_expected(replace(known, transition="continues"), scored))
        elif known.last_anomaly_at + ADJACENT >= oldest:
            carried.append(replace(known, transition="past"))
    newest_first = sorted(carried, key=lambda found: (found.started_at, found.root), reverse=True)
    return sorted(newest_first, key=lambda found: found.status)


def count_open(incidents: Iterable[Incident]) -> Counter[str]:
    """Return the number of open incidents by table."""
    return Counter(table for incident in incidents if incident.status == "open" for table in incident.tables)


def episodes_of(verdicts: pa.Table) -> list[Episode]:
    """Return the episodes of all tables, in the order of time and table."""
    by_table: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in verdicts.filter(is_of_incident(verdicts)).to_pylist():
        by_table[row["full_table_name"]].append(row)
    episodes = [
        _episode(table, rows)
        for table, anomalies in by_table.items()
        for rows in _adjacent(sorted(anomalies, key=_start))
    ]
    return sorted(episodes, key=lambda episode: (episode.start, episode.table))


def roots_of(episodes: Sequence[Episode], lineage: Lineage) -> list[int]:
    """Return for each episode the index of its root: the furthest upstream episode that was anomalous when it began.

    An episode without one is its own root.
    """
    by_table: dict[str, list[int]] = defaultdict(list)
    for place, episode in enumerate(episodes):
        by_table[episode.table].append(place)
    upstream = {table: lineage.upstream(table) for table in by_table}
    causes = [_cause(episode, episodes, by_table, upstream[episode.table]) for episode in episodes]
    return [_last(place, causes) for place in range(len(episodes))]


def _cause(
    episode: Episode, episodes: Sequence[Episode], by_table: Mapping[str, list[int]], upstream: Iterable[str]
) -> int | None:
    cause = None
    # The nearest come first, so that the last one found is the furthest.
    for table in upstream:
        for place in by_table.get(table, ()):
            found = episodes[place]
            if found.start <= episode.start + SLACK and found.end + SLACK >= episode.start:
                cause = place
                break
    return cause


def _last(place: int, causes: Sequence[int | None]) -> int:
    visited = {place}
    while (cause := causes[place]) is not None and cause not in visited:
        visited.add(cause)
        place = cause
    return place


def _grouped(episodes: Sequence[Episode], lineage: Lineage) -> list[tuple[Episode, list[Episode]]]:
    groups: dict[int, list[Episode]] = defaultdict(list)
    for place, root in enumerate(roots_of(episodes, lineage)):
        groups[root] += [episodes[place]] if root != place else []
    return [(episodes[root], followers) for root, followers in groups.items()]


def _incident(root: Episode, followers: Sequence[Episode], lineage: Lineage) -> Incident:
    every = (root, *followers)
    node = lineage.node(root.table)
    anomalies = [row for episode in every for row in episode.anomalies]
    started_at = min(episode.start for episode in every)
    scores = [row["score"] for row in anomalies if row["score"] is not None]
    severities = {
        lineage.severity(row["full_table_name"], row["metric_name"], row.get("column_name")) for row in anomalies
    }
    return Incident(
        incident_id=_incident_id(root.table, started_at),
        status="open",
        transition="opened",
        root=root.table,
        followers=tuple(sorted({episode.table for episode in followers} - {root.table})),
        started_at=started_at,
        last_anomaly_at=max(episode.end for episode in every),
        resolved_at=None,
        anomalies=len(anomalies),
        metrics=tuple(sorted({_named(row) for row in root.anomalies})),
        kinds=tuple(sorted({row["kind"] for row in anomalies if row["kind"]})),
        severity="error" if "error" in severities else "warn",
        worst_score=max(scores, key=abs, default=None),
        sentence=public_sentence(root.anomalies[0]),
        owners=node.owners if node else (),
        tags=node.tags if node else (),
        downstream=tuple(lineage.downstream(root.table)),
    )


def _incident_id(root: str, started_at: datetime) -> str:
    return hashlib.sha256(f"{root}|{started_at.isoformat()}".encode()).hexdigest()[:16]


def _is_same(known: Incident, seen: Incident) -> bool:
    """Return whether a known incident is the one seen now: a common table, at the same time."""
    return (
        not set(known.tables).isdisjoint(seen.tables)
        and seen.started_at <= known.last_anomaly_at + ADJACENT
        and known.started_at <= seen.last_anomaly_at + ADJACENT
    )


def _merged(same: Sequence[Incident], seen: Incident) -> Incident:
    """Merge an incident with the known ones that it continues; the oldest gives the id."""
    if not same:
        return seen
    oldest = min(same, key=lambda known: (known.started_at, known.incident_id))
    if oldest.status == "resolved" and seen.last_anomaly_at <= oldest.last_anomaly_at:
        return replace(oldest, transition="past")
    tables = {table for known in same for table in known.tables}
    of_root = [known for known in same if known.root == seen.root]
    return replace(
        seen,
        incident_id=oldest.incident_id,
        transition="continues",
        followers=tuple(sorted((tables | set(seen.followers)) - {seen.root})),
        started_at=min(oldest.started_at, seen.started_at),
        last_anomaly_at=max(seen.last_anomaly_at, *(known.last_anomaly_at for known in same)),
        anomalies=max(seen.anomalies, *(known.anomalies for known in same)),
        metrics=tuple(sorted(set(seen.metrics).union(*(known.metrics for known in of_root)))),
        kinds=tuple(sorted(set(seen.kinds).union(*(known.kinds for known in same)))),
        severity="error" if "error" in {seen.severity, *(known.severity for known in same)} else "warn",
    )


def _resolve_if_expected(incident: Incident, scored: Mapping[tuple[str, str], Sequence[datetime]]) -> Incident:
    """Resolve an incident when every anomalous metric of its root has a later score, within the expected range."""
    if incident.transition == "past":
        return incident
    after = [
        min((end for end in scored.get((incident.root, metric), ()) if end > incident.last_anomaly_at), default=None)
        for metric in incident.metrics
    ]
    known = [end for end in after if end is not None]
    if len(known) == len(after):
        return replace(incident, status="resolved", transition="resolved", resolved_at=max(known))
    newest = max((end for ends in scored.values() for end in ends), default=incident.last_anomaly_at)
    if newest > incident.last_anomaly_at + NO_LONGER_SCORED:
        return replace(incident, status="resolved", transition="resolved", resolved_at=newest)
    return incident


def _scored_buckets(verdicts: pa.Table) -> Mapping[tuple[str, str], list[datetime]]:
    """Return the ends of the buckets that got a score, by table and metric."""
    keys = ["full_table_name", "column_name", "metric_name", "dimension", "bucket_end"]
    rows = verdicts.filter(pc.is_valid(verdicts["score"])).select(keys)
    ends: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for row in rows.group_by(keys).aggregate([]).to_pylist():
        ends[row["full_table_name"], _named(row)].append(row["bucket_end"])
    return ends


def _named(row: Mapping[str, Any]) -> str:
    """Return a metric as ``row_count``, ``email.null_percent`` or ``dimension store_id``."""
    if row["dimension"]:
        return f"{row['metric_name']} {row['dimension']}"
    return f"{row['column_name']}.{row['metric_name']}" if row["column_name"] else str(row["metric_name"])


def _adjacent(anomalies: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Split a table's anomalies, ordered by time, at gaps longer than :data:`ADJACENT`."""
    groups: list[list[Mapping[str, Any]]] = []
    end = datetime.min
    for row in anomalies:
        if groups and _start(row) <= end + ADJACENT:
            groups[-1].append(row)
        else:
            groups.append([row])
            end = datetime.min
        end = max(end, row["bucket_end"])
    return groups


def _episode(table: str, rows: Sequence[Mapping[str, Any]]) -> Episode:
    worst_first = sorted(rows, key=lambda row: (row["dimension"] is not None, -abs(row["score"] or 0), _start(row)))
    return Episode(table, _start(rows[0]), max(row["bucket_end"] for row in rows), tuple(worst_first))


def _start(row: Mapping[str, Any]) -> datetime:
    """Return the bucket's start; a test without a timestamp column has only the time of its run."""
    start: datetime = row["bucket_start"] or row["bucket_end"]
    return start
