"""Tables whose values of a metric move together are one alarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import robust
from tests.support.metric_series import daily, flagged_reasons, scored_recent

_DAYS = 60


def tables(factors: Sequence[float], **given: Any) -> pa.Table:
    """Return the row counts of some tables, multiplied by these factors on the last day."""
    random = np.random.default_rng(11)
    series = []
    for number, factor in enumerate(factors):
        values = random.normal(1000, 20, _DAYS).round()
        values[-1] = round(1000 * factor)
        series.append(daily([*values], **{"full_table_name": f"SHOP.CORE.T{number:02d}", **given}))
    return pa.concat_tables(series)


def flagged(metrics: pa.Table, **parameters: float) -> Mapping[str, str]:
    """Return the reason of each table that is flagged on the last day."""
    last = pa.array(([False] * (_DAYS - 1) + [True]) * (len(metrics) // _DAYS))
    rows = robust.score(metrics, **parameters).filter(last).to_pylist()
    return {row["full_table_name"]: row["reason"] for row in rows if row["is_anomalous"]}


def test_tables_that_move_together_are_flagged_once() -> None:
    metrics = tables([0.5, 0.5, 0.4, 0.5, 0.5, *[1.0] * 20])

    [(table, reason)] = flagged(metrics).items()

    assert table == "SHOP.CORE.T02"
    assert reason.endswith("; row_count of 5 of 25 tables moved")
    assert len(flagged(metrics, tables_together=0)) == 5


def test_those_that_are_quiet_say_why() -> None:
    verdicts = robust.score(tables([0.5, 0.5, 0.4, 0.5, 0.5, *[1.0] * 20]))

    assert verdicts["reason"][_DAYS - 1].as_py() == "moves with row_count of 5 of 25 tables, which are flagged once"
    assert verdicts["score"][_DAYS - 1].as_py() > 1
    assert verdicts["kind"][_DAYS - 1].as_py() is None


@pytest.mark.parametrize(
    ("factors", "bucket"),
    [
        ([0.5] * 4 + [1.0] * 4, timedelta(days=1)),
        ([0.5] * 4 + [2.0] * 4 + [1.0] * 4, timedelta(days=1)),
        ([0.5] * 6 + [1.0] * 44, timedelta(days=1)),
        ([0.0] * 6 + [1.0] * 4, timedelta(days=1)),
        ([0.5] * 6 + [1.0] * 4, timedelta(hours=12)),
    ],
    ids=["too few", "to both sides", "a small part", "zeros", "half a day"],
)
def test_others_are_flagged_as_they_are(factors: Sequence[float], bucket: timedelta) -> None:
    assert len(flagged(tables(factors, bucket=bucket))) == sum(factor != 1 for factor in factors)


def test_columns_and_values_of_a_dimension_are_of_one_table() -> None:
    names = [f"c{number}" for number in range(10)]
    columns = [
        tables([0.5 if number < 6 else 1.0], metric_name="null_count", column_name=name)
        for number, name in enumerate(names)
    ]
    shops = [tables([0.5] * 6, metric_name="dimension", dimension="shop", dimension_value=name) for name in "ab"]

    of_columns, of_shops = (robust.score(pa.concat_tables(series), siblings=0) for series in (columns, shops))

    assert sum(of_columns["is_anomalous"].to_pylist()) == 6
    assert sum(of_shops["is_anomalous"].to_pylist()) == 12


def test_a_run_that_scores_the_newest_days_says_the_same() -> None:
    metrics = tables([0.5, 0.5, 0.4, 0.5, 0.5, *[1.0] * 20])
    recent = scored_recent(metrics)

    assert recent.num_rows == 2 * 25
    assert flagged_reasons(recent) == flagged_reasons(robust.score(metrics))[-1:]
