"""Keeps a mean and deviation of two weeks as a veto."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.parameters import Frequency, ModelParameters
from airflow_provider_elementary.anomalies.robust.model.transform import REAL

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Days over which the mean is taken.
_DAYS = 14


@dataclass
class LongRun:
    """The mean of each series over two weeks, incidents included, on the model's scale.

    Of short buckets of an unknown metric nothing says how noisy it is. What is not far outside the spread of two weeks
    is no anomaly there, however steady the last hours were.

    :ivar values: buckets with a value.
    :ivar square: mean square of the deviations.
    """

    values: Floats
    mean: Floats
    square: Floats

    @classmethod
    def empty(cls, series: int) -> LongRun:
        """Return the state of series without a past."""
        return cls(np.zeros(series), np.zeros(series), np.zeros(series))

    def usual(
        self, rows: Rows, kind: npt.NDArray[np.int8], level: Floats, frequency: Frequency, parameters: ModelParameters
    ) -> tuple[Floats, Floats]:
        """Return between which values nothing is unusual; NaN for other metrics and longer buckets.

        :param level: factor of the distance.
        """
        reach = parameters.long_run * level * np.sqrt(self.square[rows])
        concerns = (kind == REAL) & (self.values[rows] > 1) & frequency.is_short & (parameters.long_run > 0)
        return (
            np.where(concerns, self.mean[rows] - reach, np.nan),
            np.where(concerns, self.mean[rows] + reach, np.nan),
        )

    def learn(self, rows: Rows, y: Floats, known: Flags, frequency: Frequency) -> None:
        """Take the values of one bucket into account, flagged or not."""
        values = self.values[rows] + known
        rate = np.maximum(1 / (_DAYS * max(frequency.buckets_a_day, 1)), 1 / np.maximum(values, 1))
        off = y - self.mean[rows]
        self.square[rows] = np.where(known, (1 - rate) * (self.square[rows] + rate * off * off), self.square[rows])
        self.mean[rows] += np.where(known, rate * off, 0)
        self.values[rows] = values
