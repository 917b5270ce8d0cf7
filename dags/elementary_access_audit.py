"""Checks every day that the connection can read the Elementary schema and nothing else, and reports changes.

Each report is stored in the store. A run fails if a check fails; else the changes since the last report (such as a role
that became reachable) are returned and sent with the Asset event.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, Param, task

from airflow_provider_elementary.hooks.store import suggested_stores
from airflow_provider_elementary.operators.access import ElementaryAccessCheckOperator

log = logging.getLogger(__name__)

STORES = suggested_stores()

PARAMS = {
    "elementary_conn_id": Param(
        "elementary_default",
        type="string",
        minLength=1,
        title="Connection",
        description="Airflow connection of the warehouse, with the dedicated read-only role.",
    ),
    "store_conn_id": Param(
        STORES[0],
        type="string",
        minLength=1,
        examples=STORES,
        title="Store",
        description="Airflow connection of type elementary_store, where the reports are stored.",
    ),
    "probes": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "minLength": 3},
        title="Canary tables (must be unreadable)",
        description="One schema.table per line. The check tries to read each and must be denied; no row is read.",
    ),
    "accept_unknown": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Accepted unknown checks",
        description="After you have verified an unknown check yourself, list it here. Failed checks stop the run.",
        section="Warehouse",
    ),
    "elementary_schema": Param(
        None,
        type=["null", "string"],
        title="Elementary schema",
        description="Default: that of the connection.",
        section="Warehouse",
    ),
    "elementary_database": Param(
        None,
        type=["null", "string"],
        title="Elementary database",
        description="Default: that of the connection.",
        section="Warehouse",
    ),
}

with DAG(
    dag_id="elementary_access_audit",
    description="Check that the connection can read only the Elementary schema, and report changes",
    doc_md=__doc__,
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=2)},
    max_active_runs=1,
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    audit = ElementaryAccessCheckOperator(
        task_id="audit",
        elementary_conn_id="{{ params.elementary_conn_id }}",
        schema="{{ params.elementary_schema }}",
        database="{{ params.elementary_database }}",
        probes="{{ params.probes }}",
        accept_unknown="{{ params.accept_unknown }}",
        store_conn_id="{{ params.store_conn_id }}",
        outlets=[Asset("elementary_access")],
    )

    # The lines are logged one by one; Airflow would log them all again.
    @task(show_return_value_in_logs=False)
    def summary(report: dict[str, Any]) -> str:
        """Summarize the run in a few lines."""
        drift = report["drift"]
        since = f"since {drift['since']}" if drift["since"] else "this is the first report"
        lines = [
            f"{report['user']} reads {report['schema']} and nothing else; {since}",
            *(f"appeared: {fact}" for fact in drift["appeared"]),
            *(f"gone: {fact}" for fact in drift["gone"]),
        ]
        for line in lines:
            log.info(line)
        return "\n".join(lines)

    summary(audit.output)
