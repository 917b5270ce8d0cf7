"""Stores the last buckets of each series in ring buffers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp]


@dataclass
class History:
    """One value per series and bucket, as far back as the ring is long.

    :ivar values: shape (series, length).
    :ivar nothing: what stands for a bucket without a value.
    """

    values: npt.NDArray[Any]
    nothing: float

    @classmethod
    def empty(cls, series: int, length: int, dtype: type, nothing: float) -> History:
        """Return a ring without values."""
        return cls(np.full((series, max(length, 1)), nothing, dtype), nothing)

    def lags(self, rows: Rows, number: int, lags: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return the values at these distances before bucket ``number``; shape (rows, lags)."""
        length = self.values.shape[1]
        found: npt.NDArray[Any] = self.values[rows[:, None], (number - np.asarray(lags, np.int64)) % length]
        return found

    def put(self, rows: Rows, number: int, values: npt.NDArray[Any]) -> None:
        """Set the values of a bucket."""
        self.values[rows, number % self.values.shape[1]] = values

    def skip(self, rows: Rows, last: npt.NDArray[np.int64], number: int) -> None:
        """Clear what the slots between a series' last bucket and this one held a ring ago.

        :param last: per row, the number of the last bucket seen.
        """
        length = self.values.shape[1]
        gap = np.minimum(number - last - 1, length)
        for back in range(1, int(gap.max(initial=0)) + 1):
            skipped = rows[gap >= back]
            self.values[skipped, (number - back) % length] = self.nothing


def median(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the median of each row without its NaN; NaN for a row of NaN."""
    ordered = np.sort(values, axis=1)
    known = np.isfinite(ordered).sum(axis=1)
    row = np.arange(len(values))
    middle = 0.5 * (
        ordered[row, np.maximum(known - 1, 0) // 2] + ordered[row, np.minimum(known // 2, values.shape[1] - 1)]
    )
    return np.where(known > 0, middle, np.nan)
