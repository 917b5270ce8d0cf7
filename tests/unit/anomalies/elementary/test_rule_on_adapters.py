"""What the rule computes otherwise on some warehouses: weeks, order, rounding; and how it is known which one it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import compare_with_elementary, detect
from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from tests.support.metric_series import daily
from tests.support.other_world import Case, buckets, noise, stored
from tests.support.rule_scores import recompute_scores
from tests.support.stored_verdicts import PARAMS, RUN, TODAY, history, stored_verdict
from tests.support.table_source import TableSource

WEEK = timedelta(weeks=1)
WEEKLY = {"time_bucket": {"period": "week", "count": 1}, "days_back": 98, "backfill_days": 7}
#: The run is on a Sunday; the last full week ends on it where weeks begin on Sundays.
SUNDAY, MONDAY = TODAY, TODAY - timedelta(days=6)


@dataclass(frozen=True)
class OnPostgres(TableSource):
    """A source that knows where dbt ran."""

    adapter: str = "postgres"


def weeks(until: datetime, *, extra: list[dict[str, Any]] | None = None) -> TableSource:
    rows = buckets([*noise(13), 40.0], until=until, every=WEEK, params=WEEKLY, rewritten=False)
    earlier = [{**row, "updated_at": RUN - timedelta(days=1), "created_at": RUN - timedelta(days=1)} for row in rows]
    return stored(Case(WEEKLY, [*earlier, *(extra or [])]), ("fail", 1))


@pytest.mark.parametrize(
    ("adapter", "until", "buckets_seen"),
    [("bigquery", SUNDAY, 14), ("sqlserver", SUNDAY, 14), ("snowflake", MONDAY, 14), (None, MONDAY, 14)],
)
def test_weeks_begin_where_those_of_the_warehouse_do(adapter: str | None, until: datetime, buckets_seen: int) -> None:
    [verdict] = compare_with_elementary(weeks(until), adapter=adapter).to_pylist()

    assert verdict["agreement"] == "agree"
    assert verdict["reason"].startswith(f"1 of {buckets_seen} buckets anomalous")


def test_weeks_of_another_warehouse_are_not_on_the_grid() -> None:
    [verdict] = compare_with_elementary(weeks(SUNDAY), adapter="snowflake").to_pylist()

    assert verdict["reason"] == "no metrics of this test are left as its run saw them"


@pytest.mark.parametrize(("adapter", "training_size"), [("databricks", 15), ("bigquery", 15), ("snowflake", 14)])
def test_a_row_without_an_end_is_trained_on_first_where_the_warehouse_sorts_it_first(
    adapter: str, training_size: int
) -> None:
    until = SUNDAY if adapter == "bigquery" else MONDAY
    [row] = buckets([95.0], until=TODAY, params=WEEKLY, rewritten=False, id="x", bucket_start=None, bucket_end=None)

    scored = recompute_scores(weeks(until, extra=[row]), adapter=adapter).to_pylist()

    [newest] = [found for found in scored if found["bucket_end"] == until]
    assert newest["training_set_size"] == training_size


def test_equal_values_deviate_in_detect_too_as_postgresql_adds_them_up() -> None:
    metrics = daily([33.333] * 10)

    scores = [detect(metrics, adapter=adapter)["score"].to_pylist()[-1] for adapter in ("postgres", "snowflake")]

    assert scores == [pytest.approx(3.5589, rel=1e-3), 0.0]


def test_the_warehouse_is_the_one_that_the_source_knows_of() -> None:
    case = Case({}, buckets([33.333] * 10, until=TODAY), adapter="postgres")
    source = stored(case, ("fail", 1))

    given = compare_with_elementary(OnPostgres(source.held))
    named = compare_with_elementary(OnPostgres(source.held), adapter="snowflake")

    assert [table["recomputed"].to_pylist() for table in (given, named)] == [["fail"], ["pass"]]


def test_recent_buckets_are_scored_by_their_warehouse_unless_another_is_named() -> None:
    rows = [{**row, "id": str(row["bucket_end"])} for row in daily([33.333] * 12).to_pylist()]
    metrics = pa.Table.from_pylist(rows, schema=METRICS_SCHEMA)

    def scores(**parameters: str) -> list[float]:
        reader = metrics.to_reader()
        found = score_recent(reader, method="elementary", days=1, parameters=parameters, adapter="postgres")
        scored: list[float] = found.verdicts["score"].to_pylist()
        return scored

    assert scores() == [pytest.approx(1.4865, rel=1e-3)]
    assert scores(adapter="snowflake") == [0.0]


def test_text_is_true_for_a_flag_whatever_it_says() -> None:
    zero = history((*([100.0, 90.0, 120.0, 80.0] * 3), 100.0, 0.0))

    [verdict] = compare_with_elementary(
        stored_verdict(metrics=zero, params={**PARAMS, "anomaly_sensitivity": 9, "fail_on_zero": "false"})
    ).to_pylist()

    assert (verdict["recomputed"], verdict["agreement"]) == ("fail", "agree")
