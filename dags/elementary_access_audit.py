"""Proves every day that the connection still reads the Elementary schema and nothing else, and tells what changed.

Each report is kept in the store. A run fails where a check does not pass; where all pass, the changes since the last
report (a role that came into reach, a check that the warehouse answers again) are returned and go to the Asset event.
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
        description="The Airflow connection of the warehouse, with the dedicated read-only role.",
    ),
    "store_conn_id": Param(
        STORES[0],
        type="string",
        minLength=1,
        examples=STORES,
        title="Store",
        description="The Airflow connection of the store where the reports are kept, of type elementary_store.",
    ),
    "probes": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "minLength": 3},
        title="Tables that must be closed",
        description="One schema.table a line. Reading each is tried and must be denied; no row is read.",
    ),
    "accept_unknown": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Checks that may stay unknown",
        description="Names of access checks that this warehouse cannot answer. A failed check always stops the run.",
        section="Warehouse",
    ),
    "elementary_schema": Param(
        None,
        type=["null", "string"],
        title="Elementary schema",
        description="Where it is not named in the connection.",
        section="Warehouse",
    ),
    "elementary_database": Param(
        None,
        type=["null", "string"],
        title="Elementary database",
        description="Where it is not named in the connection.",
        section="Warehouse",
    ),
}

with DAG(
    dag_id="elementary_access_audit",
    description="Prove that the connection reads the Elementary schema only, and tell what changed",
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
        """Tell the run in a few lines."""
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
