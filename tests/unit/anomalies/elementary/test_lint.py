"""What lint finds in the configuration of anomaly tests."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import Finding
from airflow_provider_elementary.anomalies.elementary.lint import largest_score, lint, smallest_training
from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.source import arrow_schema
from tests.support.stored_verdicts import PARAMS, PROPERTIES, history, metric, stored_verdict
from tests.support.table_source import TableSource


def findings(rule: str, source: TableSource) -> list[Finding]:
    return [finding for finding in lint(source) if finding.rule == rule]


def with_params(**changes: Any) -> TableSource:
    return stored_verdict(params={**PARAMS, **changes})


@pytest.mark.parametrize(("size", "score"), [(2, 0.707), (7, 2.268), (10, 2.846), (11, 3.015), (14, 3.474)])
def test_no_score_exceeds_that_of_one_point_apart_from_all_others(size: int, score: float) -> None:
    assert round(largest_score(size), 3) == score


@pytest.mark.parametrize(("sensitivity", "size"), [(3, 11), (3.5, 15), (4, 18), (5, 27)])
def test_a_sensitivity_needs_so_many_points(sensitivity: float, size: int) -> None:
    assert smallest_training(sensitivity) == size


class TestMonitorsThatCanNeverFire:
    @pytest.mark.parametrize(
        "params",
        [
            {"anomaly_sensitivity": 3.5},
            {"days_back": 10},
            {"days_back": 70, "seasonality": "day_of_week"},
            {"days_back": 10, "time_bucket": {"period": "hour", "count": 24}},
            {"days_back": 63, "time_bucket": {"period": "week", "count": 1}},
        ],
    )
    def test_too_few_buckets_fit_into_the_window(self, params: dict[str, Any]) -> None:
        assert len(findings("never fires", with_params(**params))) == 1

    @pytest.mark.parametrize(
        "params",
        [
            {},
            {"days_back": 11},
            {"days_back": 77, "seasonality": "day_of_week"},
            {"anomaly_sensitivity": 3.5, "exclude_detection_period_from_training": True},
            {"anomaly_sensitivity": 3.5, "timestamp_column": None},
        ],
    )
    def test_a_window_with_enough_buckets_is_no_finding(self, params: dict[str, Any]) -> None:
        assert findings("never fires", with_params(**params)) == []

    def test_the_finding_says_why_and_what_to_do(self) -> None:
        [finding] = findings("never fires", with_params(anomaly_sensitivity=3.5))

        assert (finding.full_table_name, finding.metric_name, finding.test) == ("SHOP.CORE.ORDERS", "row_count", "test")
        assert finding.reason == (
            "a bucket is one of the 14 day buckets that it is compared with, so no score exceeds 3.47, and "
            "anomaly_sensitivity is 3.5"
        )
        assert finding.advice == (
            "Lower anomaly_sensitivity below 3.47, or lengthen training_period to at least 15 day buckets."
        )


class TestSmallChangesOnOneSide:
    def test_one_threshold_takes_the_other_direction_away(self) -> None:
        changes = {"spike_failure_percent_threshold": 10, "drop_failure_percent_threshold": None}

        [finding] = findings("one-sided", with_params(ignore_small_changes=changes))

        assert "a drop can never fail" in finding.reason

    @pytest.mark.parametrize(
        ("spike", "drop", "direction"),
        [(10, 10, "both"), (None, None, "both"), (10, None, "spike"), (None, 10, "drop")],
    )
    def test_both_or_a_direction_do_not(self, spike: int | None, drop: int | None, direction: str) -> None:
        changes = {"spike_failure_percent_threshold": spike, "drop_failure_percent_threshold": drop}

        assert findings("one-sided", with_params(ignore_small_changes=changes, anomaly_direction=direction)) == []


def declared(**test: Any) -> TableSource:
    """The source with a declaration of its test."""
    schema = arrow_schema(TABLES["dbt_tests"], [column.name for column in TABLES["dbt_tests"].columns])
    row = {"unique_id": "test.volume", "parent_model_unique_id": "model.shop.orders", "database_name": "shop",
           "schema_name": "core", **test}  # fmt: skip
    return TableSource({**stored_verdict().held, "dbt_tests": pa.Table.from_pylist([row], schema=schema)})


def thresholds(spike: float | None, drop: float | None) -> dict[str, Any]:
    return {"spike_failure_percent_threshold": spike, "drop_failure_percent_threshold": drop}


class TestContradictions:
    def test_a_freshness_that_has_to_drop_never_fires(self) -> None:
        params = {**PARAMS, "ignore_small_changes": thresholds(None, 10)}

        [finding] = findings("never fires", stored_verdict(test_sub_type="freshness", params=params))

        assert finding.reason == (
            "drop_failure_percent_threshold demands a drop, and freshness only ever fails when it is too high"
        )

    def test_a_freshness_that_has_to_drop_or_to_rise_may(self) -> None:
        params = {**PARAMS, "ignore_small_changes": thresholds(10, 10)}

        assert findings("never fires", stored_verdict(test_sub_type="freshness", params=params)) == []

    def test_a_training_period_that_the_detection_period_fills_never_fires(self) -> None:
        params = {"exclude_detection_period_from_training": True, "days_back": 7, "backfill_days": 6}

        [finding] = findings("never fires", with_params(**params))

        assert "the training period has 7 days, of which the detection period takes the last 6" in finding.reason


class TestIgnoredParameters:
    def test_min_training_set_size_has_no_effect(self) -> None:
        [finding] = findings("ignored parameter", declared(test_params=json.dumps({"min_training_set_size": 20})))

        assert (finding.test, finding.full_table_name) == ("test.volume", "SHOP.CORE.ORDERS")
        assert finding.reason.startswith("min_training_set_size has no effect")

    @pytest.mark.parametrize(("test", "found"), [("event_freshness_anomalies", 1), ("volume_anomalies", 0)])
    def test_the_direction_of_a_freshness_test_is_not_passed_on(self, test: str, found: int) -> None:
        source = declared(short_name=test, test_params=json.dumps({"anomaly_direction": "spike"}))

        assert len(findings("ignored parameter", source)) == found

    @pytest.mark.parametrize(
        ("params", "reason"),
        [
            ({"fail_on_zero": "false"}, "fail_on_zero is the text 'false', and any text counts as true"),
            (
                {"exclude_detection_period_from_training": "False"},
                "exclude_detection_period_from_training is the text 'false', and any text counts as true",
            ),
            ({"seasonality": "Day_Of_Week"}, "seasonality has no effect: the package accepts it in any case"),
            ({"ignore_small_changes": thresholds(0, None)}, "spike_failure_percent_threshold 0 has no effect"),
            (
                {"ignore_small_changes": thresholds(10, 10), "anomaly_direction": "drop"},
                "spike_failure_percent_threshold has no effect with anomaly_direction drop",
            ),
            (
                {"timestamp_column": None, "detection_delay": {"period": "hour", "count": 6}},
                "detection_delay has no effect without a timestamp_column",
            ),
        ],
    )
    def test_a_value_without_the_expected_effect_is_reported(self, params: dict[str, Any], reason: str) -> None:
        [finding] = findings("ignored parameter", with_params(**params))

        assert finding.reason.startswith(reason)

    @pytest.mark.parametrize(
        "params",
        [
            {"fail_on_zero": "true"},
            {"seasonality": "day_of_week"},
            {"ignore_small_changes": thresholds(10, 10)},
            {"ignore_small_changes": {}},
            {"detection_delay": {"period": "hour", "count": 6}},
        ],
    )
    def test_a_value_that_does_what_it_says_is_not(self, params: dict[str, Any]) -> None:
        assert findings("ignored parameter", with_params(**params)) == []

    def test_freshness_is_only_ever_too_high(self) -> None:
        source = stored_verdict(test_sub_type="freshness", params={**PARAMS, "anomaly_direction": "drop"})

        [finding] = findings("ignored parameter", source)

        assert finding.reason.startswith("anomaly_direction drop has no effect")


class TestHistories:
    def test_a_changed_argument_begins_a_new_history(self) -> None:
        old = json.dumps({**json.loads(PROPERTIES), "where_expression": "status <> 'CANARY'"}, sort_keys=True)
        rows = [metric(30 - number, 100.0, metric_properties=old, id=f"old-{number}") for number in range(20)]

        [finding] = findings("history reset", stored_verdict(metrics=[*rows, *history([100.0] * 5)]))

        assert finding.reason == (
            "on 2026-11-11 the test's where_expression changed, and with it the key of its history: 20 buckets are no "
            "longer compared with, 5 have come since"
        )
        assert "CANARY" not in str(finding)

    def test_two_tests_side_by_side_are_no_reset(self) -> None:
        other = json.dumps({**json.loads(PROPERTIES), "where_expression": "x"}, sort_keys=True)
        rows = [metric(13 - number, 100.0, metric_properties=other, id=f"other-{number}") for number in range(14)]

        assert findings("history reset", stored_verdict(metrics=[*rows, *history()])) == []

    def test_a_window_that_is_not_full_yet_is_reported(self) -> None:
        [finding] = findings("too few buckets", stored_verdict(metrics=history([100.0] * 8)))

        assert "its training window holds 8 buckets to compare with, so no score exceeds 2.47" in finding.reason

    def test_a_full_window_is_not_reported(self) -> None:
        assert findings("too few buckets", stored_verdict()) == []


def test_only_the_latest_configuration_counts() -> None:
    old = stored_verdict(params={**PARAMS, "anomaly_sensitivity": 5}, id="old").held["elementary_test_results"]
    new = stored_verdict().held["elementary_test_results"]
    later = new.set_column(
        new.column_names.index("detected_at"),
        "detected_at",
        pa.array([new["detected_at"][0].as_py() + timedelta(days=1)], pa.timestamp("us")),
    )
    source = TableSource({**stored_verdict().held, "elementary_test_results": pa.concat_tables([later, old])})

    assert findings("never fires", source) == []


def test_a_configuration_that_cannot_be_read_is_reported() -> None:
    [finding] = findings("unreadable", stored_verdict(test_params="no json"))

    assert finding.test == "test"


def test_a_source_that_holds_nothing_has_no_findings() -> None:
    assert lint(TableSource({})) == []
