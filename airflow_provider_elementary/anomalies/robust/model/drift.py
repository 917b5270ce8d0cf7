"""Detects values that stay on one side of their forecast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.parameters import ModelParameters

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


@dataclass
class DriftSums:
    """Page's two sums of each series: errors in scales, less an allowance a bucket, never below zero.

    The forecast follows a steady growth, which so adds nothing. It lags behind one that has just begun: the errors keep
    to one side, and their sum grows.

    :ivar sums: shape (series, above/below).
    """

    sums: Floats

    @classmethod
    def empty(cls, series: int) -> DriftSums:
        """Return the state of series without a past."""
        return cls(np.zeros((series, 2)))

    def observe(self, rows: Rows, error: Floats, only_above: Flags, parameters: ModelParameters) -> Floats:
        """Return the sums after one more error; :meth:`learn` keeps them.

        :param error: in scales.
        :param only_above: the series of which a fall is no incident.
        """
        clipped = np.clip(error, -parameters.clip, parameters.clip)
        sums = np.maximum(self.sums[rows] + np.stack([clipped, -clipped], axis=1) - parameters.drift_allowance, 0)
        sums[:, 1] = np.where(only_above, 0, sums[:, 1])
        return sums

    def learn(self, rows: Rows, sums: Floats, learns: Flags, parameters: ModelParameters) -> None:
        """Keep the sums of the rows that learn; a drift that was reported starts again at 0."""
        reported = (sums > parameters.alarm_drift).any(axis=1, keepdims=True)
        self.sums[rows] = np.where(learns[:, None], np.where(reported, 0, sums), self.sums[rows])

    def restart(self, rows: Rows) -> None:
        """Reset the sums of series that have a new level."""
        self.sums[rows] = 0
