"""The memory between runs: every detector's arrays as one Arrow table, one row per series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from airflow_provider_elementary.anomalies.robust.detector import Detector
from airflow_provider_elementary.anomalies.robust.series import RHYTHMS

#: Changes whenever the arrays or their meaning do: an older memory is refused, not misread.
FORMAT = b"3"
_NOWHERE = np.zeros(0, np.int64)


@dataclass
class Memory:
    """The detectors of all series of a run, one per rhythm.

    :ivar keys: one row per series: its keys and ``rhythm``.
    :ivar detectors: in the order of :data:`RHYTHMS`.
    :ivar row_of: per series of the run's metrics, its row in the detector of its rhythm.
    """

    keys: pa.Table
    detectors: list[Detector]
    row_of: npt.NDArray[np.int64]

    @classmethod
    def going_on(
        cls,
        keys: pa.Table,
        rhythm: npt.NDArray[np.int8],
        stored: pa.Table | None = None,
        places: npt.NDArray[np.int64] = _NOWHERE,
    ) -> Memory:
        """Return the memory of these series; some go on from what is stored, the others start without a past.

        :param stored: one row for each of ``places``.
        :param places: the series that go on, each of the rhythm that it had.
        """
        rank = np.zeros(len(rhythm), np.int64)
        detectors = []
        for number, rhythm_ in enumerate(RHYTHMS):
            mine = np.flatnonzero(rhythm == number)
            rank[mine] = np.arange(len(mine))
            detector = Detector.empty(len(mine), rhythm_)
            if stored is not None:
                rows = np.flatnonzero(rhythm[places] == number)
                _fill(detector, rank[places[rows]], stored, rows)
            detectors.append(detector)
        return cls(keys.append_column("rhythm", pa.array(rhythm)), detectors, rank)

    def table(self) -> pa.Table:
        """Return the memory as a table that can be stored: one row per series, arrays as bytes per rhythm."""
        rhythms = self.keys["rhythm"].to_numpy()
        of_rhythms = pa.concat_arrays([_binary(_pack(detector)) for detector in self.detectors])
        place = np.empty(len(rhythms), np.int64)
        place[np.argsort(rhythms, kind="stable")] = np.arange(len(rhythms))
        arrays = of_rhythms if (place[1:] > place[:-1]).all() else of_rhythms.take(pa.array(place))
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
    chosen = (arrays if len(series) == len(arrays) else arrays.take(pa.array(series))).combine_chunks()
    offsets = np.frombuffer(chosen.buffers()[1], np.int64)[chosen.offset :]
    data = np.frombuffer(chosen.buffers()[2], np.uint8)[offsets[0] : offsets[len(series)]].reshape(len(series), -1)
    at = 0
    for array in detector.arrays().values():
        width = array[:1].nbytes
        part = np.ascontiguousarray(data[:, at : at + width]).view(array.dtype)
        array[rows] = part.reshape(len(series), *array.shape[1:])
        at += width
