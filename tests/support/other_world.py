"""A second reading of Elementary's rule, in loops and without the project's code, and metrics to evaluate by it."""

from __future__ import annotations

import json
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from tests.support.stored_verdicts import DETECTED, PARAMS, RUN, WRITTEN, stored_verdict
from tests.support.table_source import TableSource

Row = dict[str, Any]

#: What names the evaluated table in the metrics, which is upper case, and in the results, which is as dbt writes it.
TABLE = "LOGISTICS.LANDING_OPS.SHIPMENTS"
RESULT = {"database_name": "logistics", "schema_name": "landing_ops", "table_name": "shipments"}

PROPERTIES = ("dimensions", "event_timestamp_column", "freshness_column", "time_bucket", "timestamp_column",
              "where_expression")  # fmt: skip
SIGNED = ("min", "max", "average", "standard_deviation", "variance", "sum")


@dataclass(frozen=True)
class Case:
    """One execution of a test: how it was configured, and what was stored of it.

    :param params: what its configuration changes of the defaults.
    :param metrics: rows of data_monitoring_metrics.
    :param refreshed: when its incremental model was last built from scratch.
    :param excluded: ``anomaly_exclude_metrics``, as Python.
    :param result: what else is in its row of elementary_test_results.
    :param adapter: dbt's name of the warehouse.
    """

    params: Mapping[str, Any]
    metrics: Sequence[Row]
    refreshed: datetime | None = None
    excluded: Callable[[Row], bool] = lambda row: False
    result: Mapping[str, Any] = field(default_factory=dict)
    adapter: str | None = None


def properties(params: Mapping[str, Any]) -> str:
    return json.dumps({name: params.get(name) for name in PROPERTIES}, sort_keys=True)


def buckets(
    values: Iterable[float | None],
    *,
    until: datetime,
    every: timedelta = timedelta(days=1),
    params: Mapping[str, Any] = PARAMS,
    own: int = 1,
    rewritten: bool = True,
    **changes: Any,
) -> list[Row]:
    """Return a row a bucket, the last of which ends at ``until``; the run wrote the last ``own`` itself.

    :param rewritten: earlier runs wrote each bucket too, with another value.
    """
    listed = list(values)
    rows = []
    for number, value in enumerate(listed):
        end = until - every * (len(listed) - 1 - number)
        is_own = number >= len(listed) - own
        written = (
            DETECTED - timedelta(seconds=5) if is_own else min(end + timedelta(hours=30), RUN - timedelta(hours=1))
        )
        row = {
            "id": f"{changes.get('metric_name', 'row_count')}.{changes.get('dimension_value')}.{end:%Y%m%d%H}",
            "full_table_name": TABLE,
            "metric_name": "row_count",
            "metric_value": value,
            "bucket_start": end - every,
            "bucket_end": end,
            "updated_at": written,
            "created_at": WRITTEN if is_own else written,
            "metric_properties": properties({**PARAMS, **params}),
            **changes,
        }
        rows.append(row)
        if rewritten:
            earlier = written - timedelta(hours=24)
            rows.append({**row, "metric_value": 7777.0, "updated_at": earlier, "created_at": earlier})
    random.Random(len(rows)).shuffle(rows)  # noqa: S311 - no secret
    return rows


def noise(count: int, *, level: float = 100.0, spread: float = 5.0, seed: int = 1) -> list[float]:
    draw = random.Random(seed)  # noqa: S311 - no secret
    return [round(draw.gauss(level, spread), 3) for _ in range(count)]


def verdict(case: Case) -> tuple[str, int, list[Row]]:
    """Return status, number of anomalies and scored buckets of a case, by the rule."""
    scored = _evaluated(_scored(case), case)
    failures = sum(row["is_anomalous"] for row in scored)
    return ("fail" if failures else "pass"), failures, scored


def stored(case: Case, *verdicts: tuple[str, int]) -> TableSource:
    """Return the schema in which verdicts, each a status and a number of failures, were stored of one case."""
    refreshes = [
        {"unique_id": "model.shop.orders", "invocation_id": "rebuild", "full_refresh": True,
         "materialization": "incremental", "generated_at": f"{case.refreshed:%Y-%m-%d %H:%M:%S}",
         "created_at": case.refreshed}
    ] if case.refreshed else []  # fmt: skip
    sources = [
        stored_verdict(
            metrics=case.metrics,
            params={**PARAMS, **case.params},
            run_results=refreshes,
            **{**RESULT, **case.result, "id": f"verdict {number}", "test_execution_id": f"run.test {number}"},
            status=status,
            failures=failures,
        )
        for number, (status, failures) in enumerate(verdicts)
    ]
    results = pa.concat_tables([source.held["elementary_test_results"] for source in sources])
    return TableSource({**sources[0].held, "elementary_test_results": results})


