"""Lists the incidents of a store, and answers one."""

from __future__ import annotations

import argparse
import getpass
import os
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.cli.exits import FINDING, FINE, usage
from airflow_provider_elementary.cli.options import open_repository
from airflow_provider_elementary.cli.output import print_json
from airflow_provider_elementary.exceptions import SnapshotCorruptError
from airflow_provider_elementary.storage.records.answers import ANSWERS, REASONS, AnswerRequest
from airflow_provider_elementary.times import minute_in_utc, utc_now

if TYPE_CHECKING:
    from airflow_provider_elementary.incidents.tracking import Incident

_COLOURS = {"critical": "bold red", "high": "red", "normal": "yellow", "low": "dim"}


def add_incidents(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``incidents``."""
    parser.description = (
        "List the incidents of a store as of its newest snapshot, open ones first. An incident is open as long as one "
        "of its conditions holds: a failing test, a failed run, a late source, an anomalous metric. "
        "Example: airflow-elementary incidents --status open --json"
    )
    parser.add_argument("--status", choices=("open", "resolved"), help="only incidents of this status")
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    parser.add_argument("--fail-on-open", action="store_true", help="end with exit status 1 if an incident is open")
    parser.set_defaults(command=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    _add_answer(actions.add_parser("answer", help="record what a person says about an incident"))


def _add_answer(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Record what a person says about an incident, signed, in the store: alerts, page, detector and this command "
        "read it. Needs the writer's keys. "
        "Example: airflow-elementary incidents answer 0123456789abcdef expected --reason planned --until 2026-12-01"
    )
    # Without a default, which would replace what is given before the action.
    parser.add_argument(
        "--store-conn-id",
        default=argparse.SUPPRESS,
        metavar="CONN_ID",
        help="Airflow connection of type elementary_store",
    )
    parser.add_argument("incident_id", metavar="INCIDENT", help="id of the incident")
    parser.add_argument("answer", choices=ANSWERS, help=f"one of {', '.join(ANSWERS)}", metavar="ANSWER")
    parser.add_argument("--reason", choices=REASONS, help="expected: why")
    parser.add_argument("--until", metavar="TIME", help="mute, expected: until when, UTC, as in 2026-12-01T06:00")
    parser.add_argument("--since", metavar="TIME", help="new-normal: when the new level began, UTC")
    parser.add_argument("--assignee", metavar="NAME", help="assign: who looks after it")
    parser.add_argument("--into", metavar="INCIDENT", help="merge: id of the incident to merge it into")
    parser.add_argument(
        "--condition",
        dest="conditions",
        action="append",
        metavar="ID",
        help="split: id of a condition to split off, from --json; may be repeated",
    )
    parser.add_argument("--note", metavar="TEXT", help="a remark, with any answer")
    parser.add_argument("--json", action="store_true", help="print the incident as a JSON object")
    parser.set_defaults(command=_answer)


def _answer(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.incidents.answer import answer_incident

    now = utc_now()
    with usage():
        given = {name: getattr(arguments, name) for name in AnswerRequest.__dataclass_fields__}
        request = AnswerRequest.parse(given, now)
    # Each command is an answer of its own.
    answered = answer_incident(
        open_repository(arguments), request, answered_by=_user(), run_key=f"command {os.urandom(16).hex()}", now=now
    )
    answer, incident = answered.answer, answered.incident
    if arguments.json:
        print_json(_as_json(incident, arguments))
    else:
        print(f"recorded {answer.answer} of {answer.answered_by or 'a person'} for {incident.incident_id}")
    if answered.lost is not None:
        raise SnapshotCorruptError(answered.lost)
    return FINE


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return None


def _as_json(incident: Incident, arguments: argparse.Namespace) -> dict[str, Any]:
    from airflow_provider_elementary.links.elementary import incident_address

    return {**incident.to_dict(), "url": incident_address(incident.incident_id, arguments.store_conn_id)}


def _list(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.incidents.store import current_incidents

    found = current_incidents(open_repository(arguments))
    shown = [incident for incident in found if arguments.status in (None, incident.status)]
    if arguments.json:
        print_json([_as_json(incident, arguments) for incident in shown])
    else:
        _print(shown)
    is_open = any(incident.status == "open" for incident in found)
    return FINDING if arguments.fail_on_open and is_open else FINE


def _print(incidents: list[Incident]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    if not incidents:
        console.print("No incidents.")
    for incident in incidents:
        state = "closed" if incident.closed else incident.state(utc_now())
        looked_after = f", {incident.assignee}" if incident.assignee and incident.status == "open" else ""
        until = f" until {minute_in_utc(incident.resolved_at)}" if incident.resolved_at else ""
        console.print(
            Text(f"{incident.incident_id}  "),
            Text(incident.severity, _COLOURS[incident.severity]),
            Text(f"{state}{looked_after} since {minute_in_utc(incident.started_at)}{until}: {incident.title}"),
        )
        for condition in incident.closed[:1]:
            console.print(Text(f"    {condition.evidence}"))
        for condition in incident.conditions[1:]:
            held = "holds" if condition.holds else "closed" if condition.is_closed else "over"
            console.print(Text(f"    {held:6} {condition.title}"))
