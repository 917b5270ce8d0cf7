"""The sync that Elementary Cloud runs, in your own Airflow: prove access, snapshot, metrics, anomalies, alerts.

Only the first two tasks touch the warehouse; metrics and anomalies read the encrypted snapshot.
"""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, Param, task

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.notifications.route import AlertRoute
from airflow_provider_elementary.operators.access import ElementaryAccessCheckOperator
from airflow_provider_elementary.operators.alerts import ElementaryAlertOperator
from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.metrics import ElementaryTableMetricsOperator
from airflow_provider_elementary.operators.snapshot import DEFAULT_CATEGORIES, ElementarySnapshotOperator

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

LOCAL_STORE = f"file://{os.environ.get('AIRFLOW_HOME', os.path.expanduser('~/airflow'))}/elementary"

PARAMS = {
    "elementary_conn_id": Param(
        "elementary_default",
        type="string",
        minLength=1,
        title="Connection",
        description="The Airflow connection of the warehouse, with the dedicated read-only role.",
    ),
    "store": Param(
        LOCAL_STORE,
        type="string",
        pattern="^(s3://[a-z0-9]|file:///).+",
        title="Store",
        description="Where the encrypted snapshots go: s3://bucket/prefix, or file:///directory on the worker.",
    ),
    "categories": Param(
        list(DEFAULT_CATEGORIES),
        type="array",
        items={"enum": [category.value for category in Category]},
        minItems=1,
        examples=[category.value for category in Category],
        values_display={category.value: category.label for category in Category},
        title="Categories of information",
        description="What may leave the warehouse. Query logs hold compiled SQL and are left out by default.",
    ),
    "method": Param(
        "elementary",
        type="string",
        enum=["elementary", "robust"],
        values_display={"elementary": "Elementary's own rule", "robust": "Robust"},
        title="Method",
        description="How buckets are judged.",
        section="Anomalies",
    ),
    "anomaly_sensitivity": Param(
        3,
        type="number",
        exclusiveMinimum=0,
        title="Sensitivity",
        description="How many standard deviations from the mean are an anomaly; used by Elementary's own rule.",
        section="Anomalies",
    ),
    "days": Param(
        2,
        type="integer",
        minimum=1,
        maximum=3650,
        title="Days to report",
        description="Anomalies in buckets that end within this many days before the newest are reported.",
        section="Anomalies",
    ),
    "alert_emails": Param(
        [],
        type="array",
        items={"type": "string", "format": "email", "pattern": "^[^@ ]+@[^@ ]+$"},
        # A run that names recipients is refused rather than left without mail.
        maxItems=1000 if SmtpNotifier else 0,
        title="Mail to",
        description="Who gets a mail when an incident opens or is over; with nobody here, no mail is sent."
        if SmtpNotifier
        else MAIL_IS_OFF,
        section="Alerts",
    ),
    "alert_severities": Param(
        ["warn", "error"],
        type="array",
        items={"enum": ["warn", "error"]},
        minItems=1,
        examples=["warn", "error"],
        values_display={"warn": "Warnings", "error": "Errors"},
        title="Severities",
        description="An incident is an error where a dbt test of that severity watches the metric.",
        section="Alerts",
    ),
    "alert_suppression_hours": Param(
        0,
        type="number",
        minimum=0,
        maximum=8760,
        title="Suppression interval",
        description="Hours after a mail about a table in which no other is sent about it, where dbt's meta names none.",
        section="Alerts",
    ),
    "smtp_conn_id": Param(
        "smtp_default",
        type="string",
        minLength=1,
        title="SMTP connection",
        description="The mail server, and the sender's address in its field From email.",
        section="Alerts",
    ),
    "failed_rows_per_test": Param(
        5,
        type="integer",
        minimum=0,
        maximum=1000,
        title="Failed rows per test",
        description="Sampled rows of one failed test that are taken at most; 0 takes none.",
        section="Failed rows sample",
    ),
    "failed_rows_days": Param(
        30,
        type="integer",
        minimum=0,
        maximum=3650,
        title="Days of failed rows",
        description="Sampled rows older than this are left behind.",
        section="Failed rows sample",
    ),
    "failed_rows_excluded_tables": Param(
        [],
        type="array",
        items={"type": "string", "minLength": 1},
        title="Tables without failed rows",
        description="One a line: no sampled rows of these are taken. A full name as in ANALYTICS.CORE.CUSTOMERS, or a "
        "dbt id as in model.shop.customers; upper or lower case is the same.",
        section="Failed rows sample",
    ),
    "without_raw_values": Param(
        False,
        type="boolean",
        title="Nothing that quotes your data",
        description="Takes no failed rows, no SQL, no database errors and no minimum or maximum of a column, and "
        "hashes dimension values. What is chosen below holds back still more.",
        section="What stays behind",
    ),
    "dropped_columns": Param(
        [],
        type="array",
        items={"type": "string", "pattern": r"^\w+\.\w+$"},
        title="Columns that are not read",
        description="One a line, as in dbt_models.description: a table of the Elementary schema, a dot, a column.",
        section="What stays behind",
    ),
    "masked_columns": Param(
        [],
        type="array",
        items={"type": "string", "pattern": r"^\w+\.\w+$"},
        title="Masked columns",
        description="One a line, as in dbt_models.owner: every value becomes ***. Variables given to dbt always do.",
        section="What stays behind",
    ),
    "hashed_columns": Param(
        [],
        type="array",
        items={"type": "string", "pattern": r"^\w+\.\w+(\.\w+)?$"},
        title="Hashed columns",
        description="One a line, as in data_monitoring_metrics.dimension_value: equal values stay equal, and none "
        "can be read.",
        section="What stays behind",
    ),
    "full_every_days": Param(
        7,
        type="number",
        minimum=0,
        maximum=365,
        title="Days between full snapshots",
        description="Others add what is new since the one before; readers see no difference. 0: each one is full.",
        section="Snapshot",
    ),
    "keys_conn_id": Param(
        "elementary_keys",
        type=["null", "string"],
        title="Keys connection",
        description="For a local store: the connection that holds a master key for each category.",
        section="Encryption",
    ),
    "kms_key_id": Param(
        None,
        type=["null", "string"],
        title="KMS key",
        description="For S3: the key's id, ARN or alias. Leave the keys connection empty then.",
        section="Encryption",
    ),
    "category_kms_key_ids": Param(
        {},
        type="object",
        propertyNames={"enum": [category.value for category in Category]},
        additionalProperties={"type": "string", "minLength": 1},
        title="KMS keys of categories",
        description='For S3: a key of its own for some categories, as in {"failed_rows_sample": "alias/samples"}. Who '
        "may not use that key cannot read that category.",
        section="Encryption",
    ),
    "signing_kms_key_id": Param(
        None,
        type=["null", "string"],
        title="Signing key",
        description="A KMS key that signs each snapshot, so that nobody else can add one unnoticed. Empty: not signed.",
        section="Encryption",
    ),
    "aws_conn_id": Param(
        "aws_default",
        type="string",
        title="AWS connection",
        description="For S3 and KMS.",
        section="Encryption",
    ),
    "elementary_schema": Param(
        None,
        type=["null", "string"],
        title="Elementary schema",
        description="Where it is not named in the connection.",
        section="Warehouse",
    ),
    "accept_unknown": Param(
        [],
        type="array",
        items={"type": "string"},
        title="Checks that may stay unknown",
        description="Names of access checks that this warehouse cannot answer. A failed check always stops the run.",
        section="Warehouse",
    ),
}

