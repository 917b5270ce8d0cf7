"""The operators on snapshots."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.catalog import Category
from airflow_provider_elementary.links.snapshot import ElementaryManifestLink, ElementaryPageLink
from airflow_provider_elementary.operators.base import (
    ElementaryStoreOperator,
    categories_of,
    clear_failures,
    is_true,
    log_group,
    number,
    real_number,
    require_access,
    run_key,
)
from airflow_provider_elementary.operators.diff import ElementaryDiffSnapshotsOperator
from airflow_provider_elementary.operators.prune import ElementaryPruneSnapshotsOperator
from airflow_provider_elementary.operators.restore import ElementaryRestoreSnapshotOperator
from airflow_provider_elementary.operators.verify import ElementaryVerifySnapshotOperator
from airflow_provider_elementary.times import utc_now

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_elementary.snapshots import Manifest

__all__ = [
    "DEFAULT_CATEGORIES",
    "ElementaryDiffSnapshotsOperator",
    "ElementaryPruneSnapshotsOperator",
    "ElementaryRestoreSnapshotOperator",
    "ElementarySnapshotOperator",
    "ElementaryVerifySnapshotOperator",
    "summarise",
]

#: All categories but Query logs, as on Elementary Cloud's security page.
DEFAULT_CATEGORIES = tuple(category.value for category in Category if category is not Category.QUERY_LOGS)


class ElementarySnapshotOperator(ElementaryStoreOperator):
    """Takes an encrypted snapshot of the Elementary schema, after proving that the connection can read nothing else.

    Only finished dbt runs are taken, and only what is new since the newest snapshot of the store; from time to time,
    and whenever the source's history, its columns or the policy changed, everything is read anew. A retry of the same
    DAG run finds the snapshot that an earlier attempt committed and returns it. Let one run at a time write to a store
    (``max_active_runs=1``).

    :param elementary_conn_id: the connection of the warehouse. (templated)
    :param schema: the Elementary schema. (templated)
    :param database: the database that holds it. (templated)
    :param categories: the categories of information to take; all but ``query_logs`` by default. (templated)
    :param failed_rows_per_test: sampled rows of one test that are taken at most; 0 takes none. (templated)
    :param failed_rows_days: sampled rows older than this many days are left behind. (templated)
    :param failed_rows_excluded_tables: full table names or unique ids of dbt models, in any case, of which no sampled
        rows are taken. (templated)
    :param masked_columns: further ``table.column`` to mask; dbt vars always are. (templated)
    :param hashed_columns: ``table.column`` whose values are replaced by a keyed hash, as in
        ``data_monitoring_metrics.dimension_value``. (templated)
    :param dropped_columns: ``table.column`` that are not read at all. (templated)
    :param without_raw_values: take nothing that may be, or quote, a value of a monitored table: no samples, no database
        errors, no query text, no metrics of single rows, dimension values hashed. The other choices narrow it further.
        (templated)
    :param full_every_days: after how many days everything is read anew; 0 does so each time. (templated)
    :param overlap: rows this much older than the newest are read again, for commits that came late.
    :param commit_timeout: after how long rows of a dbt run that never finished are taken as they are.
    :param signing_kms_key_id: a KMS key, asymmetric or for HMAC, that signs the manifest. (templated)
    :param accept_unknown: names of access checks that may stay unknown. (templated)
    :param probes: relations outside the schema that the role must be refused. (templated)
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "elementary_conn_id",
        "schema",
        "database",
        "categories",
        "failed_rows_per_test",
        "failed_rows_days",
        "failed_rows_excluded_tables",
        "masked_columns",
        "hashed_columns",
        "dropped_columns",
        "without_raw_values",
        "full_every_days",
        "signing_kms_key_id",
        "accept_unknown",
        "probes",
    )
    operator_extra_links = (ElementaryPageLink(), ElementaryManifestLink())
    ui_color = "#d7e4f7"

    def __init__(
        self,
        *,
        elementary_conn_id: str = "elementary_default",
        schema: str | None = None,
        database: str | None = None,
        categories: Sequence[str] = DEFAULT_CATEGORIES,
        failed_rows_per_test: int | str = 5,
        failed_rows_days: int | str = 30,
        failed_rows_excluded_tables: Sequence[str] = (),
        masked_columns: Sequence[str] = (),
        hashed_columns: Sequence[str] = (),
        dropped_columns: Sequence[str] = (),
        without_raw_values: bool | str = False,
        full_every_days: float | str = 7,
        overlap: timedelta = timedelta(hours=1),
        commit_timeout: timedelta = timedelta(hours=6),
        signing_kms_key_id: str | None = None,
        accept_unknown: Sequence[str] = (),
        probes: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.elementary_conn_id = elementary_conn_id
        self.schema = schema
        self.database = database
        self.categories = categories
        self.failed_rows_per_test = failed_rows_per_test
        self.failed_rows_days = failed_rows_days
        self.failed_rows_excluded_tables = failed_rows_excluded_tables
        self.masked_columns = masked_columns
        self.hashed_columns = hashed_columns
        self.dropped_columns = dropped_columns
        self.without_raw_values = without_raw_values
        self.full_every_days = full_every_days
        self.overlap = overlap
        self.commit_timeout = commit_timeout
        self.signing_kms_key_id = signing_kms_key_id
        self.accept_unknown = accept_unknown
        self.probes = probes
        #: What :meth:`execute` returned, for the task's links.
        self.summary: dict[str, Any] | None = None
        self._read_from: dict[str, Any] = {}

    def execute(self, context: Context) -> dict[str, Any]:
        """Check access, take the snapshot, and return a small summary of its manifest."""
        from airflow_provider_elementary.hooks.elementary import ElementaryHook
        from airflow_provider_elementary.hooks.signer import open_signer
        from airflow_provider_elementary.snapshots import Policy, write_snapshot
        from airflow_provider_elementary.snapshots.story import problems, story

        with clear_failures():
            choose = Policy.without_raw_values if is_true(self.without_raw_values) else Policy
            policy = choose(
                categories=tuple(categories_of(self.categories)),
                failed_rows_per_test=number(self, "failed_rows_per_test"),
                failed_rows_days=number(self, "failed_rows_days"),
                failed_rows_excluded_tables=tuple(self.failed_rows_excluded_tables or ()),
                masked_columns=tuple(self.masked_columns or ()),
                hashed_columns=tuple(self.hashed_columns or ()),
                dropped_columns=tuple(self.dropped_columns or ()),
            )
            store, keys = self.store_hook.store, self.store_hook.keys
            signer = open_signer(self.signing_kms_key_id, self.aws_conn_id)
            hook = ElementaryHook(self.elementary_conn_id, self.schema or None, self.database or None)
            with hook.source() as source:
                report = require_access(hook, source, self.accept_unknown, self.probes)
                started = utc_now()
                with log_group(self.log, "Table by table"):
                    manifest = write_snapshot(
                        source,
                        store,
                        keys,
                        policy=policy,
                        run_key=run_key(context),
                        access=report.to_dict(),
                        signer=signer,
                        full_every_days=real_number(self, "full_every_days"),
                        overlap=self.overlap,
                        commit_timeout=self.commit_timeout,
                    )
        unusable = set(problems(manifest))
        for line in story(manifest, started, utc_now()):
            self.log.log(logging.WARNING if line in unusable else logging.INFO, line)
        self.summary = summary = summarise(manifest, store.uri)
        self._read_from = dict(manifest.source)
        for asset in self.outlets or ():
            context["outlet_events"][asset].extra = summary
        return summary

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Tell OpenLineage which tables were read and where the manifest is."""
        from airflow_provider_elementary.operators.openlineage import lineage_of_snapshot

        return lineage_of_snapshot(self.summary, self._read_from) if self.summary else None


def summarise(manifest: Manifest, store_uri: str) -> dict[str, Any]:
    """Return what XCom and the Asset event carry: small, no secrets, and the hash that anchors the chain."""
    from airflow_provider_elementary.snapshots.redaction import what_left
    from airflow_provider_elementary.snapshots.story import problems
    from airflow_provider_elementary.storage.documents import sha256

    rows = Counter[str]()
    for file in manifest.files:
        rows[file.category.value] += file.rows
    return {
        "store": store_uri,
        "snapshot_id": manifest.snapshot_id,
        "sequence": manifest.sequence,
        "manifest_sha256": sha256(manifest.to_bytes()),
        "created_at": manifest.created_at,
        "kind": manifest.kind,
        "reason": manifest.reason,
        "epoch": manifest.epoch,
        "watermark": manifest.cut.watermark if manifest.cut else None,
        "new_rows": sum(table.new_rows for table in manifest.tables.values()),
        "waiting_runs": manifest.cut.waiting_count if manifest.cut else 0,
        "incomplete_runs": manifest.cut.incomplete_count if manifest.cut else 0,
        "problems": problems(manifest),
        "tables": {name: table.rows for name, table in manifest.tables.items()},
        "categories": {
            category: {
                "rows": rows[category],
                "bytes": sum(file.size for file in manifest.files if file.category == category),
            }
            for category in manifest.keys
        },
        "rows": manifest.rows,
        "bytes": manifest.size,
        "what_left": what_left(manifest.held_back, rows),
    }
