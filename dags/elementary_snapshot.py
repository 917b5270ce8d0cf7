"""Take an encrypted snapshot of the Elementary schema, and nothing else.

First the access check proves that the connection reads the Elementary schema only; any doubt stops the run before the
first row. Then what is new of the finished dbt runs is read, redacted and sealed. Nothing else is computed from it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.operators.snapshot import DEFAULT_CATEGORIES, ElementarySnapshotOperator

LOCAL_STORE = f"file://{os.environ.get('AIRFLOW_HOME', os.path.expanduser('~/airflow'))}/elementary"

PARAMS = {
    "elementary_conn_id": Param(
        "elementary_default",
        type="string",
        minLength=1,
        title="Connection",
        description="The Airflow connection of the warehouse, with the dedicated read-only role.",
    ),
    "store": Param(
        LOCAL_STORE,
        type="string",
        pattern="^(s3://[a-z0-9]|file:///).+",
        title="Store",
        description="Where the encrypted snapshots go: s3://bucket/prefix, or file:///directory on the worker.",
    ),
    "categories": Param(
        list(DEFAULT_CATEGORIES),
        type="array",
        items={"enum": [category.value for category in Category]},
        minItems=1,
        examples=[category.value for category in Category],
        values_display={category.value: category.label for category in Category},
        title="Categories of information",
        description="What may leave the warehouse. Query logs hold compiled SQL and are left out by default.",
    ),
    "failed_rows_per_test": Param(
        5,
        type="integer",
        minimum=0,
        maximum=1000,
        title="Failed rows per test",
        description="Sampled rows of one failed test that are taken at most; 0 takes none.",
        section="Failed rows sample",
    ),
    "failed_rows_days": Param(
        30,
        type="integer",
        minimum=0,
        maximum=3650,
        title="Days of failed rows",
        description="Sampled rows older than this are left behind.",
        section="Failed rows sample",
    ),
    "failed_rows_excluded_tables": Param(
        [],
        type="array",
        items={"type": "string", "minLength": 1},
        title="Tables without failed rows",
        description="One a line: no sampled rows of these are taken. A full name as in ANALYTICS.CORE.CUSTOMERS, or a "
        "dbt id as in model.shop.customers; upper or lower case is the same.",
        section="Failed rows sample",
    ),
    "without_raw_values": Param(
        False,
        type="boolean",
        title="Nothing that quotes your data",
        description="Takes no failed rows, no SQL, no database errors and no minimum or maximum of a column, and "
        "hashes dimension values. What is chosen below holds back still more.",
        section="What stays behind",
    ),
    "dropped_columns": Param(
        [],
        type="array",
        items={"type": "string", "pattern": r"^\w+\.\w+$"},
        title="Columns that are not read",
        description="One a line, as in dbt_models.description: a table of the Elementary schema, a dot, a column.",
        section="What stays behind",
    ),
    "masked_columns": Param(
        [],
        type="array",
        items={"type": "string", "pattern": r"^\w+\.\w+$"},
        title="Masked columns",
        description="One a line, as in dbt_models.owner: every value becomes ***. Variables given to dbt always do.",
        section="What stays behind",
    ),
    "hashed_columns": Param(
        [],
        type="array",
        items={"type": "string", "pattern": r"^\w+\.\w+(\.\w+)?$"},
        title="Hashed columns",
        description="One a line, as in data_monitoring_metrics.dimension_value: equal values stay equal, and none "
        "can be read.",
        section="What stays behind",
    ),
    "full_every_days": Param(
        7,
        type="number",
        minimum=0,
        maximum=365,
        title="Days between full snapshots",
        description="Others add what is new since the one before; readers see no difference. 0: each one is full.",
        section="Snapshot",
    ),
    "keys_conn_id": Param(
        "elementary_keys",
        type=["null", "string"],
        title="Keys connection",
        description="For a local store: the connection that holds a master key for each category.",
        section="Encryption",
    ),
    "kms_key_id": Param(
        None,
        type=["null", "string"],
        title="KMS key",
        description="For S3: the key's id, ARN or alias. Leave the keys connection empty then.",
        section="Encryption",
    ),
    "category_kms_key_ids": Param(
        {},
        type="object",
        propertyNames={"enum": [category.value for category in Category]},
        additionalProperties={"type": "string", "minLength": 1},
        title="KMS keys of categories",
        description='For S3: a key of its own for some categories, as in {"failed_rows_sample": "alias/samples"}. Who '
        "may not use that key cannot read that category.",
        section="Encryption",
    ),
    "signing_kms_key_id": Param(
        None,
        type=["null", "string"],
        title="Signing key",
        description="A KMS key that signs each snapshot, so that nobody else can add one unnoticed. Empty: not signed.",
        section="Encryption",
    ),
    "aws_conn_id": Param(
        "aws_default",
        type="string",
        title="AWS connection",
        description="For S3 and KMS.",
        section="Encryption",
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
        [],
        type="array",
        items={"type": "string", "minLength": 3},
        title="Tables that must be closed",
        description="One schema.table a line. Reading each is tried and must be denied; no row is read.",
        section="Warehouse",
    ),
    "accept_unknown": Param(
        [],
        type="array",
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
        signing_kms_key_id="{{ params.signing_kms_key_id }}",
        accept_unknown="{{ params.accept_unknown }}",
        probes="{{ params.probes }}",
        outlets=[Asset("elementary_snapshots")],
        store="{{ params.store }}",
        aws_conn_id="{{ params.aws_conn_id }}",
        kms_key_id="{{ params.kms_key_id }}",
        category_kms_key_ids="{{ params.category_kms_key_ids }}",
        keys_conn_id="{{ params.keys_conn_id }}",
    )