STORE: dict[str, Any] = {
    "store": "{{ params.store }}",
    "aws_conn_id": "{{ params.aws_conn_id }}",
    "kms_key_id": "{{ params.kms_key_id }}",
    "category_kms_key_ids": "{{ params.category_kms_key_ids }}",
    "keys_conn_id": "{{ params.keys_conn_id }}",
}
WAREHOUSE: dict[str, Any] = {
    "elementary_conn_id": "{{ params.elementary_conn_id }}",
    "schema": "{{ params.elementary_schema }}",
    "accept_unknown": "{{ params.accept_unknown }}",
}

with DAG(
    dag_id="elementary_observability",
    description="Prove access, snapshot the Elementary schema, compute table metrics, find anomalies",
    doc_md=__doc__,
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=12)},
    max_active_runs=1,
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    check_access = ElementaryAccessCheckOperator(task_id="check_access", **WAREHOUSE)

    snapshot = ElementarySnapshotOperator(
        task_id="snapshot",
        categories="{{ params.categories }}",
        failed_rows_per_test="{{ params.failed_rows_per_test }}",
        failed_rows_days="{{ params.failed_rows_days }}",
        failed_rows_excluded_tables="{{ params.failed_rows_excluded_tables }}",
        without_raw_values="{{ params.without_raw_values }}",
        dropped_columns="{{ params.dropped_columns }}",
        masked_columns="{{ params.masked_columns }}",
        hashed_columns="{{ params.hashed_columns }}",
        full_every_days="{{ params.full_every_days }}",
        signing_kms_key_id="{{ params.signing_kms_key_id }}",
        outlets=[Asset("elementary_snapshots")],
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
        parameters="{{ {'anomaly_sensitivity': params.anomaly_sensitivity} if params.method == 'elementary' else {} }}",
        days="{{ params.days }}",
        outlets=[AssetAlias("elementary_anomalous_tables")],
        **STORE,
    )

    alerts = ElementaryAlertOperator(
        task_id="alerts",
        incidents=anomalies.output,
        routes={
            "mail": AlertRoute(
                SmtpNotifier(
                    to="{{ params.alert_emails | join(',') }}",
                    subject="{{ alert.title }}",
                    html_content="{{ alert.html }}",
                    smtp_conn_id="{{ params.smtp_conn_id }}",
                ),
                enabled="{{ params.alert_emails }}",
                severities="{{ params.alert_severities }}",
            )
        }
        if SmtpNotifier
        else {},
        suppression_hours="{{ params.alert_suppression_hours }}",
        **STORE,
    )

    # The lines are logged one by one; Airflow would log them all again.
    @task(show_return_value_in_logs=False)
    def summary(taken: dict[str, Any], judged: dict[str, Any]) -> str:
        """Tell the run in a few lines."""
        lines = [
            f"Snapshot {taken['snapshot_id']}: {taken['rows']:,} rows of {len(taken['tables'])} tables, "
            f"{taken['bytes']:,} encrypted bytes in {taken['store']}",
            f"Anomalies: {judged['anomalous']:,} of {judged['judged']:,} buckets, in {len(judged['tables'])} tables",
            *(f"- {anomaly['reason']}" for anomaly in judged["anomalies"]),
        ]
        for line in lines:
            log.info(line)
        return "\n".join(lines)

    check_access >> snapshot >> metrics >> anomalies >> alerts
    summary(snapshot.output, anomalies.output)
