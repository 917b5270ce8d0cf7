"""Saves the tests of each series with metrics, and reads them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ElementaryError, KeyUnavailableError
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.open_store import OpenStore
from airflow_provider_elementary.storage.records.result_document import Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import ResultNames, read_files, write_rows
from airflow_provider_elementary.times import without_zone

log = logging.getLogger(__name__)

_TABLE, _CATEGORY = "elementary_test_results", Category.CONFIGURATION


@dataclass(frozen=True)
class TestsReader:
    """What reads the tests of a source.

    :param version: tests that another version read are read again.
    :param schema: of their rows; ``created_at`` is when the newest result of a test was written.
    :param read: of a source, of the same with the rows since earlier tests, and of these; None where it holds none.
    """

    #: Not a test itself.
    __test__ = False

    version: str
    schema: pa.Schema
    read: Callable[[Source, Source, pa.Table | None], pa.Table | None]


def save_tests(
    reader: TestsReader,
    opened: OpenStore,
    source: SnapshotSource,
    new: Source,
    before: Result | None,
    names: ResultNames,
) -> tuple[list[ResultFile], DataKey | None]:
    """Write the tests of each series into a file of the category Configuration, unless they are as before.

    :param new: the rows since ``before``.
    :param before: the result that is continued, with the file of its tests; None where every row is read.
    :return: the file, and its data key; nothing where there is none, or where the keys have no master key of it.
    """
    earlier = _read(reader, opened, before) if before is not None else None
    known = _still_held(earlier, source) if earlier is not None else None
    tests = reader.read(source, new if known is not None else source, known)
    if tests is None:
        return [], None
    try:
        if earlier is not None and before is not None:
            wrapped = before.keys[_CATEGORY.value]
            data_key = DataKey(opened.keys.unwrap(_CATEGORY, wrapped, Purpose.RESULT), wrapped)
            if tests.equals(earlier):
                return [*before.saved_files], data_key
        else:
            data_key = opened.keys.new_data_key(_CATEGORY, Purpose.RESULT)
    except KeyUnavailableError as error:
        log.warning("the configurations of tests are not saved, and are read of each snapshot: %s", error)
        return [], None
    files = write_rows(
        opened,
        names,
        tests.to_batches(),
        reader.schema,
        {_CATEGORY: data_key},
        category=_CATEGORY,
        always=[_CATEGORY],
        is_kept=True,
    )
    return files, data_key


def read_saved_tests(reader: TestsReader, opened: OpenStore, result: Result) -> pa.Table | None:
    """Return the tests that were saved with metrics; None where there are none that can be read.

    :param result: the metrics.
    """
    return _read(reader, opened, result)


def parameters_of(reader: TestsReader | None) -> dict[str, Any]:
    """Return by what a later run recognises what read the tests."""
    return {"tests": reader.version} if reader is not None else {}


def _read(reader: TestsReader, opened: OpenStore, result: Result) -> pa.Table | None:
    if not result.saved_files or result.parameters.get("tests") != reader.version:
        return None
    try:
        rows = pa.Table.from_batches(read_files(opened, result, result.saved_files, is_read_again=True), reader.schema)
    except ElementaryError as error:
        reason = str(error)
    except (ValueError, pa.ArrowException) as error:
        # Such an error may quote a value.
        reason = type(error).__name__
    else:
        return rows
    log.warning("reading all test results, as the tests that were saved with %s cannot be read: %s", result.key, reason)
    return None


def _still_held(tests: pa.Table, source: SnapshotSource) -> pa.Table:
    """Return the tests without those that only rows of expired files said."""
    files = [file for file in source.manifest.files if (file.table, file.category) == (_TABLE, _CATEGORY)]
    dates = [without_zone(datetime.fromisoformat(file.min_watermark)) for file in files if file.min_watermark]
    if len(dates) < len(files):
        return tests
    oldest = pa.scalar(min(dates, default=datetime.max), pa.timestamp("us"))
    return tests.filter(pc.fill_null(pc.greater_equal(tests["created_at"], oldest), True))
