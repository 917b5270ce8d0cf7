"""Restore a snapshot as an Elementary schema: to a new DuckDB file, or to a new or empty schema of PostgreSQL.

The dbt package and `edr report` work on what is restored. Nothing is ever overwritten. Needs the store and its keys, no
warehouse; the target connection is not the reader's: its role may create the schema.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.hooks.store import suggested_stores
from airflow_provider_elementary.operators.snapshot import ElementaryRestoreSnapshotOperator

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
    "target_path": Param(
        None,
        type=["null", "string"],
        pattern="^/.+",
        examples=["/srv/elementary/restored.duckdb"],
        title="To a DuckDB file",
        description="The path on the worker of a file to make, as in /srv/elementary/restored.duckdb. Fill in this or "
        "the next field.",
    ),
    "target_conn_id": Param(
        None,
        type=["null", "string"],
        title="Or to PostgreSQL",
        description="The id of a connection, of type postgres, whose role may create the schema.",
    ),
    "target_schema": Param(
        "elementary",
        type="string",
        minLength=1,
        maxLength=63,
        title="Schema",
        description="The schema to make; in PostgreSQL it may exist if it is empty.",
    ),
    "snapshot": Param(
        "latest",
        type="string",
        minLength=1,
        examples=["latest"],
        title="Snapshot",
        description="Which: latest, a snapshot's id, or a time such as 2026-11-22T06:00 (UTC): the newest snapshot "
        "taken by then.",
        section="What to restore",
    ),
    "categories": Param(
        None,
        type=["null", "array"],
        items={"enum": [category.value for category in Category]},
        examples=[category.value for category in Category],
        values_display={category.value: category.label for category in Category},
        title="Categories of information",
        description="What to restore; all that the keys open where nothing is chosen.",
        section="What to restore",
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
    ElementaryRestoreSnapshotOperator(
        task_id="restore",
        target_path="{{ params.target_path }}",
        target_conn_id="{{ params.target_conn_id }}",
        target_schema="{{ params.target_schema }}",
        snapshot="{{ params.snapshot }}",
        categories="{{ params.categories }}",
        store_conn_id="{{ params.store_conn_id }}",
    )
