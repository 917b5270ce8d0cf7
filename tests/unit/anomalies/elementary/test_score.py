"""A history scored bucket by bucket: causal, in the order given, one verdict a bucket, resumable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from airflow_provider_elementary.anomalies import detect
from airflow_provider_elementary.exceptions import ConfigurationError
from tests.support.metric_series import FIRST_DAY, daily, hourly

KEYS = ["full_table_name", "column_name", "metric_name", "dimension", "dimension_value", "bucket_start", "bucket_end",
        "metric_value"]  # fmt: skip
#: These may differ in their last digit, as the order of additions does.
NUMBERS = ["score", "expected_value", "expected_min", "expected_max"]
VERDICT = ["score", "expected_value", "expected_min", "expected_max", "is_anomalous", "kind", "reason", "training_size"]


def random_series(days: int, seed: int) -> list[float | None]:
    generator = np.random.default_rng(seed)
    values = generator.normal(1000, 50, days).round(2)
    return [None if hit else float(value) for value, hit in zip(values, generator.random(days) < 0.05, strict=True)]


def test_a_verdict_has_the_keys_of_its_metric_and_the_eight_columns_of_the_interface() -> None:
    metrics = daily([1.0, 2.0])

    verdicts = detect(metrics)

    assert verdicts.column_names == [*KEYS, *VERDICT]
    assert verdicts.select(KEYS).equals(metrics)


def test_no_verdict_changes_when_later_buckets_are_removed() -> None:
    whole = detect(daily(random_series(90, seed=1)), anomaly_sensitivity=2)

    shortened = [detect(daily(random_series(90, seed=1)[:day]), anomaly_sensitivity=2) for day in (20, 45, 89)]

    assert shortened == [whole.slice(0, 20), whole.slice(0, 45), whole.slice(0, 89)]


def test_a_run_at_the_end_of_each_bucket_gives_the_verdicts_of_the_replay() -> None:
    metrics = daily(random_series(40, seed=2))
    replayed = detect(metrics)["score"].to_pylist()

    runs = [
        detect(metrics, as_of=FIRST_DAY + timedelta(days=day, hours=6)).to_pylist()[day - 1]["score"]
        for day in range(1, 41)
    ]

    assert_allclose(np.array(runs, float), np.array(replayed, float), rtol=1e-9)


@pytest.mark.parametrize("new_buckets", [1, 3, 20])
def test_new_buckets_alone_get_the_verdicts_of_the_whole_history(new_buckets: int) -> None:
    metrics = pa.concat_tables(
        daily(random_series(60, seed), full_table_name=f"SHOP.CORE.T{seed}") for seed in range(5)
    )
    since = FIRST_DAY + timedelta(days=60 - new_buckets)
    whole = detect(metrics, anomaly_sensitivity=2)

    fresh = detect(metrics, anomaly_sensitivity=2, since=since)

    expected = whole.filter(pc.greater(whole["bucket_end"], since))
    assert fresh.drop_columns(NUMBERS).equals(expected.drop_columns(NUMBERS))
    assert_allclose(fresh["score"].to_numpy(), expected["score"].to_numpy(), rtol=1e-9)


CONFIGURATIONS = pa.table(
    {
        "full_table_name": ["SHOP.CORE.T0", "SHOP.CORE.T1", "SHOP.CORE.T2"],
        "days_back": [3, 40, 0],
        "exclude_detection_period_from_training": [None, "true", None],
        "seasonality": [None, None, "hour_of_day"],
        "time_bucket": [None, None, '{"period": "hour", "count": 1}'],
        "detection_delay": ['{"period": "hour", "count": 5}', None, None],
    }
)


@pytest.mark.parametrize("parts", [0, 10**9])
@pytest.mark.parametrize("first", [FIRST_DAY, datetime(1969, 12, 20)])
@pytest.mark.parametrize("new", [timedelta(hours=1), timedelta(hours=30), timedelta(days=9)])
def test_new_buckets_of_any_configuration_get_the_verdicts_of_the_whole(
    new: timedelta, first: datetime, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_elementary.anomalies.elementary.score.PARTS_FOR_A_WINDOW", parts)
    series = [
        hourly(random_series(24 * 20, seed), first=first, full_table_name=f"SHOP.CORE.T{seed}") for seed in range(4)
    ]
    flat = hourly([0.1] * 24 * 20, first=first, full_table_name="SHOP.CORE.T4")
    large = hourly([1e9 + n % 2 for n in range(24 * 20)], first=first, full_table_name="SHOP.CORE.T5")
    metrics = pa.concat_tables([*series, flat, large])
    since = first + timedelta(days=20) - new

    found = detect(metrics, configurations=CONFIGURATIONS, adapter="postgres", since=since)

    whole = detect(metrics, configurations=CONFIGURATIONS, adapter="postgres")
    expected = whole.filter(pc.greater(whole["bucket_end"], since))
    assert found.drop_columns(NUMBERS).equals(expected.drop_columns(NUMBERS))
    for name in NUMBERS:
        assert_allclose(found[name].to_numpy(), expected[name].to_numpy(), rtol=1e-9, atol=1e-9)


def test_verdicts_come_in_the_order_of_the_metrics() -> None:
    metrics = pa.concat_tables(
        [daily(random_series(30, 1)), daily(random_series(30, 2), full_table_name="SHOP.CORE.ITEMS")]
    )
    shuffled = np.random.default_rng(0).permutation(60)

    verdicts = detect(metrics.take(pa.array(shuffled)))

    expected = detect(metrics).take(pa.array(shuffled))
    assert verdicts.drop_columns(NUMBERS).equals(expected.drop_columns(NUMBERS))
    assert_allclose(verdicts["score"].to_numpy(), expected["score"].to_numpy(), rtol=1e-9)


@pytest.mark.parametrize(
    "other",
    [
        {"full_table_name": "SHOP.CORE.ITEMS"},
        {"column_name": "amount"},
        {"metric_name": "null_count"},
        {"dimension": "channel"},
        {"dimension_value": "web"},
        {"metric_properties": '{"where_expression": "x"}'},
    ],
)
def test_every_part_of_the_key_makes_a_series_of_its_own(other: dict[str, str]) -> None:
    properties = {"metric_properties": "{}"}
    one, two = daily([1.0, 2, 3], **properties), daily([50.0, 60, 70], **{**properties, **other})

    verdicts = detect(pa.concat_tables([one, two]))

    assert verdicts["training_size"].to_pylist() == [1, 2, 3, 1, 2, 3]
    assert verdicts["expected_value"].to_pylist() == [1, 1.5, 2, 50, 55, 60]


def test_of_a_bucket_that_was_written_again_the_newest_row_counts() -> None:
    first = daily([10.0, 20, 30], updated_at=[FIRST_DAY + timedelta(days=4)] * 3)
    again = daily([11.0, 21, 31], updated_at=[FIRST_DAY + timedelta(days=5)] * 3)

    verdicts = detect(pa.concat_tables([again, first]))

    assert verdicts["metric_value"].to_pylist() == [11.0, 21.0, 31.0]
    assert verdicts["expected_value"].to_pylist() == [11.0, 16.0, 21.0]


def test_a_run_flags_only_its_detection_period_and_says_what_it_did_not_score() -> None:
    values = [10.0] * 12 + [500.0, 10.0, 10.0, 10.0, 10.0]

    verdicts = detect(daily(values), as_of=FIRST_DAY + timedelta(days=16, hours=6)).to_pylist()

    assert verdicts[12]["score"] > 3
    assert not verdicts[12]["is_anomalous"]
    assert [verdict["reason"] for verdict in verdicts if verdict["score"] is None] == [
        "before the training window of the run",
        "before the training window of the run",
        "not enough history to compare with: fewer than two values in the training window",
        "not complete when the run started",
    ]


def test_the_detection_delay_of_a_run_hides_its_last_buckets() -> None:
    delay = {"period": "day", "count": 2}

    verdicts = detect(daily([1.0] * 10), as_of=FIRST_DAY + timedelta(days=10, hours=6), detection_delay=delay)

    assert verdicts["reason"].to_pylist()[-3:] == ["as expected", *["not complete when the run started"] * 2]


def test_a_bucket_without_an_end_is_said_to_have_none() -> None:
    metrics = daily([1.0, 2.0])
    without = metrics.set_column(
        metrics.column_names.index("bucket_end"), "bucket_end", pa.array([None, FIRST_DAY], pa.timestamp("us"))
    )

    assert detect(without)["reason"].to_pylist()[0] == "the bucket has no end"


def test_no_metrics_give_no_verdicts() -> None:
    assert detect(daily([])).num_rows == 0


def test_times_with_a_zone_are_scored_in_utc() -> None:
    metrics = daily([1.0, 2.0, 3.0])
    zoned = metrics.set_column(
        metrics.column_names.index("bucket_end"),
        "bucket_end",
        metrics["bucket_end"].cast(pa.timestamp("ns", "Europe/Berlin")),
    )

    verdicts = detect(zoned, as_of=datetime(2026, 10, 4, 6, tzinfo=UTC))

    assert verdicts["score"].to_pylist() == detect(metrics)["score"].to_pylist()


def test_metrics_without_a_bucket_end_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="The metrics lack bucket_end"):
        detect(daily([1.0]).drop_columns("bucket_end"))


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Unknown method 'magic'"):
        detect(daily([1.0]), method="magic")  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=2, max_size=40))
def test_no_score_is_larger_than_its_training_set_allows(values: list[float]) -> None:
    verdicts = detect(daily(values, metric_name="sum"), days_back=50)

    scores = np.array(verdicts["score"].to_pylist()[1:], float)
    sizes = np.array(verdicts["training_size"].to_pylist()[1:], float)
    assert np.all(np.abs(scores) <= (sizes - 1) / np.sqrt(sizes) * (1 + 1e-6))
