"""Both methods use the configuration of each series' own dbt test."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import backtest, detect
from airflow_provider_elementary.anomalies.configurations import KEYS, SeriesConfigurations
from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from tests.support.metric_series import daily, hourly

METHODS = pytest.mark.parametrize("method", ["elementary", "robust"])
ORDERS = "SHOP.CORE.ORDERS"


def noisy(buckets: int = 60, level: float = 1000, noise: float = 20) -> list[float | None]:
    return list(np.round(np.random.default_rng(1).normal(level, noise, buckets)))


def configured(full_table_name: str = ORDERS, **parameters: Any) -> pa.Table:
    return pa.Table.from_pylist([{"full_table_name": full_table_name, **parameters}])


def is_flagged(metrics: pa.Table, method: str, configurations: pa.Table | None = None, **parameters: Any) -> bool:
    return detect(metrics, method, configurations, **parameters)["is_anomalous"].to_pylist()[-1]  # type: ignore[arg-type]


#: The last value, the parameters of the test, and whether it is flagged.
CASES: list[tuple[float, dict[str, Any], bool]] = [
    (1500.0, {}, True),
    (1500.0, {"anomaly_direction": "drop"}, False),
    (600.0, {"anomaly_direction": "spike"}, False),
    (600.0, {"anomaly_direction": "drop"}, True),
    (0.0, {"anomaly_direction": "spike"}, False),
    (1500.0, {"spike_failure_percent_threshold": 80.0}, False),
    (1500.0, {"spike_failure_percent_threshold": 20.0}, True),
    (600.0, {"drop_failure_percent_threshold": 60.0, "anomaly_direction": "drop"}, False),
    (1500.0, {"ignore_small_changes": {"spike_failure_percent_threshold": 80}}, False),
    (1500.0, {"ignore_small_changes": '{"spike_failure_percent_threshold": 80}'}, False),
    (600.0, {"min_value": 700.0}, False),
    (1500.0, {"min_value": 700.0}, True),
    (1500.0, {"anomaly_exclude_metrics": "metric_value > 1400"}, False),
    (1500.0, {"anomaly_exclude_metrics": "metric_value > 1600"}, True),
    (1500.0, {"detection_delay": {"period": "hour", "count": 12}}, False),
    (1500.0, {"detection_delay": {"period": "hour", "count": 0}}, True),
]


@cache
def flagged_of_cases(method: str) -> list[bool]:
    """Score a table for each case: all that have a parameter in the same form at once, which takes as long as one."""
    names = sorted({name for _, parameters, _ in CASES for name in parameters})
    found: dict[str, bool] = {}
    for in_text in (False, True):
        mine = {
            f"SHOP.CORE.T{number}": (last, parameters)
            for number, (last, parameters, _) in enumerate(CASES)
            if isinstance(parameters.get("ignore_small_changes"), str) == in_text
        }
        metrics = pa.concat_tables(daily([*noisy(), last], full_table_name=name) for name, (last, _) in mine.items())
        configurations = [
            {"full_table_name": name, **dict.fromkeys(names), **parameters} for name, (_, parameters) in mine.items()
        ]
        verdicts = detect(metrics, method, pa.Table.from_pylist(configurations))  # type: ignore[arg-type]
        # The last bucket of a series counts.
        found |= zip(verdicts["full_table_name"].to_pylist(), verdicts["is_anomalous"].to_pylist(), strict=True)
    return [found[f"SHOP.CORE.T{number}"] for number in range(len(CASES))]


@METHODS
@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{last} {parameters}" for last, parameters, _ in CASES])
def test_a_verdict_follows_the_test_of_its_series(method: str, number: int) -> None:
    assert flagged_of_cases(method)[number] is CASES[number][2]


@METHODS
def test_a_more_sensitive_test_flags_what_another_does_not(method: str) -> None:
    metrics = daily([*noisy(), 1095.0])

    verdicts = [is_flagged(metrics, method, configured(anomaly_sensitivity=level)) for level in (2, 5)]

    assert verdicts == [True, False]


@METHODS
def test_a_zero_fails_a_test_that_fails_on_zero(method: str) -> None:
    metrics = daily([float(value) for value in np.random.default_rng(3).integers(0, 4, 60)] + [0.0])

    assert not is_flagged(metrics, method, configured())
    assert is_flagged(metrics, method, configured(fail_on_zero=True))


@METHODS
def test_an_hour_is_compared_with_the_same_hour_where_a_test_says_so(method: str) -> None:
    quiet = np.random.default_rng(2)
    values = [float(quiet.normal(1000 if hour % 24 == 9 else 50, 5)) for hour in range(24 * 21)]
    metrics = hourly([*values[: 24 * 20 + 9], 1010.0])
    bucket = {"period": "hour", "count": 1}

    assert not is_flagged(metrics, method, configured(seasonality="hour_of_day", time_bucket=bucket))


@METHODS
def test_each_series_has_its_own_configuration(method: str) -> None:
    metrics = pa.concat_tables(
        [daily([*noisy(), 1500.0], full_table_name=name) for name in ("SHOP.CORE.A", "SHOP.CORE.B", "SHOP.CORE.C")]
    )
    configurations = pa.Table.from_pylist(
        [
            {"full_table_name": "shop.core.a", "metric_name": "ROW_COUNT", "anomaly_direction": "drop"},
            {"full_table_name": "SHOP.CORE.B", "metric_name": "row_count", "anomaly_direction": None},
        ]
    )

    verdicts = detect(metrics, method, configurations)  # type: ignore[arg-type]

    flagged = verdicts.filter(verdicts["is_anomalous"])["full_table_name"].unique().to_pylist()
    assert flagged == ["SHOP.CORE.B", "SHOP.CORE.C"]


@METHODS
def test_a_null_in_a_configuration_leaves_the_parameter_that_is_given(method: str) -> None:
    configurations = pa.Table.from_pylist([{"full_table_name": ORDERS, "anomaly_direction": None}])

    assert not is_flagged(daily([*noisy(), 1500.0]), method, configurations, anomaly_direction="drop")


@METHODS
@pytest.mark.parametrize("metric", ["failed_rows", "execution_time", "schema_changes"])
def test_a_metric_that_no_test_collects_needs_more_than_a_small_change(method: str, metric: str) -> None:
    constant = [61.0] * 60

    assert not is_flagged(daily([*constant, 62.0], metric_name=metric), method)
    assert is_flagged(daily([*constant, 620.0], metric_name=metric), method)


@METHODS
def test_a_series_without_a_test_is_quiet_where_tests_are_given(method: str) -> None:
    metrics = daily([*[10_000.0, 10_100.0, 9_900.0, 10_000.0] * 15, 12_000.0])

    assert is_flagged(metrics, method)
    assert not is_flagged(metrics, method, configured("SHOP.CORE.OTHER"))


@METHODS
def test_the_name_of_the_test_is_in_the_sentence(method: str) -> None:
    verdicts = detect(daily([*noisy(), 1500.0]), method, configured(test_name="volume_anomalies"))  # type: ignore[arg-type]

    assert verdicts["reason"].to_pylist()[-1].split("; ")[1].endswith("(volume_anomalies)")


@METHODS
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"anomaly_sensitivity": float("nan")}, "anomaly_sensitivity is nan"),
        ({"anomaly_sensitivity": -1.0}, "anomaly_sensitivity is -1.0"),
        ({"anomaly_sensitivity": True}, "anomaly_sensitivity is bool True"),
        ({"anomaly_direction": "up"}, "anomaly_direction 'up' is unknown"),
        ({"seasonality": "month"}, "seasonality 'month' is unknown"),
        ({"colour": "red"}, "configurations do not know colour"),
        ({"anomaly_exclude_metrics": "drop table x"}, "predicate"),
        ({"min_value": "much"}, "min_value is str 'much'"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(method: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        detect(daily([1.0] * 20), method, configured(**parameters))  # type: ignore[arg-type]


@METHODS
def test_two_configurations_of_one_series_are_refused(method: str) -> None:
    both = pa.concat_tables([configured(anomaly_sensitivity=2.0), configured(anomaly_sensitivity=3.0)])

    with pytest.raises(ConfigurationError, match="Give one row per series"):
        detect(daily([1.0] * 20), method, both)  # type: ignore[arg-type]


@METHODS
def test_a_stream_is_scored_with_the_configuration_of_its_tests(method: str) -> None:
    rows = full(daily([*noisy(), 1500.0]))
    given: dict[str, Any] = {"method": method, "days": 2, "parameters": {}}

    plain = score_recent(rows.to_reader(), **given).verdicts
    quiet = score_recent(rows.to_reader(), **given, configurations=configured(anomaly_direction="drop")).verdicts

    assert [plain["is_anomalous"].to_pylist()[-1], quiet["is_anomalous"].to_pylist()[-1]] == [True, False]


@METHODS
def test_a_backtest_replaces_what_is_given_and_keeps_the_rest(method: str) -> None:
    rows = full(daily([*noisy(), 1500.0]))
    tests = configured(anomaly_direction="drop", min_value=2000.0)

    found = [
        backtest(rows, method, parameters, 2, None, tests).anomalous  # type: ignore[arg-type]
        for parameters in ({}, {"anomaly_direction": "both"}, {"anomaly_direction": "both", "min_value": 1})
    ]

    assert found == [0, 0, 1]


def full(metrics: pa.Table) -> pa.Table:
    """Return metrics with every column of the long table, each measured an hour after its bucket."""
    measured = [end + timedelta(hours=1) for end in metrics["bucket_end"].to_pylist()]
    columns = {name: metrics[name] for name in metrics.column_names} | {
        "id": pa.array([str(number) for number in range(len(metrics))]),
        "updated_at": pa.array(measured, pa.timestamp("us")),
    }
    given = [columns.get(field.name, pa.nulls(len(metrics), field.type)) for field in METRICS_SCHEMA]
    return pa.table(given, names=METRICS_SCHEMA.names).cast(METRICS_SCHEMA)


def test_a_delay_counts_back_from_the_newest_bucket_of_all_series() -> None:
    other = daily([5.0], first=datetime(2026, 12, 5), full_table_name="SHOP.CORE.OTHER")
    metrics = pa.concat_tables([daily([*noisy(), 1500.0]), other])
    delay = {"period": "day", "count": 2}

    for method in ("elementary", "robust"):
        assert detect(metrics, method, configured(detection_delay=delay))["is_anomalous"].to_pylist()[-2]  # type: ignore[arg-type]


@pytest.mark.parametrize(("given", "numbers"), [(None, [0, 1, 1, 0, 0]), (configured()[:0], [1, 1, 1, 1, 1])])
def test_without_configurations_computed_metrics_are_quiet(given: pa.Table | None, numbers: list[int]) -> None:
    names = ["row_count", "Execution_Time", "SUCCESS_RATE", None, ""]
    keys = pa.table({name: names if name == "metric_name" else pa.nulls(len(names)) for name in KEYS})
    keys = keys.cast(pa.schema([(name, pa.string()) for name in KEYS]))
    assert SeriesConfigurations.of(given, {}).of_series(keys).tolist() == numbers
