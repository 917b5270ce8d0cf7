"""A stored verdict beside what the rule says on the metrics that its run saw."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_elementary.anomalies import compare_with_elementary
from airflow_provider_elementary.exceptions import UnknownTableError
from tests.support.stored_verdicts import (
    DETECTED,
    PARAMS,
    PROPERTIES,
    TODAY,
    WRITTEN,
    history,
    metric,
    stored_verdict,
)
from tests.support.table_source import TableSource

PASS = {"status": "pass", "failures": 0}
CALM = (100.0,) * 14
DIMENSION_TEST = {
    "test_sub_type": "generic",
    "test_short_name": "dimension_anomalies",
    "params": {"timestamp_column": "ordered_at", "dimensions": ["channel"]},
    **PASS,
}


def compared(source: TableSource, **parameters: Any) -> dict[str, Any]:
    [verdict] = compare_with_elementary(source, **parameters).to_pylist()
    return verdict


def dimension_metric(days_ago: int, value: float) -> dict[str, Any]:
    properties = json.dumps({**json.loads(PROPERTIES), "dimensions": ["channel"]}, sort_keys=True)
    return metric(
        days_ago,
        value,
        metric_name="dimension",
        dimension="channel",
        dimension_value="web",
        metric_properties=properties,
    )


def test_a_failure_that_the_metrics_explain_agrees() -> None:
    assert compared(stored_verdict()) == {
        "elementary_test_results_id": "verdict",
        "stored": "fail",
        "recomputed": "fail",
        "agreement": "agree",
        "reason": "1 of 14 buckets anomalous, largest score 3.474",
    }


def test_a_verdict_that_the_metrics_contradict_disagrees() -> None:
    verdict = compared(stored_verdict(**PASS))

    assert (verdict["stored"], verdict["recomputed"], verdict["agreement"]) == ("pass", "fail", "disagree")
    assert verdict["reason"] == "1 of 14 buckets anomalous, largest score 3.474; Elementary stored 0"


def test_a_warning_is_a_failure_of_severity_warn() -> None:
    assert compared(stored_verdict(status="warn", severity="warn"))["recomputed"] == "warn"
    assert compared(stored_verdict(severity="warn", **PASS))["recomputed"] == "warn"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"anomaly_sensitivity": 3.5}, "pass"),
        ({"anomaly_direction": "spike"}, "pass"),
        ({"ignore_small_changes": {"spike_failure_percent_threshold": 10}}, "pass"),
        ({"min_value": 50}, "pass"),
        ({"days_back": 9}, "pass"),
        ({"detection_delay": {"period": "day", "count": 1}}, "pass"),
        ({"exclude_detection_period_from_training": True}, "pass"),
        ({"anomaly_exclude_metrics": "metric_value < 50"}, "pass"),
        ({"exclude_final_results": "value > 50"}, "pass"),
        ({"exclude_final_results": "average > 50"}, "fail"),
        ({"backfill_days": 1}, "fail"),
    ],
)
def test_the_stored_configuration_is_the_one_that_counts(changes: dict[str, Any], expected: str) -> None:
    stored = PASS if expected == "pass" else {}

    verdict = compared(stored_verdict(params={**PARAMS, **changes}, **stored))

    assert (verdict["recomputed"], verdict["agreement"]) == (expected, "agree")


@pytest.mark.parametrize(
    ("what", "row"),
    [
        ("a value that was corrected after the run", metric(0, 100, updated_at=WRITTEN + timedelta(days=1))),
        ("a row that was written after the run", metric(0, 100, created_at=WRITTEN + timedelta(days=1))),
        ("metrics of another configuration", metric(0, 900, id="x", metric_properties="{}")),
        ("another metric of the table", metric(0, 900, id="x", metric_name="freshness")),
        ("a column of the table", metric(0, 900, id="x", column_name="amount")),
        ("another table", metric(0, 900, id="x", full_table_name="SHOP.CORE.ITEMS")),
        ("a bucket of another size", metric(1, 900, id="x", bucket_start=TODAY - timedelta(days=3))),
        ("a bucket off the grid", metric(1, 900, id="x", bucket_end=TODAY - timedelta(hours=23),
                                         bucket_start=TODAY - timedelta(hours=47))),
        ("a bucket before the window", metric(14, 900)),
        ("an older value of a bucket", metric(0, 100, updated_at=DETECTED - timedelta(days=1))),
    ],
)  # fmt: skip
def test_a_run_is_replayed_without_the_rows_that_it_did_not_see(what: str, row: dict[str, Any]) -> None:
    verdict = compared(stored_verdict(metrics=[*history(), row]))

    assert verdict["reason"] == "1 of 14 buckets anomalous, largest score 3.474", what


@pytest.mark.parametrize(
    "bucket",
    [
        {"bucket_start": None, "bucket_end": None},
        {"bucket_start": TODAY - timedelta(hours=47), "bucket_end": TODAY - timedelta(hours=23)},
    ],
)
def test_a_run_sees_its_own_metrics_before_they_are_stored_and_off_the_grid(bucket: dict[str, Any]) -> None:
    own = metric(0, 100, id="x", updated_at=DETECTED - timedelta(seconds=5), created_at=WRITTEN, **bucket)

    verdict = compared(stored_verdict(metrics=[*history(CALM), own], materialization="incremental", **PASS))

    assert verdict["reason"].startswith("0 of 15 buckets anomalous")


def test_a_run_does_not_see_what_another_test_computed_for_a_longer_window() -> None:
    of_another_test = metric(20, 900, updated_at=DETECTED - timedelta(seconds=5), created_at=WRITTEN)

    verdict = compared(stored_verdict(metrics=[*history(), of_another_test]))

    assert verdict["reason"].startswith("1 of 14 buckets anomalous")


COMPLETED = {"run_completed_at": f"{WRITTEN:%Y-%m-%d %H:%M:%S}"}
OF_A_LATER_TEST = {"updated_at": DETECTED + timedelta(minutes=2), "created_at": WRITTEN}


def test_a_bucket_that_a_later_test_of_the_run_measured_again_is_the_same_bucket() -> None:
    measured = [{**row, **OF_A_LATER_TEST} for row in history()]

    verdict = compared(stored_verdict(metrics=measured, invocation=COMPLETED))

    assert (verdict["agreement"], verdict["reason"]) == ("agree", "1 of 14 buckets anomalous, largest score 3.474")


def test_values_that_a_later_test_of_the_run_replaced_by_others_are_unknown() -> None:
    measured = [{**row, **OF_A_LATER_TEST} for row in history(CALM)]

    verdict = compared(stored_verdict(metrics=measured, invocation=COMPLETED))

    assert (verdict["agreement"], verdict["recomputed"]) == ("cannot tell", None)
    assert verdict["reason"] == ("the values of 14 of its 14 buckets are those that a later test of its run measured")


def test_a_bucket_that_another_run_measured_meanwhile_was_not_seen() -> None:
    of_another_run = metric(
        0, 900, updated_at=DETECTED + timedelta(minutes=2), created_at=WRITTEN - timedelta(minutes=1)
    )
    own = metric(0, 10, updated_at=DETECTED - timedelta(seconds=5), created_at=WRITTEN)

    verdict = compared(stored_verdict(metrics=[*history()[:-1], own, of_another_run], invocation=COMPLETED))

    assert verdict["reason"] == "1 of 14 buckets anomalous, largest score 3.474"


def test_a_test_of_a_rebuilt_model_does_not_see_the_grid_of_another_test_of_its_run() -> None:
    shift = {"bucket_start": TODAY - timedelta(hours=47), "bucket_end": TODAY - timedelta(hours=23)}
    of_another_test = metric(0, 900, id="x", updated_at=DETECTED - timedelta(seconds=5), created_at=WRITTEN, **shift)

    verdict = compared(stored_verdict(metrics=[*history(), of_another_test]))

    assert verdict["reason"].startswith("1 of 14 buckets anomalous")


def test_the_history_of_an_incremental_model_starts_at_its_last_full_refresh() -> None:
    refreshed = TODAY - timedelta(days=5)
    rebuilt = {
        "unique_id": "model.shop.orders",
        "invocation_id": "rebuild",
        "full_refresh": True,
        "generated_at": f"{refreshed:%Y-%m-%d %H:%M:%S}",
        "created_at": refreshed,
    }

    tables = [
        compared(stored_verdict(run_results=[{**rebuilt, "materialization": materialization}], **stored))
        for materialization, stored in (("incremental", PASS), ("table", {}))
    ]

    assert [table["reason"].partition(",")[0] for table in tables] == [
        "0 of 6 buckets anomalous",
        "1 of 14 buckets anomalous",
    ]
    assert [table["agreement"] for table in tables] == ["agree", "agree"]


def test_a_full_refresh_after_the_run_changes_nothing() -> None:
    later = WRITTEN + timedelta(days=1)
    rebuilt = {
        "unique_id": "model.shop.orders",
        "invocation_id": "rebuild",
        "full_refresh": True,
        "generated_at": f"{later:%Y-%m-%d %H:%M:%S}",
        "created_at": later,
    }

    assert compared(stored_verdict(run_results=[rebuilt], materialization="incremental"))["agreement"] == "agree"


def test_a_test_without_enough_history_passes() -> None:
    verdict = compared(stored_verdict(metrics=history((5.0,)), **PASS))

    assert (verdict["agreement"], verdict["reason"]) == ("agree", "0 of 1 buckets anomalous, none with enough history")


def test_the_standard_deviation_is_that_of_the_adapter() -> None:
    metrics = history((100.0,) * 10 + (10.0,))

    verdicts = [
        compared(stored_verdict(metrics=metrics), adapter=adapter)["reason"] for adapter in ("postgres", "clickhouse")
    ]

    assert verdicts == [
        "1 of 11 buckets anomalous, largest score 3.015",
        "1 of 11 buckets anomalous, largest score 3.162",
    ]


@pytest.mark.parametrize(
    ("variables", "assumption"),
    [
        ("{}", "assuming that its model configures nothing"),
        (None, "assuming that its model configures nothing and its run's variables change no default"),
    ],
)
def test_a_passing_dimension_test_agrees_under_the_assumption_that_it_names(
    variables: str | None, assumption: str
) -> None:
    metrics = [dimension_metric(day, 100.0) for day in range(14)]

    verdict = compared(stored_verdict(metrics=metrics, invocation={"vars": variables}, **DIMENSION_TEST))

    assert (verdict["recomputed"], verdict["agreement"]) == ("pass", "agree")
    assert verdict["reason"] == f"0 of 14 buckets anomalous, largest score 0.000; {assumption}"


def test_the_variables_of_a_run_configure_a_dimension_test() -> None:
    metrics = [dimension_metric(day, 100.0 if day else 10.0) for day in range(14)]
    variables = json.dumps({"anomaly_sensitivity": 2, "elementary": {"anomaly_sensitivity": 3.5}})

    known = compared(stored_verdict(metrics=metrics, invocation={"vars": variables}, **DIMENSION_TEST))
    unknown = compared(stored_verdict(metrics=metrics, **DIMENSION_TEST))

    assert known["agreement"] == "agree"
    assert (unknown["agreement"], unknown["recomputed"]) == ("cannot tell", None)
    assert unknown["reason"] == "assuming that its model configures nothing, under which it would not pass"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (stored_verdict(status="skipped", failures=None), "the test was not completed: its status is skipped"),
        (stored_verdict(metrics=[]), "no metrics of this test are left as its run saw them"),
        (stored_verdict(test_sub_type="generic", **PASS), "no bucket was scored: the verdict is that of dbt alone"),
        (
            stored_verdict(params={}),
            "its configuration cannot be read: The configuration in test_params is not resolved",
        ),
        (
            stored_verdict(params={**PARAMS, "anomaly_exclude_metrics": "metric_date > current_date"}),
            "its configuration cannot be read: The predicate contains Current",
        ),
        (
            stored_verdict(invocation={"invocation_id": "other"}),
            "when its run started is not known: dbt_invocations has no row of it",
        ),
        (
            stored_verdict().without("elementary_test_results", "test_params"),
            "the source does not hold elementary_test_results.test_params, without which a run cannot be repeated",
        ),
        (
            stored_verdict().without("data_monitoring_metrics", "metric_properties"),
            "the source does not hold data_monitoring_metrics.metric_properties, without which",
        ),
        (stored_verdict().without("dbt_run_results"), "the source does not hold dbt_run_results, without which"),
    ],
)
def test_an_unknown_verdict_has_a_reason(source: TableSource, reason: str) -> None:
    verdict = compared(source)

    assert (verdict["agreement"], verdict["recomputed"]) == ("cannot tell", None)
    assert verdict["reason"].startswith(reason)


def test_verdicts_that_are_no_anomaly_tests_are_left_alone() -> None:
    assert compare_with_elementary(stored_verdict(test_type="dbt_test")).num_rows == 0


def test_a_source_without_test_results_is_refused() -> None:
    with pytest.raises(UnknownTableError):
        compare_with_elementary(stored_verdict().without("elementary_test_results"))
