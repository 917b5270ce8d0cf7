"""Estimates of how many rows a percentage is, and its binomial noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from airflow_provider_elementary.anomalies.robust.model.transform import PERCENT

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

#: Percentages are stored with three digits.
_ROUNDING = 0.00051
#: Of more rows, any percentage is one of some number of them.
_MOST = 150
#: What stands for more rows than that; their binomial noise is below the least that is assumed anyway.
_MANY = 10_000.0
#: Where no earlier percentage shows: a half of two rows is then one of ten at the least.
_UNKNOWN = 10.0
#: Rows that were counted come in groups, as those of one import: this many vary as one does.
_GROUP = 2.0
#: Factors by which the number moves towards a percentage that needs more rows, or fewer: one odd day is no large table.
_UP, _DOWN = 1.22, 0.95


@dataclass
class Granularity:
    """The number of rows that the percentages of each series are of, as far as the percentages themselves show.

    2.326 % is one row of 43, or two of 86, but of no fewer.

    :ivar rows: how many rows four of five percentages need at the most; 0 before any did.
    """

    rows: Floats

    @classmethod
    def empty(cls, series: int) -> Granularity:
        """Return the state of series without a past."""
        return cls(np.zeros(series))

    def observe(self, rows: Rows, value: Floats, kind: npt.NDArray[np.int8], row_count: Floats) -> Floats:
        """Return the standard deviation of the bucket's percentage on the model's scale; 0 for other metrics.

        :param row_count: of how many rows the percentage is, NaN where only percentages show it.
        """
        noise = np.zeros(len(rows))
        mine = np.flatnonzero(kind == PERCENT)
        if len(mine):
            fewest, known = fewest_rows(value[mine]), self.rows[rows[mine]]
            needed = np.maximum(fewest, np.where(known > 0, known, _UNKNOWN))
            is_shown = (known > 0) | (fewest > 0)
            counted = row_count[mine]
            # No percentage is of less than a row.
            of = np.where(counted >= 1, np.maximum(counted / _GROUP, 1.0), np.where(is_shown, needed, np.inf))
            noise[mine] = 4 / np.sqrt(of)
            moved = np.where(fewest > known, np.minimum(fewest, _UP * known), np.maximum(fewest, _DOWN * known))
            self.rows[rows[mine]] = np.select([fewest == 0, known == 0], [known, fewest], moved)
        return noise


def fewest_rows(percent: Floats) -> Floats:
    """Return of how many rows a percentage is at the least; 0 for none and all of them, which show nothing.

    >>> fewest_rows(np.array([2.326, 41.105, 0.0, 100.0]))
    array([   43., 10000.,     0.,     0.])
    """
    found = np.zeros(len(percent))
    inside = np.flatnonzero((percent > 0) & (percent < 100))
    if len(inside):
        of = np.arange(1.0, _MOST + 1)
        share = percent[inside, None] / 100
        fits = np.abs(100 * (np.rint(share * of) / of - share)) < _ROUNDING
        found[inside] = np.where(fits.any(axis=1), of[fits.argmax(axis=1)], _MANY)
    return found
