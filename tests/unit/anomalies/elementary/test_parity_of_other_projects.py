"""Stored verdicts of every kind of configuration beside the project's own, by a second reading of the rule."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose

from airflow_provider_elementary.anomalies import compare_with_elementary
from tests.support.other_world import TABLE, Case, buckets, noise, stored, verdict
from tests.support.rule_scores import recompute_scores
from tests.support.stored_verdicts import PARAMS, RUN, TODAY, WRITTEN, stored_verdict
from tests.support.table_source import TableSource

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
#: The last hour that was complete when the run started, on a Sunday at six.
LAST_HOUR = RUN
MONDAY = TODAY - timedelta(days=6)
SPIKE, DROP = [*noise(13), 180.0], [*noise(13), 40.0]

HOURLY = {"time_bucket": {"period": "hour", "count": 1}, "backfill_days": 1}
WEEKLY = {"time_bucket": {"period": "week", "count": 1}, "days_back": 98, "backfill_days": 7}
BY_WEEKDAY = {"seasonality": "day_of_week", "days_back": 84, "anomaly_sensitivity": 2}
BY_CHANNEL = {"dimensions": ["carrier"]}
WITHOUT_TIMES = {"timestamp_column": None}
EXCLUDES = {"exclude_detection_period_from_training": True}
DELAYED = {**HOURLY, "detection_delay": {"period": "hour", "count": 6}}
FEW_ROWS = {"metric_name": "null_percent", "column_name": "WEIGHT"}


def thresholds(spike: float | None, drop: float | None) -> dict[str, Any]:
    return {"ignore_small_changes": {"spike_failure_percent_threshold": spike, "drop_failure_percent_threshold": drop}}


def daily(values: list[float], params: dict[str, Any] | None = None, **changes: Any) -> Case:
    """A case with a bucket a day."""
    params = params or {}
    return Case(params, buckets(values, until=TODAY, params=params, **changes))


def hourly(values: list[float], params: dict[str, Any], until: datetime = LAST_HOUR, **changes: Any) -> Case:
    """A case with a bucket an hour, of which the run wrote a day."""
    return Case(params, buckets(values, until=until, every=HOUR, params=params, own=24, **changes))


def wave(count: int, period: int, last: float) -> list[float]:
    """A periodic series with noise, whose last value is an outlier."""
    return [500 + 40 * (number % period) + step for number, step in enumerate(noise(count - 1, level=0))] + [last]


def dimensions(*series: tuple[str | None, list[float]]) -> Case:
    """A case with a series for each value of the dimension."""
    names = {"metric_name": "dimension", "dimension": "carrier"}
    rows = [
        row
        for value, numbers in series
        for row in buckets(numbers, until=TODAY, params=BY_CHANNEL, dimension_value=value, **names)
    ]
    return Case(BY_CHANNEL, rows, result={"test_sub_type": "dimension"})


def endless(count: int = 1, value: float = 95.0) -> list[dict[str, Any]]:
    """Rows after the last full week, as they are written: without start and end."""
    [row] = buckets([value], until=TODAY, params=WEEKLY, rewritten=False, bucket_start=None, bucket_end=None)
    return [{**row, "id": f"endless.{number}"} for number in range(count)]


def weeks(values: list[float], params: dict[str, Any] | None = None, *, extra: list[dict[str, Any]]) -> Case:
    """A case with a bucket a week, the last of them to the Monday before the run."""
    params = {**WEEKLY, **(params or {})}
    return Case(params, [*buckets(values, until=MONDAY, every=WEEK, params=params), *extra])


FUTURE = buckets([95.0], until=MONDAY + WEEK, every=WEEK, params=WEEKLY, rewritten=False)

CASES: dict[str, tuple[Case, str]] = {
    "a drop": (daily(DROP), "fail"),
    "a drop that is none at sensitivity 3.5": (daily(DROP, {"anomaly_sensitivity": 3.5}), "pass"),
    "six days at sensitivity 2": (daily([*noise(6), 40.0], {"anomaly_sensitivity": 2}), "fail"),
    "six days at sensitivity 3": (daily([*noise(6), 40.0]), "pass"),
    "hours": (hourly([*noise(13 * 24), 40.0], {**HOURLY, "days_back": 14}), "fail"),
    "hours in steps of six": (
        Case({"time_bucket": {"period": "hour", "count": 6}},
             buckets([*noise(50), 40.0], until=LAST_HOUR, every=6 * HOUR, own=8,
                     params={"time_bucket": {"period": "hour", "count": 6}})), "fail"),
    "hours with a delay": (hourly([*noise(200), 40.0], DELAYED, until=LAST_HOUR - 6 * HOUR), "fail"),
    "an hour within the delay, which another test had measured": (
        Case(DELAYED, buckets([*noise(200), 40.0], until=LAST_HOUR - 5 * HOUR, every=HOUR, params=DELAYED, own=0)),
        "pass"),
    "hours of the day": (
        hourly(wave(14 * 24 + 6, 24, 1900.0), {**HOURLY, "seasonality": "hour_of_day", "days_back": 14}), "fail"),
    "hours of the day that are as they should be": (
        hourly(wave(14 * 24 + 6, 24, 700.0), {**HOURLY, "seasonality": "hour_of_day", "days_back": 14}), "pass"),
    "hours of the week": (
        hourly(wave(13 * 168, 168, 1900.0), {**HOURLY, "seasonality": "hour_of_week", "days_back": 98}), "fail"),
    "days of the week": (daily(wave(84, 7, 1900.0), BY_WEEKDAY), "fail"),
    "days of the week at sensitivity 4": (daily(wave(84, 7, 1900.0), {**BY_WEEKDAY, "anomaly_sensitivity": 4}), "pass"),
    "a seasonality in upper case, which has no effect": (
        daily(wave(84, 7, 780.0), {**BY_WEEKDAY, "seasonality": "DAY_OF_WEEK", "anomaly_sensitivity": 1}), "fail"),
    "weeks": (weeks([*noise(13), 40.0], extra=[]), "fail"),
    "weeks and rows without an end": (weeks([*noise(13), 40.0], extra=endless(1)), "fail"),
    "a row without an end that is far off": (weeks(noise(14), extra=endless(1, 9000.0)), "pass"),
    "a row without an end beside an untrained period": (
        weeks([*noise(13), 40.0], EXCLUDES, extra=endless(1)), "fail"),
    "a week that ends after the run": (weeks([*noise(13), 40.0], extra=FUTURE), "pass"),
    "a week that an earlier run wrote and that ends after this one": (
        weeks([*noise(13), 40.0],
              extra=[{**row, "updated_at": RUN - HOUR, "created_at": RUN - HOUR} for row in FUTURE]), "fail"),
    "months": (
        Case({"time_bucket": {"period": "month", "count": 1}, "days_back": 420, "backfill_days": 30}, [
            row
            for number, value in enumerate([*noise(12), 40.0])
            for row in buckets([value], until=datetime(2025 + (10 + number) // 12, (10 + number) % 12 + 1, 1),
                               params={"time_bucket": {"period": "month", "count": 1}}, rewritten=False,
                               bucket_start=datetime(2025 + (9 + number) // 12, (9 + number) % 12 + 1, 1))
        ]), "fail"),
    "one value of a dimension": (dimensions(("ups", noise(14)), ("dhl", DROP), (None, noise(14, seed=2))), "fail"),
    "a dimension without a value": (dimensions(("ups", noise(14)), (None, SPIKE)), "fail"),
    "values of a dimension that differ, each as ever": (
        dimensions(("ups", noise(14)), ("dhl", noise(14, level=9000.0, seed=2))), "pass"),
    "an incremental model's history before its refresh": (
        Case({}, buckets([*noise(9, level=900.0), *noise(4), 900.0], until=TODAY, rewritten=False),
             refreshed=TODAY - timedelta(days=2)), "pass"),
    "a drop where spikes count": (daily(DROP, {"anomaly_direction": "spike"}), "pass"),
    "a spike where spikes count": (daily(SPIKE, {"anomaly_direction": "spike"}), "fail"),
    "a drop where drops count": (daily(DROP, {"anomaly_direction": "drop"}), "fail"),
    "a spike where drops count": (daily(SPIKE, {"anomaly_direction": "drop"}), "pass"),
    "a small drop": (daily(DROP, thresholds(10, 90)), "pass"),
    "a large drop": (daily(DROP, thresholds(10, 20)), "fail"),
    "a drop where only spikes have a threshold": (daily(DROP, thresholds(10, None)), "pass"),
    "a drop where only drops have a threshold": (daily(DROP, thresholds(None, 10)), "fail"),
    "a drop with a threshold for spikes that do not count": (
        daily(DROP, {"anomaly_direction": "drop", **thresholds(10, None)}), "fail"),
    "a threshold of 0, which is none": (daily(DROP, thresholds(0, 0)), "fail"),
    "a small change outside of the training": (daily([*noise(12), 70.0, 71.0], EXCLUDES), "fail"),
    "the same within the training": (daily([*noise(12), 70.0, 71.0]), "pass"),
    "equal values and another outside of the training": (daily([5.0] * 12 + [5.0, 9.0], EXCLUDES), "pass"),
    "values that are excluded": (
        Case({"anomaly_exclude_metrics": "metric_value < 50"}, daily(DROP).metrics,
             excluded=lambda row: row["metric_value"] < 50), "pass"),
    "a date that is excluded": (
        Case({"anomaly_exclude_metrics": "metric_date = '2026-11-07'"},
             daily([*noise(6), 900.0, *noise(6), 40.0]).metrics,
             excluded=lambda row: f"{row['bucket_start']:%Y-%m-%d}" == "2026-11-07"), "fail"),
    "hours that are excluded": (
        Case({**HOURLY, "anomaly_exclude_metrics": "metric_time_bucket >= '2026-11-14 20:00:00' and "
                                                   "metric_time_bucket < '2026-11-15 06:00:00'"},
             hourly([*noise(200), 40.0], HOURLY).metrics,
             excluded=lambda row: row["bucket_start"] >= datetime(2026, 11, 14, 20)), "pass"),
    "a zero": (daily([*noise(13, spread=60.0), 0.0], {"fail_on_zero": True}), "fail"),
    "a zero that is as far as any": (daily([*noise(13, spread=60.0), 0.0]), "pass"),
    "a value under the least that counts": (daily(DROP, {"min_value": 50}), "pass"),
    "a zero under the least that counts": (daily([*noise(13), 0.0], {"min_value": 50, "fail_on_zero": True}), "fail"),
    "a table that is fresher than ever": (
        Case({}, daily(DROP, metric_name="freshness").metrics, result={"test_sub_type": "freshness"}), "pass"),
    "a table that is staler than ever": (
        Case({"anomaly_direction": "drop"}, daily(SPIKE, metric_name="freshness").metrics,
             result={"test_sub_type": "freshness"}), "fail"),
    "a column in another case": (
        Case({}, daily(DROP, **FEW_ROWS).metrics, result={"test_sub_type": "null_percent", "column_name": "weight"}),
        "fail"),
    "a point a run": (
        Case(WITHOUT_TIMES, buckets(DROP, until=RUN, params=WITHOUT_TIMES, bucket_start=None, rewritten=False)),
        "fail"),
    "buckets without a value": (
        Case({}, [*daily(DROP).metrics, *buckets([None], until=TODAY - DAY, id="none", own=0, rewritten=False)]),
        "fail"),
    "one bucket": (daily([5.0]), "pass"),
    "a standard deviation of the whole population": (
        Case({}, daily([*[100.0] * 9, 10.0]).metrics, adapter="clickhouse"), "pass"),
    "the same of eleven days": (Case({}, daily([*[100.0] * 10, 10.0]).metrics, adapter="clickhouse"), "fail"),
    "equal values on PostgreSQL, which deviate by its rounding": (
        Case({}, daily([33.333] * 10, **FEW_ROWS).metrics, adapter="postgres",
             result={"test_sub_type": "null_percent", "column_name": "WEIGHT"}), "fail"),
    "equal whole numbers on PostgreSQL": (Case({}, daily([33.0] * 10).metrics, adapter="postgres"), "pass"),
    "equal values on PostgreSQL and another outside of the training": (
        Case(EXCLUDES, daily([0.1] * 13 + [0.2]).metrics, adapter="postgres"), "fail"),
    "any values on PostgreSQL": (Case({}, daily(DROP).metrics, adapter="postgres"), "fail"),
}  # fmt: skip
every_case = pytest.mark.parametrize(("case", "expected"), CASES.values(), ids=CASES)
OTHERWISE = {"fail": ("pass", 0), "pass": ("fail", 1)}


@every_case
def test_a_verdict_of_the_rule_agrees_and_its_opposite_disagrees(case: Case, expected: str) -> None:
    status, failures, _ = verdict(case)

    source = stored(case, (status, failures), OTHERWISE[status])
    right, wrong = compare_with_elementary(source, adapter=case.adapter).to_pylist()

    assert status == expected
    assert (right["agreement"], right["recomputed"]) == ("agree", expected), right["reason"]
    assert (wrong["agreement"], wrong["recomputed"]) == ("disagree", expected), wrong["reason"]


@every_case
def test_every_score_is_that_of_the_rule(case: Case, expected: str) -> None:
    _, _, scored = verdict(case)

    recomputed = recompute_scores(stored(case, (expected, 0)), adapter=case.adapter).to_pylist()

    found = {row["metric_id"]: row for row in recomputed}
    assert sorted(found) == sorted(row["metric_id"] for row in scored)
    for name in ("score", "training_avg", "training_stddev", "training_set_size", "is_anomalous"):
        ours = np.array([found[row["metric_id"]][name] for row in scored], float)
        assert_allclose(ours, np.array([row[name] for row in scored], float), rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("layout", ["test_result_rows", "result_rows"])
def test_where_the_result_rows_are_kept_changes_no_verdict(layout: str) -> None:
    case = CASES["a drop"][0]
    rows = json.dumps([{"value": 40.0, "is_anomalous": True}])
    own_table = pa.table({"elementary_test_results_id": ["verdict"], "result_row": ['{"value": 40.0}']})
    sources = {
        "result_rows": stored(Case({}, case.metrics, result={"result_rows": rows}), ("fail", 1)),
        "test_result_rows": TableSource({**stored(case, ("fail", 1)).held, "test_result_rows": own_table}),
    }

    assert compare_with_elementary(sources[layout])["agreement"].to_pylist() == ["agree"]


@pytest.mark.parametrize(
    ("full_table_name", "table_name"),
    [(TABLE, "shipments"), (TABLE, "SHIPMENTS"), (TABLE.lower(), "shipments"), (TABLE.lower(), "Shipments")],
)
def test_names_of_tables_are_compared_in_any_case(full_table_name: str, table_name: str) -> None:
    metrics = buckets(DROP, until=TODAY, full_table_name=full_table_name)

    source = stored(Case({}, metrics, result={"table_name": table_name}), ("fail", 1))

    assert compare_with_elementary(source)["agreement"].to_pylist() == ["agree"]


def test_a_table_of_an_adapter_without_databases_is_found() -> None:
    metrics = buckets(DROP, until=TODAY, full_table_name="LANDING_OPS.SHIPMENTS")

    source = stored(Case({}, metrics, result={"database_name": None}), ("fail", 1))

    assert compare_with_elementary(source)["agreement"].to_pylist() == ["agree"]


@pytest.mark.parametrize(
    "changes",
    [
        {"ignore_small_changes": "10 percent"},
        {"ignore_small_changes": [10]},
        {"ignore_small_changes": {"spike_failure_percent_threshold": "ten"}},
        {"anomaly_exclude_metrics": 5},
        {"anomaly_exclude_metrics": {"metric_value": 5}},
        {"anomaly_exclude_metrics": "metric_value <"},
        {"exclude_final_results": ["value > 5"]},
        {"time_bucket": "day"},
        {"time_bucket": {"period": "fortnight", "count": 1}},
        {"time_bucket": {"period": "day", "count": 0}},
        {"time_bucket": {"period": "day", "count": 1e300}},
        {"days_back": 1e12},
        {"days_back": -5},
        {"days_back": [14]},
        {"backfill_days": 1e18},
        {"detection_delay": {"period": "week", "count": 1e15}},
        {"anomaly_direction": "sideways"},
        {"anomaly_sensitivity": "three"},
        {"seasonality": "moon"},
        {"min_value": "few"},
    ],
)
def test_a_configuration_that_makes_no_sense_is_unknown(changes: dict[str, Any]) -> None:
    [found] = compare_with_elementary(stored_verdict(params={**PARAMS, **changes})).to_pylist()

    assert (found["agreement"], found["recomputed"]) == ("cannot tell", None)
    assert found["reason"].startswith("its configuration cannot be read: ")


@pytest.mark.parametrize("text", ["", "not JSON", "[]", "3", "null", "NaN", "{", "[" * 100_000, None])
def test_a_configuration_that_is_no_json_object_is_unknown(text: str | None) -> None:
    [found] = compare_with_elementary(stored_verdict(test_params=text)).to_pylist()

    assert found["agreement"] == "cannot tell"
    assert found["reason"].startswith("its configuration cannot be read: The configuration is not a JSON object")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (stored(Case(WEEKLY, endless(3)), ("pass", 0)), "no bucket that its run scored has an end"),
        (
            stored(Case(WEEKLY, [{**row, "updated_at": RUN - DAY} for row in endless(3)]), ("pass", 0)),
            "no metrics of this test are left as its run saw them",
        ),
        (
            stored_verdict(invocation={"run_started_at": "soon"}),
            "when its run started is not known: its run_started_at",
        ),
        (stored_verdict(invocation={"run_started_at": None}), "when its run started is not known: its run_started_at"),
        (stored_verdict(detected_at=None), "no metrics of this test are left as its run saw them"),
    ],
)
def test_a_run_of_which_too_little_is_known_is_unknown(source: TableSource, reason: str) -> None:
    [found] = compare_with_elementary(source).to_pylist()

    assert (found["agreement"], found["recomputed"]) == ("cannot tell", None)
    assert found["reason"].startswith(reason)


def test_a_full_refresh_at_an_unreadable_time_is_none() -> None:
    refresh = {"unique_id": "model.shop.orders", "invocation_id": "rebuild", "full_refresh": True,
               "generated_at": "yesterday", "created_at": WRITTEN - DAY}  # fmt: skip

    [found] = compare_with_elementary(stored_verdict(run_results=[refresh], materialization="incremental")).to_pylist()

    assert found["agreement"] == "agree"