def _scored(case: Case) -> list[Row]:
    params = {**PARAMS, **case.params}
    series: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in _seen(case, params):
        if not case.excluded(row):
            series[(row.get("dimension"), row.get("dimension_value"), _season(row, params))].append(row)
    scored = []
    for rows in series.values():
        rows.sort(key=lambda row: (row["bucket_end"] is None, row["bucket_end"]))
        training: list[float] = []
        for row in rows:
            value = row["metric_value"]
            if value is not None and not _is_kept_from_training(row, params):
                training.append(value)
            if value is None or not training:
                continue
            average, deviation = _moments(training, case.adapter)
            score = None
            if deviation is not None:
                score = 0.0 if deviation == 0 else (value - average) / deviation
            scored.append({"metric_id": row["id"], "bucket_end": row["bucket_end"], "value": value, "score": score,
                           "metric_name": row["metric_name"], "training_avg": average, "training_stddev": deviation,
                           "training_set_size": len(training)})  # fmt: skip
    return scored


def _seen(case: Case, params: Mapping[str, Any]) -> list[Row]:
    end = _detection_end(params)
    bucket = params["time_bucket"]
    start = _truncated(
        bucket["period"], (end - timedelta(days=params["days_back"])).replace(hour=0, minute=0, second=0)
    )
    grid = set()
    left, right = start, _later(start, bucket)
    while right <= end:
        grid.add((left, right))
        left, right = right, _later(right, bucket)
    newest: dict[str, Row] = {}
    for row in case.metrics:
        if row["updated_at"] < RUN:
            if row["bucket_end"] is None or row["bucket_end"] <= start:
                continue
            if params["timestamp_column"] and (row["bucket_start"], row["bucket_end"]) not in grid:
                continue
            if case.refreshed and row["updated_at"] <= case.refreshed:
                continue
        if row["id"] not in newest or newest[row["id"]]["updated_at"] < row["updated_at"]:
            newest[row["id"]] = row
    return list(newest.values())


def _evaluated(scored: list[Row], case: Case) -> list[Row]:
    params = {**PARAMS, **case.params}
    ends = [row["bucket_end"] for row in scored if row["bucket_end"] is not None]
    for row in scored:
        is_late = row["bucket_end"] is not None and row["bucket_end"] > max(ends) - timedelta(
            days=params["backfill_days"]
        )
        row["is_anomalous"] = row["score"] is not None and is_late and _is_out(row, params)
    return scored


def _is_out(row: Row, params: Mapping[str, Any]) -> bool:
    value, average, score, limit = row["value"], row["training_avg"], row["score"], params["anomaly_sensitivity"]
    if params["fail_on_zero"] and value == 0:
        return True
    direction = params["anomaly_direction"]
    if row["metric_name"] in ("freshness", "event_freshness") or direction == "spike":
        is_far = score > limit
    elif direction == "drop":
        is_far = score < -limit
    else:
        is_far = abs(score) > limit
    spike = params["ignore_small_changes"]["spike_failure_percent_threshold"]
    drop = params["ignore_small_changes"]["drop_failure_percent_threshold"]
    is_spike = not spike or value > (1 + spike / 100) * average
    is_drop = not drop or value < (1 - drop / 100) * average
    if spike and drop and direction == "both":
        is_large = is_spike or is_drop
    else:
        is_large = (is_spike or direction == "drop") and (is_drop or direction == "spike")
    return is_far and is_large and (params["min_value"] is None or value >= params["min_value"])


def _moments(values: Sequence[float], adapter: str | None) -> tuple[float, float | None]:
    average = math.fsum(values) / len(values)
    if adapter == "postgres":
        average, squares = _accumulated(values)
        return average, math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else None
    if len(values) < 2:
        return average, None
    return average, statistics.pstdev(values) if adapter in ("clickhouse", "dremio") else statistics.stdev(values)


def _accumulated(values: Sequence[float]) -> tuple[float, float]:
    """Return average and sum of squares as PostgreSQL's float8_accum adds them up."""
    total, squares = values[0], 0.0
    for count, value in enumerate(values[1:], start=2):
        total += value
        distance = value * count - total
        squares += distance * distance / (count * (count - 1))
    return total / len(values), squares


def _detection_end(params: Mapping[str, Any]) -> datetime:
    delay = params["detection_delay"]
    return RUN - timedelta(**{f"{delay['period']}s": delay["count"]})


def _is_kept_from_training(row: Row, params: Mapping[str, Any]) -> bool:
    if not params["exclude_detection_period_from_training"] or row["bucket_end"] is None:
        return False
    return bool(row["bucket_end"] > _detection_end(params) - timedelta(days=params["backfill_days"]))


def _season(row: Row, params: Mapping[str, Any]) -> object:
    end = row["bucket_end"]
    if end is None:
        return None
    by_name = {
        "day_of_week": f"{end:%A}",
        "hour_of_day": f"{end:%H}",
        "hour_of_week": f"{end:%A%H}",
    }
    return by_name.get(params["seasonality"])


def _truncated(period: str, moment: datetime) -> datetime:
    if period == "week":
        return moment - timedelta(days=moment.weekday())
    return moment.replace(day=1) if period == "month" else moment


def _later(moment: datetime, bucket: Mapping[str, Any]) -> datetime:
    if bucket["period"] == "month":
        months = moment.year * 12 + moment.month - 1 + bucket["count"]
        return moment.replace(year=months // 12, month=months % 12 + 1)
    return moment + timedelta(**{f"{bucket['period']}s": bucket["count"]})
