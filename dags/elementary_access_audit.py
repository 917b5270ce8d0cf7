"""Checks that the connection can read the Elementary schema and nothing else, and reports changes.

It is meant to run every day: `[elementary] schedules` in Airflow's configuration gives it a schedule.

Each report is stored in the store. A run fails if a check fails; else the changes since the last report (such as a role
that became reachable) are returned and sent with the Asset event.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, task

from airflow_provider_elementary.operators.access import ElementaryAccessCheckOperator
from airflow_provider_elementary.operators.params import (
    connection_param,
    from_form,
    schedule_of,
    store_param,
    warehouse_params,
)

log = logging.getLogger(__name__)

PARAMS = {
    "elementary_conn_id": connection_param(),
    "store_conn_id": store_param(),
    **warehouse_params(unfold_probes=True),
}

with DAG(
    dag_id="elementary_access_audit",
    description="Check that the connection can read only the Elementary schema, and report changes",
    doc_md=__doc__,
    # None until [elementary] schedules names one: a first Trigger starts nothing else.
    schedule=schedule_of("elementary_access_audit"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=2)},
    max_active_runs=1,
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    audit = ElementaryAccessCheckOperator(task_id="audit", outlets=[Asset("elementary_access")], **from_form(PARAMS))

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
