"""Saves the tests of each series with metrics, and reads them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ElementaryError, KeyUnavailableError
from airflow_provider_elementary.snapshots.prune_record import newest_record
from airflow_provider_elementary.snapshots.repository import Repository
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.records.result_document import STATE, Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import ResultNames, read_files, write_rows

log = logging.getLogger(__name__)

_TABLE, _CONFIGURATION = "elementary_test_results", Category.CONFIGURATION


@dataclass(frozen=True)
class TestsReader:
    """What reads the tests of a source.

    :param version: tests that another version read are read again.
    :param schema: of their rows.
    :param configuration: the columns of the category Configuration; the others are of Run results.
    :param read: of a source, of the same with the rows since earlier tests, and of these; None where it holds none.
    """

    #: Not a test itself.
    __test__ = False

    version: str
    schema: pa.Schema
    configuration: Collection[str]
    read: Callable[[Source, Source, pa.Table | None], pa.Table | None]

    def parts(self) -> dict[Category, pa.Schema]:
        """Return the columns of each category."""
        parts: dict[Category, list[pa.Field]] = {_CONFIGURATION: [], STATE: []}
        for field in self.schema:
            parts[_CONFIGURATION if field.name in self.configuration else STATE].append(field)
        return {category: pa.schema(fields) for category, fields in parts.items()}


def save_tests(
    reader: TestsReader,
    repository: Repository,
    source: Source,
    new: Source,
    before: Result | None,
    names: ResultNames,
    data_keys: Mapping[Category, DataKey],
) -> tuple[list[ResultFile], dict[Category, DataKey]]:
    """Write the tests of each series: a file for each category, with their rows in the same order.

    :param new: the rows since ``before``.
    :param before: the metrics that are continued, with these files; None where every row is read.
    :param data_keys: of the metrics; without one for Run results there are no such files.
    :return: the files, and the data keys with that of Configuration; no files where the keys have no master key of it.
    """
    if STATE not in data_keys:
        return [], {**data_keys}
    known = None
    if before is not None and not _is_expired(repository):
        known = read_saved_tests(reader, repository, before)
    tests = reader.read(source, new if known is not None else source, known)
    if tests is None:
        return [], {**data_keys}
    try:
        key = repository.keys.new_data_key(_CONFIGURATION, Purpose.RESULT)
    except KeyUnavailableError as error:
        log.warning("the configurations of tests are not saved, and are read of each snapshot: %s", error)
        return [], {**data_keys}
    keys = {**data_keys, _CONFIGURATION: key}
    files: list[ResultFile] = []
    for category, schema in reader.parts().items():
        rows = tests.select(schema.names).to_batches()
        files += write_rows(repository, names, rows, schema, keys, category=category, always=[category], is_kept=True)
    return files, keys


def read_saved_tests(reader: TestsReader, repository: Repository, metrics: Result) -> pa.Table | None:
    """Return the tests that were saved with metrics; None where there are none that can be read."""
    parts = reader.parts()
    files = {file.category: file for file in metrics.saved_files}
    if {*files} != {*parts} or metrics.parameters.get("tests") != reader.version:
        return None
    columns: dict[str, pa.ChunkedArray] = {}
    try:
        for category, schema in parts.items():
            batches = read_files(repository, metrics, [files[category]], is_read_again=True)
            columns |= dict(zip(schema.names, pa.Table.from_batches(batches, schema).columns, strict=True))
        return pa.table([columns[name] for name in reader.schema.names], schema=reader.schema)
    except ElementaryError as error:
        reason = str(error)
    except (ValueError, pa.ArrowException) as error:
        # Such an error may quote a value.
        reason = type(error).__name__
    log.warning(
        "reading all test results, as the tests that were saved with %s cannot be read: %s", metrics.key, reason
    )
    return None


def parameters_of(reader: TestsReader | None) -> dict[str, Any]:
    """Return by what a later run recognises what read the tests."""
    return {"tests": reader.version} if reader is not None else {}


def _is_expired(repository: Repository) -> bool:
    """Return whether prune withdrew test results: what was saved of them must not stay."""
    newest = newest_record(repository)
    return newest is not None and any(f"/{_TABLE}/" in file.key for file in newest.document.expired)
