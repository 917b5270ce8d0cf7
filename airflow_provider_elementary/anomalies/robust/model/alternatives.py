"""Computes the alternative hypotheses that are tested before an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.bucket import Bucket
from airflow_provider_elementary.anomalies.robust.model.calendar import HOLIDAY, NEXT_TO
from airflow_provider_elementary.anomalies.robust.model.forecast import Combined
from airflow_provider_elementary.anomalies.robust.model.parameters import DAILY, Frequency, ModelParameters
from airflow_provider_elementary.anomalies.robust.model.ring_buffer import History
from airflow_provider_elementary.anomalies.robust.model.tails import scales_of, surprise, two_sided, upper
from airflow_provider_elementary.anomalies.robust.model.transform import DURATION

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Errors from this number of scales on are stored: they may repeat at the same time of a later day, week or month.
_STORED_FROM = 3.0
_MONTHS = (1, 2, 3)
_LONGEST_QUARTER = 95
#: Rounds in which intervals that overlap are put together.
_OVERLAPS = 3


@dataclass
class Alternatives:
    """Alternatives to the forecast: each takes a small part of the probability, so a value it explains is no alarm.

    :ivar surprises: large errors of the last quarter (hourly: of the last week), NaN for the others.
    :ivar shift: size of the last accepted shift of level.
    :ivar shift_age: buckets since.
    :ivar holiday: error of the forecast on the last holiday, NaN before one was seen.
    """

    surprises: History
    shift: Floats
    shift_age: Floats
    holiday: Floats

    @classmethod
    def empty(cls, series: int, frequency: Frequency) -> Alternatives:
        """Return the state of series without a past."""
        length = _LONGEST_QUARTER if frequency.name == DAILY.name else max([*frequency.seasons, 1])
        return cls(
            History.empty(series, length, np.float32, np.nan),
            np.zeros(series),
            np.full(series, np.inf),
            np.full(series, np.nan),
        )

    def mixture(
        self, bucket: Bucket, forecast: Combined, sundays: Floats, frequency: Frequency, parameters: ModelParameters
    ) -> Mixture:
        """Return the forecast and its alternatives, each with its part of the probability.

        :param sundays: what the last Sundays were like.
        """
        rows = bucket.rows
        again = forecast.value + self._same_time_before(bucket, frequency)
        back = np.where(self.shift_age[rows] < frequency.return_within, forecast.value - self.shift[rows], np.nan)
        holiday = forecast.value + self.holiday[rows]
        alone = np.where(forecast.heard, forecast.experts, np.nan)
        alternatives = np.concatenate(
            [alone, np.stack([again, back, forecast.quietest, holiday, sundays], axis=1)], axis=1
        )
        experts = alone.shape[1]
        doubts = np.r_[
            np.full(experts, parameters.doubt / experts),
            parameters.doubt_again,
            parameters.doubt_return,
            *_of_calendar(bucket, parameters),
        ]
        weight = doubts * np.isfinite(alternatives)
        centre = np.concatenate([forecast.value[:, None], alternatives], axis=1)
        weight = np.concatenate([1 - weight.sum(axis=1, keepdims=True), weight], axis=1)
        centre = np.where(np.isfinite(centre), centre, 0)
        return Mixture(centre, weight, forecast.scale, bucket.kind == DURATION, parameters.degrees)

    def learn(self, rows: Rows, number: int, error: Floats, scale: Floats) -> None:
        """Store the large errors of a bucket, flagged or not."""
        self.surprises.put(rows, number, np.where(np.abs(error) > _STORED_FROM * scale, error, np.nan))
        self.shift_age[rows] += 1

    def learn_holiday(self, rows: Rows, error: Floats) -> None:
        """Store how far a holiday was from an ordinary day."""
        self.holiday[rows] = np.where(np.isfinite(error), error, self.holiday[rows])

    def move(self, rows: Rows, shift: Floats) -> None:
        """Store the difference from the previous level."""
        self.shift[rows], self.shift_age[rows] = shift, 0

    def _same_time_before(self, bucket: Bucket, frequency: Frequency) -> Floats:
        """Return the newest stored error of the same time of an earlier day, week or month."""
        lags = (*frequency.seasons, *(month_lags(bucket.day) if bucket.day else ()))
        if not lags:
            return np.full(len(bucket.rows), np.nan)
        found = self.surprises.lags(bucket.rows, bucket.number, lags)
        newest: Floats = found[np.arange(len(found)), np.argmax(~np.isnan(found), axis=1)].astype(np.float64)
        return newest


@dataclass(frozen=True)
class Mixture:
    """Where a value may lie: around the forecast, or around an alternative to it.

    :ivar centre: the forecast first; shape (rows, hypotheses), as ``weight``.
    :ivar only_above: the rows of which a low value is no surprise.
    """

    centre: Floats
    weight: Floats
    scale: Floats
    only_above: Flags
    degrees: int

    def probability(self, y: Floats) -> Floats:
        """Return the probability of a value that is at least as far out."""
        return self._total(y[:, None] - self.centre, self.only_above)

    def probability_of_zero(self) -> Floats:
        """Return the probability of a value as low as zero."""
        return self._total(self.centre, np.ones(len(self.scale), bool))

    def range(self, least: Floats) -> tuple[Floats, Floats]:
        """Return between which values around the forecast the probability is not below ``least``.

        Each hypothesis alone gives an interval in which that holds; those that overlap the forecast's belong to it.
        """
        share = np.where(self.weight > 0, least[:, None] / np.where(self.weight > 0, self.weight, 1), np.inf)
        share = np.where(self.only_above[:, None], 2 * share, share)
        holds = share <= 1
        reach = np.zeros(share.shape)
        reach[holds] = scales_of(surprise(share[holds]), self.degrees)
        reach *= self.scale[:, None]
        low, high = (np.where(holds, self.centre + side * reach, self.centre) for side in (-1, 1))
        lowest, highest = low[:, 0], high[:, 0]
        for _ in range(_OVERLAPS):
            joined = holds & (low <= highest[:, None]) & (high >= lowest[:, None])
            lowest = np.where(joined, low, lowest[:, None]).min(axis=1)
            highest = np.where(joined, high, highest[:, None]).max(axis=1)
        return np.where(self.only_above, -np.inf, lowest), highest

    def _total(self, error: Floats, only_above: Flags) -> Floats:
        """Return the probability of an error, summed over the hypotheses that have a part of it: half have none."""
        has_part = self.weight != 0
        z = (error / self.scale[:, None])[has_part]
        probability = two_sided(z, self.degrees)
        if only_above.any():
            is_one_sided = np.broadcast_to(only_above[:, None], has_part.shape)[has_part]
            probability = np.where(is_one_sided, upper(z, probability), probability)
        tail = np.zeros(has_part.shape)
        tail[has_part] = probability
        total: Floats = (self.weight * tail).sum(axis=1)
        return total


def _of_calendar(bucket: Bucket, parameters: ModelParameters) -> tuple[float, float, float]:
    """Return the weights of a day as quiet as the quietest, like earlier holidays, and like Sundays."""
    if bucket.holiday == HOLIDAY:
        return (parameters.doubt_holiday,) * 3
    if bucket.holiday == NEXT_TO:
        return (parameters.doubt_beside_holiday,) * 3
    return parameters.doubt_quiet_with_calendar if parameters.has_calendar else parameters.doubt_quiet, 0.0, 0.0


@lru_cache(maxsize=1024)
def month_lags(day: date) -> tuple[int, ...]:
    """Return how many days ago the same day of the last months was, counted from their start and from their end.

    >>> month_lags(date(2024, 3, 31))
    (31, 60, 91)
    """
    today = np.datetime64(day, "D")
    month = today.astype("datetime64[M]")
    from_start = today - month.astype("datetime64[D]")
    to_end = (month + 1).astype("datetime64[D]") - today
    lags: list[int] = []
    for back in _MONTHS:
        start, end = (month - back).astype("datetime64[D]"), (month - back + 1).astype("datetime64[D]")
        for same in (start + from_start, end - to_end):
            lag = int((today - same).astype(int))
            if start <= same < end and lag not in lags:
                lags.append(lag)
    return tuple(lags)
