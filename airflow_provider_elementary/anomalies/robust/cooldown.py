"""Restraint: a series that alarmed lately has to be more surprising, and a run is told at its beginning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.parameters import Parameters, Rhythm
from airflow_provider_elementary.anomalies.robust.transform import REAL

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


@dataclass
class Alerts:
    """What was flagged of each series.

    :ivar recent: incidents, flagged buckets next to each other being one; slowly forgotten.
    :ivar open: the last bucket was flagged.
    :ivar told: length so far of the present runs; shape (series, missing/zero/frozen).
    """

    recent: Floats
    open: Flags
    told: Floats

    @classmethod
    def empty(cls, series: int) -> Alerts:
        """Return the state of series without a past."""
        return cls(np.zeros(series), np.zeros(series, bool), np.zeros((series, 3)))

    def caution(self, rows: Rows, kind: npt.NDArray[np.int8], rhythm: Rhythm, p: Parameters) -> Floats:
        """Return what is added to the surprise at which a bucket of the series is flagged."""
        return np.where(kind == REAL, p.caution_unknown, 0) + rhythm.caution_per_alarm * self.recent[rows]

    def news(self, rows: Rows, runs: Flags, rhythm: Rhythm) -> Flags:
        """Return the runs that are still news, as a new level is after as many buckets.

        :param runs: whether the bucket belongs to a flagged run; shape (missing/zero/frozen, rows).
        """
        told = np.where(runs.T, self.told[rows] + 1, 0)
        self.told[rows] = told
        return runs & (told.T <= rhythm.told_for)

    def learn(self, rows: Rows, flagged: Flags, rhythm: Rhythm) -> None:
        """Take the verdicts of one bucket into account."""
        self.recent[rows] = rhythm.alarm_discount * self.recent[rows] + (flagged & ~self.open[rows])
        self.open[rows] = flagged
