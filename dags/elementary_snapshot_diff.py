"""Compare two snapshots: which models, tests, sources, columns, owners and tags appeared, changed or vanished.

Needs the store and its keys, no warehouse.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from airflow_provider_elementary.operators.snapshot import ElementaryDiffSnapshotsOperator

LOCAL_STORE = f"file://{os.environ.get('AIRFLOW_HOME', os.path.expanduser('~/airflow'))}/elementary"

PARAMS = {
    "store": Param(
        LOCAL_STORE,
        type="string",
        pattern="^(s3://[a-z0-9]|file:///).+",
        title="Store",
        description="Where the snapshots are: s3://bucket/prefix, or file:///directory on the worker.",
    ),
    "before": Param(
        type="string",
        minLength=1,
        title="First snapshot",
        description="latest, a snapshot's id, or a time such as 2026-11-22T06:00 (UTC): the newest snapshot taken by "
        "then.",
    ),
    "after": Param(
        "latest",
        type="string",
        minLength=1,
        examples=["latest"],
        title="Second snapshot",
        description="Named in the same ways.",
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
    "aws_conn_id": Param(
        "aws_default",
        type="string",
        title="AWS connection",
        description="For S3 and KMS.",
        section="Encryption",
    ),
}

with DAG(
    dag_id="elementary_snapshot_diff",
    description="Tell what of the dbt project changed between two snapshots",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=2)},
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementaryDiffSnapshotsOperator(
        task_id="diff",
        before="{{ params.before }}",
        after="{{ params.after }}",
        store="{{ params.store }}",
        aws_conn_id="{{ params.aws_conn_id }}",
        kms_key_id="{{ params.kms_key_id }}",
        keys_conn_id="{{ params.keys_conn_id }}",
    )
