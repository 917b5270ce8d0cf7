"""The operator that restores a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.operators.base import ElementaryStoreOperator, clear_failures, parse_categories
from airflow_provider_elementary.words import plural


class ElementaryRestoreSnapshotOperator(ElementaryStoreOperator):
    """Restores a snapshot to a new DuckDB file, or to a new or empty schema of PostgreSQL; overwrites nothing.

    The schema has all of Elementary's tables in the dbt package's types and order, and its views, so that the package
    and ``edr`` work with it.

    :param target_path: a DuckDB file on the worker that does not exist yet. (templated)
    :param target_conn_id: instead, a connection to PostgreSQL whose role may create the schema, or to DuckDB.
        (templated)
    :param target_schema: the schema to create. (templated)
    :param snapshot: ``latest``, a snapshot's id, or a time (ISO 8601): the newest snapshot at that time. (templated)
    :param categories: the categories to restore; by default all that the keys can decrypt. (templated)
    """

    template_fields: Sequence[str] = (
        *ElementaryStoreOperator.template_fields,
        "target_path",
        "target_conn_id",
        "target_schema",
        "snapshot",
        "categories",
    )
    ui_color = "#d9f2f2"

    def __init__(
        self,
        *,
        target_path: str | None = None,
        target_conn_id: str | None = None,
        target_schema: str = "elementary",
        snapshot: str = "latest",
        categories: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.target_path = target_path
        self.target_conn_id = target_conn_id
        self.target_schema = target_schema
        self.snapshot = snapshot
        self.categories = categories

    def execute(self, context: Context) -> dict[str, Any]:
        """Restore, and return the rows of each table."""
        from airflow_provider_elementary.hooks.restore_target import open_target

        conn_id, path = self.target_conn_id or None, (self.target_path or "").strip() or None
        with clear_failures():
            _require_absolute(path)
        with clear_failures(), open_target(conn_id=conn_id, path=path, schema=self.target_schema) as target:
            categories = parse_categories(self.categories) if self.categories else None
            report = self.repository.restore(target, self.snapshot, categories=categories)
        self.log.info("restored %s of snapshot %s to %s", plural(report.rows, "row"), report.snapshot_id, report.target)
        if report.not_decrypted:
            self.log.warning("not restored, as no key opens them: %s", ", ".join(report.not_decrypted))
        return report.to_dict()


def _require_absolute(path: str | None) -> None:
    # The folder that a task runs in is the worker's, and another one on the next worker.
    if path is not None and not Path(path).is_absolute():
        raise ConfigurationError(
            f"target_path {path!r} is not an absolute path. Give that of a new file on the worker, as in "
            "/srv/elementary/restored.duckdb."
        )
