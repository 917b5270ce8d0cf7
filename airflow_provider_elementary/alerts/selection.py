"""Selects the incidents that each alert route has to be notified of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from airflow_provider_elementary.alerts.alert import EVENTS, Event
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta, AlertMetas
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.conditions import SEVERITIES
from airflow_provider_elementary.incidents.tracking import Incident


@dataclass(frozen=True)
class AlertFilter:
    """Selects the alerts of a route: an empty condition matches every alert, and all conditions have to match.

    :param events: of ``opened``, ``continues`` and ``resolved``. ``continues`` repeats an alert about an open
        incident after each suppression interval, and never where there is no interval.
    :param severities: of ``critical``, ``high``, ``normal`` and ``low``.
    :param tags: a tag of the table or the test, in any case, with or without ``#``.
    :param owners: an owner of theirs, in any case, with or without ``@`` before it.
    :param channels: the channel that the project names.
    :param tables: a table of the incident, in any case: as metrics name it or by its last part, with ``*`` for any
        text: ``orders``, ``shop.marts.*``.
    :raises ConfigurationError: an event or a severity is unknown.
    """

    events: Sequence[str] = ("opened", "resolved")
    severities: Sequence[str] = ()
    tags: Sequence[str] = ()
    owners: Sequence[str] = ()
    channels: Sequence[str] = ()
    tables: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse unknown events and severities: they would match no alert."""
        for named, known in ((self.events, EVENTS), (self.severities, SEVERITIES)):
            if unknown := sorted(set(named) - set(known)):
                raise ConfigurationError(
                    f"Unknown event or severity of an alert route: {', '.join(unknown)}. Use {', '.join(known)}."
                )

    def passes(self, incident: Incident, meta: AlertMeta) -> bool:
        """Return whether an incident matches this route, for any event."""
        return (
            _shares(self.severities, [incident.severity])
            and _shares(self.tags, meta.tags)
            and _shares(self.owners, meta.owners)
            and _shares(self.channels, [meta.channel or ""])
            and (not self.tables or any(_is_named(table, self.tables) for table in incident.tables))
        )


@dataclass(frozen=True)
class Notification:
    """An alert that a route received.

    :param incident_id: of the incident.
    :param table: where the incident began.
    :param route: the route's name.
    :param event: ``opened``, ``continues`` or ``resolved``.
    :param notified_at: when, UTC without a zone.
    """

    incident_id: str
    table: str
    route: str
    event: str
    notified_at: datetime


@dataclass(frozen=True)
class PendingNotification:
    """An incident that a route has to be notified of."""

    event: Event
    incident: Incident
    meta: AlertMeta


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
        if event and event in wants.events and wants.passes(incident, meta):
            found.append(PendingNotification(event, incident, meta))
    return found


def still_needed(notified: Sequence[Notification], incidents: Sequence[Incident], now: datetime) -> list[Notification]:
    """Return the notifications that a later run may need: of known incidents, or of the last 31 days."""
    known = {incident.incident_id for incident in incidents}
    oldest = now - timedelta(days=31)
    return [entry for entry in notified if entry.incident_id in known or entry.notified_at >= oldest]


def _event(incident: Incident, mine: Sequence[Notification], hours: float, now: datetime) -> Event | None:
    """Return the event to notify of, or None."""
    of_it = {entry.event for entry in mine if entry.incident_id == incident.incident_id}
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
    return not wanted or not {_plain(name) for name in wanted}.isdisjoint(_plain(name) for name in found)


def _plain(name: str) -> str:
    return name.strip().lstrip("#@").lower()


def _is_named(table: str, patterns: Sequence[str]) -> bool:
    name = table.upper()
    return any(fnmatchcase(called, pattern.upper()) for pattern in patterns for called in (name, name.split(".")[-1]))
