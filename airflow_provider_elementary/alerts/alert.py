"""Writes an alert as plain text, Slack markup, HTML and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Literal

from airflow_provider_elementary.alerts.dbt_meta import AlertMeta
from airflow_provider_elementary.alerts.runbook import RUNBOOK, link_of
from airflow_provider_elementary.incidents.conditions import PROJECT, SEVERITIES, Severity
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.times import minute_in_utc

#: An incident opened, is still open after its suppression interval, or is resolved.
Event = Literal["opened", "continues", "resolved", "heartbeat", "digest"]
#: Those that a route chooses from; heartbeat and digest are asked for apart.
EVENTS: tuple[Event, ...] = ("opened", "continues", "resolved")

_WORDS: Mapping[Event, str] = {"opened": "Incident", "continues": "Still open", "resolved": "Resolved"}
_NAMES_SHOWN = 10
_TITLES_SHOWN = 5
#: Slack refuses a longer text in one block.
_SLACK_LIMIT = 2900
_SLACK_HEADER = 150


def is_mail_address(text: str) -> bool:
    """Return whether a text has the form of one address, as in ``ada@example.com``."""
    return re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", text) is not None


@dataclass(frozen=True)
class Line:
    """One line of an alert.

    :param field: its name among Elementary's ``alert_fields``; None for a line that is always there.
    :param label: what the value is, in words.
    :param value: one line of text.
    """

    field: str | None
    label: str
    value: str


@dataclass(frozen=True)
class Alert:
    """An alert about one incident, or about many where there are too many for one alert each.

    Templates of notifiers reach all of it: ``{{ alert.title }}``, ``{{ alert.text }}``, ``{{ alert.channel }}``.
    No raw value of a monitored table is in it.

    :param event: ``opened``, ``continues`` or ``resolved``; ``heartbeat`` or ``digest`` where the route asks for it.
    :param title: one line.
    :param lines: the details, an entry for each.
    :param incidents: what it is about; more than one in an alert about many.
    :param severity: ``critical``, ``high``, ``normal`` or ``low``, the worst of them.
    :param owners: of the tables where they began and of the tests that monitor them.
    :param subscribers: further people who want to know.
    :param tags: of the tables and tests, without duplicates.
    :param channel: where the project wants it to go; None where the project names none, or several.
    :param url: of the incident on the Elementary page, the worst of many; empty where it is not known.
    :param reply_to: the thread in which the route's earlier messages about it are; None where there are none, or the
        notifier knows no threads.
    """

    event: Event
    title: str
    lines: tuple[Line, ...]
    incidents: tuple[Incident, ...]
    severity: Severity
    owners: tuple[str, ...] = ()
    subscribers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    channel: str | None = None
    url: str = ""
    reply_to: str | None = None

    @property
    def key(self) -> str:
        """The same for every event of an incident, so that its resolution closes what its opening opened."""
        return f"elementary-{self.incidents[0].incident_id if self.incidents else self.event}"

    @property
    def thread(self) -> str:
        """What the mails about an incident refer to, so that a mail program shows them as one thread."""
        return f"<{self.key}@airflow-provider-elementary>"

    @property
    def table(self) -> str:
        """The table where the incident began."""
        return self.incidents[0].root if self.incidents else PROJECT

    @property
    def emails(self) -> tuple[str, ...]:
        """Owners and subscribers that are e-mail addresses."""
        people = (*self.owners, *self.subscribers)
        return tuple(dict.fromkeys(name for name in people if is_mail_address(name)))

    @property
    def text(self) -> str:
        """Plain text: the title and a line for each detail."""
        return "\n".join([self.title, *(f"{line.label}: {line.value}" for line in self.lines), *_url_line(self.url)])

    @property
    def slack(self) -> str:
        """Slack's markup (mrkdwn); names from the warehouse cannot mention people or channels with it."""
        details = [f"*{_for_slack(line.label)}:* {_for_slack(line.value)}" for line in self.lines]
        link = [f"<{self.url}|Elementary page>"] if self.url else []
        return "\n".join([f"*{_for_slack(self.title)}*", *details, *link])[:_SLACK_LIMIT]

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """Slack's blocks: the title, the details, and a link."""
        header = {"type": "header", "text": {"type": "plain_text", "text": self.title[:_SLACK_HEADER]}}
        details = "\n".join(f"*{_for_slack(line.label)}:* {_for_slack(line.value)}" for line in self.lines)
        section = {"type": "section", "text": {"type": "mrkdwn", "text": details[:_SLACK_LIMIT] or "-"}}
        link = {"type": "section", "text": {"type": "mrkdwn", "text": f"<{self.url}|Open the incident>"}}
        return [header, section, *([link] if self.url else [])]

    @property
    def html(self) -> str:
        """HTML for a mail."""
        rows = "".join(f"<tr><th>{escape(line.label)}</th><td>{escape(line.value)}</td></tr>" for line in self.lines)
        link = f'<p><a href="{escape(self.url)}">Elementary page</a></p>' if self.url else ""
        return f"<h3>{escape(self.title)}</h3><table>{rows}</table>{link}"

    @property
    def json(self) -> str:
        """The alert as a JSON document, for webhooks."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the alert as JSON values."""
        return {
            "key": self.key,
            "event": self.event,
            "title": self.title,
            "text": self.text,
            "severity": self.severity,
            "owners": list(self.owners),
            "subscribers": list(self.subscribers),
            "tags": list(self.tags),
            "channel": self.channel,
            "url": self.url,
            "incidents": [
                {
                    "incident_id": incident.incident_id,
                    "status": incident.status,
                    "severity": incident.severity,
                    "table": incident.root,
                    "followers": list(incident.followers),
                    "subjects": list(incident.subjects),
                    "started_at": incident.started_at.isoformat(),
                    "resolved_at": incident.resolved_at.isoformat() if incident.resolved_at else None,
                    "title": incident.title,
                }
                for incident in self.incidents
            ],
        }


