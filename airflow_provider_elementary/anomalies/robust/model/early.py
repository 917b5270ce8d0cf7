"""Flags what is beyond doubt before a series has enough history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.bucket import Bucket
from airflow_provider_elementary.anomalies.robust.model.parameters import Frequency
from airflow_provider_elementary.anomalies.robust.model.transform import COUNT, DURATION, PERCENT, REAL, SUM, to_scale

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Buckets, all of them with a value other than 0, after which a gap or a zero is one; of shorter buckets three days.
_ENOUGH, _DAYS = 8, 3
#: Least value seen of a count whose zero is no chance.
_FEW = 5
#: How far outside everything seen a value must be: in ranges seen, and on the model's scale (a factor of about three).
_RANGES, _FAR = 2.0, 3.5
#: The same of percentages, in points.
_POINTS = 25.0
#: The score of what is beyond doubt.
_SCORE = 1.5


@dataclass
class Early:
    """What was seen of each series.

    :ivar values: buckets with a value that could be sized.
    :ivar lowest, highest: of these values.
    :ivar interrupted: a bucket had no value, or zero.
    """

    values: Floats
    lowest: Floats
    highest: Floats
    interrupted: Flags

    @classmethod
    def empty(cls, series: int) -> Early:
        """Return the state of series without a past."""
        unseen = np.full((2, series), np.nan)
        return cls(np.zeros(series), unseen[0], unseen[1], np.zeros(series, bool))

    def scores(self, bucket: Bucket, unit: Floats, sized: Flags, zero: Flags, frequency: Frequency) -> Floats:
        """Return the scores of the size, of a gap and of a zero, 0 where there is doubt; shape (3, rows).

        :param unit: typical size of the series' values.
        :param sized: the rows whose value has a size.
        :param zero: those of which zero is an event and no size.
        """
        rows, kind, value = bucket.rows, bucket.kind, bucket.value
        lowest, highest = self.lowest[rows], self.highest[rows]
        enough = self.values[rows] >= max(_ENOUGH, _DAYS * frequency.buckets_a_day if frequency.is_short else 0)
        regular = enough & ~self.interrupted[rows]
        counts_gaps = (frequency.seconds is not None) & ~((kind == REAL) & frequency.is_short)
        gap = regular & ~np.isfinite(value) & counts_gaps
        fallen = regular & zero & ((kind == COUNT) | (kind == SUM)) & ((kind != COUNT) | (lowest >= _FEW))
        y, low, high = (to_scale(values, kind, unit) for values in (value, lowest, highest))
        far = np.maximum(_RANGES * (high - low), _FAR)
        beyond = (kind != PERCENT) & ((y - high > far) | ((low - y > far) & (kind != DURATION)))
        size = np.where(kind == PERCENT, value - highest > np.maximum(_POINTS, highest), beyond)
        return np.where([enough & sized & size, gap, fallen], _SCORE, 0.0)

    def learn(self, rows: Rows, value: Floats, learns: Flags, zero: Flags) -> None:
        """Take a bucket into account.

        :param learns: the rows whose value has a size and is no incident.
        """
        self.lowest[rows] = np.where(learns, np.fmin(self.lowest[rows], value), self.lowest[rows])
        self.highest[rows] = np.where(learns, np.fmax(self.highest[rows], value), self.highest[rows])
        self.values[rows] += learns
        self.interrupted[rows] |= ~np.isfinite(value) | zero
