"""Restore the newest snapshot and compare it.

It is meant to run every week: `[elementary] schedules` in Airflow's configuration gives it a schedule.

Restores it into a temporary DuckDB file on the worker, compares the rows of each table with the manifest and their
values with the snapshot's files, and removes the file. Fails where something differs. Needs the store and all its keys,
but no warehouse.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from airflow_provider_elementary.operators.params import from_form, schedule_of, store_param
from airflow_provider_elementary.operators.snapshot import ElementaryRestoreDrillOperator

PARAMS = {
    "store_conn_id": store_param(),
    "snapshot": Param(
        "latest",
        type="string",
        minLength=1,
        examples=["latest"],
        title="Snapshot",
        description="Snapshot to restore: latest, an id, or a time such as 2026-11-22T06:00 (UTC), for the newest "
        "snapshot at that time.",
    ),
    "folder": Param(
        None,
        type=["null", "string"],
        examples=["/srv/drill"],
        title="Folder",
        description="Existing folder on the worker with room for the restored rows, which are unencrypted for the time "
        "of the drill. Default: the folder for temporary files.",
    ),
}

with DAG(
    dag_id="elementary_restore_drill",
    description="Restore the newest snapshot and compare it with its manifest",
    doc_md=__doc__,
    # None until [elementary] schedules names one: a first Trigger starts nothing else.
    schedule=schedule_of("elementary_restore_drill"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"execution_timeout": timedelta(hours=12)},
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementaryRestoreDrillOperator(task_id="drill", **from_form(PARAMS))
