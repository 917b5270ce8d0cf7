"""Alerts, digests and heartbeats are sent to their routes and recorded in the store."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.alerts.alert import Alert
from airflow_provider_elementary.alerts.dispatch import Dispatched, send_alerts
from airflow_provider_elementary.alerts.selection import AlertFilter
from airflow_provider_elementary.incidents.store import incidents_table
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.snapshots import LocalKeys, open_store
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.storage.records.results import write_result
from tests.support.incidents import NOON, failing_test, incident
from tests.support.signing import opened

ROUTES = {
    "chat": AlertFilter(),
    "daily": AlertFilter(digest="daily"),
    "weekly": AlertFilter(digest="weekly", severities=["critical"]),
    "alive": AlertFilter(heartbeat=True, tables=["none of these"]),
}
OPEN = [
    incident(incident_id="a", severity="critical", title="The load failed"),
    incident(incident_id="b", conditions=(failing_test(),)),
]


class Office:
    """A store, and what was sent over each route."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.sent: list[tuple[str, str, str]] = []
        self.runs = 0

    def run(self, incidents: list[Incident], hours: int, *, again: bool = False, at_most: int = 1) -> Dispatched:
        """Track the incidents, send what is due this number of hours after noon, and return the outcome."""
        self.runs += not again
        self.sent.clear()
        result = write_result(
            self.repository,
            "incidents",
            incidents_table(incidents).to_reader(),
            run_key=f"{self.runs}",
            origin={},
            parameters={},
            series="dag/incidents",
        )
        return send_alerts(
            self.repository,
            result.key,
            ROUTES,
            self.take,
            series="dag/alerts",
            run_key=f"{self.runs}",
            now=NOON + timedelta(hours=hours),
            at_most=at_most,
            url_of=lambda incident_id: f"https://airflow.example/{incident_id}",
        )

    def take(self, route: str, alert: Alert) -> None:
        self.sent.append((route, alert.event, alert.title))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(opened(open_store((tmp_path / "store").as_uri()), LocalKeys(LocalKeys.generate())))


def resolved_incidents() -> list[Incident]:
    at = NOON + timedelta(hours=20)
    return [
        incident(incident_id=each.incident_id, status="resolved", transition="resolved", resolved_at=at)
        for each in OPEN
    ]


def test_digests_heartbeat_and_merged_alerts_go_out_when_they_are_due(office: Office) -> None:
    office.run(OPEN, 0)
    assert office.sent == [
        ("chat", "opened", "2 incidents at once"),
        ("daily", "digest", "Daily digest: 2 open, 2 of them new; 0 resolved"),
        ("weekly", "digest", "Weekly digest: 1 open, 1 of them new; 0 resolved"),
    ]

    office.run(OPEN, 1)
    assert office.sent == []

    office.run(resolved_incidents(), 24)
    assert office.sent == [
        ("chat", "resolved", "2 incidents at once"),
        ("daily", "digest", "Daily digest: 0 open, 0 of them new; 2 resolved"),
        ("alive", "heartbeat", "No open incidents"),
    ]

    office.run(resolved_incidents(), 7 * 24)
    assert [(route, event) for route, event, _ in office.sent] == [
        ("daily", "digest"),
        ("weekly", "digest"),
        ("alive", "heartbeat"),
    ]


def test_each_incident_has_an_alert_up_to_the_threshold(office: Office) -> None:
    outcome = office.run(OPEN, 0, at_most=2)

    assert [event for route, event, _ in office.sent if route == "chat"] == ["opened", "opened"]
    assert (outcome.sent, outcome.open) == ({"chat": 2, "daily": 1, "weekly": 1, "alive": 0}, 2)
