"""Loads and saves the earlier results that conditions depend on."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import TypeAdapter

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ElementaryError, KeyUnavailableError
from airflow_provider_elementary.incidents.earlier_results import RESULT_TABLES, EarlierResults, keyed, settings
from airflow_provider_elementary.snapshots.lookup import read_signed
from airflow_provider_elementary.storage.documents import STRICT, NaiveTime
from airflow_provider_elementary.storage.records.result_files import read_files
from airflow_provider_elementary.storage.records.results import previous_result

if TYPE_CHECKING:
    from airflow_provider_elementary.snapshots.manifest import Manifest
    from airflow_provider_elementary.snapshots.reader import SnapshotSource
    from airflow_provider_elementary.snapshots.repository import Repository

log = logging.getLogger(__name__)

_TABLES = frozenset({*RESULT_TABLES, "dbt_invocations"})
#: The categories of which a project says which table a node has; what the worker cannot open says nothing to it.
_DEPENDS_ON = (Category.RUN_RESULTS, Category.METADATA, Category.CONFIGURATION)
#: A run that has more snapshots to catch up with reads everything.
_CATCHES_UP = 50


@dataclass(frozen=True)
class _Facts:
    """By what a run recognises the snapshot that earlier results are of.

    :param snapshot: its number.
    :param sha256: of its manifest.
    :param until: see :class:`EarlierResults`.
    :param settings: see :func:`settings`.
    :param project: the HMAC of what the project said.
    :param rows: those of the files of each table and category.
    """

    snapshot: int
    sha256: str
    until: NaiveTime
    settings: str
    project: str
    rows: Mapping[str, int]

    __pydantic_config__ = STRICT


_FACTS = TypeAdapter(_Facts)


def facts_of(earlier: EarlierResults, source: SnapshotSource) -> dict[str, Any]:
    """Return by what a later run recognises the snapshot that earlier results are of, as JSON values."""
    project, manifest = keyed(earlier.project, _key_of(source)), source.manifest
    until = earlier.until.isoformat()
    return asdict(_Facts(manifest.sequence, manifest.sha256, until, settings(), project, _rows(manifest)))


def load_earlier_results(
    repository: Repository, source: SnapshotSource, series: str, run_key: str
) -> EarlierResults | None:
    """Return the earlier results that the run before saved with its incidents; None where all have to be read.

    :param source: the snapshot whose results are read.
    :param series: identifies the incidents across runs.
    :param run_key: identifies the run.
    """
    import pyarrow as pa

    try:
        previous = previous_result(repository, "incidents", series, run_key)
        if previous is None or not previous.state_files or not (stored := previous.parameters.get("results")):
            return None
        facts = _FACTS.validate_json(json.dumps(stored))
        if facts.settings != settings():
            log.info("reading all results of dbt: another version of this package saved those of the run before")
            return None
        if not _has_the_same(repository, source.manifest, facts):
            log.info("reading all results of dbt: earlier ones changed since the run before")
            return None
        rows = pa.Table.from_batches(read_files(repository, previous, previous.state_files))
        return EarlierResults.of_table(datetime.fromisoformat(facts.until), rows, facts.project, _key_of(source))
    except ElementaryError as error:
        reason = str(error)
    except (KeyError, ValueError, pa.ArrowException) as error:
        # Such an error may quote a value.
        reason = type(error).__name__
    log.warning("reading all results of dbt, as those that the run before saved cannot be read: %s", reason)
    return None


def _key_of(source: SnapshotSource) -> bytes:
    """Return a key that only a reader of all that earlier results depend on has; increments keep it."""
    opened = []
    for category in _DEPENDS_ON:
        with suppress(KeyUnavailableError):
            opened += [source.data_key(category)] if category in source.manifest.keys else []
    return HKDF(SHA256(), 32, salt=None, info=b"what earlier results depend on").derive(b"".join(opened))


def _has_the_same(repository: Repository, manifest: Manifest, facts: _Facts) -> bool:
    """Return whether a snapshot has the rows of an earlier one, and of the time before the end of these no others."""
    if any(manifest.tables[table].undated_rows for table in _TABLES if table in manifest.tables):
        return False
    until = datetime.fromisoformat(facts.until)
    number, sha256, rows = manifest.sequence, manifest.sha256, Counter(facts.rows)
    for _ in range(_CATCHES_UP):
        if number <= facts.snapshot:
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
    return (number, sha256, dict(rows)) == (facts.snapshot, facts.sha256, _rows(manifest))


def _rows(manifest: Manifest) -> dict[str, int]:
    """Return the rows of the files of each category of the tables, whichever files those are."""
    found: Counter[str] = Counter()
    for file in manifest.files:
        if file.table in _TABLES:
            found[_name(file.table, file.category)] += file.rows
    return dict(found)


def _name(table: str, category: str) -> str:
    return f"{table}/{category}"
