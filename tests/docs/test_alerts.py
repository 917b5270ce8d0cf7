"""Tests the notifiers of the page on alerts against stand-in servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elementary.alerts.alert import Alert, alert_of
from airflow_provider_elementary.alerts.dbt_meta import AlertMeta
from airflow_provider_elementary.notifications.route import AlertRoute
from tests.docs.blocks import ROOT, blocks_of
from tests.servers.certificates import issue_certificates
from tests.servers.slack import slack_server
from tests.servers.webhook import Webhook, webhook_server
from tests.support.incidents import incident, resolved

Connect = Callable[[str, Mapping[str, object]], str]

META = AlertMeta(owners=("@maya", "core@shop.example"), channel="data")
OPENED = alert_of("opened", incident(title='orders: "few" rows & <less>'), META)


@pytest.fixture
def server() -> Iterator[Webhook]:
    with webhook_server() as running:
        yield running


def notifier(name: str) -> Any:
    """Run the block of that name, and return the notifier or the route that it makes."""
    [block] = [block for block in blocks_of(ROOT / "docs" / "how-to" / "alert.md") if block.name == name]
    made: dict[str, Any] = {}
    exec(compile(block.source, name, "exec"), made)  # noqa: S102 - that is the test
    return made[name.removeprefix("alert-")]


def send(name: str, alert: Alert) -> None:
    made = notifier(name)
    route = made if isinstance(made, AlertRoute) else AlertRoute(made)
    route.send(alert, {})


def test_alert_slack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_connection: Connect) -> None:
    certificates = issue_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.bundle))
    with slack_server(certificates) as slack:
        slack.channels["#data"] = "C0PROJECT"
        airflow_connection("slack_api_default", slack.airflow_connection())

        send("alert-slack", OPENED)

    [posted] = slack.posted
    assert (posted["channel"], posted["text"]) == ("C0PROJECT", "Incident (normal): SHOP.CORE.ORDERS row_count")
    assert '*What:* orders: "few" rows &amp; &lt;less&gt;' in posted["blocks"][1]["text"]["text"]


def test_alert_opsgenie(server: Webhook, airflow_connection: Connect) -> None:
    airflow_connection("opsgenie_default", {"conn_type": "opsgenie", "host": server.url, "password": "key"})

    send("alert-opsgenie", OPENED)

    [(path, posted)] = server.posted
    assert path == "/v2/alerts"
    assert (posted["alias"], posted["priority"]) == ("elementary-of-orders", "P4")


def test_alert_pagerduty(airflow_connection: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.pagerduty.hooks.pagerduty_events import PagerdutyEventsHook

    # Its client accepts only PagerDuty's own address.
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(PagerdutyEventsHook, "send_event", lambda hook, **event: sent.append(event))
    airflow_connection("pagerduty_events_default", {"conn_type": "pagerduty_events", "password": "key"})

    send("alert-pagerduty", OPENED)
    send("alert-pagerduty", alert_of("resolved", resolved(), META))

    opened, closed = sent
    assert (opened["action"], closed["action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"] == "elementary-of-orders"
    assert (opened["severity"], opened["source"]) == ("warning", "SHOP.CORE.ORDERS")


def test_alert_teams(server: Webhook, airflow_connection: Connect) -> None:
    airflow_connection("teams_webhook", server.airflow_connection())

    send("alert-teams", OPENED)

    [(_, posted)] = server.posted
    card = posted["attachments"][0]["content"]
    assert card["body"][0]["text"] == "Incident (normal): SHOP.CORE.ORDERS row_count"
    assert card["body"][1]["facts"][1]["value"] == "@maya, core@shop.example"


def test_alert_webhook(server: Webhook, airflow_connection: Connect) -> None:
    airflow_connection("incident_hook", server.airflow_connection())

    send("alert-webhook", OPENED)

    assert server.posted == [("/incidents", OPENED.to_dict())]
