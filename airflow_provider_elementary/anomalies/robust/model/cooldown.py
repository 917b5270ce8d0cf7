"""Raises the threshold after alarms and flags the start of runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.parameters import Frequency, ModelParameters
from airflow_provider_elementary.anomalies.robust.model.transform import REAL

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


@dataclass
class Cooldown:
    """What was flagged of each series.

    :ivar recent: incidents, flagged buckets next to each other being one; discounted over time.
    :ivar open: the last bucket was flagged.
    :ivar flagged: length so far of the current runs; shape (series, missing/zero/frozen).
    """

    recent: Floats
    open: Flags
    flagged: Floats

    @classmethod
    def empty(cls, series: int) -> Cooldown:
        """Return the state of series without a past."""
        return cls(np.zeros(series), np.zeros(series, bool), np.zeros((series, 3)))

    def caution(self, rows: Rows, is_unknown: Flags, frequency: Frequency, parameters: ModelParameters) -> Floats:
        """Return what is added to the surprise at which a size of the series is flagged.

        :param is_unknown: the rows of whose noise nothing is known.
        """
        unknown = np.where(is_unknown, parameters.caution_unknown, 0)
        return unknown + frequency.caution_per_alarm * self.recent[rows]

    def caution_of_arrival(
        self, rows: Rows, kind: npt.NDArray[np.int8], frequency: Frequency, parameters: ModelParameters
    ) -> Floats:
        """Return what is added to the surprise at which a missing bucket or a zero is flagged.

        An alarm says that sizes are ill understood. Whether anything arrives is another question, for a known metric.
        """
        unknown = parameters.caution_unknown + frequency.caution_per_alarm * self.recent[rows]
        return np.where(kind == REAL, unknown, 0)

    def run_starts(self, rows: Rows, runs: Flags, lasting: Flags, frequency: Frequency) -> Flags:
        """Return the runs that are still to be flagged: the first ``flagged_for`` buckets of each.

        :param runs: whether the bucket belongs to a flagged run; shape (missing/zero/frozen, rows).
        :param lasting: whether the run of the bucket before lasts, flagged or not; a run is reported once.
        """
        length = np.where(runs.T, self.flagged[rows] + 1, np.where(lasting.T, self.flagged[rows], 0))
        self.flagged[rows] = length
        return runs & (length.T <= frequency.flagged_for)

    def lasting(self, rows: Rows, repeats: Floats, frequency: Frequency) -> Flags:
        """Return the runs of the bucket that were flagged, in it or before; equal values until they are normal.

        :param repeats: of the value in a row.
        """
        found: Flags = self.flagged[rows].T > 0
        found[2] &= repeats <= frequency.accept_run_after
        return found

    def learn(self, rows: Rows, is_flagged: Flags, frequency: Frequency) -> None:
        """Take the verdicts of one bucket into account."""
        self.recent[rows] = frequency.alarm_discount * self.recent[rows] + (is_flagged & ~self.open[rows])
        self.open[rows] = is_flagged
