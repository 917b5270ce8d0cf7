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
    is no anomaly there, however steady the last hours were. Where the forecast explains nearly all of that spread, as
    that of a daily cycle may, the spread of its errors counts instead.

    :ivar values: buckets with a value.
    :ivar square: mean square of the deviations.
    :ivar error_square: mean square of the forecast's errors.
    """

    values: Floats
    mean: Floats
    square: Floats
    error_square: Floats

    @classmethod
    def empty(cls, series: int) -> LongRun:
        """Return the state of series without a past."""
        return cls(*np.zeros((4, series)))

    def is_unknown(
        self, rows: Rows, kind: npt.NDArray[np.int8], frequency: Frequency, parameters: ModelParameters
    ) -> Flags:
        """Return of which series nothing is known of the noise: of an unknown metric that no forecast explains."""
        is_explained = frequency.is_short & (self.error_square[rows] < parameters.unexplained * self.square[rows])
        is_unknown: Flags = (kind == REAL) & ~is_explained
        return is_unknown

    def usual(
        self,
        second: tuple[Floats, Floats],
        rows: Rows,
        kind: npt.NDArray[np.int8],
        forecast: Floats,
        level: Floats,
        frequency: Frequency,
        parameters: ModelParameters,
    ) -> tuple[Floats, Floats]:
        """Return between which values nothing is unusual, on the model's scale; NaN for none.

        :param second: between which values the second model sees nothing unusual. Where the forecast explains the
            series, its cycles are less like each other than like their forecasts, and what it says does not count.
        :param level: factor of the distance.
        """
        if not (frequency.is_short and parameters.long_run):
            return second
        concerns = (kind == REAL) & (self.values[rows] > 1)
        is_explained = concerns & ~self.is_unknown(rows, kind, frequency, parameters)
        centre = np.where(is_explained, forecast, self.mean[rows])
        square = np.where(is_explained, self.error_square[rows], self.square[rows])
        reach = parameters.long_run * level * np.where(concerns, np.sqrt(square), np.nan)
        low, high = (np.where(is_explained, np.nan, bound) for bound in second)
        return np.fmin(low, centre - reach), np.fmax(high, centre + reach)

    def learn(self, rows: Rows, y: Floats, known: Flags, error: Floats, frequency: Frequency) -> None:
        """Take the values of one bucket into account, flagged or not.

        :param error: of the forecast; NaN where there is none.
        """
        values = self.values[rows] + known
        rate = np.maximum(1 / (_DAYS * max(frequency.buckets_a_day, 1)), 1 / np.maximum(values, 1))
        off = y - self.mean[rows]
        self.square[rows] = np.where(known, (1 - rate) * (self.square[rows] + rate * off * off), self.square[rows])
        self.mean[rows] += np.where(known, rate * off, 0)
        has_error = known & np.isfinite(error)
        gained = rate * (np.where(has_error, error, 0) ** 2 - self.error_square[rows])
        self.error_square[rows] += np.where(has_error, gained, 0)
        self.values[rows] = values
