"""What is as far off as a flagged bucket, and not flagged again, ends no condition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import robust
from airflow_provider_elementary.anomalies.table_quality import table_qualities
from airflow_provider_elementary.incidents.anomaly_conditions import anomaly_conditions
from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.project.lineage import Lineage
from tests.support.metric_series import FIRST_DAY, daily

DAYS = 60
BEGAN = FIRST_DAY + timedelta(days=DAYS)


def verdicts(tail: Sequence[float | None]) -> pa.Table:
    """Return the verdicts on a table of some 1,000 rows a day and then of others."""
    usual = np.random.default_rng(5).normal(1000, 20, DAYS).round()
    return robust.score(daily([*usual, *tail]))


def conditions(of: pa.Table, before: Sequence[Condition] = ()) -> list[Condition]:
    return anomaly_conditions(of, Lineage(), before)


def times_of(found: Sequence[Condition]) -> list[tuple[datetime, datetime, datetime | None]]:
    return [(condition.started_at, condition.last_seen, condition.ended_at) for condition in found]


@pytest.mark.parametrize("days", [4, 12, 30])
@pytest.mark.parametrize("value", [0.0, None], ids=["no rows", "no value"])
def test_an_outage_is_open_as_long_as_it_lasts(value: float | None, days: int) -> None:
    scored = verdicts([value] * days)
    assert sum(scored["is_anomalous"].to_pylist()) == 3

    [condition] = conditions(scored)

    assert times_of([condition]) == [(BEGAN, BEGAN + timedelta(days=days), None)]
    assert condition.evidence.startswith(f"{days} buckets in a row not as expected")
    assert table_qualities(scored, 1)[0].checks[0].success is False


def test_it_is_over_when_a_value_is_back() -> None:
    [condition] = conditions(verdicts([*[0.0] * 12, 1000.0, 1010.0]))

    assert condition.last_seen == BEGAN + timedelta(days=12)
    assert condition.ended_at == BEGAN + timedelta(days=13)


def test_runs_that_report_two_days_say_what_one_run_says() -> None:
    scored = verdicts([*[0.0] * 20, 1000.0])
    known: list[Condition] = []

    for day in range(DAYS, DAYS + 21):
        # Twice: a run that is repeated changes nothing.
        for _ in range(2):
            known = conditions(scored.slice(day - 1, 2), known)
        assert known[0].holds is (day < DAYS + 20)

    assert times_of(known) == times_of(conditions(scored))


def test_a_value_for_which_its_table_begins_to_alarm_is_not_over() -> None:
    random = np.random.default_rng(11)
    # A value is off on two days; on the second its table and all of its values are.
    last_days = {"": (1000.0, 500.0), "a": (400.0, 400.0), **dict.fromkeys("bcdef", (1000.0, 500.0))}
    series = []
    for name, values in last_days.items():
        of_value = {"metric_name": "dimension", "dimension": "shop", "dimension_value": name} if name else {}
        series.append(daily([*random.normal(1000, 20, DAYS).round(), *values], **of_value))  # type: ignore[arg-type]
    scored = robust.score(pa.concat_tables(series))
    newest = scored.filter(pa.array([end == BEGAN + timedelta(days=2) for end in scored["bucket_end"].to_pylist()]))
    assert newest["is_anomalous"].to_pylist() == [True, *[False] * 6]

    of_shops, of_table = conditions(scored)

    assert times_of([of_shops]) == [(BEGAN, BEGAN + timedelta(days=2), None)]
    assert times_of([of_table]) == [(BEGAN + timedelta(days=1), BEGAN + timedelta(days=2), None)]
