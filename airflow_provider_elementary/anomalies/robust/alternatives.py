"""Computes the alternative hypotheses that are tested before an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.bucket import Bucket
from airflow_provider_elementary.anomalies.robust.forecast import Combined
from airflow_provider_elementary.anomalies.robust.parameters import DAILY, Frequency, Parameters
from airflow_provider_elementary.anomalies.robust.ring_buffer import History
from airflow_provider_elementary.anomalies.robust.tails import two_sided, upper
from airflow_provider_elementary.anomalies.robust.transform import DURATION

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Errors from this number of scales on are stored: they may repeat at the same time of a later day, week or month.
_STORED_FROM = 3.0
_MONTHS = (1, 2, 3)
_LONGEST_QUARTER = 95


@dataclass
class Alternatives:
    """Alternatives to the forecast: each takes a small part of the probability, so a value it explains is no alarm.

    :ivar surprises: large errors of the last quarter (hourly: of the last week), NaN for the others.
    :ivar shift: size of the last accepted shift of level.
    :ivar shift_age: buckets since.
    """

    surprises: History
    shift: Floats
    shift_age: Floats

    @classmethod
    def empty(cls, series: int, frequency: Frequency) -> Alternatives:
        """Return the state of series without a past."""
        length = _LONGEST_QUARTER if frequency.name == DAILY.name else max([*frequency.seasons, 1])
        return cls(History.empty(series, length, np.float32, np.nan), np.zeros(series), np.full(series, np.inf))

    def probability(
        self, bucket: Bucket, y: Floats, forecast: Combined, frequency: Frequency, parameters: Parameters
    ) -> tuple[Floats, Floats]:
        """Return the probability of an error like this one, and that of a value as low as zero.

        :param y: the bucket's values on the model's scale.
        """
        rows = bucket.rows
        again = forecast.value + self._same_time_before(bucket, frequency)
        back = np.where(self.shift_age[rows] < frequency.return_within, forecast.value - self.shift[rows], np.nan)
        alone = np.where(forecast.heard, forecast.experts, np.nan)
        alternatives = np.concatenate([alone, np.stack([again, back, forecast.quietest], axis=1)], axis=1)
        experts = alone.shape[1]
        doubts = np.r_[
            np.full(experts, parameters.doubt / experts),
            parameters.doubt_again,
            parameters.doubt_return,
            parameters.doubt_quiet,
        ]
        weight = doubts * np.isfinite(alternatives)
        centre = np.concatenate([forecast.value[:, None], alternatives], axis=1)
        weight = np.concatenate([1 - weight.sum(axis=1, keepdims=True), weight], axis=1)
        centre = np.where(np.isfinite(centre), centre, 0)
        z = (y[:, None] - centre) / forecast.scale[:, None]
        tail = np.where(
            (bucket.kind == DURATION)[:, None], upper(z, parameters.degrees), two_sided(z, parameters.degrees)
        )
        zero = upper(centre / forecast.scale[:, None], parameters.degrees)
        return (weight * tail).sum(axis=1), (weight * zero).sum(axis=1)

    def learn(self, rows: Rows, number: int, error: Floats, scale: Floats) -> None:
        """Store the large errors of a bucket, flagged or not."""
        self.surprises.put(rows, number, np.where(np.abs(error) > _STORED_FROM * scale, error, np.nan))
        self.shift_age[rows] += 1

    def move(self, rows: Rows, shift: Floats) -> None:
        """Store the difference from the previous level."""
        self.shift[rows], self.shift_age[rows] = shift, 0

    def _same_time_before(self, bucket: Bucket, frequency: Frequency) -> Floats:
        """Return the newest stored error of the same time of an earlier day, week or month."""
        newest = np.full(len(bucket.rows), np.nan)
        for lag in [*frequency.seasons, *(month_lags(bucket.day) if bucket.day else ())]:
            found = self.surprises.lags(bucket.rows, bucket.number, [lag])[:, 0]
            newest = np.where(np.isnan(newest), found, newest)
        return newest


def month_lags(day: date) -> list[int]:
    """Return how many days ago the same day of the last months was, counted from their start and from their end.

    >>> month_lags(date(2024, 3, 31))
    [31, 60, 91]
    """
    today = np.datetime64(day, "D")
    month = today.astype("datetime64[M]")
    from_start = today - month.astype("datetime64[D]")
    to_end = (month + 1).astype("datetime64[D]") - today
    lags = []
    for back in _MONTHS:
        start, end = (month - back).astype("datetime64[D]"), (month - back + 1).astype("datetime64[D]")
        for same in (start + from_start, end - to_end):
            lag = int((today - same).astype(int))
            if start <= same < end and lag not in lags:
                lags.append(lag)
    return lags
