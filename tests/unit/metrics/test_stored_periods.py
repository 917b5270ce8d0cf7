"""Stored periods: which files a run writes again, and which of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from types import SimpleNamespace
from typing import cast

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import Category
from airflow_provider_elementary.metrics.earlier import EarlierMetrics
from airflow_provider_elementary.metrics.periods import Period
from airflow_provider_elementary.metrics.stored_periods import StoredPeriods
from airflow_provider_elementary.storage.records.result_document import ResultFile

TODAY = date(2026, 3, 30)
FIRST, SECOND, THIRD = (Period(date(2026, 3, day), date(2026, 3, day)) for day in (28, 29, 30))
WEEK = Period(date(2026, 3, 15), date(2026, 3, 21))
A_DAY_OF_IT = Period(date(2026, 3, 16), date(2026, 3, 16))


def file(name: str, rows: int = 9) -> ResultFile:
    return ResultFile(rows, 0, "", 0, "", (), name, Category.TABLE_METRICS)


def stored(files: dict[ResultFile, tuple[Period, ...]]) -> StoredPeriods:
    return StoredPeriods.of(files, TODAY)


def test_a_file_is_written_again_with_all_its_periods() -> None:
    shared, other = file("shared"), file("other")
    found = stored({shared: (FIRST, SECOND), other: (THIRD,)})

    written = found.written_with({SECOND})

    assert written == {FIRST, SECOND}
    assert found.rest(written) == [other]
    assert found.rest(()) == [shared, other]


def test_days_of_a_week_that_is_over_are_merged() -> None:
    days = file("days")

    assert stored({days: (A_DAY_OF_IT, THIRD)}).merged(is_replaced=False) == {WEEK}
    assert stored({days: (A_DAY_OF_IT, THIRD)}).merged(is_replaced=True) == {WEEK, THIRD}
    assert stored({days: (A_DAY_OF_IT, THIRD)}).written_with({WEEK}) == {WEEK, THIRD}


def test_a_period_with_few_of_the_rows_of_a_file_has_some() -> None:
    found = stored({file("shared", rows=1): (FIRST, SECOND, THIRD)})

    assert [found.rows(period) for period in (FIRST, THIRD, WEEK)] == [1, 1, 0]


def test_rows_of_other_periods_of_a_file_are_left_to_them() -> None:
    asked: list[list[str]] = []

    def read(files: Iterable[ResultFile]) -> Iterator[pa.RecordBatch]:
        asked.append([one.key for one in files])
        for _ in asked[-1]:
            days = [FIRST.first, SECOND.first, SECOND.first]
            yield pa.RecordBatch.from_pydict({"day": pa.array(days, pa.date32())})

    earlier = cast(EarlierMetrics, SimpleNamespace(read=read))
    found = stored({file("shared"): (FIRST, SECOND), file("other"): (THIRD,)})

    some = list(found.read(earlier, {SECOND}, lambda batch: batch["day"]))
    whole = list(found.read(earlier, {FIRST, SECOND}, lambda batch: batch["day"]))
    nothing = list(found.read(earlier, {FIRST}, lambda batch: batch["day"], lambda period: period == FIRST))

    assert [batch["day"].to_pylist() for batch in some] == [[SECOND.first] * 2]
    assert [batch.num_rows for batch in whole] == [3]
    assert nothing == []
    assert asked == [[], ["shared"], ["shared"], []]
