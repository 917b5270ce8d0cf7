"""Counts the verdicts and the alarms of each series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp]

#: Scores from which alarms are counted.
STEPS = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)


@dataclass
class AlarmCounts:
    """How often each series had a verdict and was flagged.

    :ivar scored: buckets with a verdict.
    :ivar flagged: those that were flagged with a score of at least each of :data:`STEPS`; shape (series, steps).
    """

    scored: npt.NDArray[np.uint32]
    flagged: npt.NDArray[np.uint32]

    @classmethod
    def empty(cls, series: int) -> AlarmCounts:
        """Return the state of series without a past."""
        return cls(np.zeros(series, np.uint32), np.zeros((series, len(STEPS)), np.uint32))

    def learn(self, rows: Rows, score: npt.NDArray[np.float64], is_flagged: npt.NDArray[np.bool_]) -> None:
        """Take the verdicts of one bucket into account; a score of NaN is none."""
        self.scored[rows] += np.isfinite(score)
        if is_flagged.any():
            self.flagged[rows[is_flagged]] += score[is_flagged, None] >= np.array(STEPS)


def steps_of(score: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the place in :data:`STEPS` of the highest step that a score of at least 1 reaches."""
    found: npt.NDArray[np.int64] = np.searchsorted(STEPS, score, side="right") - 1
    return found
