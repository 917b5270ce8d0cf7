"""Metrics of tests, and the health scores made of them."""

from __future__ import annotations

import pytest

from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.metrics import compute_metrics
from tests.support.dbt_project import project, result, values


def test_rates_count_executions_by_their_outcome() -> None:
    source = project(
        elementary_test_results=[
            result(0, "pass"),
            result(0, "warn", test="unique"),
            result(0, "fail", test="accepted"),
            result(0, "error", test="relationships"),
            result(0, "skipped", test="other"),
        ]
    )

    rates = {name: values(source, f"test_{name}_rate") for name in ("pass", "warn", "fail")}

    assert rates == {"pass": {"Mon 02": 25.0}, "warn": {"Mon 02": 25.0}, "fail": {"Mon 02": 50.0}}


def test_an_anomaly_test_is_one_execution_whatever_its_rows() -> None:
    rows = [
        result(0, status, test="column_anomalies", id=metric, test_type="anomaly_detection", test_sub_type=metric)
        for metric, status in (("null_count", "pass"), ("average", "fail"), ("sum", "pass"))
    ]
    source = project(elementary_test_results=[*rows, result(0, "pass")])

    assert values(source, "test_fail_rate") == {"Mon 02": 50.0}


def test_failed_rows_are_those_of_the_last_execution_of_each_dbt_test() -> None:
    source = project(
        elementary_test_results=[
            result(0, "fail", failures=90),
            result(0, "fail", hour=6, failures=7),
            result(0, "warn", test="unique", failures=3, failed_row_count=5),
            result(0, "fail", test="volume", failures=2, test_type="anomaly_detection"),
        ]
    )

    assert values(source, "failed_rows") == {"Mon 02": 12.0}


def test_flakiness_is_the_share_of_changed_outcomes_over_a_fortnight() -> None:
    outcomes = ["pass", "fail", "warn", "pass", "pass"]
    source = project(elementary_test_results=[result(day, status) for day, status in enumerate(outcomes)])

    assert values(source, "test_flakiness") == {"Tue 03": 100.0, "Wed 04": 50.0, "Thu 05": 66.667, "Fri 06": 50.0}


def test_a_test_recovers_when_it_passes_again() -> None:
    outcomes = ["pass", "warn", "fail", "pass", "pass"]
    source = project(elementary_test_results=[result(day, status) for day, status in enumerate(outcomes)])

    assert values(source, "test_time_to_recover") == {"Thu 05": 2 * 86_400.0}


HEALTH = project(
    dbt_tests=[
        {"unique_id": "not_null", "quality_dimension": "completeness"},
        {"unique_id": "unique", "quality_dimension": "uniqueness"},
        {"unique_id": "columns"},
    ],
    elementary_test_results=[
        result(0, "fail", hour=1),
        result(0, "pass", hour=2),
        result(0, "warn", test="unique"),
        result(0, "fail", test="columns", test_type="anomaly_detection", test_sub_type="null_percent"),
        result(0, "pass", test="singular"),
    ],
)


def test_health_is_the_mean_per_dimension_and_the_weighted_mean_of_these() -> None:
    assert values(HEALTH, "health_score") == {
        "Mon 02": 66.667,
        "Mon 02 completeness": 50.0,
        "Mon 02 other": 100.0,
        "Mon 02 uniqueness": 50.0,
    }


def test_weights_change_the_total_alone() -> None:
    scores = values(HEALTH, "health_score", health_weights={"other": 0, "completeness": 3})

    assert (scores["Mon 02"], scores["Mon 02 other"]) == (50.0, 100.0)


def test_a_weight_of_no_dimension_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="health_weights does not accept beauty"):
        compute_metrics(HEALTH, health_weights={"beauty": 1})


def test_without_the_tests_own_table_the_sub_type_decides_the_dimension() -> None:
    scores = values(HEALTH.without("dbt_tests"), "health_score")

    assert set(scores) == {"Mon 02", "Mon 02 completeness", "Mon 02 other"}
