"""Lists the incidents of a store."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_provider_elementary.cli.exits import FINDING, FINE
from airflow_provider_elementary.cli.options import open_repository
from airflow_provider_elementary.cli.output import print_json

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


def _list(arguments: argparse.Namespace) -> int:
    from airflow_provider_elementary.incidents.store import current_incidents

    found = current_incidents(open_repository(arguments))
    shown = [incident for incident in found if arguments.status in (None, incident.status)]
    if arguments.json:
        print_json([incident.to_dict() for incident in shown])
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
        until = f" until {incident.resolved_at:%Y-%m-%d %H:%M}" if incident.resolved_at else ""
        console.print(
            Text(f"{incident.incident_id}  "),
            Text(incident.severity, _COLOURS[incident.severity]),
            Text(f"{incident.status} since {incident.started_at:%Y-%m-%d %H:%M}{until}: {incident.title}"),
        )
        for condition in incident.conditions[1:]:
            console.print(Text(f"    {'holds' if condition.holds else 'over '}  {condition.title}"))
