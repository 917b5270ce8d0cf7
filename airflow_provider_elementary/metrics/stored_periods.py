"""Finds which stored files of a category a run writes again."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.metrics.earlier import EarlierMetrics
from airflow_provider_elementary.metrics.periods import Arrangement, Period
from airflow_provider_elementary.storage.records.result_document import ResultFile


@dataclass(frozen=True)
class StoredPeriods:
    """The files of one category that an earlier run stored.

    :param files: each with the periods that it holds.
    :param arranged: which periods they are to be from now on.
    """

    files: Mapping[ResultFile, tuple[Period, ...]]
    arranged: Arrangement

    @classmethod
    def of(cls, files: Mapping[ResultFile, tuple[Period, ...]], today: date) -> StoredPeriods:
        """Return them as of the day up to which rows are known."""
        return cls(files, Arrangement([period for periods in files.values() for period in periods], today))

    def merged(self, *, is_replaced: bool) -> set[Period]:
        """Return the periods that are written again though nothing in them changes.

        :param is_replaced: all are.
        """
        return {
            wanted
            for periods in self.files.values()
            for period in periods
            if (wanted := self._now(period)) != period or is_replaced
        }

    def written_with(self, changed: Collection[Period]) -> set[Period]:
        """Return the periods to write: those that change, and those that a file holds beside one of them."""
        written, known = set(changed), 0
        while len(written) != known:
            known = len(written)
            for periods in self.files.values():
                if not written.isdisjoint(of_file := {self._now(period) for period in periods}):
                    written |= of_file
        return written

    def rest(self, written: Collection[Period]) -> list[ResultFile]:
        """Return the files that stay.

        :param written: see :meth:`written_with`.
        """
        return [file for file, periods in self.files.items() if self._now(periods[0]) not in written]

    def rows(self, period: Period) -> int:
        """Return about how many rows are stored of a period; 0 only where there are none."""
        return sum(
            math.ceil(file.rows * sum(self._now(one) == period for one in periods) / len(periods))
            for file, periods in self.files.items()
        )

    def read(
        self,
        earlier: EarlierMetrics,
        group: Collection[Period],
        days_of: Callable[[pa.RecordBatch], pa.Array],
        is_left_out: Callable[[Period], bool] = lambda period: False,
    ) -> Iterator[pa.RecordBatch]:
        """Yield the stored rows of some periods.

        :param days_of: returns the day of each row.
        :param is_left_out: whether those of a stored period are not wanted.
        """
        wanted = {
            file: [one for one in periods if self._now(one) in group and not is_left_out(one)]
            for file, periods in self.files.items()
        }
        yield from earlier.read(file for file, held in wanted.items() if len(held) == len(self.files[file]))
        for file, held in wanted.items():
            if held and len(held) < len(self.files[file]):
                for batch in earlier.read([file]):
                    yield batch.filter(_is_within(days_of(batch), held))

    def _now(self, period: Period) -> Period:
        return self.arranged.of(period.last)


def _is_within(days: pa.Array, periods: Iterable[Period]) -> pa.Array:
    parts = (
        pc.and_(
            pc.greater_equal(days, pa.scalar(period.first, pa.date32())),
            pc.less_equal(days, pa.scalar(period.last, pa.date32())),
        )
        for period in periods
    )
    return reduce(pc.or_, parts)