def alert_of(event: Event, incident: Incident, meta: AlertMeta, *, url: str = "", docs_url: str = "") -> Alert:
    """Return the alert about one incident.

    :param meta: the project's alert settings for it.
    :param url: of the incident on the Elementary page.
    :param docs_url: where the docs are published, for the link to what to do.
    """
    lines = [
        Line("result_message", "What", incident.title),
        *(Line("result_message", "Also", text) for text in _also(incident)),
        Line("table", "Table", incident.cause.table),
        Line("table", "Its values come from", incident.cause.origin.table if incident.cause.origin else ""),
        Line("column", "Tests and metrics", _listed(incident.subjects)),
        Line(None, "Evidence", incident.cause.evidence),
        *(Line(None, "Closed", text) for text in _closed(incident, event)),
        Line(None, "Since", minute_in_utc(incident.started_at)),
        Line(None, "Until", minute_in_utc(incident.resolved_at) if incident.resolved_at else ""),
        Line(None, "Other tables of it", _listed(incident.followers)),
        Line(None, "Downstream", _listed(incident.downstream)),
        Line("description", "Description", meta.description or ""),
        Line("owners", "Owners", _listed(meta.owners)),
        Line(None, "Assignee", incident.assignee or ""),
        Line("subscribers", "Subscribers", _listed(meta.subscribers)),
        Line("tags", "Tags", _listed(meta.tags)),
        Line(None, "To do", "" if event == "resolved" else RUNBOOK[incident.cause.kind].to_do),
        Line(None, "Runbook", "" if event == "resolved" else link_of(incident.cause.kind, docs_url)),
    ]
    subjects = _listed(incident.subjects, 3)
    return Alert(
        event=event,
        title=_one_line(f"{_word(event, incident)} ({incident.severity}): {incident.cause.table} {subjects}"),
        lines=_shown(lines, meta.fields),
        incidents=(incident,),
        severity=incident.severity,
        owners=meta.owners,
        subscribers=meta.subscribers,
        tags=meta.tags,
        channel=meta.channel,
        url=url,
    )


def _word(event: Event, incident: Incident) -> str:
    """Return how a title begins: what ended without good evidence was not resolved."""
    return "Closed" if event == "resolved" and incident.closed else _WORDS[event]


def _closed(incident: Incident, event: Event) -> list[str]:
    """Return the conditions other than the cause that ended without good evidence, with the reason."""
    found = [each for each in incident.closed if each is not incident.cause] if event == "resolved" else []
    return [f"{each.title}: {each.evidence}" for each in found[:_TITLES_SHOWN]]


