"""Alerts go out through Airflow's own notifiers: to a mail server and to a webhook, once each."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pyarrow as pa
import pytest

from airflow_provider_elementary.snapshots import open_store
from airflow_provider_elementary.storage.records.results import latest_result
from tests.docs.mail import mail_server
from tests.servers.webhook import Webhook, webhook_server
from tests.support.connections import duckdb_file, local_store
from tests.support.dag_runs import DagRunOutcome, run_parsed_dag
from tests.support.datasets import write_duckdb
from tests.support.little_project import FAILED_ROW_VALUE, World, small_world
from tests.support.signing import opened

Connect = Callable[[str, Mapping[str, object]], str]

pytestmark = [pytest.mark.dag, pytest.mark.usefixtures("airflow_db")]

DAG_FILE = """
from datetime import UTC, datetime
from airflow.providers.http.notifications import HttpNotifier
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import DAG, Param
from airflow_provider_elementary.notifications.route import AlertRoute
from airflow_provider_elementary.operators.alerts import ElementaryAlertOperator
from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator

STORE = {"store_conn_id": "store", "retries": 0}
ROUTES = {
    "mail": AlertRoute(
        SmtpNotifier(
            from_email="airflow@shop.example",
            to="{{ alert.emails | join(',') }}",
            subject="{{ alert.title }}",
            html_content="{{ alert.html }}",
        ),
        enabled="{{ params.enabled }}",
        severities="{{ params.severities }}",
    ),
    "hook": AlertRoute(
        HttpNotifier(http_conn_id="hook", endpoint="alerts/{{ alert.channel }}", data="{{ alert.json }}"),
        enabled="{{ params.enabled }}",
    ),
}

with DAG(
    "alerted",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    params={"enabled": Param(True, type="boolean"), "severities": Param([], type="array")},
    render_template_as_native_obj=True,
):
    snapshot = ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id="dwh", **STORE)
    anomalies = ElementaryAnomalyOperator(task_id="anomalies", **STORE)
    alerts = ElementaryAlertOperator(task_id="alerts", incidents=anomalies.output, routes=ROUTES, **STORE)
    snapshot >> anomalies >> alerts
"""
META = {"owner": "core@shop.example", "subscribers": ["@board"], "channel": "data", "description": "Orders, daily"}


def html_of(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    return body.get_content() if body else ""


def with_meta(world: World) -> World:
    models, results = world["dbt_models"], world["elementary_test_results"]
    metas = pa.array([json.dumps(META)] * len(models))
    # Every test passes, so that the anomaly is the one incident.
    passed = pa.array(["pass"] * len(results))
    return {
        **world,
        "dbt_models": models.set_column(models.column_names.index("meta"), "meta", metas),
        "elementary_test_results": results.set_column(results.column_names.index("status"), "status", passed),
    }


@dataclass(frozen=True)
class Office:
    """The DAG, and where its alerts arrive."""

    folder: Path
    store: str
    mails: list[str]
    hook: Webhook

    def run(self, **params: object) -> DagRunOutcome:
        return run_parsed_dag(self.folder, "alerted", params)


@pytest.fixture
def office(tmp_path: Path, airflow_connection: Connect) -> Iterator[Office]:
    world = with_meta(small_world())
    airflow_connection("dwh", duckdb_file(write_duckdb(world, tmp_path / "world.duckdb")))
    store = (tmp_path / "store").as_uri()
    airflow_connection("store", local_store(store))
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "alerted.py").write_text(DAG_FILE)
    with mail_server() as (port, mails), webhook_server() as hook:
        extra = {"disable_ssl": True, "disable_tls": True}
        airflow_connection("smtp_default", {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra})
        airflow_connection("hook", hook.airflow_connection())
        yield Office(folder, store, mails, hook)


def test_an_incident_is_sent_once_over_each_route_and_not_in_every_run(office: Office) -> None:
    first, second = office.run(), office.run()

    assert (first.returned["alerts"]["sent"], second.returned["alerts"]["sent"]) == (
        {"mail": 1, "hook": 1},
        {"mail": 0, "hook": 0},
    )
    [mail], [(path, posted)] = office.mails, office.hook.posted
    message = email.message_from_string(mail, policy=email.policy.default)
    assert message["Subject"] == posted["title"] == "Incident (normal): SHOP.CORE.ORDERS row_count"
    assert "core@shop.example" in message["To"]
    assert "<tr><th>Description</th><td>Orders, daily</td></tr>" in html_of(message)
    assert path == "/alerts/data"
    assert posted["subscribers"] == ["@board"]
    assert FAILED_ROW_VALUE not in f"{posted} {office.mails}"
    # The notifications are stored encrypted.
    stored = latest_result(opened(open_store(office.store)), "alerts")
    files = [path.read_bytes() for path in Path(office.store.removeprefix("file://")).rglob("*") if path.is_file()]
    assert stored is not None
    assert stored.rows == 2
    assert not [content for content in files if b"SHOP.CORE.ORDERS" in content]


def test_after_a_failed_notifier_only_its_missing_alerts_are_sent(
    office: Office,
) -> None:
    office.hook.status = 500
    failed = office.run()
    after_failure = (len(office.mails), len(office.hook.posted))
    office.hook.status = 200
    repeated = office.run()

    assert (failed.states["alerts"], repeated.states["alerts"]) == ("failed", "success")
    assert after_failure == (1, 0)
    assert repeated.returned["alerts"]["sent"] == {"mail": 0, "hook": 1}
    assert (len(office.mails), len(office.hook.posted)) == (1, 1)


def test_routes_are_filtered_and_switched_off_by_the_form(office: Office) -> None:
    off, filtered = office.run(enabled=False), office.run(severities=["high"])

    assert (off.states["alerts"], off.state) == ("skipped", "success")
    assert filtered.returned["alerts"]["sent"] == {"mail": 0, "hook": 1}
