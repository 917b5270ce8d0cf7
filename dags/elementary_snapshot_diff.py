"""Compare two snapshots: which models, tests, sources, columns, owners and tags appeared, changed or are gone.

Needs the store and its keys, but no warehouse.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from airflow_provider_elementary.operators.params import from_form, store_param
from airflow_provider_elementary.operators.snapshot import ElementaryDiffSnapshotsOperator

PARAMS = {
    "store_conn_id": store_param(),
    "before": Param(
        type="string",
        minLength=1,
        title="First snapshot",
        description="The older snapshot: latest, an id, or a time such as 2026-11-22T06:00 (UTC), for the newest at "
        "that time.",
    ),
    "after": Param(
        "latest",
        type="string",
        minLength=1,
        examples=["latest"],
        title="Second snapshot",
        description="Snapshot to compare with: latest, an id or a time.",
    ),
}

with DAG(
    dag_id="elementary_snapshot_diff",
    description="Compare the dbt project in two snapshots",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=2)},
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementaryDiffSnapshotsOperator(task_id="diff", **from_form(PARAMS))
