"""Updates incidents with the conditions of a run."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from airflow_provider_elementary.incidents.conditions import Condition, Severity, worst
from airflow_provider_elementary.incidents.grouping import group_conditions
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.storage.records.answers import Answer

Status = Literal["open", "resolved"]
#: What the last run changed; ``past``: resolved by an earlier run, or over before the first one.
Transition = Literal["opened", "continues", "resolved", "past"]
#: Its status with what people answered: all but ``resolved`` are open.
State = Literal["open", "acknowledged", "muted", "expected", "resolved"]

#: A resolved incident is removed this long after its end.
KEPT = timedelta(days=90)


@dataclass(frozen=True)
class Incident:
    """Conditions of one cause.

    :param incident_id: the same in every run: a hash of the condition that it began with.
    :param status: open as long as one of its conditions holds.
    :param transition: what the last run changed.
    :param conditions: what is wrong, the root first.
    :param resolved_at: when the last condition ended; None while it is open.
    :param follows: the resolved incident of the same subject before it, by its id.
    :param owners: of the root's table.
    :param tags: of the root's table.
    :param downstream: tables and exposures downstream of the root, the nearest first.
    :param answers: what people said about it, the oldest first.
    :param merged: ids of the incidents that a person merged into it.
    """

    incident_id: str
    status: Status
    transition: Transition
    conditions: tuple[Condition, ...]
    resolved_at: datetime | None
    follows: str | None = None
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    downstream: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    merged: tuple[str, ...] = ()

    @property
    def cause(self) -> Condition:
        """The condition that it began with, as far as can be seen."""
        return self.conditions[0]

    @property
    def root(self) -> str:
        """The table where it began, as far as is known."""
        return self.cause.root

    @property
    def title(self) -> str:
        """What happened, in a sentence without raw values."""
        return self.cause.title

    @property
    def started_at(self) -> datetime:
        """When its first condition began."""
        return min(condition.started_at for condition in self.conditions)

    @property
    def last_seen(self) -> datetime:
        """When the newest evidence was made that one of its conditions holds."""
        return max(condition.last_seen for condition in self.conditions)

    @property
    def severity(self) -> Severity:
        """The worst severity of its conditions: those that hold, or all of them once it is resolved."""
        return worst({condition.severity for condition in self.holding or self.conditions})

    @property
    def holding(self) -> tuple[Condition, ...]:
        """The conditions that hold."""
        return tuple(condition for condition in self.conditions if condition.holds)

    @property
    def closed(self) -> tuple[Condition, ...]:
        """The conditions of a resolved one that ended without good evidence: nothing was repaired."""
        return tuple(each for each in self.conditions if each.is_closed) if self.status == "resolved" else ()

    @property
    def tables(self) -> tuple[str, ...]:
        """The root, and the other tables by name."""
        return (self.root, *self.followers)

    @property
    def followers(self) -> tuple[str, ...]:
        """The tables with conditions of it, without the root."""
        return tuple(sorted({condition.table for condition in self.conditions} - {self.root}))

    @property
    def subjects(self) -> tuple[str, ...]:
        """What is wrong with the table of the cause: names of tests, nodes and metrics."""
        table = self.cause.table
        return tuple(dict.fromkeys(name_of(condition) for condition in self.conditions if condition.table == table))

    @property
    def acknowledged(self) -> Answer | None:
        """The newest answer that a person looks after it."""
        return next((each for each in reversed(self.answers) if each.answer in ("acknowledge", "assign")), None)

    @property
    def assignee(self) -> str | None:
        """Who looks after it."""
        return next((each.assignee for each in reversed(self.answers) if each.assignee), None)

    @property
    def muted_until(self) -> datetime | None:
        """Until when nobody wants alerts about it, UTC; it may be over."""
        until = next((each.until for each in reversed(self.answers) if each.answer == "mute"), None)
        return datetime.fromisoformat(until) if until else None

    def state(self, now: datetime) -> State:
        """Return its status with what people answered.

        :param now: UTC without a zone.
        """
        if self.status == "resolved":
            return "resolved"
        if self.muted_until is not None and self.muted_until > now:
            return "muted"
        if all(_is_expected(condition, self.answers) for condition in self.holding):
            return "expected"
        return "acknowledged" if self.acknowledged else "open"

    def to_dict(self) -> dict[str, Any]:
        """Return the incident as JSON values."""
        return {
            "incident_id": self.incident_id,
            "status": self.status,
            "severity": self.severity,
            "kind": self.cause.kind,
            "subject": self.cause.subject,
            "title": self.title,
            "since": self.started_at.isoformat(),
            "last_seen": self.last_seen.isoformat(),
            "resolved_at": self.resolved_at.isoformat() if self.resolved_at else None,
            "owners": list(self.owners),
            "conditions": [
                {
                    "condition_id": condition.condition_id,
                    "kind": condition.kind,
                    "subject": condition.subject,
                    "table": condition.table,
                    "state": condition.state,
                    "holds": condition.holds,
                    "severity": condition.severity,
                    "since": condition.started_at.isoformat(),
                    "evidence": condition.evidence,
                    "origin": condition.origin.table if condition.origin else None,
                }
                for condition in self.conditions
            ],
            "root": self.root,
            "downstream": list(self.downstream),
            "follows": self.follows,
            "acknowledged": self.acknowledged is not None,
            "assignee": self.assignee,
            "muted_until": self.muted_until.isoformat() if self.muted_until else None,
            "merged": list(self.merged),
            "answers": [answer.to_dict() for answer in self.answers],
        }


def name_of(condition: Condition) -> str:
    """Return the short name of a condition's subject: ``email.null_percent``, ``not_null_orders_id``."""
    if condition.kind == "anomaly":
        return condition.subject.rpartition(": ")[2]
    parts = condition.subject.split(".")
    return parts[2] if len(parts) > 2 else condition.subject


