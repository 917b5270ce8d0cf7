"""How rare an alarm is in the past of all tables, and the limit on alarms that are not."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import robust
from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.exceptions import ConfigurationError
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from tests.support.metric_series import daily

TABLES, DAYS = 4, 90
FIRST = datetime(2026, 3, 1)
#: Days on which a table has a tenth of its rows.
DROPS = {0: 40, 1: 50, 2: 60, 3: DAYS - 1}


def tables(metric: str = "row_count") -> pa.Table:
    """Return a series of each table, each with one drop."""
    random = np.random.default_rng(5)
    series = []
    for number in range(TABLES):
        values = random.normal(1000, 20, DAYS).round()
        values[DROPS[number]] = 100
        series.append(daily([*values], first=FIRST, full_table_name=f"SHOP.CORE.T{number}", metric_name=metric))
    return pa.concat_tables(series)


def reasons(verdicts: pa.Table) -> list[str]:
    """Return the reasons of the days on which a table has a tenth of its rows, in their order."""
    return [verdicts["reason"][number * DAYS + day].as_py() for number, day in DROPS.items()]


def test_an_alarm_says_how_often_one_as_high_came() -> None:
    said = [reason.split("; ")[-1] for reason in reasons(robust.score(tables()))]

    # Of the last drop 69 days with a verdict of four series came before, and three drops.
    assert said == [
        "no alarm as high came in 19 days among the counts of your tables",
        "an alarm as high came once in 29 days among the counts of your tables",
        "an alarm as high came once in 20 days among the counts of your tables",
        "an alarm as high came once in 23 days among the counts of your tables",
    ]


def test_metrics_of_another_class_are_counted_apart() -> None:
    both = pa.concat_tables([tables(), tables("execution_time")])

    assert reasons(robust.score(both)) == reasons(robust.score(tables()))


def test_nothing_is_said_or_silenced_in_buckets_longer_than_a_day() -> None:
    values = [*np.random.default_rng(5).normal(1000, 20, DAYS).round(), 100_000.0]
    weekly = daily(values, first=datetime(2025, 1, 6), bucket=timedelta(days=7))

    newest = robust.score(weekly, days_per_alarm=1000).to_pylist()[-1]

    assert newest["is_anomalous"]
    assert " days" not in newest["reason"]


def test_buckets_of_unknown_length_are_neither_counted_nor_said_to_be_rare() -> None:
    values = [*np.random.default_rng(5).normal(1000, 20, DAYS).round(), 100_000.0]
    unknown = daily(values, first=FIRST, full_table_name="SHOP.CORE.UNKNOWN")
    starts = unknown.column_names.index("bucket_start")
    unknown = unknown.set_column(starts, "bucket_start", pa.nulls(len(unknown), pa.timestamp("us")))

    found = robust.score(pa.concat_tables([tables(), unknown]))

    assert reasons(found) == reasons(robust.score(tables()))
    newest = found.to_pylist()[-1]
    assert newest["is_anomalous"]
    assert " days" not in newest["reason"]


def test_alarms_that_come_too_often_are_not_raised() -> None:
    found = robust.score(tables(), days_per_alarm=25)

    is_flagged = [found["is_anomalous"][number * DAYS + day].as_py() for number, day in DROPS.items()]
    assert is_flagged == [True, True, False, False]
    why = "an alarm as high came once in 23 days among the counts of your tables"
    assert reasons(found)[3] == f"not flagged: {why}, and days_per_alarm allows fewer"
    assert found["kind"][4 * DAYS - 1].as_py() is None
    assert found["score"].equals(robust.score(tables())["score"])


@pytest.mark.parametrize("limit", [0, 25])
def test_a_run_that_scores_the_newest_days_counts_the_same(limit: float) -> None:
    given = pa.Table.from_pylist(tables().to_pylist(), schema=METRICS_SCHEMA)

    recent = score_recent(given.to_reader(), method="robust", days=2, parameters={"days_per_alarm": limit}).verdicts

    whole = robust.score(tables(), days_per_alarm=limit)
    [last] = [row["reason"] for row in recent.to_pylist() if row["metric_value"] == 100]
    assert last == reasons(whole)[3]
    assert re.search("once in 23 days", last)


@pytest.mark.parametrize("limit", [-1, float("nan"), "7", True])
def test_a_limit_that_is_no_number_of_days_is_refused(limit: object) -> None:
    with pytest.raises(ConfigurationError, match="days_per_alarm"):
        robust.score(tables(), days_per_alarm=limit)
