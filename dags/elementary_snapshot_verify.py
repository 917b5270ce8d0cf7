"""Verify a store of snapshots: that every manifest is in its place in the chain, and every file as it was written.

Needs the store and its keys, no warehouse. The newest event of the Asset `elementary_snapshots` serves as the anchor: a
chain that was cut short or written anew does not pass.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.operators.snapshot import ElementaryVerifySnapshotOperator

LOCAL_STORE = f"file://{os.environ.get('AIRFLOW_HOME', os.path.expanduser('~/airflow'))}/elementary"

PARAMS = {
    "store": Param(
        LOCAL_STORE,
        type="string",
        pattern="^(s3://[a-z0-9]|file:///).+",
        title="Store",
        description="Where the snapshots are: s3://bucket/prefix, or file:///directory on the worker.",
    ),
    "snapshot": Param(
        "latest",
        type="string",
        minLength=1,
        examples=["latest", "all"],
        title="Snapshot",
        description="Whose files are read: latest, all, a snapshot's id, or a time such as 2026-11-22T06:00 (UTC). The "
        "chain of manifests is always checked whole.",
    ),
    "decrypt": Param(
        True,
        type="boolean",
        title="Open every file",
        description="Decrypt the files and count their rows, which needs the keys; without, compare hashes only.",
    ),
    "anchor_sequence": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Number of a snapshot",
        description="Whose manifest's hash somebody kept outside the store.",
        section="Anchor",
    ),
    "anchor_sha256": Param(
        None,
        type=["null", "string"],
        pattern="^[0-9a-f]{64}$",
        title="Hash of its manifest",
        description="SHA-256, as the snapshot task returned it: manifest_sha256.",
        section="Anchor",
    ),
    "signing_kms_key_id": Param(
        None,
        type=["null", "string"],
        title="Signing key",
        description="The KMS key that has to have signed every manifest; while another one takes its place, both, with "
        "a comma between them. Leave it empty where none are signed.",
        section="Anchor",
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
        description='For S3: the keys of their own that some categories have, as in {"metadata": "alias/metadata"}.',
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
    dag_id="elementary_snapshot_verify",
    description="Check that the snapshots of a store are as they were written",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    default_args={"execution_timeout": timedelta(hours=12)},
    params=PARAMS,
    render_template_as_native_obj=True,
    tags=["elementary"],
):
    ElementaryVerifySnapshotOperator(
        task_id="verify",
        snapshot="{{ params.snapshot }}",
        decrypt="{{ params.decrypt }}",
        anchor="{{ {'sequence': params.anchor_sequence, 'manifest_sha256': params.anchor_sha256} "
        "if params.anchor_sequence and params.anchor_sha256 else None }}",
        signing_kms_key_id="{{ params.signing_kms_key_id }}",
        inlets=[Asset("elementary_snapshots")],
        store="{{ params.store }}",
        aws_conn_id="{{ params.aws_conn_id }}",
        kms_key_id="{{ params.kms_key_id }}",
        category_kms_key_ids="{{ params.category_kms_key_ids }}",
        keys_conn_id="{{ params.keys_conn_id }}",
    )
