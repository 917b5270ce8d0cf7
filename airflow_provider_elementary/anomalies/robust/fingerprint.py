"""Hashes past buckets to detect rewritten history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint64]

#: Of splitmix64, which makes of 64 bits others of which each depends on all of them.
_INCREMENT, _FIRST, _SECOND = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass
class Fingerprints:
    """What the buckets of each series are, in whatever order they come.

    :ivar buckets: how many.
    :ivar fingerprint: the sum of a hash of each bucket: another one whenever a bucket has another time or value, is new
        or is gone.
    """

    buckets: Codes
    fingerprint: Codes

    @classmethod
    def of_nothing(cls, series: int) -> Fingerprints:
        """Return what series without buckets have."""
        return cls(np.zeros(series, np.uint64), np.zeros(series, np.uint64))

    def add(
        self,
        series: npt.NDArray[np.integer],
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
    ) -> None:
        """Add buckets.

        :param series: of each bucket, the number of its series.
        """
        code = self._codes(starts, ends, values)
        np.add.at(self.buckets, series, np.uint64(1))
        np.add.at(self.fingerprint, series, code)

    def remove(
        self,
        series: npt.NDArray[np.integer],
        starts: npt.NDArray[np.int64],
        ends: npt.NDArray[np.int64],
        values: npt.NDArray[np.float64],
    ) -> None:
        """Take buckets out again that were added."""
        np.subtract.at(self.buckets, series, np.uint64(1))
        np.subtract.at(self.fingerprint, series, self._codes(starts, ends, values))

    @staticmethod
    def _codes(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> Codes:
        # One bit pattern for both zeros, and one for all that are no number.
        plain = np.where(np.isnan(values), np.nan, values + 0.0)
        return mixed(mixed(mixed(starts.view(np.uint64)) ^ ends.view(np.uint64)) ^ plain.view(np.uint64))


def mixed(code: Codes) -> Codes:
    """Return a hash of each of many numbers of 64 bits; no two have the same."""
    code = code + _INCREMENT
    code = (code ^ (code >> np.uint64(30))) * _FIRST
    code = (code ^ (code >> np.uint64(27))) * _SECOND
    return code ^ (code >> np.uint64(31))
