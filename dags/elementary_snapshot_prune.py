"""Prune a store: keep the newest snapshots of the last N hours, days, weeks, months and years, as restic does.

A snapshot stays if any rule keeps it; the newest always stays, and every snapshot that stays keeps all its files. A dry
run, the default, only reports what would be removed, and why the other snapshots stay.
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
        description="Airflow connection of type elementary_store, with the snapshots and their keys.",
    ),
    "preview": Param(
        True,
        type="boolean",
        title="Dry run",
        description="Only report what would be removed. Switch off to remove it.",
    ),
    "keep_last": Param(
        24,
        type="integer",
        minimum=-1,
        title="Keep the last",
        description="Keep the N newest snapshots. -1: all.",
    ),
    "keep_daily": Param(
        14,
        type="integer",
        minimum=-1,
        title="Keep daily",
        description="Keep the newest snapshot of each of the last N days that have one. -1: all.",
    ),
    "keep_weekly": Param(
        8,
        type="integer",
        minimum=-1,
        title="Keep weekly",
        description="Keep the newest snapshot of each of the last N weeks that have one. -1: all.",
    ),
    "keep_monthly": Param(
        12,
        type="integer",
        minimum=-1,
        title="Keep monthly",
        description="Keep the newest snapshot of each of the last N months that have one. -1: all.",
    ),
    "keep_hourly": Param(
        48,
        type="integer",
        minimum=-1,
        title="Keep hourly",
        description="Keep the newest snapshot of each of the last N hours that have one. -1: all.",
        section="More rules",
    ),
    "keep_yearly": Param(
        -1,
        type="integer",
        minimum=-1,
        title="Keep yearly",
        description="Keep the newest snapshot of each of the last N years that have one. -1: all.",
        section="More rules",
    ),
    "category_days": Param(
        {"failed_rows_sample": 30},
        type=["null", "object"],
        propertyNames={"enum": [category.value for category in Category]},
        additionalProperties={"type": "integer", "minimum": 1},
        title="Days of a category",
        description="By category, days after which its data is removed from the snapshots that stay, as in "
        f'{{"failed_rows_sample": 30}}; {{}}: never. Categories: {", ".join(Category)}.',
        section="More rules",
    ),
    "orphan_hours": Param(
        48,
        type="number",
        minimum=0,
        title="Minimum age of unreferenced files (hours)",
        description="Minimum age of unreferenced files before deletion; protects snapshots in progress.",
        section="More rules",
    ),
}

with DAG(
    dag_id="elementary_snapshot_prune",
    description="Remove the snapshots that no rule keeps, and unreferenced files",
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