def track_incidents(
    conditions: Iterable[Condition],
    lineage: Lineage,
    before: Sequence[Incident] | None = None,
    *,
    since: datetime | None = None,
    moved: Mapping[str, str] = MappingProxyType({}),
) -> list[Incident]:
    """Update incidents with the conditions of a run; the same conditions a second time change nothing.

    A condition of a known incident stays in it, also where the evidence can no longer be read: then it is as it was.
    An incident is resolved when all of its conditions are over, and a later condition of the same subject is a new
    incident, which names it.

    :param conditions: every condition that is known now, past ones included.
    :param lineage: which table is upstream of which.
    :param before: the incidents after the previous run; None in the first run.
    :param since: when the previous run was; an incident that is new and over counts as resolved by this run if it
        ended later, else as past.
    :param moved: the incident of each condition that a person merged into another or split off, by ids.
    :return: open incidents first, then the newest first.
    """
    now = {condition.condition_id: condition for condition in conditions}
    # What the evidence no longer shows is still what was known of it.
    every = {**{each.condition_id: each for known in before or () for each in known.conditions}, **now}
    known_by_id = {known.incident_id: known for known in before or ()}
    homes = {each.condition_id: known.incident_id for known in before or () for each in known.conditions}
    homes.update({condition_id: home for condition_id, home in moved.items() if condition_id in every})
    members: dict[str, list[Condition]] = defaultdict(list)
    for group in group_conditions(every.values(), lineage):
        # The root decides where conditions belong that no incident has yet.
        named = next((homes[each.condition_id] for each in group if each.condition_id in homes), None)
        # One that is resolved is never reopened.
        is_open = named is not None and (named not in known_by_id or known_by_id[named].status == "open")
        new = [each for each in group if each.condition_id not in homes]
        fallback = named if named is not None and is_open else _incident_id(new or group)
        for condition in group:
            members[homes.get(condition.condition_id, fallback)].append(condition)
    found = [
        _incident(incident_id, tuple(conditions), known_by_id, lineage, since)
        for incident_id, conditions in members.items()
    ]
    newest = max((incident.last_seen for incident in found), default=datetime.min)
    kept = [each for each in found if each.resolved_at is None or newest - each.resolved_at <= KEPT]
    newest_first = sorted(_linked(kept), key=lambda each: (each.started_at, each.root, each.incident_id), reverse=True)
    return sorted(newest_first, key=lambda incident: incident.status)


def count_open(incidents: Iterable[Incident]) -> Counter[str]:
    """Return the number of open incidents by table: those that began in it, and those that hold in it now."""
    return Counter(
        table
        for incident in incidents
        if incident.status == "open"
        for table in {incident.root, *(condition.table for condition in incident.holding)}
    )


def anomalous_tables(incidents: Iterable[Incident]) -> frozenset[str]:
    """Return the tables with a metric that is anomalous now."""
    holding = (condition for incident in incidents for condition in incident.holding)
    return frozenset(condition.table for condition in holding if condition.kind == "anomaly")


def _incident_id(group: Sequence[Condition]) -> str:
    return hashlib.sha256(f"incident|{group[0].condition_id}".encode()).hexdigest()[:16]


def _incident(
    incident_id: str,
    conditions: tuple[Condition, ...],
    known_by_id: Mapping[str, Incident],
    lineage: Lineage,
    since: datetime | None,
) -> Incident:
    known = known_by_id.get(incident_id)
    ends = [condition.ended_at for condition in conditions if condition.ended_at is not None]
    is_open = len(ends) < len(conditions)
    resolved_at = None if is_open else max(ends)
    if is_open:
        transition: Transition = "continues" if known else "opened"
    elif known:
        transition = "resolved" if known.status == "open" else "past"
    else:
        transition = "resolved" if since is not None and max(ends) > since else "past"
    root = conditions[0].root
    node = lineage.node(root)
    if conditions[0].origin and not (node and node.owners):
        # Nobody is named for many sources.
        node = lineage.node(conditions[0].table)
    return Incident(
        incident_id=incident_id,
        status="open" if is_open else "resolved",
        transition=transition,
        conditions=conditions,
        resolved_at=resolved_at,
        follows=known.follows if known else None,
        owners=node.owners if node else (),
        tags=node.tags if node else (),
        downstream=tuple(lineage.downstream(root)),
    )


def _is_expected(condition: Condition, answers: Sequence[Answer]) -> bool:
    """Return whether a person said of a condition that it is expected now."""
    return any(
        known.condition_id == condition.condition_id
        and (each.until is None or condition.last_seen <= datetime.fromisoformat(each.until))
        for each in answers
        if each.answer == "expected"
        for known in each.conditions
    )


def _linked(incidents: Iterable[Incident]) -> list[Incident]:
    """Name in each incident the one before it of the same subject."""
    latest: dict[tuple[str, str, str], str] = {}
    linked = []
    for incident in sorted(incidents, key=lambda each: (each.started_at, each.incident_id)):
        linked.append(replace(incident, follows=incident.follows or latest.get(incident.cause.key)))
        latest.update(dict.fromkeys((condition.key for condition in incident.conditions), incident.incident_id))
    return linked
