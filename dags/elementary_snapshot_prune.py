"""Prune a store: keep the newest snapshots of the last N hours, days, weeks, months and years, as restic does.

A snapshot stays if any rule keeps it; the newest always stays, and every snapshot that stays keeps all its files. A dry
run, the default, only reports what would be removed, and why the other snapshots stay.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.operators.params import from_form, retention_params, store_param
from airflow_provider_elementary.operators.snapshot import ElementaryPruneSnapshotsOperator

PARAMS = {
    "store_conn_id": store_param(),
    "preview": Param(
        True,
        type="boolean",
        title="Dry run",
        description="Only report what would be removed. Switch off to remove it.",
    ),
    **retention_params(),
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
    ElementaryPruneSnapshotsOperator(task_id="prune", inlets=[Asset("elementary_snapshots")], **from_form(PARAMS))
