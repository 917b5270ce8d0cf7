"""Restore a snapshot as an Elementary schema: to a new DuckDB file, or to a new or empty schema of PostgreSQL.

The dbt package and `edr report` work on the restored schema. Nothing is overwritten. Needs the store and its keys, but
no warehouse. The role of the target connection must be allowed to create the schema; it is not the read-only role.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from airflow_provider_elementary.operators.params import categories_param, from_form, store_param
from airflow_provider_elementary.operators.snapshot import ElementaryRestoreSnapshotOperator

PARAMS = {
    "store_conn_id": store_param(),
    "target_path": Param(
        None,
        type=["null", "string"],
        examples=["/srv/elementary/restored.duckdb"],
        title="To a DuckDB file",
        description="Path of a new file on the worker, as in /srv/elementary/restored.duckdb. Fill in this or the next "
        "field.",
    ),
    "target_conn_id": Param(
        None,
        type=["null", "string"],
        title="Or to PostgreSQL",
        description="Airflow connection of type postgres, whose role may create the schema.",
    ),
    "target_schema": Param(
        "elementary",
        type="string",
        minLength=1,
        maxLength=63,
        title="Schema",
        description="The schema to create; in PostgreSQL an empty schema may exist.",
    ),
    "snapshot": Param(
        "latest",
        type="string",
        minLength=1,
        examples=["latest"],
        title="Snapshot",
        description="Snapshot to restore: latest, an id, or a time such as 2026-11-22T06:00 (UTC), for the newest "
        "snapshot at that time.",
        section="What to restore",
    ),
    "categories": categories_param(
        "Categories to restore. Empty: all that the keys can decrypt.", section="What to restore"
    ),
}

with DAG(
    dag_id="elementary_snapshot_restore",
    description="Restore a snapshot to a DuckDB file or a PostgreSQL schema",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=12)},
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementaryRestoreSnapshotOperator(task_id="restore", **from_form(PARAMS))
