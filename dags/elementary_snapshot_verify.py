"""Verify a store of snapshots: that every manifest is in its place in the chain, and every file as it was written.

Needs the store and its keys, no warehouse. The newest event of the Asset `elementary_snapshots` serves as the anchor: a
chain that was cut short or written anew does not pass.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, Param

from airflow_provider_elementary.hooks.store import suggested_stores
from airflow_provider_elementary.operators.snapshot import ElementaryVerifySnapshotOperator

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
        inlets=[Asset("elementary_snapshots")],
        store_conn_id="{{ params.store_conn_id }}",
    )
