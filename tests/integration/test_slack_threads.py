"""The alerts of one incident are one thread in Slack, over its own client and a server with TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_provider_elementary.alerts.dispatch import Dispatched, send_alerts
from airflow_provider_elementary.alerts.selection import AlertFilter
from airflow_provider_elementary.incidents.store import incidents_table
from airflow_provider_elementary.incidents.tracking import Incident
from airflow_provider_elementary.notifications.route import AlertRoute
from airflow_provider_elementary.notifications.slack import ElementarySlackNotifier
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.storage.records.results import write_result
from tests.servers.certificates import issue_certificates
from tests.servers.slack import Slack, slack_server
from tests.support.incidents import NOON, incident
from tests.support.stores import local_rest

pytest.importorskip("airflow.providers.slack")

Connect = Callable[[str, Mapping[str, object]], str]
FIRST, OTHER = incident(incident_id="first"), incident(incident_id="other", root="SHOP.CORE.CUSTOMERS")


@pytest.fixture
def slack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_connection: Connect) -> Iterator[Slack]:
    certificates = issue_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.bundle))
    with slack_server(certificates) as running:
        airflow_connection("slack_api_default", running.airflow_connection())
        yield running


class Channel:
    """Sends alerts of a store to a channel, an hour after each other."""

    def __init__(self, repository: Repository, name: str = "#data-alerts") -> None:
        self.repository = repository
        self.name = name
        self.hours = 0

    def run(self, *incidents: Incident, repeat_hours: float = 0, at_most: int = 10) -> Dispatched:
        self.hours += 1
        result = write_result(
            self.repository,
            "incidents",
            incidents_table(incidents).to_reader(),
            run_key=f"{self.hours}",
            origin={},
            parameters={},
            series="dag/incidents",
        )
        route = AlertRoute(ElementarySlackNotifier(channel=self.name))
        return send_alerts(
            self.repository,
            result.key,
            {"chat": AlertFilter(events=("opened", "continues", "resolved"))},
            lambda _, alert: route.send(alert, {}),
            series="dag/alerts",
            run_key=f"{self.hours}",
            now=NOON + timedelta(hours=self.hours),
            suppression_hours=repeat_hours,
            at_most=at_most,
            url_of=lambda incident_id: f"https://airflow.example/{incident_id}",
        )


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    return Channel(local_rest(tmp_path).repository)


def ended(each: Incident) -> Incident:
    return incident(
        incident_id=each.incident_id,
        root=each.root,
        status="resolved",
        transition="resolved",
        resolved_at=NOON + timedelta(hours=2),
    )


def test_repeats_and_the_end_reply_to_the_first_message(slack: Slack, channel: Channel) -> None:
    channel.run(FIRST, OTHER)
    channel.run(FIRST, OTHER, repeat_hours=0.5)
    # The channel of new messages is another now: a thread stays where it is.
    channel.name = "#finance"
    channel.run(ended(FIRST), OTHER)

    first, other, again, again_other, end = slack.posted
    assert first["text"].startswith("Incident (normal): SHOP.CORE.ORDERS")
    assert not {"thread_ts"} & (first.keys() | other.keys())
    assert (again["thread_ts"], again_other["thread_ts"], end["thread_ts"]) == (first["ts"], other["ts"], first["ts"])
    assert end["text"].startswith("Resolved (normal): SHOP.CORE.ORDERS")
    assert {message["channel"] for message in slack.posted} == {"C0DATA"}
    assert [block["type"] for block in first["blocks"]] == ["header", "section", "section"]
    assert "<https://airflow.example/first|Open the incident>" in str(first["blocks"])


def test_a_name_from_the_warehouse_mentions_nobody(slack: Slack, channel: Channel) -> None:
    channel.run(incident(incident_id="first", root="SHOP.CORE.<!channel>"))

    [message] = slack.posted
    assert "&lt;!channel&gt;" in message["text"]
    assert "<!" not in message["text"]


def test_after_one_message_about_many_each_end_replies_to_it(slack: Slack, channel: Channel) -> None:
    channel.run(FIRST, OTHER, at_most=1)
    channel.run(ended(FIRST), OTHER)
    channel.run(ended(FIRST), ended(OTHER))

    many, first, other = slack.posted
    assert many["text"] == "2 incidents at once"
    assert first["thread_ts"] == other["thread_ts"] == many["ts"]


def test_a_refused_reply_makes_the_next_message_the_first(slack: Slack, channel: Channel) -> None:
    channel.run(FIRST)
    slack.delete(slack.posted[0]["ts"])
    channel.run(FIRST, repeat_hours=0.5)
    channel.run(ended(FIRST))

    again, end = slack.posted
    assert "thread_ts" not in again
    assert end["thread_ts"] == again["ts"]


def test_a_busy_slack_is_asked_again(slack: Slack, channel: Channel) -> None:
    slack.busy = 1

    assert channel.run(FIRST).sent == {"chat": 1}
    assert len(slack.posted) == 1


def test_what_slack_refuses_is_not_recorded_as_sent(
    slack: Slack, channel: Channel, airflow_connection: Connect
) -> None:
    channel.name = "#nowhere"
    assert channel.run(FIRST).failed == {"chat": "SlackApiError"}
    channel.name = "#data-alerts"
    airflow_connection("slack_api_default", slack.airflow_connection("xoxb-another"))
    assert channel.run(FIRST).failed == {"chat": "SlackApiError"}
    airflow_connection("slack_api_default", slack.airflow_connection())

    assert channel.run(FIRST).sent == {"chat": 1}
    assert "thread_ts" not in slack.posted[0]
