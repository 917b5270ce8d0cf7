"""Estimates the probability that a value equals the one before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.tails import surprise
from airflow_provider_elementary.anomalies.robust.model.transform import chance_of_repeat

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Belief in a repeat, in repeats, before any value was seen.
_PRIOR = 0.02
#: A repeat more likely than this adds nothing to the surprise of a run.
_COMMON = 0.6


@dataclass
class Repeat:
    """What one bucket says.

    :ivar repeated: the value equals the one before and is not zero.
    :ivar one: surprise of one repeat.
    :ivar run: surprise of the whole run of them.
    :ivar length: repeats in a row.
    """

    repeated: Flags
    one: Floats
    run: Floats
    length: Floats


@dataclass
class Repeats:
    """How often a value of each series equals the one before.

    :ivar last: the last value.
    :ivar values, repeats: values so far, and those of them that were repeats.
    :ivar run, length: surprise and length of the present run.
    """

    last: Floats
    values: Floats
    repeats: Floats
    run: Floats
    length: Floats

    @classmethod
    def empty(cls, series: int) -> Repeats:
        """Return the state of series without a past."""
        return cls(np.full(series, np.nan), *np.zeros((4, series)))

    def observe(self, rows: Rows, value: Floats, known: Flags, kind: npt.NDArray[np.int8], scale: Floats) -> Repeat:
        """Return what a bucket says, and carry the run on.

        :param scale: standard deviation of the value's error: two counts close to each other are equal by chance.
        """
        repeated = known & (value != 0) & (value == self.last[rows])
        rate = (self.repeats[rows] + _PRIOR) / (self.values[rows] + 1)
        probability = np.maximum(rate, chance_of_repeat(np.where(known, value, 0), kind, scale))
        one = surprise(probability)
        run = self.run[rows] + np.where(probability < _COMMON, one, 0)
        self.run[rows] = np.where(known, np.where(repeated, run, 0), self.run[rows])
        self.length[rows] = np.where(known, np.where(repeated, self.length[rows] + 1, 0), self.length[rows])
        return Repeat(repeated, one, self.run[rows], self.length[rows])

    def learn(self, rows: Rows, value: Floats, known: Flags, repeated: Flags, learns: Flags) -> None:
        """Take a bucket into account.

        :param learns: the rows whose repeat, if it is one, is no incident or has become normal.
        """
        counts = known & np.isfinite(self.last[rows]) & learns
        self.values[rows] += counts
        self.repeats[rows] += counts & repeated
        self.last[rows] = np.where(known, value, self.last[rows])
