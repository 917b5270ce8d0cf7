"""Converts errors to probabilities with tails fitted per series."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.parameters import ModelParameters

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp] | slice

#: Sizes of errors in scales: those of a heavy-tailed series may be hundreds, and the largest have to differ.
_GRID: Floats = np.concatenate([np.linspace(0, 60, 6001), np.geomspace(60, 6_000, 201)[1:]])
_LARGEST_SURPRISE = 250.0
_LARGEST_POWER = 300.0


def two_sided(z: Floats, degrees: int) -> Floats:
    """Return the probability of an error at least as large as z scales, for t with an even number of degrees."""
    return np.interp(np.abs(z), _GRID, _two_sided_table(degrees))


def upper(z: Floats, both: Floats) -> Floats:
    """Return the probability of an error of at least z scales.

    :param both: what :func:`two_sided` says of z.
    """
    half = both / 2
    return np.where(z > 0, half, 1 - half)


def surprise(probability: Floats) -> Floats:
    """Return a probability as a surprise: 3 for one in a thousand."""
    return -np.log10(np.clip(probability, 10**-_LARGEST_SURPRISE, 1))


def scales_of(surprises: Floats, degrees: int) -> Floats:
    """Return how many scales an error must have to be so surprising (two-sided)."""
    return np.interp(surprises, _surprise_table(degrees), _GRID)


def log_density(z: Floats, degrees: int) -> Floats:
    """Return the logarithm of t's density, up to a constant."""
    return -(degrees + 1) / 2 * np.log1p(z * z / degrees)


@cache
def _two_sided_table(degrees: int) -> Floats:
    # Abramowitz and Stegun 26.7.4, even degrees of freedom.
    sine = _GRID / np.sqrt(degrees + _GRID**2)
    cosine2 = degrees / (degrees + _GRID**2)
    term, total = np.ones_like(_GRID), np.ones_like(_GRID)
    for k in range(1, degrees // 2):
        term = term * (2 * k - 1) / (2 * k) * cosine2
        total = total + term
    # Beyond double precision the tail continues as a power law, so that larger errors remain more surprising.
    probability = 1 - sine * total
    tiny = np.flatnonzero(probability < 1e-13)
    if len(tiny):
        last = tiny[0] - 1
        probability[last:] = probability[last] * (_GRID[last:] / _GRID[last]) ** -float(degrees)
    return probability


@cache
def _surprise_table(degrees: int) -> Floats:
    return surprise(_two_sided_table(degrees))


@dataclass
class Tails:
    """Per series, how often and how far its errors went beyond ``tail_from`` scales.

    Beyond it an error's probability falls as a power of its size (Pareto; the power is Hill's estimate). A prior,
    weighted as a number of buckets, says that the tail is Gaussian; a heavy-tailed series overrides it and so raises
    its own threshold.

    :ivar buckets: buckets seen.
    :ivar beyond: buckets beyond the start of the tail.
    :ivar excess: sum of the logarithms of their sizes, in starts of the tail.
    """

    buckets: Floats
    beyond: Floats
    excess: Floats

    @classmethod
    def empty(cls, series: int) -> Tails:
        """Return the state of series without a past."""
        return cls(np.zeros(series), np.zeros(series), np.zeros(series))

    def calibrate(self, rows: Rows, size: Floats, parameters: ModelParameters) -> Floats:
        """Return how surprising an error of a given size in scales is in view of the series' own past."""
        shape, rate = self._tail(rows, parameters)
        beyond = rate + np.log10(np.maximum(size / parameters.tail_from, 1)) / shape
        within = np.minimum(surprise(two_sided(size, parameters.degrees)), rate)
        return np.where(size > parameters.tail_from, beyond, within)

    def reach(self, rows: Rows, alarm: Floats, parameters: ModelParameters) -> Floats:
        """Return how many scales an error must have to be as surprising as ``alarm``."""
        shape, rate = self._tail(rows, parameters)
        beyond = parameters.tail_from * 10 ** np.clip((alarm - rate) * shape, 0, _LARGEST_POWER)
        within = np.minimum(scales_of(alarm, parameters.degrees), parameters.tail_from)
        return np.where(alarm < rate, within, beyond)

    def learn(self, rows: Rows, size: Floats, known: npt.NDArray[np.bool_], parameters: ModelParameters) -> None:
        """Take the errors of one bucket into account, flagged or not: a frequent alarm is no alarm.

        :param known: the series that had a value and a forecast.
        """
        beyond = known & (size > parameters.tail_from)
        excess = np.minimum(np.log(np.maximum(size / parameters.tail_from, 1)), parameters.tail_cap)
        self.buckets[rows] += known
        self.beyond[rows] += beyond
        self.excess[rows] += np.where(beyond, excess, 0)

    def _tail(self, rows: Rows, parameters: ModelParameters) -> tuple[Floats, Floats]:
        """Return the shape of the tail (the inverse of its power) and the surprise of being in it."""
        shape = (parameters.tail_weight * parameters.tail_shape + self.excess[rows]) / (
            parameters.tail_weight + self.beyond[rows]
        )
        start = two_sided(np.array(parameters.tail_from), parameters.degrees)
        rate = (parameters.tail_weight_rate * start + self.beyond[rows]) / (
            parameters.tail_weight_rate + self.buckets[rows]
        )
        return shape, -np.log10(rate)
