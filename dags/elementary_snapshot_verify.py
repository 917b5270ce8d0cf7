"""Verify a store: every manifest is in its place in the chain, and every file is unchanged.

Needs the store and its keys, but no warehouse. The newest event of the Asset `elementary_snapshots` is the anchor: a
truncated or rewritten chain fails.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_provider_elementary.operators.params import store_param
from airflow_provider_elementary.operators.snapshot import ElementaryVerifySnapshotOperator

PARAMS = {
    "store_conn_id": store_param(),
    "snapshot": Param(
        "latest",
        type="string",
        minLength=1,
        examples=["latest", "all"],
        title="Snapshot",
        description="Snapshot whose files are read: latest, all, an id, or a time such as 2026-11-22T06:00 (UTC). The "
        "complete chain of manifests is always verified.",
    ),
    "decrypt": Param(
        True,
        type="boolean",
        title="Decrypt files",
        description="Decrypt the files and count their rows, which needs the keys. If off, compare hashes only.",
    ),
    "anchor_sequence": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        title="Anchor: snapshot number",
        description="Number of a snapshot whose manifest hash you recorded.",
        section="Anchor",
    ),
    "anchor_sha256": Param(
        None,
        type=["null", "string"],
        title="Anchor: manifest hash",
        description="SHA-256 of that manifest: manifest_sha256 of the snapshot task's return value.",
        section="Anchor",
    ),
}

with DAG(
    dag_id="elementary_snapshot_verify",
    description="Verify the snapshot chain and the files of a store",
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
        "if params.anchor_sequence or params.anchor_sha256 else None }}",
        inlets=[Asset("elementary_snapshots")],
        store_conn_id="{{ params.store_conn_id }}",
    )
