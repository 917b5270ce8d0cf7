"""The sync of Elementary Cloud, in your own Airflow: access check, snapshot, metrics, anomalies, alerts.

Only the first two tasks use the warehouse; metrics and anomalies are computed from the encrypted snapshot. The task
maintain merges small files of the store. The warehouse's connection defines its address and the accepted unknown
checks. The store's connection defines where snapshots are stored, how they are encrypted and what may leave the
warehouse. A scheduled run uses exactly that; `[elementary] schedules` in Airflow's configuration gives it a schedule,
as `{"elementary_observability": "@hourly"}`. dbt tests and their meta define sensitivity, severity and the minimum time
between alerts.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, Param, task

from airflow_provider_elementary.notifications.route import AlertRoute
from airflow_provider_elementary.operators.access import ElementaryAccessCheckOperator
from airflow_provider_elementary.operators.alerts import ElementaryAlertOperator
from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.metrics import ElementaryTableMetricsOperator
from airflow_provider_elementary.operators.params import categories_param, connection_param, schedule_of, store_param
from airflow_provider_elementary.operators.snapshot import ElementaryMaintainStoreOperator, ElementarySnapshotOperator

try:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier
except ImportError:
    SmtpNotifier = None

log = logging.getLogger(__name__)

MAIL_IS_OFF = (
    "The SMTP provider is not installed here, so no mail is sent. "
    "Install it with pip install 'airflow-provider-elementary[mail]'."
)
if SmtpNotifier is None:
    log.warning("elementary_observability: %s", MAIL_IS_OFF)

PARAMS = {
    "elementary_conn_id": connection_param(),
    "store_conn_id": store_param(),
    "categories": categories_param(
        "Categories to include in this run, out of those that the store's connection allows. Empty: all."
    ),
    "method": Param(
        "elementary",
        type="string",
        enum=["elementary", "robust"],
        values_display={"elementary": "Elementary's own rule", "robust": "Robust"},
        title="Detection method",
        description="How a value is compared with its history.",
    ),
    "days": Param(
        2,
        type="integer",
        minimum=1,
        maximum=3650,
        title="Days to report",
        description="Report anomalies of the newest N days of data.",
    ),
    "alert_emails": Param(
        None,
        type=["null", "array"],
        # The task checks the addresses: a form that refuses one says "Bad Request" and no reason.
        items={"type": "string"},
        # A run that names recipients is refused rather than left without mail.
        maxItems=1000 if SmtpNotifier else 0,
        title="Mail to",
        description="Recipients of a mail when an incident opens or is resolved, one address per line. Empty: no mail."
        if SmtpNotifier
        else MAIL_IS_OFF,
    ),
}

STORE: dict[str, Any] = {"store_conn_id": "{{ params.store_conn_id }}"}
WAREHOUSE: dict[str, Any] = {"elementary_conn_id": "{{ params.elementary_conn_id }}"}
#: The mail server, with the sender's address in its field From email.
SMTP_CONNECTION = "smtp_default"

with DAG(
    dag_id="elementary_observability",
    description="Check access, take a snapshot, compute table metrics, find anomalies, send alerts",
    doc_md=__doc__,
    # None until [elementary] schedules names one: a first Trigger starts nothing else.
    schedule=schedule_of("elementary_observability"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=12)},
    max_active_runs=1,
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    # Where it fails, so does the sync: that is an incident.
    check_access = ElementaryAccessCheckOperator(task_id="check_access", guards_sync=True, **WAREHOUSE, **STORE)

    snapshot = ElementarySnapshotOperator(
        task_id="snapshot",
        categories="{{ params.categories }}",
        outlets=[Asset("elementary_snapshots")],
        # Its newest event names the newest snapshot: one that is gone from the store is noticed.
        inlets=[Asset("elementary_snapshots")],
        **WAREHOUSE,
        **STORE,
    )

    metrics = ElementaryTableMetricsOperator(
        task_id="metrics",
        snapshot="{{ ti.xcom_pull(task_ids='snapshot')['snapshot_id'] }}",
        **STORE,
    )

    anomalies = ElementaryAnomalyOperator(
        task_id="anomalies",
        metrics="{{ ti.xcom_pull(task_ids='metrics')['metrics'] }}",
        method="{{ params.method }}",
        days="{{ params.days }}",
        outlets=[AssetAlias("elementary_anomalous_tables")],
        **STORE,
    )

    alerts = ElementaryAlertOperator(
        task_id="alerts",
        incidents=anomalies.output,
        # Also where the sync failed: that is an incident too.
        trigger_rule="all_done",
        routes={
            "mail": AlertRoute(
                SmtpNotifier(
                    to="{{ (params.alert_emails or []) | join(',') }}",
                    subject="{{ alert.title }}",
                    html_content="{{ alert.html }}",
                    smtp_conn_id=SMTP_CONNECTION,
                ),
                enabled="{{ params.alert_emails }}",
                recipients="{{ params.alert_emails }}",
            )
        }
        if SmtpNotifier
        else {},
        **STORE,
    )

    # All snapshots stay: give it rules, as in keep_daily=30, to prune too.
    maintain = ElementaryMaintainStoreOperator(
        task_id="maintain",
        inlets=[Asset("elementary_snapshots")],
        **STORE,
    )

    # The lines are logged one by one; Airflow would log them all again.
    @task(show_return_value_in_logs=False)
    def summary(taken: dict[str, Any], scored: dict[str, Any]) -> str:
        """Summarize the run in a few lines."""
        lines = [
            f"Snapshot {taken['snapshot_id']}: {taken['rows']:,} rows of {len(taken['tables'])} tables, "
            f"{taken['bytes']:,} encrypted bytes in {taken['store']}",
            f"Anomalies: {scored['anomalous']:,} of {scored['scored']:,} buckets, in {len(scored['tables'])} tables",
            *(f"- {anomaly['reason']}" for anomaly in scored["anomalies"]),
        ]
        for line in lines:
            log.info(line)
        return "\n".join(lines)

    check_access >> snapshot >> metrics >> anomalies >> [alerts, maintain]
    summary(snapshot.output, anomalies.output)
