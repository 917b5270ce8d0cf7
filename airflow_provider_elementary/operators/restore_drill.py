"""The operator that proves that a snapshot can be restored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.operators.base import ElementaryStoreOperator, clear_failures
from airflow_provider_elementary.operators.stats import report_drill


class ElementaryRestoreDrillOperator(ElementaryStoreOperator):
    """Restores a snapshot into a temporary DuckDB file, compares it with the manifest, and removes the file.

    It counts the rows of each table and compares them with the signed manifest, and a digest of the restored rows with
    one of the rows in the snapshot's files. It fails where something differs, or where a key does not open a category.

    :param snapshot: ``latest``, a snapshot's id, or a time (ISO 8601): the newest snapshot at that time. (templated)
    :param folder: a folder on the worker with room for the restored rows, unencrypted for the time of the drill; by
        default the worker's folder for temporary files. (templated)
    """

    template_fields: Sequence[str] = (*ElementaryStoreOperator.template_fields, "snapshot", "folder")
    ui_color = "#d9f2f2"

    def __init__(self, *, snapshot: str = "latest", folder: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.folder = folder

    def execute(self, context: Context) -> dict[str, Any]:
        """Restore, compare, and raise last if something differs."""
        from airflow_provider_elementary.snapshots.restore_drill import drill

        with clear_failures():
            report = drill(self.repository, snapshot=self.snapshot, folder=_existing(self.folder))
            report_drill(self, context, report)
            self.log.info(
                "restored %s rows of %s tables of snapshot %s: %s differences",
                f"{report.rows:,}",
                report.tables,
                report.snapshot_id,
                len(report.differences),
            )
            report.require()
        return report.to_dict()


def _existing(folder: str | None) -> Path | None:
    if not (given := (folder or "").strip()):
        return None
    if not (path := Path(given)).is_absolute() or not path.is_dir():
        raise ConfigurationError(
            f"folder {given!r} is not an absolute path of a folder on this worker. Create it, or leave the field empty "
            "for the folder of temporary files."
        )
    return path
