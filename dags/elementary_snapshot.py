"""Take an encrypted snapshot of the Elementary schema.

First the access check verifies that the connection can read only the Elementary schema; a failed or unknown check stops
the run before the first row. Then the new rows of finished dbt runs are read, redacted and encrypted. Nothing else is
computed from them.

The store's connection defines what may leave the warehouse. An empty field of the form means "as the connection
defines"; a value excludes more in this run, and never includes more.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.hooks.store import suggested_stores
from airflow_provider_elementary.operators.snapshot import ElementarySnapshotOperator

STORES = suggested_stores()

PARAMS = {
    "elementary_conn_id": Param(
        "elementary_default",
        type="string",
        minLength=1,
        title="Connection",
        description="Airflow connection of the warehouse, with the dedicated read-only role.",
    ),
    "store_conn_id": Param(
        STORES[0],
        type="string",
        minLength=1,
        examples=STORES,
        title="Store",
        description="Airflow connection of type elementary_store, with the snapshots and their keys.",
    ),
    "categories": Param(
        None,
        type=["null", "array"],
        items={"enum": [category.value for category in Category]},
        examples=[category.value for category in Category],
        values_display={category.value: category.label for category in Category},
        title="Categories of information",
        description="Categories to include in this run, out of those that the store's connection allows. Empty: all.",
    ),
    "failed_rows_per_test": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        maximum=1000,
        title="Failed rows per test",
        description="Maximum sample rows per failed test (0 = none).",
        section="Data minimisation",
    ),
    "failed_rows_days": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        maximum=3650,
        title="Days of failed rows",
        description="Sample rows older than this many days are excluded.",
        section="Data minimisation",
    ),
    "failed_rows_excluded_tables": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "minLength": 1},
        title="Tables without failed rows",
        description="Tables whose sample rows are excluded too, one per line: a full name as in "
        "ANALYTICS.CORE.CUSTOMERS, or a dbt id as in model.shop.customers; upper and lower case are equal.",
        section="Data minimisation",
    ),
    "without_raw_values": Param(
        None,
        type=["null", "boolean"],
        title="Exclude raw values",
        description="Exclude failed rows, SQL, database errors, and minimum and maximum of columns; hash dimension "
        "values.",
        section="Data minimisation",
    ),
    "dropped_columns": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": r"^\w+\.\w+$"},
        title="Dropped columns",
        description="Columns that are not read, one table.column per line, as in dbt_models.description.",
        section="Data minimisation",
    ),
    "masked_columns": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": r"^\w+\.\w+$"},
        title="Masked columns",
        description="Columns whose values become ***, one per line, as in dbt_models.owner; dbt vars always are.",
        section="Data minimisation",
    ),
    "hashed_columns": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": r"^\w+\.\w+(\.\w+)?$"},
        title="Hashed columns",
        description="Columns whose values are replaced by a keyed hash, one per line, as in "
        "data_monitoring_metrics.dimension_value. Equal values have equal hashes.",
        section="Data minimisation",
    ),
    "full_every_days": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=365,
        title="Days between full snapshots",
        description="Maximum days between full snapshots; the others read only new rows. 0: this one is full.",
        section="Data minimisation",
    ),
    "elementary_schema": Param(
        None,
        type=["null", "string"],
        title="Elementary schema",
        description="Default: that of the connection.",
        section="Warehouse",
    ),
    "elementary_database": Param(
        None,
        type=["null", "string"],
        title="Elementary database",
        description="Default: that of the connection.",
        section="Warehouse",
    ),
    "probes": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "minLength": 3},
        title="Canary tables (must be unreadable)",
        description="One schema.table per line. The check tries to read each and must be denied; no row is read.",
        section="Warehouse",
    ),
    "accept_unknown": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Accepted unknown checks",
        description="After you have verified an unknown check yourself, list it here. Failed checks stop the run.",
        section="Warehouse",
    ),
}

with DAG(
    dag_id="elementary_snapshot",
    description="Take an encrypted snapshot of the Elementary schema",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=12)},
    max_active_runs=1,
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementarySnapshotOperator(
        task_id="snapshot",
        elementary_conn_id="{{ params.elementary_conn_id }}",
        schema="{{ params.elementary_schema }}",
        database="{{ params.elementary_database }}",
        categories="{{ params.categories }}",
        failed_rows_per_test="{{ params.failed_rows_per_test }}",
        failed_rows_days="{{ params.failed_rows_days }}",
        failed_rows_excluded_tables="{{ params.failed_rows_excluded_tables }}",
        without_raw_values="{{ params.without_raw_values }}",
        dropped_columns="{{ params.dropped_columns }}",
        masked_columns="{{ params.masked_columns }}",
        hashed_columns="{{ params.hashed_columns }}",
        full_every_days="{{ params.full_every_days }}",
        accept_unknown="{{ params.accept_unknown }}",
        probes="{{ params.probes }}",
        outlets=[Asset("elementary_snapshots")],
        store_conn_id="{{ params.store_conn_id }}",
    )
