"""Loads and saves the detector's state."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from airflow_provider_elementary.anomalies.robust import ModelState, UnusableStateError
from airflow_provider_elementary.anomalies.robust.scoring import split_parameters
from airflow_provider_elementary.anomalies.robust.series import FREQUENCIES
from airflow_provider_elementary.anomalies.robust.state import FORMAT, MODEL_VERSION
from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.exceptions import ElementaryError, SnapshotCorruptError
from airflow_provider_elementary.metrics.registry import names_of
from airflow_provider_elementary.snapshots import Repository
from airflow_provider_elementary.storage.encrypted_parquet import encrypted_file
from airflow_provider_elementary.storage.keys import DataKey, Purpose
from airflow_provider_elementary.storage.layout import result_series, series_key
from airflow_provider_elementary.storage.records.result_document import Result, ResultFile
from airflow_provider_elementary.storage.records.result_files import (
    ResultNames,
    discard_files,
    read_files,
    split_by_category,
    write_rows,
)
from airflow_provider_elementary.storage.records.results import (
    commit_result,
    delete_result,
    find_result,
    previous_result,
)

log = logging.getLogger(__name__)

_CATEGORIES = (Category.TABLE_METRICS, Category.AGGREGATED_METRICS)
#: How the names of the two files of a category differ.
_INDEX, _ARRAYS = "index", "arrays"
_ARRAYS_SCHEMA = pa.schema([("arrays", pa.large_binary())])


@dataclass
class _WrittenState:
    """A state that is stored and not committed yet."""

    names: ResultNames
    data_keys: Mapping[Category, DataKey]
    files: list[ResultFile] = field(default_factory=list)


@dataclass
class ModelStateStore:
    """The model states of one task, or of one of its shards; the two newest are kept.

    A state has two files per category: an index with a row per series, which is read whole, and the arrays of their
    models, which are read and written some series at a time.

    :param repository: where they are stored, encrypted.
    :param series: the task and shard whose states they are.
    :param run_key: the run that loads one; every attempt of it loads a state of another run.
    :param fits: the settings of the run: a state saved with other settings is ignored; see :func:`scoring_settings`.
    """

    repository: Repository
    series: str
    run_key: str
    fits: Mapping[str, Any]
    _unusable: set[str] = field(default_factory=set)
    _written: _WrittenState | None = None

    def load(self) -> ModelState | None:
        """Return the newest state that fits, or None, with a line in the log that says why.

        One of which the arrays proved unreadable is not returned again.
        """
        for result in self._earlier():
            if result.key in self._unusable:
                continue
            if result.parameters.get("fits") != self.fits:
                log.info("ignoring saved state %s: parameters changed", result.key)
                continue
            try:
                index = pa.Table.from_batches(read_files(self.repository, result, _files(result, _INDEX)))
                until = int(result.parameters["until"])
                # Rows of a metric that is scored only now may be in files that have not changed.
                is_alike = result.parameters.get("unscored") == _unscored()
                metrics = result.parameters["metrics"] if is_alike else None
                return ModelState(index, partial(self._arrays, result, len(index)), until, metrics)
            except (ElementaryError, KeyError, ValueError) as error:
                log.warning("ignoring saved state %s: it cannot be read: %s", result.key, error)
        log.info("no saved state; replaying all series from the beginning")
        return None

    def keep(self, states: Iterator[pa.Table]) -> None:
        """Encrypt and store the state for the next run, some series at a time; :meth:`save` makes it count."""
        opened = self.repository
        opened.documents.require_signer()
        if self._written is not None:
            discard_files(opened, self._written.names)
        data_keys = {category: opened.keys.new_data_key(category, Purpose.RESULT) for category in _CATEGORIES}
        names = ResultNames("memories", self.series, self.run_key)
        self._written = _WrittenState(names, data_keys)
        index: dict[Category, list[pa.RecordBatch]] = {category: [] for category in _CATEGORIES}
        schema = pa.schema([])
        with ExitStack() as stack:
            arrays = {
                category: stack.enter_context(
                    encrypted_file(
                        stack.enter_context(opened.store.create(names.of(category, _ARRAYS))),
                        _ARRAYS_SCHEMA,
                        key.plaintext,
                        frozenset(_ARRAYS_SCHEMA.names),
                    )
                )
                for category, key in data_keys.items()
            }
            for state in states:
                for batch in state.combine_chunks().to_batches():
                    for category, part in split_by_category(batch):
                        arrays[category].write(part.select(_ARRAYS_SCHEMA.names))
                        index[category].append(part.drop_columns(_ARRAYS_SCHEMA.names))
                        schema = index[category][0].schema
        for category in _CATEGORIES:
            binding = arrays[category].binding
            self._written.files.append(
                ResultFile(**asdict(binding), key=names.of(category, _ARRAYS), category=category)
            )
            self._written.files += write_rows(
                opened, names, index[category], schema, data_keys, category=category, period=_INDEX, always=[category]
            )

    def save(
        self, until: int, origin: Mapping[str, Any], *, metrics: Mapping[str, str] | None = None, known: int = 0
    ) -> Result:
        """Commit the state that was kept, and remove all but the two newest.

        :param until: the time up to which it has learned; see :class:`ModelState`.
        :param origin: the source that it was learned from.
        :param metrics: by what the stored metrics that it was learned from are recognised.
        :param known: a number that the series had; those up to it are not given again.
        """
        assert self._written is not None  # noqa: S101 - a state is kept before it is saved
        earlier = list(self._earlier())
        result = commit_result(
            self.repository,
            self._written.names,
            self._written.files,
            self._written.data_keys,
            origin=origin,
            parameters={
                "fits": self.fits,
                "until": until,
                "metrics": metrics,
                "unscored": _unscored(),
                "before": earlier[0].key if earlier else None,
            },
            known=known,
        )
        for old in earlier[1:]:
            delete_result(self.repository, old)
        return result

    def _arrays(self, result: Result, series: int) -> Iterator[pa.RecordBatch]:
        rows = 0
        try:
            for batch in read_files(self.repository, result, _files(result, _ARRAYS)):
                yield batch
                rows += batch.num_rows
            if rows != series:
                raise SnapshotCorruptError(f"{result.key} has arrays of {rows:,} series, not of {series:,}.")
        except ElementaryError as error:
            log.warning("ignoring saved state %s: it cannot be read: %s", result.key, error)
            self._unusable.add(result.key)
            raise UnusableStateError(str(error)) from None

    @property
    def _folder(self) -> str:
        return result_series("memories", self.series)

    def _earlier(self) -> Iterator[Result]:
        """Yield the state of the run before, and the one that it resumed from."""
        try:
            if newest := previous_result(self.repository, "memories", self.series, self.run_key):
                yield newest
                before, place = newest.parameters.get("before"), newest.previous_run
                # By its hash, a document that the run before read is not asked for again.
                is_named = place is not None and series_key(self._folder, place.number) == before
                expected = place.sha256 if place is not None and is_named else None
                if before and (older := find_result(self.repository, before, expected)):
                    yield older
        except ElementaryError as error:
            log.warning("ignoring an earlier state: %s", error)


def _files(result: Result, part: str) -> list[ResultFile]:
    """Return one of the two files of each category, in the order in which series are numbered."""
    found = [file for file in result.files if file.key.endswith(f".{part}.parquet")]
    return sorted(found, key=lambda file: _CATEGORIES.index(file.category))


def _unscored() -> list[str]:
    return sorted(names_of(lambda metric: not metric.is_scored))


def scoring_settings(parameters: Mapping[str, Any], *, days: int, shard: int, shards: int) -> dict[str, Any]:
    """Return what two runs must have in common for one to resume from the state of the other.

    What one metric is, and the configuration of a series, are compared series by series.

    :param parameters: of the robust method.
    :param days: how many days back are scored.
    :raises ConfigurationError: a parameter is unknown or does not fit.
    """
    model = {
        "format": FORMAT.decode(),
        "version": MODEL_VERSION,
        "parameters": asdict(split_parameters(parameters)[0]),
        "frequencies": [asdict(frequency) for frequency in FREQUENCIES],
    }
    text = json.dumps(model, sort_keys=True, default=str)
    return {"model": hashlib.sha256(text.encode()).hexdigest(), "days": days, "shard": shard, "shards": shards}
