"""Take an encrypted snapshot of the Elementary schema.

First the access check verifies that the connection can read only the Elementary schema; a failed or unknown check stops
the run before the first row. Then the new rows of finished dbt runs are read, redacted and encrypted. Nothing else is
computed from them.

The store's connection defines what may leave the warehouse. An empty field of the form means "as the connection
defines"; a value excludes more in this run, and never includes more.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset

from airflow_provider_elementary.operators.params import (
    connection_param,
    from_form,
    policy_params,
    store_param,
    warehouse_params,
)
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator

PARAMS = {
    "elementary_conn_id": connection_param(),
    "store_conn_id": store_param(),
    **policy_params(),
    **warehouse_params(),
}

with DAG(
    dag_id="elementary_snapshot",
    description="Take an encrypted snapshot of the Elementary schema",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=12)},
    max_active_runs=1,
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    snapshots = [Asset("elementary_snapshots")]
    # Its newest event names the newest snapshot: one that is gone from the store is noticed.
    ElementarySnapshotOperator(task_id="snapshot", inlets=snapshots, outlets=snapshots, **from_form(PARAMS))
