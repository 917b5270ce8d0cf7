"""Selects the incidents that each alert route has to be notified of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from airflow_provider_elementary.alerts.alert import EVENTS, Event
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta, AlertMetas
from airflow_provider_elementary.alerts.wanted import WantedAlerts
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.conditions import SEVERITIES, Condition
from airflow_provider_elementary.incidents.tracking import Incident

#: What an incident's conditions are of: the first three are Elementary's own words.
RESOURCE_TYPES = ("test", "model", "source_freshness", "anomaly", "invocation", "sync", "markers", "access")
#: How long after a digest the next one is due.
DIGESTS = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}
#: A run that begins a little earlier than a day after the last is the next day's.
_EARLY = timedelta(hours=1)


def resource_types_of(incident: Incident) -> list[str]:
    """Return what the conditions of an incident are of; a run of a model, a snapshot or a seed is ``model``."""
    return ["model" if condition.kind == "run" else condition.kind for condition in _shown(incident)]


def _shown(incident: Incident) -> Sequence[Condition]:
    """Return the conditions that hold, or all of them once it is resolved."""
    return incident.holding or incident.conditions


@dataclass(frozen=True)
class AlertFilter(WantedAlerts):
    """Selects the alerts of a route by its conditions.

    :raises ConfigurationError: an event, a severity, a resource type or a digest is unknown.
    """

    def __post_init__(self) -> None:
        """Refuse unknown names: they would match no alert."""
        for named, known, noun in (
            (self.events, EVENTS, "event or severity"),
            (self.severities, SEVERITIES, "event or severity"),
            (self.resource_types, RESOURCE_TYPES, "resource type"),
            ([self.digest] if self.digest else [], tuple(DIGESTS), "digest"),
        ):
            excludes = named is not self.events
            if unknown := sorted({name.removeprefix("!") if excludes else name for name in named} - set(known)):
                raise ConfigurationError(
                    f"Unknown {noun} of an alert route: {', '.join(unknown)}. Use {', '.join(known)}."
                )

    def passes(self, incident: Incident, meta: AlertMeta) -> bool:
        """Return whether an incident matches this route, for any event."""
        return (
            _shares(self.severities, [incident.severity])
            and _shares(self.tags, meta.tags)
            and _shares(self.owners, meta.owners)
            and _shares(self.channels, [meta.channel or ""])
            and _shares(self.resource_types, resource_types_of(incident))
            and _shares(self.statuses, [condition.state for condition in _shown(incident)])
            and _are_named(self.tables, incident.tables)
            and _are_named(self.downstream, incident.downstream)
        )


@dataclass(frozen=True)
class Notification:
    """An alert that a route received.

    :param incident_id: of the incident.
    :param table: where the incident began.
    :param route: the route's name.
    :param event: ``opened``, ``continues``, ``resolved``, ``heartbeat`` or ``digest``.
    :param notified_at: when, UTC without a zone.
    :param thread: the thread that the message is in, where the notifier knows it.
    """

    incident_id: str
    table: str
    route: str
    event: str
    notified_at: datetime
    thread: str | None = None


@dataclass(frozen=True)
class PendingNotification:
    """An incident that a route has to be notified of."""

    event: Event
    incident: Incident
    meta: AlertMeta

    def sent(self, route: str, now: datetime, thread: str | None) -> Notification:
        """Return what is recorded once it was sent."""
        return Notification(self.incident.incident_id, self.incident.root, route, self.event, now, thread)


def pending_notifications(
    incidents: Sequence[Incident],
    notified: Sequence[Notification],
    *,
    route: str,
    wants: AlertFilter,
    metas: AlertMetas,
    now: datetime,
    suppression_hours: float = 0,
) -> list[PendingNotification]:
    """Return the alerts that a route has not received yet, the oldest incident first.

    An incident that was resolved before any alert about it leads to one alert, as resolved.

    :param incidents: of the last run.
    :param notified: the alerts that all routes received so far.
    :param route: the route's name.
    :param wants: the alerts that the route selects.
    :param metas: the alert settings of the project.
    :param now: UTC without a zone.
    :param suppression_hours: the interval of tables whose meta sets none.
    """
    mine = [entry for entry in notified if entry.route == route]
    found = []
    for incident in sorted(incidents, key=lambda incident: (incident.started_at, incident.incident_id)):
        meta = metas.of(incident)
        hours = suppression_hours if meta.suppression_hours is None else meta.suppression_hours
        event = _event(incident, mine, hours, now)
        if not wants_attention(incident, event, now, {entry.incident_id for entry in mine}):
            continue
        if event and event in wants.events and wants.passes(incident, meta):
            found.append(PendingNotification(event, incident, meta))
    return found


def wants_attention(incident: Incident, event: str | None, now: datetime, notified: Collection[str]) -> bool:
    """Return whether an alert about an incident is wanted: not while it is muted, or all of it is expected.

    One that somebody looks after is not repeated. The end of what was alerted about is sent in any case.

    :param notified: ids of the incidents that were alerted about.
    """
    if event == "resolved":
        is_muted = incident.muted_until is not None and incident.muted_until > now
        return not is_muted or not {incident.incident_id, *incident.merged}.isdisjoint(notified)
    state = incident.state(now)
    return state not in ("muted", "expected") and (state != "acknowledged" or event != "continues")


def thread_of(notified: Sequence[Notification], route: str, incidents: Sequence[Incident]) -> str | None:
    """Return the thread of a route's newest message about an incident; None for many whose messages are in several."""
    found = set()
    for incident in incidents:
        ids = {incident.incident_id, *incident.merged}
        mine = [each for each in notified if each.route == route and each.incident_id in ids and each.thread]
        found.add(max(mine, key=lambda each: each.notified_at).thread if mine else None)
    return found.pop() if len(found) == 1 else None


