"""Estimates the probability of yes/no events such as missing or zero buckets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.parameters import Frequency
from airflow_provider_elementary.anomalies.robust.model.ring_buffer import History
from airflow_provider_elementary.anomalies.robust.model.tails import surprise

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

#: Worth, in buckets, of what is believed about an event before it was ever seen.
_PRIOR_WEIGHT = 2.0
#: Prior probability that an event continues in the next bucket.
_LASTING = 0.3
#: How far (natural logarithm) one of the two models can get ahead of the other.
_LEAD = 20.0


@dataclass
class Surprise:
    """What one bucket says about an event; 0 where it says nothing.

    :ivar one: surprise that the event happened.
    :ivar run: surprise of the whole run of it.
    :ivar absence: surprise that it did not happen.
    :ivar length: length of the run.
    """

    one: Floats
    run: Floats
    absence: Floats
    length: Floats


@dataclass
class Occurrence:
    """A yes/no event per bucket, which may follow the season or come at a rate.

    Two models are mixed by how well they did. By rate: how often it follows a yes and a no, discounted over time. By
    season: how often given whether the same weekday (hour of the week) had the event never, sometimes or always in
    its last cycles, and given the buckets one and one short season ago.

    :ivar seen: 1 yes, 0 no, -1 no bucket.
    :ivar season_counts: shape (series, 16 contexts, no/yes).
    :ivar rate_counts: shape (series, after no/yes, no/yes).
    :ivar lead: logarithm of the odds for the model by season.
    """

    seen: History
    season_counts: npt.NDArray[np.float32]
    rate_counts: npt.NDArray[np.float32]
    lead: Floats
    run: Floats
    length: Floats

    @classmethod
    def empty(cls, series: int, frequency: Frequency) -> Occurrence:
        """Return the state of series without a past."""
        return cls(
            History.empty(series, frequency.history, np.int8, -1),
            np.zeros((series, 16, 2), np.float32),
            np.zeros((series, 2, 2), np.float32),
            *np.zeros((3, series)),
        )

    def predict(self, rows: Rows, number: int, frequency: Frequency, first: Floats | float, lapse: float) -> Forecast:
        """Return the probability of the event.

        :param first: belief that it happens where it never did.
        :param lapse: belief that it fails where it always happened.
        """
        before = self.seen.lags(rows, number, [1])[:, 0] == 1
        cycle, cycles = (frequency.seasons[-1], frequency.season_lags[-1]) if frequency.seasons else (1, 1)
        same = self.seen.lags(rows, number, [cycle * k for k in range(1, cycles + 1)])
        known, yes = (same >= 0).sum(axis=1), (same == 1).sum(axis=1)
        never, always = (known > 0) & (yes == 0), (known > 0) & (yes == known)
        day_before = (
            self.seen.lags(rows, number, [frequency.seasons[0]])[:, 0] == 1 if len(frequency.seasons) > 1 else before
        )
        habit = np.where(known == 0, 0, np.where(never, 1, np.where(always, 3, 2)))
        context = habit * 4 + before * 2 + day_before
        counts = self.rate_counts[rows, before.astype(int)]
        expected = np.where(before, np.maximum(first, _LASTING), first)
        by_rate = (counts[:, 1] + _PRIOR_WEIGHT * expected) / (counts.sum(axis=1) + _PRIOR_WEIGHT)
        belief = np.where(
            never & ~before, np.minimum(by_rate, first), np.where(always, np.maximum(by_rate, 1 - lapse), by_rate)
        )
        counts = self.season_counts[rows, context]
        by_season = (counts[:, 1] + _PRIOR_WEIGHT * belief) / (counts.sum(axis=1) + _PRIOR_WEIGHT)
        weight = 1 / (1 + np.exp(-self.lead[rows]))
        return Forecast(weight * by_season + (1 - weight) * by_rate, by_season, by_rate, context, before.astype(int))

    def observe(self, rows: Rows, forecast: Forecast, yes: Flags, known: Flags) -> Surprise:
        """Return what the bucket says, and carry the run on.

        :param known: the series for which the question makes sense in this bucket.
        """
        one = surprise(forecast.probability)
        run = np.where(known, np.where(yes, self.run[rows] + one, 0), self.run[rows])
        length = np.where(known, np.where(yes, self.length[rows] + 1, 0), self.length[rows])
        self.run[rows], self.length[rows] = run, length
        absence = np.where(known & ~yes, surprise(1 - forecast.probability), 0)
        return Surprise(np.where(yes, one, 0), np.where(yes, run, 0), absence, length)

    def learn(
        self, rows: Rows, number: int, forecast: Forecast, yes: Flags, weight: Floats, frequency: Frequency
    ) -> None:
        """Take a bucket into account.

        :param weight: how much of it, per row; 0 for not at all.
        """
        learns = weight > 0
        self.seen.put(rows, number, np.where(learns, yes, -1).astype(np.int8))
        gain = _log_odds(forecast.by_season, yes) - _log_odds(forecast.by_rate, yes)
        self.lead[rows] = np.where(learns, np.clip(self.lead[rows] + gain, -_LEAD, _LEAD), self.lead[rows])
        outcome = yes.astype(int)
        self.season_counts[rows, forecast.context, outcome] += weight
        self.rate_counts[rows, forecast.before] *= np.where(learns, frequency.rate_discount, 1)[:, None]
        self.rate_counts[rows, forecast.before, outcome] += weight


@dataclass
class Forecast:
    """The probability of an event, and what it was made from."""

    probability: Floats
    by_season: Floats
    by_rate: Floats
    context: npt.NDArray[np.int64]
    before: npt.NDArray[np.int64]


def _log_odds(probability: Floats, yes: Flags) -> Floats:
    odds: Floats = np.log(np.clip(np.where(yes, probability, 1 - probability), 1e-12, 1))
    return odds
