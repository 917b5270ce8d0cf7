"""Models the profile of a week: a level and weekday offsets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.parameters import Frequency, ModelParameters

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Number of values from which errors are clipped.
_CLIPPED_FROM = 6


@dataclass
class Profile:
    """A level and an offset per place in the cycle.

    The median of four Mondays has itself more than a third of the variance of a Monday. A level that all days teach,
    and offsets that many weeks teach, have much less, so that the same incident is more scales away.

    :ivar level: NaN before the first value.
    :ivar offsets: shape (series, places in the cycle).
    :ivar values: values that taught each offset; same shape.
    """

    level: Floats
    offsets: Floats
    values: Floats

    @classmethod
    def empty(cls, series: int, frequency: Frequency) -> Profile:
        """Return the state of series without a past."""
        return cls(np.full(series, np.nan), *np.zeros((2, series, frequency.profile)))

    def predict(self, rows: Rows, number: int, frequency: Frequency) -> Floats:
        """Return the forecasts of bucket ``number``, NaN before a value of its place was seen; shape (rows, 0 or 1)."""
        if not frequency.profile:
            return np.zeros((len(rows), 0))
        place = number % frequency.profile
        known = self.values[rows, place] > 0
        return np.where(known, self.level[rows] + self.offsets[rows, place], np.nan)[:, None]

    def learn(
        self,
        rows: Rows,
        number: int,
        y: Floats,
        learns: Flags,
        scale: Floats,
        frequency: Frequency,
        parameters: ModelParameters,
    ) -> None:
        """Take the values of one bucket into account.

        :param scale: of the combined forecast's error; larger errors teach no more than ``clip`` of it.
        """
        if not frequency.profile:
            return
        place = number % frequency.profile
        level = np.where(np.isfinite(self.level[rows]), self.level[rows], y)
        values = self.values[rows].sum(axis=1)
        most = np.where((values >= _CLIPPED_FROM) & np.isfinite(scale), parameters.clip * scale, np.inf)
        error = np.where(learns, np.clip(y - level - self.offsets[rows, place], -most, most), 0)
        of_level = np.maximum(parameters.profile_level_rate, 1 / (values + 2))
        of_offset = np.maximum(parameters.profile_rate, 1 / (self.values[rows, place] + 1.5))
        self.level[rows] = np.where(learns, level + of_level * error, self.level[rows])
        self.offsets[rows, place] += of_offset * (1 - of_level) * error
        self.values[rows, place] += learns

    def move(self, rows: Rows, number: int, y: Floats, frequency: Frequency) -> None:
        """Start from a new level; the weekdays stay what they were.

        :param y: the values of bucket ``number``, which are at the new level.
        """
        if frequency.profile:
            self.level[rows] = y - self.offsets[rows, number % frequency.profile]