def digest_is_due(notified: Sequence[Notification], route: str, digest: str, now: datetime) -> bool:
    """Return whether the interval of a digest is over."""
    last = last_digest(notified, route)
    return last is None or now - last >= DIGESTS[digest] - _EARLY


def last_digest(notified: Sequence[Notification], route: str) -> datetime | None:
    """Return when a route got its last digest."""
    return max(
        (entry.notified_at for entry in notified if (entry.route, entry.event) == (route, "digest")), default=None
    )


def still_needed(notified: Sequence[Notification], incidents: Sequence[Incident], now: datetime) -> list[Notification]:
    """Return the notifications that a later run may need: of known incidents, or of the last 31 days."""
    known = {incident.incident_id for incident in incidents}
    oldest = now - timedelta(days=31)
    return [entry for entry in notified if entry.incident_id in known or entry.notified_at >= oldest]


def _event(incident: Incident, mine: Sequence[Notification], hours: float, now: datetime) -> Event | None:
    """Return the event to notify of, or None."""
    # What was sent about an incident that a person merged into it was sent about it.
    ids = {incident.incident_id, *incident.merged}
    of_it = {entry.event for entry in mine if entry.incident_id in ids}
    last = max((entry.notified_at for entry in mine if entry.table == incident.root), default=None)
    is_suppressed = last is not None and now - last <= timedelta(hours=hours)
    if incident.status == "resolved":
        is_known = not of_it.isdisjoint({"opened", "continues"})
        is_pending = is_known or (incident.transition == "resolved" and not is_suppressed)
        return "resolved" if is_pending and "resolved" not in of_it else None
    if is_suppressed:
        return None
    if of_it.isdisjoint({"opened", "continues"}):
        return "opened"
    return "continues" if hours > 0 else None


def _shares(wanted: Sequence[str], found: Sequence[str]) -> bool:
    names = {_plain(name) for name in found}
    return _is_wanted(wanted, lambda name: _plain(name) in names)


def _are_named(patterns: Sequence[str], tables: Sequence[str]) -> bool:
    return _is_wanted(patterns, lambda pattern: any(_is_named(table, pattern) for table in tables))


def _is_wanted(wanted: Sequence[str], is_found: Callable[[str], bool]) -> bool:
    """Return whether no name with ``!`` is found, and one of the names without it, where there are any."""
    excluded = [name[1:] for name in wanted if name.startswith("!")]
    included = [name for name in wanted if not name.startswith("!")]
    return not any(map(is_found, excluded)) and (not included or any(map(is_found, included)))


def _plain(name: str) -> str:
    return name.strip().lstrip("#@").lower()


def _is_named(table: str, pattern: str) -> bool:
    name = table.upper()
    return any(fnmatchcase(called, pattern.upper()) for called in (name, name.split(".")[-1]))
