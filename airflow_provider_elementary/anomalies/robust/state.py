"""Converts the detectors' arrays to one Arrow table and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from airflow_provider_elementary.anomalies.robust.model.detector import Detector
from airflow_provider_elementary.anomalies.robust.series import FREQUENCIES, NEVER, ends_of
from airflow_provider_elementary.arrow_values import array_of_numbers, numpy_of

#: Changes whenever the arrays or their meaning do: an older model state is refused, not misread.
FORMAT = b"10"
#: What the model computes: a state of another version is replayed, one of another release of the package is not. Change
#: it with the arithmetic of :mod:`~airflow_provider_elementary.anomalies.robust.model`; a test says when.
MODEL_VERSION = 8
_FIRSTS = ("first", "second", "third")
_NOWHERE = np.zeros(0, np.int64)


class UnusableStateError(Exception):
    """A stored state cannot be read to its end, or not resumed with what changed since."""


@dataclass(frozen=True)
class ModelState:
    """What a run stores for the next one.

    :param series: one row per series: its keys, how often it has a bucket, its first buckets, and the fingerprint of
        those that it was learned from.
    :param arrays: yields ``arrays``, those of each series' model, in the same order.
    :param until: seconds since 1970: the model has learned from all buckets that ended by then, and from no other.
    :param metrics: by what the stored metrics are recognised whose buckets they are; see
        :attr:`~airflow_provider_elementary.anomalies.stored_metrics.StoredMetrics.place`.
    """

    series: pa.Table
    arrays: Callable[[], Iterator[pa.RecordBatch]]
    until: int
    metrics: Mapping[str, str] | None = None

    @classmethod
    def of(cls, pieces: Iterable[pa.Table], until: int) -> ModelState:
        """Return the state of series that a replay yields some at a time."""
        whole = pa.concat_tables(pieces)
        return cls(whole.drop_columns("arrays"), lambda: iter(whole.select(["arrays"]).to_batches()), until)


def stored_firsts(series: pa.Table, until: int) -> npt.NDArray[np.int64]:
    """Return the first buckets of each series of a state; see :class:`~.series.FirstBuckets`.

    :param until: of the state; buckets that ended later may have been removed or replaced since, and are left out.
    """
    codes = np.stack([numpy_of(series[name]) for name in _FIRSTS], axis=1)
    return np.where(ends_of(codes) > until, NEVER, codes)


def with_firsts(series: pa.Table, codes: npt.NDArray[np.int64]) -> pa.Table:
    """Return series of a state with their first buckets."""
    for name, column in zip(_FIRSTS, codes.T, strict=True):
        series = series.append_column(name, array_of_numbers(column))
    return series


@dataclass
class SeriesStates:
    """The detectors of all series of a run, one per frequency.

    :ivar keys: one row per series: its keys and ``frequency``.
    :ivar detectors: in the order of :data:`FREQUENCIES`.
    :ivar row_of: per series of the run's metrics, its row in the detector of its frequency.
    """

    keys: pa.Table
    detectors: list[Detector]
    row_of: npt.NDArray[np.int64]

    @classmethod
    def resumed(
        cls,
        keys: pa.Table,
        frequency: npt.NDArray[np.int8],
        stored: pa.Table | None = None,
        places: npt.NDArray[np.int64] = _NOWHERE,
    ) -> SeriesStates:
        """Return the state of these series; some resume from what is stored, the others start without a past.

        :param stored: one row for each of ``places``.
        :param places: the series that resume, each with its earlier frequency.
        """
        rank = np.zeros(len(frequency), np.int64)
        detectors = []
        for number, frequency_ in enumerate(FREQUENCIES):
            mine = np.flatnonzero(frequency == number)
            rank[mine] = np.arange(len(mine))
            detector = Detector.empty(len(mine), frequency_)
            if stored is not None:
                rows = np.flatnonzero(frequency[places] == number)
                _fill(detector, rank[places[rows]], stored, rows)
            detectors.append(detector)
        return cls(keys.append_column("frequency", array_of_numbers(frequency)), detectors, rank)

    def table(self) -> pa.Table:
        """Return the state as a table that can be stored: one row per series, arrays as bytes per frequency."""
        frequencies = numpy_of(self.keys["frequency"])
        of_frequencies = pa.concat_arrays([_binary(_pack(detector)) for detector in self.detectors])
        place = np.empty(len(frequencies), np.int64)
        place[np.argsort(frequencies, kind="stable")] = np.arange(len(frequencies))
        arrays = of_frequencies if (place[1:] > place[:-1]).all() else of_frequencies.take(array_of_numbers(place))
        return self.keys.append_column("arrays", arrays)


def _pack(detector: Detector) -> npt.NDArray[np.uint8]:
    """Return the state as one row of bytes per series."""
    parts = [
        np.ascontiguousarray(array.reshape(len(array), -1)).view(np.uint8).reshape(len(array), -1)
        for array in detector.arrays().values()
        if len(array)
    ]
    return np.concatenate(parts, axis=1) if parts else np.zeros((0, 0), np.uint8)


def _binary(rows: npt.NDArray[np.uint8]) -> pa.Array:
    """Return rows of bytes as an array of one value a row."""
    offsets = np.arange(len(rows) + 1, dtype=np.int64) * rows.shape[1]
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(rows))]
    return pa.Array.from_buffers(pa.large_binary(), len(rows), buffers)


def _fill(detector: Detector, rows: npt.NDArray[np.int64], stored: pa.Table, series: npt.NDArray[np.int64]) -> None:
    """Put the bytes that are stored of some series back into rows of a detector."""
    if not len(series):
        return
    arrays = stored["arrays"].cast(pa.large_binary())
    chosen = (arrays if len(series) == len(arrays) else arrays.take(array_of_numbers(series))).combine_chunks()
    offsets = np.frombuffer(chosen.buffers()[1], np.int64)[chosen.offset :]
    data = np.frombuffer(chosen.buffers()[2], np.uint8)[offsets[0] : offsets[len(series)]]
    own = detector.arrays()
    parts = data.view([(name, array.dtype, array.shape[1:]) for name, array in own.items()])
    for name, array in own.items():
        array[slice(None) if len(rows) == len(array) else rows] = parts[name]
