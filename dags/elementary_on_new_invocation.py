"""Sync as soon as dbt has run: a watcher polls for the row that ends every dbt invocation.

The watcher runs in the triggerer and polls every five minutes. If the connection or the store has another name, copy
this file and change the constants: a DAG that is started by an event has no form.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_provider_elementary.operators.anomalies import ElementaryAnomalyOperator
from airflow_provider_elementary.operators.metrics import ElementaryTableMetricsOperator
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator
from airflow_provider_elementary.triggers.invocation import ElementaryInvocationTrigger

log = logging.getLogger(__name__)

CONNECTION = "elementary_default"
STORE = "elementary_store_default"

invocations = Asset(
    # A name without a URI: for a URI Airflow imports the asset handlers of every provider, drivers included.
    name="elementary_invocations",
    watchers=[
        AssetWatcher(
            name="new_invocation",
            trigger=ElementaryInvocationTrigger(elementary_conn_id=CONNECTION, poll_interval=300),
        )
    ],
)

with DAG(
    dag_id="elementary_on_new_invocation",
    description="Take a snapshot and find anomalies after each dbt invocation",
    doc_md=__doc__,
    schedule=[invocations],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=12)},
    max_active_runs=1,
    tags=["elementary"],
):

    @task(show_return_value_in_logs=False)
    def log_events(triggering_asset_events: Any = None) -> list[dict[str, Any]]:
        """Log and return the events of the watcher; none if a person started the run."""
        seen = [event.extra for events in (triggering_asset_events or {}).values() for event in events]
        if not seen:
            log.info("started without an event")
        for event in seen:
            log.info("started by %s", event)
        return seen

    snapshot = ElementarySnapshotOperator(task_id="snapshot", elementary_conn_id=CONNECTION, store_conn_id=STORE)
    metrics = ElementaryTableMetricsOperator(
        task_id="metrics", snapshot="{{ ti.xcom_pull(task_ids='snapshot')['snapshot_id'] }}", store_conn_id=STORE
    )
    anomalies = ElementaryAnomalyOperator(
        task_id="anomalies", metrics="{{ ti.xcom_pull(task_ids='metrics')['metrics'] }}", store_conn_id=STORE
    )

    log_events() >> snapshot >> metrics >> anomalies
