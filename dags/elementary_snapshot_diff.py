"""Compare two snapshots: which models, tests, sources, columns, owners and tags appeared, changed or vanished.

Needs the store and its keys, no warehouse.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from airflow_provider_elementary.hooks.store import suggested_stores
from airflow_provider_elementary.operators.snapshot import ElementaryDiffSnapshotsOperator

STORES = suggested_stores()

PARAMS = {
    "store_conn_id": Param(
        STORES[0],
        type="string",
        minLength=1,
        examples=STORES,
        title="Store",
        description="The Airflow connection of type elementary_store: where the snapshots are, and their keys.",
    ),
    "before": Param(
        type="string",
        minLength=1,
        title="First snapshot",
        description="latest, a snapshot's id, or a time such as 2026-11-22T06:00 (UTC): the newest snapshot taken by "
        "then.",
    ),
    "after": Param(
        "latest",
        type="string",
        minLength=1,
        examples=["latest"],
        title="Second snapshot",
        description="Named in the same ways.",
    ),
}

with DAG(
    dag_id="elementary_snapshot_diff",
    description="Tell what of the dbt project changed between two snapshots",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=2)},
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementaryDiffSnapshotsOperator(
        task_id="diff",
        before="{{ params.before }}",
        after="{{ params.after }}",
        store_conn_id="{{ params.store_conn_id }}",
    )
