"""Take an encrypted snapshot of the Elementary schema, and nothing else.

First the access check proves that the connection reads the Elementary schema only; any doubt stops the run before the
first row. Then what is new of the finished dbt runs is read, redacted and encrypted. Nothing else is computed from it.

What may leave the warehouse is said by the store's connection. An empty field of the form means just that, as in a
scheduled run; a field that is filled in takes less in this run, and never more.
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
        description="The Airflow connection of the warehouse, with the dedicated read-only role.",
    ),
    "store_conn_id": Param(
        STORES[0],
        type="string",
        minLength=1,
        examples=STORES,
        title="Store",
        description="The Airflow connection of type elementary_store: where the snapshots are, and their keys.",
    ),
    "categories": Param(
        None,
        type=["null", "array"],
        items={"enum": [category.value for category in Category]},
        examples=[category.value for category in Category],
        values_display={category.value: category.label for category in Category},
        title="Categories of information",
        description="What this run may take, out of what the store's connection allows; empty: all of that.",
    ),
    "failed_rows_per_test": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        maximum=1000,
        title="Failed rows per test",
        description="Sampled rows of one failed test that are taken at most; 0 takes none.",
        section="Take less than the store's connection allows",
    ),
    "failed_rows_days": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        maximum=3650,
        title="Days of failed rows",
        description="Sampled rows older than this are excluded.",
        section="Take less than the store's connection allows",
    ),
    "failed_rows_excluded_tables": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "minLength": 1},
        title="Tables without failed rows",
        description="One a line: no sampled rows of these either. A full name as in ANALYTICS.CORE.CUSTOMERS, or a dbt "
        "id as in model.shop.customers; upper or lower case is the same.",
        section="Take less than the store's connection allows",
    ),
    "without_raw_values": Param(
        None,
        type=["null", "boolean"],
        title="Nothing that quotes your data",
        description="Takes no failed rows, no SQL, no database errors and no minimum or maximum of a column, and "
        "hashes dimension values.",
        section="Take less than the store's connection allows",
    ),
    "dropped_columns": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": r"^\w+\.\w+$"},
        title="Columns that are not read",
        description="One a line, as in dbt_models.description: a table of the Elementary schema, a dot, a column.",
        section="Take less than the store's connection allows",
    ),
    "masked_columns": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": r"^\w+\.\w+$"},
        title="Masked columns",
        description="One a line, as in dbt_models.owner: every value becomes ***. Variables given to dbt always do.",
        section="Take less than the store's connection allows",
    ),
    "hashed_columns": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "pattern": r"^\w+\.\w+(\.\w+)?$"},
        title="Hashed columns",
        description="One a line, as in data_monitoring_metrics.dimension_value: equal values stay equal, and none "
        "can be read.",
        section="Take less than the store's connection allows",
    ),
    "full_every_days": Param(
        None,
        type=["null", "number"],
        minimum=0,
        maximum=365,
        title="Days between full snapshots",
        description="Others add what is new since the one before; readers see no difference. 0: this one is full.",
        section="Take less than the store's connection allows",
    ),
    "elementary_schema": Param(
        None,
        type=["null", "string"],
        title="Elementary schema",
        description="Where it is not named in the connection.",
        section="Warehouse",
    ),
    "elementary_database": Param(
        None,
        type=["null", "string"],
        title="Elementary database",
        description="Where it is not named in the connection.",
        section="Warehouse",
    ),
    "probes": Param(
        None,
        type=["null", "array"],
        items={"type": "string", "minLength": 3},
        title="Tables that must be closed",
        description="One schema.table a line. Reading each is tried and must be denied; no row is read.",
        section="Warehouse",
    ),
    "accept_unknown": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Checks that may stay unknown",
        description="Names of access checks that this warehouse cannot answer. A failed check always stops the run.",
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
