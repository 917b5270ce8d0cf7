"""Which incidents are news to whom: one alert per incident and route, not one per run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from airflow_provider_elementary.alerts.alert import EVENTS, Event
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta, AlertMetas
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.incidents.tracking import Incident

_SEVERITIES = ("warn", "error")


@dataclass(frozen=True)
class AlertFilter:
    """What a route is told of; what is left empty lets everything pass, and all that is given has to fit.

    :param events: of ``opened``, ``continues`` and ``resolved``. ``continues`` reminds of an incident that is open
        still each time its suppression interval has passed, and never where there is no interval.
    :param severities: of ``warn`` and ``error``.
    :param tags: a tag of the table or the test, in any case, with or without ``#``.
    :param owners: an owner of theirs, in any case, with or without ``@`` before it.
    :param channels: the channel that the project names.
    :param tables: a table of the incident, in any case: as metrics name it or by its last part, with ``*`` for any
        text: ``orders``, ``shop.marts.*``.
    :raises ConfigurationError: an event or a severity is none.
    """

    events: Sequence[str] = ("opened", "resolved")
    severities: Sequence[str] = ()
    tags: Sequence[str] = ()
    owners: Sequence[str] = ()
    channels: Sequence[str] = ()
    tables: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what would never let anything pass."""
        for named, known in ((self.events, EVENTS), (self.severities, _SEVERITIES)):
            if unknown := sorted(set(named) - set(known)):
                raise ConfigurationError(
                    f"Expected a route's events and severities of {', '.join(known)}, found {', '.join(unknown)}."
                )

    def passes(self, incident: Incident, meta: AlertMeta) -> bool:
        """Tell whether an incident is for this route, whatever the event."""
        return (
            _shares(self.severities, [incident.severity])
            and _shares(self.tags, meta.tags)
            and _shares(self.owners, meta.owners)
            and _shares(self.channels, [meta.channel or ""])
            and (not self.tables or any(_is_named(table, self.tables) for table in incident.tables))
        )


@dataclass(frozen=True)
class Told:
    """An alert that a route got.

    :param incident_id: of what.
    :param table: where the incident began.
    :param route: the route's name.
    :param event: what was told.
    :param told_at: when, UTC without a zone.
    """

    incident_id: str
    table: str
    route: str
    event: str
    told_at: datetime


@dataclass(frozen=True)
class News:
    """An incident that a route is to be told of."""

    event: Event
    incident: Incident
    meta: AlertMeta


def news_of(
    incidents: Sequence[Incident],
    told: Sequence[Told],
    *,
    route: str,
    wants: AlertFilter,
    metas: AlertMetas,
    now: datetime,
    suppression_hours: float = 0,
) -> list[News]:
    """Return what a route has not been told of yet, the oldest incident first.

    An incident that ended before anybody was told of it is told once, as resolved.

    :param incidents: as the last run leaves them.
    :param told: what all routes were told so far.
    :param route: the route's name.
    :param wants: what the route is told of.
    :param metas: what the project says of its alerts.
    :param now: UTC without a zone.
    :param suppression_hours: the interval of tables whose meta names none.
    """
    mine = [entry for entry in told if entry.route == route]
    found = []
    for incident in sorted(incidents, key=lambda incident: (incident.started_at, incident.incident_id)):
        meta = metas.of(incident)
        hours = suppression_hours if meta.suppression_hours is None else meta.suppression_hours
        event = _event(incident, mine, hours, now)
        if event and event in wants.events and wants.passes(incident, meta):
            found.append(News(event, incident, meta))
    return found


def still_needed(told: Sequence[Told], incidents: Sequence[Incident], now: datetime) -> list[Told]:
    """Return of what was told all that a later run may ask for: of incidents that are known, or of the last month."""
    known = {incident.incident_id for incident in incidents}
    oldest = now - timedelta(days=31)
    return [entry for entry in told if entry.incident_id in known or entry.told_at >= oldest]


def _event(incident: Incident, mine: Sequence[Told], hours: float, now: datetime) -> Event | None:
    """Return what there is to tell of an incident, or None."""
    of_it = {entry.event for entry in mine if entry.incident_id == incident.incident_id}
    last = max((entry.told_at for entry in mine if entry.table == incident.root), default=None)
    is_suppressed = last is not None and now - last <= timedelta(hours=hours)
    if incident.status == "resolved":
        is_known = not of_it.isdisjoint({"opened", "continues"})
        is_news = is_known or (incident.transition == "resolved" and not is_suppressed)
        return "resolved" if is_news and "resolved" not in of_it else None
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
