"""Take an encrypted snapshot of the Elementary schema in parts, on several workers.

The first task plans: which rows, under which keys, in which parts. Each part is a task of its own, on any worker: a
full snapshot reads large tables in ranges, an increment is one part. The last task commits all parts in one manifest,
and captures a part itself whose report or files are missing; it does not run if a part's task failed. Every task checks
first that the connection can read only the Elementary schema.

Use `elementary_snapshot` where one worker is enough: hourly increments gain nothing here. The store's connection says
what may leave the warehouse. An empty field of the form means "as the connection defines"; a value excludes more in
this run, and never includes more.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_provider_elementary.operators.params import (
    connection_param,
    from_form,
    policy_params,
    store_param,
    warehouse_params,
)
from airflow_provider_elementary.operators.snapshot import elementary_snapshot_group
from airflow_provider_elementary.snapshots import ROWS_PER_PART

PARAMS = {
    "elementary_conn_id": connection_param(),
    "store_conn_id": store_param(),
    "rows_per_part": Param(
        ROWS_PER_PART,
        type="integer",
        minimum=1,
        title="Rows per part",
        description="A full snapshot reads tables with more rows in ranges, each in a task of its own; at most 64.",
    ),
    **policy_params(),
    **warehouse_params(),
}

with DAG(
    dag_id="elementary_snapshot_in_parts",
    description="Take an encrypted snapshot of the Elementary schema in parts, on several workers",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=12), "retries": 1, "retry_delay": timedelta(seconds=30)},
    max_active_runs=1,
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    snapshots = [Asset("elementary_snapshots")]
    elementary_snapshot_group("snapshot", inlets=snapshots, outlets=snapshots, **from_form(PARAMS))
