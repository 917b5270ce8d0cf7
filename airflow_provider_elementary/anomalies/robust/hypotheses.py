"""How surprising a value is once all is considered: one expert alone is right, the month repeats, the old level is back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.forecasts import Combined
from airflow_provider_elementary.anomalies.robust.history import History
from airflow_provider_elementary.anomalies.robust.parameters import DAILY, Parameters, Rhythm
from airflow_provider_elementary.anomalies.robust.scales import DURATION
from airflow_provider_elementary.anomalies.robust.tails import two_sided, upper

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: An error of so many scales is remembered for the same day of the next months.
_REMEMBERED_FROM = 3.0
_MONTHS = (1, 2, 3)
_LONGEST_QUARTER = 95


@dataclass
class Hypotheses:
    """The forecast's rivals: each takes a small part of the probability, so that a value it explains is no alarm.

    :ivar surprises: large errors of the last quarter, NaN for the others; daily series only.
    :ivar shift: size of the last accepted shift of level.
    :ivar shift_age: buckets since.
    """

    surprises: History
    shift: Floats
    shift_age: Floats

    @classmethod
    def empty(cls, series: int, rhythm: Rhythm) -> Hypotheses:
        """Return the state of series without a past."""
        length = _LONGEST_QUARTER if rhythm is DAILY else 1
        return cls(History.empty(series, length, np.float32, np.nan), np.zeros(series), np.full(series, np.inf))

    def probability(
        self,
        rows: Rows,
        y: Floats,
        forecast: Combined,
        day: date | None,
        number: int,
        kind: npt.NDArray[np.int8],
        rhythm: Rhythm,
        p: Parameters,
    ) -> tuple[Floats, Floats]:
        """Return the probability of an error like this one, and that of a value as low as zero.

        :param day: the bucket's date, for daily series.
        """
        month = forecast.value + self._same_day_of_month(rows, day, number)
        back = np.where(self.shift_age[rows] < rhythm.return_within, forecast.value - self.shift[rows], np.nan)
        alone = np.where(forecast.heard, forecast.experts, np.nan)
        centre = np.concatenate([forecast.value[:, None], alone, month[:, None], back[:, None]], axis=1)
        experts = alone.shape[1]
        weight = np.r_[np.full(experts, p.doubt / experts), p.doubt_month, p.doubt_return] * np.isfinite(centre[:, 1:])
        weight = np.concatenate([1 - weight.sum(axis=1, keepdims=True), weight], axis=1)
        centre = np.where(np.isfinite(centre), centre, 0)
        z = (y[:, None] - centre) / forecast.scale[:, None]
        tail = np.where((kind == DURATION)[:, None], upper(z, p.degrees), two_sided(z, p.degrees))
        zero = upper(centre / forecast.scale[:, None], p.degrees)
        return (weight * tail).sum(axis=1), (weight * zero).sum(axis=1)

    def learn(self, rows: Rows, number: int, error: Floats, scale: Floats) -> None:
        """Remember the large errors of a bucket, flagged or not."""
        self.surprises.put(rows, number, np.where(np.abs(error) > _REMEMBERED_FROM * scale, error, np.nan))
        self.shift_age[rows] += 1

    def move(self, rows: Rows, shift: Floats) -> None:
        """Remember the level that was left."""
        self.shift[rows], self.shift_age[rows] = shift, 0

    def _same_day_of_month(self, rows: Rows, day: date | None, number: int) -> Floats:
        """Return the newest remembered error of the same day, counted from a month's start or its end."""
        newest = np.full(len(rows), np.nan)
        for lag in month_lags(day) if day else ():
            found = self.surprises.lags(rows, number, [lag])[:, 0]
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
