"""Defines the document of a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.storage.documents import STRICT, Codec, Time
from airflow_provider_elementary.storage.file_binding import FileBinding
from airflow_provider_elementary.storage.keys import WrappedKey
from airflow_provider_elementary.storage.layout import (
    is_saved_file,
    result_files,
)
from airflow_provider_elementary.storage.records.series import (
    SeriesPlace,
)

ResultKind = Literal[
    "metrics",
    "verdicts",
    "incidents",
    "alerts",
    "backtests",
    "memories",
    "queries",
    "usage",
    "failures",
    "summaries",
]
#: Files of this category hold what the next run continues with, and no rows of the result.
STATE = Category.RUN_RESULTS


@dataclass(frozen=True)
class ResultFile(FileBinding):
    """One encrypted file of a result; see :class:`~.manifest.FileEntry` for the fields."""

    key: str
    category: Category


@dataclass(frozen=True)
class Result:
    """What was computed, from what, and where it is stored.

    :param key: the name of this document in the store; ``read_result`` opens it.
    :param kind: ``metrics``, ``verdicts``, ``incidents``, ``alerts``, ``backtests``, ``memories``, ``queries``,
        ``usage``, ``failures`` or ``summaries``.
    :param series: what it is the newest result of, from run to run; empty where nothing follows it.
    :param run_key: what it was computed for; of several attempts of one run, the newest counts.
    :param created_at: UTC, ISO 8601.
    :param origin: what it was computed from: a snapshot's id, or a warehouse's dialect and schema.
    :param parameters: how it was computed.
    :param files: the encrypted files: one per category, or per period and category; those of periods in which nothing
        changed were written by earlier results of the series.
    :param keys: the wrapped data keys, by category.
    :param previous: the newest result of the series before it.
    :param previous_run: the newest of these that is of another run.
    """

    key: str
    kind: ResultKind
    series: str
    run_key: str
    created_at: Time
    origin: Mapping[str, Any]
    parameters: Mapping[str, Any]
    files: tuple[ResultFile, ...]
    keys: Mapping[str, WrappedKey]
    previous: SeriesPlace | None = None
    previous_run: SeriesPlace | None = None
    format_version: int = 2

    __pydantic_config__ = STRICT

    @property
    def rows(self) -> int:
        """Rows over all files."""
        return sum(file.rows for file in self.row_files)

    @property
    def row_files(self) -> tuple[ResultFile, ...]:
        """The files that hold its rows."""
        return tuple(file for file in self.files if file.category != STATE and not is_saved_file(file.key))

    @property
    def state_files(self) -> tuple[ResultFile, ...]:
        """The files by which the next run continues."""
        return tuple(file for file in self.files if file.category == STATE)

    @property
    def saved_files(self) -> tuple[ResultFile, ...]:
        """The files that only save reading snapshots: a prune may remove them from a result that stays."""
        return tuple(file for file in self.files if is_saved_file(file.key))

    @property
    def file_prefix(self) -> str:
        """How the names of its files begin, and of those that earlier attempts of its run left."""
        return result_files(self.kind, self.series, self.run_key)


#: How a result is stored.
RESULT = Codec(Result, "result", "Compute it again.", 2)
