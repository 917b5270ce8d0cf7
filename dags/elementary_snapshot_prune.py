"""Prune a store of snapshots: keep the newest of so many hours, days, weeks, months and years, as restic does.

A snapshot stays if any rule keeps it; the newest always stays, and no snapshot that stays loses a file to another one
that goes. A dry run, the default, only says what would be removed, and why every other snapshot stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.hooks.store import suggested_stores
from airflow_provider_elementary.operators.snapshot import ElementaryPruneSnapshotsOperator

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
    "preview": Param(
        True,
        type="boolean",
        title="Dry run",
        description="Only say what would be removed; switch it off to remove it.",
    ),
    "keep_last": Param(
        24,
        type="integer",
        minimum=-1,
        title="Keep the last",
        description="So many of the newest snapshots stay, whenever they were taken; -1 for all.",
    ),
    "keep_daily": Param(
        14,
        type="integer",
        minimum=-1,
        title="Keep daily",
        description="The newest snapshot of each of the last so many days in which there was one; -1 for all.",
    ),
    "keep_weekly": Param(
        8,
        type="integer",
        minimum=-1,
        title="Keep weekly",
        description="The newest snapshot of each of the last so many weeks in which there was one; -1 for all.",
    ),
    "keep_monthly": Param(
        12,
        type="integer",
        minimum=-1,
        title="Keep monthly",
        description="The newest snapshot of each of the last so many months in which there was one; -1 for all.",
    ),
    "keep_hourly": Param(
        48,
        type="integer",
        minimum=-1,
        title="Keep hourly",
        description="The newest snapshot of each of the last so many hours in which there was one; -1 for all.",
        section="More rules",
    ),
    "keep_yearly": Param(
        -1,
        type="integer",
        minimum=-1,
        title="Keep yearly",
        description="The newest snapshot of each of the last so many years in which there was one; -1 for all.",
        section="More rules",
    ),
    "category_days": Param(
        {"failed_rows_sample": 30},
        type=["null", "object"],
        propertyNames={"enum": [category.value for category in Category]},
        additionalProperties={"type": "integer", "minimum": 1},
        title="Days of a category",
        description="After how many days the data of a category leaves the snapshots that stay, as in "
        f'{{"failed_rows_sample": 30}}; {{}} for never. Categories: {", ".join(Category)}.',
        section="More rules",
    ),
    "orphan_hours": Param(
        48,
        type="number",
        minimum=0,
        title="Hours to spare orphans",
        description="Files that no snapshot names stay until they are so old: a snapshot may be in the making.",
        section="More rules",
    ),
}

with DAG(
    dag_id="elementary_snapshot_prune",
    description="Remove the snapshots that no rule keeps, and what crashes left",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=2)},
    max_active_runs=1,
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementaryPruneSnapshotsOperator(
        task_id="prune",
        preview="{{ params.preview }}",
        keep_last="{{ params.keep_last }}",
        keep_hourly="{{ params.keep_hourly }}",
        keep_daily="{{ params.keep_daily }}",
        keep_weekly="{{ params.keep_weekly }}",
        keep_monthly="{{ params.keep_monthly }}",
        keep_yearly="{{ params.keep_yearly }}",
        category_days="{{ params.category_days }}",
        orphan_hours="{{ params.orphan_hours }}",
        inlets=[Asset("elementary_snapshots")],
        store_conn_id="{{ params.store_conn_id }}",
    )
