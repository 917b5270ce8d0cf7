"""Loads and saves the earlier results that conditions depend on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_elementary.exceptions import ElementaryError
from airflow_provider_elementary.incidents.earlier_results import RESULT_TABLES, EarlierResults
from airflow_provider_elementary.snapshots.lookup import read_signed
from airflow_provider_elementary.storage.records.result_document import STATE
from airflow_provider_elementary.storage.records.result_files import read_files
from airflow_provider_elementary.storage.records.results import previous_result

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.manifest import Manifest
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_TABLES = frozenset({*RESULT_TABLES, "dbt_invocations"})
#: A run that has more snapshots to catch up with reads everything.
_CATCHES_UP = 50


def facts_of(earlier: EarlierResults, manifest: Manifest) -> dict[str, Any]:
    """Return by what a later run recognises the snapshot that earlier results are of, as JSON values."""
    return {
        "snapshot": manifest.sequence,
        "sha256": manifest.sha256,
        "until": earlier.until.isoformat(),
        "settings": earlier.settings,
        "rows": _rows(manifest),
    }


def load_earlier_results(
    repository: Repository, manifest: Manifest, series: str, run_key: str
) -> EarlierResults | None:
    """Return the earlier results that the run before saved with its incidents; None where all have to be read.

    :param manifest: of the snapshot whose results are read.
    :param series: identifies the incidents across runs.
    :param run_key: identifies the run.
    """
    try:
        previous = previous_result(repository, "incidents", series, run_key)
        if previous is None or not (facts := previous.parameters.get("results")):
            return None
        if not _has_the_same(repository, manifest, facts):
            log.info("reading all results of dbt: earlier ones changed since the run before")
            return None
        stored = [file for file in previous.files if file.category == STATE]
        import pyarrow as pa

        rows = pa.Table.from_batches(read_files(repository, previous, stored))
        return EarlierResults.of_table(datetime.fromisoformat(facts["until"]), facts["settings"], rows)
    except (ElementaryError, KeyError, ValueError, TypeError) as error:
        log.warning("reading all results of dbt, as those that the run before saved cannot be read: %s", error)
        return None


def _has_the_same(repository: Repository, manifest: Manifest, facts: Mapping[str, Any]) -> bool:
    """Return whether a snapshot has the rows of an earlier one, and of the time before the end of these no others."""
    if any(manifest.tables[table].undated_rows for table in _TABLES if table in manifest.tables):
        return False
    until = datetime.fromisoformat(facts["until"])
    number, sha256, rows = manifest.sequence, manifest.sha256, Counter(facts["rows"])
    for _ in range(_CATCHES_UP):
        if number <= facts["snapshot"]:
            break
        document = read_signed(repository, number).document
        if document.kind == "full" or document.parent is None:
            return False
        for file in document.added.each() if document.kind == "incremental" else ():
            if file["snapshot_id"] == document.snapshot_id and file["table"] in _TABLES:
                if file["min_watermark"] is None or datetime.fromisoformat(file["min_watermark"]) < until:
                    return False
                rows[_name(file["table"], file["category"])] += file["rows"]
        number, sha256 = document.parent.sequence, document.parent.sha256
    return (number, sha256, dict(rows)) == (facts["snapshot"], facts["sha256"], _rows(manifest))


def _rows(manifest: Manifest) -> dict[str, int]:
    """Return the rows of the files of each category of the tables, whichever files those are."""
    found: Counter[str] = Counter()
    for file in manifest.files:
        if file.table in _TABLES:
            found[_name(file.table, file.category)] += file.rows
    return dict(found)


def _name(table: str, category: str) -> str:
    return f"{table}/{category}"
