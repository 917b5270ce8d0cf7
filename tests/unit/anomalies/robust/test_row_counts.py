"""The rows that percentages are of, as the row count of the same table and bucket says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import robust
from airflow_provider_elementary.anomalies.configurations import KEYS
from airflow_provider_elementary.anomalies.robust import series_spool
from airflow_provider_elementary.anomalies.robust.row_counts import NO_COUNT, RowCounts, counted_by
from tests.support.metric_series import FIRST_DAY, daily

DAYS = 60


def shares(rows: int, nulls: int, **counted: Any) -> pa.Table:
    """Return days without a null, but for one null row in eleven, a last day with some, and the table's row count."""
    values = [100 * (day % 11 == 10) / rows for day in range(DAYS)] + [100 * nulls / rows]
    share = daily(values, metric_name="null_percent", column_name="email")
    counts = daily([float(rows)] * (DAYS + 1), **counted) if counted else share.slice(0, 0)
    return pa.concat_tables([share, counts], promote_options="default")


@pytest.mark.parametrize(("nulls", "is_anomalous"), [(2, False), (12, True)])
def test_a_share_of_counted_rows_has_their_noise(nulls: int, is_anomalous: bool) -> None:
    verdicts = robust.score(shares(400, nulls, full_table_name="shop.core.orders"))

    assert verdicts["is_anomalous"].to_pylist()[: DAYS + 1] == [*[False] * DAYS, is_anomalous]


def test_without_a_row_count_the_percentages_alone_say_it() -> None:
    with_counts, without, other_rows = (
        robust.score(metrics)["is_anomalous"].to_pylist()[: DAYS + 1]
        for metrics in (
            shares(400, 2, metric_name="row_count"),
            shares(400, 2),
            shares(400, 2, metric_properties='{"where_expression": "is_new"}'),
        )
    )

    assert sum(with_counts) == 0
    assert without == other_rows
    assert sum(without) > 0


@pytest.mark.parametrize(
    ("row", "is_counted"),
    [
        ({}, True),
        ({"metric_name": "MISSING_PERCENT"}, True),
        ({"metric_name": "null_count"}, False),
        ({"column_name": None}, False),
        ({"full_table_name": "SHOP.CORE.ITEMS"}, False),
        ({"metric_properties": "{}"}, False),
    ],
)
def test_the_same_rows_are_those_of_the_same_table_and_properties(row: Mapping[str, Any], is_counted: bool) -> None:
    table = {"full_table_name": "SHOP.CORE.ORDERS", "metric_name": "row_count"}
    share = {"full_table_name": "shop.core.orders", "metric_name": "null_percent", "column_name": "email", **row}
    of_dimension = {**table, "dimension": "shop", "dimension_value": "a"}
    keys = pa.Table.from_pylist([share, of_dimension, table], schema=pa.schema([(name, pa.string()) for name in KEYS]))

    assert counted_by(keys).tolist() == [2 if is_counted else NO_COUNT, NO_COUNT, NO_COUNT]


def test_the_newest_row_count_of_a_bucket_counts() -> None:
    rows = {"series": [3, 3, 3, 3, 4], "starts": [0, 0, 0, 9, 0], "ends": [9, 9, 9, 18, 9], "updated": [2, 2, 1, 1, 1]}
    given = {name: np.array(column) for name, column in rows.items()}
    counts = RowCounts.of({**given, "value": np.array([120.0, 110.0, 190.0, 80.0, 70.0])})

    series, starts = np.array([3, 3, 4, NO_COUNT, 3]), np.array([0, 9, 0, 0, 18])
    found = counts.find(series, starts, starts + 9)

    np.testing.assert_array_equal(found, [120, 80, 70, np.nan, np.nan])
    assert np.isnan(
        RowCounts.of({name: column[:0] for name, column in given.items()} | {"value": starts[:0]}).find(
            series, starts, starts + 9
        )
    ).all()


def test_a_count_that_is_known_counts_before_a_null_that_is_as_new() -> None:
    same = {name: np.array([0, 0]) for name in ("series", "starts", "updated")} | {"ends": np.array([9, 9])}

    found = [RowCounts.of({**same, "value": np.array(values)}).counts for values in ([120, np.nan], [np.nan, 120])]

    assert [counts.tolist() for counts in found] == [[120], [120]]


def test_a_bucket_of_another_length_counts_other_rows() -> None:
    share, counts = shares(400, 2), daily([400.0] * 2 * DAYS, bucket=timedelta(hours=12), first=FIRST_DAY)

    alone, beside = (
        robust.score(metrics)["score"].to_pylist()[:DAYS] for metrics in (share, pa.concat_tables([share, counts]))
    )

    assert alone == beside


def test_row_counts_are_read_with_the_slices_of_their_percentages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_spool, "SLICE_ROWS", 7)
    columns = [daily([2.5] * 21, metric_name="null_percent", column_name=name) for name in "abc"]
    metrics = pa.concat_tables([*columns, daily([40.0 + day for day in range(21)])])
    spool = series_spool.Spool(duckdb.connect())
    spool.add(metrics)
    ends = [int((FIRST_DAY + timedelta(days=day + 1)).replace(tzinfo=UTC).timestamp()) for day in range(21)]
    after, counted = np.array([-1, ends[9]]), np.array([3, 3])

    slices = [*spool.slices(1, after, ends[-1], counted)]

    assert len(slices) > 5
    names = ("series", "ends", "row_count")
    rows = [row for each in slices for row in zip(*(each[name] for name in names), strict=True)]
    wanted = [(series, end, 40.0 + day) for series in (0, 1) for day, end in enumerate(ends) if end > after[series]]
    assert sorted(rows) == wanted
