"""Scoring the newest buckets of a stream, in shards: the verdicts are those of the whole."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from airflow_provider_elementary.anomalies import backtest, detect
from airflow_provider_elementary.anomalies.backtest import by_metric
from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.anomalies.summary import recent
from airflow_provider_elementary.elementary_schema import METRIC_KEYS
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.metrics import METRICS_SCHEMA, scored_metrics

TABLES = [f"SHOP.CORE.T{number}" for number in range(12)]
FIRST = datetime(2026, 8, 1)


def metrics(days: int = 100) -> pa.Table:
    """Return two metrics of each table, the last of which has fewer days than the others."""
    chance = random.Random(7)  # noqa: S311 - the same in every run
    rows = [
        {
            "id": f"{table}-{name}-{day}",
            "full_table_name": table,
            "metric_name": name,
            "bucket_start": FIRST + timedelta(days=day),
            "bucket_end": FIRST + timedelta(days=day + 1),
            "metric_value": round(chance.gauss(1000, 50)) * (1 if chance.random() > 0.03 else 3),
            "updated_at": FIRST + timedelta(days=day + 1),
        }
        for table in TABLES
        for name in ("row_count", "test_pass_rate")
        for day in range(days if table != TABLES[-1] else days - 3)
    ]
    return pa.Table.from_pylist(rows, schema=METRICS_SCHEMA)


def said(table: pa.Table) -> dict[str, tuple[Any, ...]]:
    """Return each bucket's verdict; a sum over rows in another order differs in the last of its 16 digits.

    How often alarms as high came is left out: each shard counts it in its own tables.
    """
    return {
        row["id"]: (
            f"{row['score']:.12g}",
            row["is_anomalous"],
            row["reason"].split("; an alarm")[0].split("; no alarm")[0],
        )
        for row in table.to_pylist()
    }


METRICS = metrics()
CONFIGURATIONS = [
    ("elementary", {}),
    (
        "elementary",
        {"anomaly_sensitivity": 2, "seasonality": "day_of_week", "training_period": {"period": "week", "count": 6}},
    ),
    ("elementary", {"exclude_detection_period_from_training": True, "days_back": 21}),
    ("robust", {}),
]


@pytest.mark.parametrize(("method", "parameters"), CONFIGURATIONS)
def test_the_newest_buckets_are_scored_as_when_all_are(method: Any, parameters: dict[str, Any]) -> None:
    scored = score_recent(METRICS.to_reader(200), method=method, days=5, parameters=parameters)

    every = recent(detect(scored_metrics(METRICS), method=method, **parameters), 5)
    assert said(scored.verdicts) == said(every)
    assert len(scored.verdicts) == 11 * 5 + 2


@pytest.mark.parametrize(("method", "parameters"), CONFIGURATIONS)
def test_the_verdicts_of_all_shards_are_those_of_the_whole(method: Any, parameters: dict[str, Any]) -> None:
    shards = [
        score_recent(METRICS.to_reader(), method=method, days=5, parameters=parameters, shard=shard, shards=4)
        for shard in range(4)
    ]

    whole = score_recent(METRICS.to_reader(), method=method, days=5, parameters=parameters)
    together = [row for shard in shards for row in said(shard.verdicts).items()]
    assert len(together) == len(dict(together))
    assert dict(together) == said(whole.verdicts)
    assert {shard.tables for shard in shards} == {frozenset(TABLES)}


@pytest.mark.parametrize("shard", [-1, 4])
def test_a_shard_that_is_not_there_is_refused(shard: int) -> None:
    with pytest.raises(ConfigurationError, match="There is no shard"):
        score_recent(METRICS.to_reader(), method="elementary", days=5, parameters={}, shard=shard, shards=4)


@pytest.mark.parametrize("method", ["elementary", "robust"])
def test_more_days_than_a_calendar_has_are_all_days(method: Any) -> None:
    scored = [
        score_recent(METRICS.to_reader(), method=method, days=days, parameters={}).verdicts
        for days in (100_000, 10_000_000, 10**20)
    ]

    assert scored[0].num_rows > 0
    assert scored[0].equals(scored[1])
    assert scored[0].equals(scored[2])


@pytest.mark.parametrize("method", ["elementary", "robust"])
def test_a_row_dated_ahead_of_the_clock_is_not_the_newest_bucket(method: Any) -> None:
    row = {**METRICS.slice(0, 1).to_pylist()[0], "id": "ahead", "full_table_name": "SHOP.CORE.AHEAD"}
    ahead = {name: datetime(9999, 12, 31) for name in ("bucket_start", "bucket_end", "updated_at")}
    odd = pa.Table.from_pylist([{**row, **ahead}], schema=METRICS_SCHEMA)

    with_it = score_recent(pa.concat_tables([odd, METRICS]).to_reader(200), method=method, days=5, parameters={})

    whole = score_recent(METRICS.to_reader(200), method=method, days=5, parameters={})
    assert said(with_it.verdicts.filter(pc.not_equal(with_it.verdicts["id"], "ahead"))) == said(whole.verdicts)


def test_no_metrics_are_no_verdicts() -> None:
    empty = METRICS_SCHEMA.empty_table().to_reader()

    assert len(score_recent(empty, method="elementary", days=5, parameters={}).verdicts) == 0


class TestBacktest:
    FOUND = backtest(METRICS, days=60)

    def test_it_says_what_each_day_would_have_said(self) -> None:
        every = recent(detect(scored_metrics(METRICS), method="elementary"), 60)

        assert said(self.FOUND.verdicts) == said(every)

    def test_the_table_counts_by_metric_the_most_first(self) -> None:
        rows = self.FOUND.by_metric.to_pylist()

        assert sum(row["anomalous"] for row in rows) == self.FOUND.anomalous > 0
        assert [row["anomalous"] for row in rows] == sorted((row["anomalous"] for row in rows), reverse=True)
        assert all(row["first"] <= row["last"] for row in rows if row["anomalous"])

    def test_metrics_with_as_many_anomalies_are_ordered_by_their_names(self) -> None:
        names = [(column, metric, value) for column in ("a", "b", None) for metric in "xy" for value in ("d", None)]
        shared = {
            "full_table_name": "T",
            "bucket_start": FIRST,
            "bucket_end": FIRST,
            "is_anomalous": True,
            "score": 1.0,
        }
        rows = [{**dict(zip(METRIC_KEYS[1:], name, strict=True)), **shared} for name in reversed(names)]

        found = by_metric(pa.Table.from_pylist(rows)).select(METRIC_KEYS[1:])

        assert [tuple(row.values()) for row in found.to_pylist()] == names