def alert_of_many(alerts: Sequence[Alert]) -> Alert:
    """Merge many alerts into one, the worst first: a flood of alerts usually has one cause."""
    worst_first = sorted(alerts, key=lambda alert: (SEVERITIES.index(alert.severity), alert.event, alert.title))
    event: Event = "opened" if any(alert.event != "resolved" for alert in alerts) else "resolved"
    channels = {alert.channel for alert in alerts}
    more = len(alerts) - 2 * _NAMES_SHOWN
    return Alert(
        event=event,
        title=f"{len(alerts)} incidents at once",
        lines=(
            *(Line(None, *alert.title.split(": ", 1)) for alert in worst_first[: 2 * _NAMES_SHOWN]),
            *([Line(None, "And", f"{more} more")] if more > 0 else []),
        ),
        incidents=tuple(incident for alert in worst_first for incident in alert.incidents),
        severity=worst_first[0].severity,
        owners=_together(alert.owners for alert in worst_first),
        subscribers=_together(alert.subscribers for alert in worst_first),
        tags=_together(alert.tags for alert in worst_first),
        channel=channels.pop() if len(channels) == 1 else None,
        url=worst_first[0].url,
    )


def heartbeat() -> Alert:
    """Return the alert that a run found no open incident."""
    return Alert("heartbeat", "No open incidents", (Line(None, "What", "No condition holds."),), (), "low")


def digest_of(
    digest: str, incidents: Sequence[Incident], since: datetime | None, url_of: Callable[[str], str]
) -> Alert:
    """Return the summary of incidents that a route wants, the worst open ones first.

    :param digest: ``daily`` or ``weekly``.
    :param since: when the digest before was sent; None for the first one.
    """
    held = sorted(
        (each for each in incidents if each.status == "open"),
        key=lambda each: (SEVERITIES.index(each.severity), each.started_at, each.incident_id),
    )
    new = sum(since is None or each.started_at > since for each in held)
    over = [each for each in incidents if each.resolved_at and since is not None and each.resolved_at > since]
    lines = [Line(None, _dated(each), each.title) for each in (*held, *over)[: 2 * _NAMES_SHOWN]]
    more = len(held) + len(over) - len(lines)
    return Alert(
        event="digest",
        title=f"{digest.capitalize()} digest: {len(held)} open, {new} of them new; {len(over)} resolved",
        lines=_shown([*lines, Line(None, "And", f"{more} more" if more > 0 else "")], ()),
        incidents=tuple((*held, *over)),
        severity=held[0].severity if held else "low",
        owners=_together(each.owners for each in held),
        tags=_together(each.tags for each in held),
        url=url_of(held[0].incident_id) if held else "",
    )


def _dated(incident: Incident) -> str:
    if incident.resolved_at:
        return f"Resolved {incident.resolved_at:%d %b}"
    return f"{incident.severity} since {incident.started_at:%d %b}"


def _shown(lines: Sequence[Line], fields: Sequence[str]) -> tuple[Line, ...]:
    """Return the lines that are not empty and that the project selects."""
    return tuple(
        Line(line.field, line.label, _one_line(line.value))
        for line in lines
        if line.value and (not fields or line.field is None or line.field in fields)
    )


def _together(names: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for several in names for name in several))


def _also(incident: Incident) -> list[str]:
    """Return the other conditions in words: those that hold, or all of them once it is resolved."""
    shown = incident.holding or incident.conditions
    titles = dict.fromkeys(condition.title for condition in shown)
    others = [title for title in titles if title != incident.title]
    more = len(others) - _TITLES_SHOWN
    return [*others[:_TITLES_SHOWN], *([f"{more} more"] if more > 0 else [])]


def _listed(names: Sequence[str], limit: int = _NAMES_SHOWN) -> str:
    more = len(names) - limit
    return ", ".join([*names[:limit], *([f"{more} more"] if more > 0 else [])])


def _one_line(text: str) -> str:
    """Return text without line breaks, which would start a new header in a mail's subject."""
    return " ".join(text.split())


def _for_slack(text: str) -> str:
    return escape(text, quote=False)


def _url_line(url: str) -> list[str]:
    return [f"Elementary page: {url}"] if url else []
