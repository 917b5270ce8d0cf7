"""What is as far off as a flagged bucket, and not flagged again, ends no condition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_elementary.anomalies import robust
from airflow_provider_elementary.anomalies.feedback import Feedback
from airflow_provider_elementary.anomalies.robust.model.parameters import DAILY
from airflow_provider_elementary.anomalies.table_quality import table_qualities
from airflow_provider_elementary.incidents.anomaly_conditions import anomaly_conditions
from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.project.lineage import Lineage
from tests.support.metric_series import FIRST_DAY, daily
from tests.support.shop import ORDERS, SUNDAY, fine, verdict
from tests.support.shop import verdicts as rows_of

DAYS = 60
BEGAN = FIRST_DAY + timedelta(days=DAYS)


def verdicts(tail: Sequence[float | None], **parameters: Any) -> pa.Table:
    """Return the verdicts on a table of some 1,000 rows a day and then of others."""
    usual = np.random.default_rng(5).normal(1000, 20, DAYS).round()
    return robust.score(daily([*usual, *tail]), **parameters)


def conditions(of: pa.Table, before: Sequence[Condition] = ()) -> list[Condition]:
    return anomaly_conditions(of, Lineage(), before)


def times_of(found: Sequence[Condition]) -> list[tuple[datetime, datetime, datetime | None]]:
    return [(condition.started_at, condition.last_seen, condition.ended_at) for condition in found]


def counts_of(found: Sequence[Condition]) -> list[tuple[Any, ...]]:
    return [
        (*times, condition.times, condition.evidence) for times, condition in zip(times_of(found), found, strict=True)
    ]


@pytest.mark.parametrize("days", [4, 12, 30, 100])
@pytest.mark.parametrize("value", [0.0, None], ids=["no rows", "no value"])
def test_an_outage_is_open_as_long_as_it_lasts(value: float | None, days: int) -> None:
    scored = verdicts([value] * days)
    assert sum(scored["is_anomalous"].to_pylist()) == 3

    [condition] = conditions(scored)

    assert times_of([condition]) == [(BEGAN, BEGAN + timedelta(days=days), None)]
    assert condition.evidence.startswith(f"{days} buckets in a row not as expected")
    assert table_qualities(scored, 1)[0].checks[0].success is False


Values = list[float | None]


def usual_values(name: str, random: np.random.Generator) -> Values:
    return {
        "few rows": lambda: [*random.poisson(3, DAYS) * 1.0],
        "a new level": lambda: [*random.normal(3, 0.3, DAYS - 5).round(), *random.normal(9, 0.9, 5).round()],
        "an average": lambda: [*random.normal(30, 6, DAYS)],
    }[name]()


@pytest.mark.parametrize(
    ("usual", "metric", "value"),
    [
        ("few rows", "row_count", 0.0),
        ("a new level", "row_count", 0.0),
        ("an average", "average", None),
        ("an average", "average", 30.0),
    ],
)
def test_every_outage_has_one_incident(usual: str, metric: str, value: float | None) -> None:
    scored = robust.score(
        pa.concat_tables(
            daily(
                [*usual_values(usual, np.random.default_rng(seed)), *[value] * 25],
                metric_name=metric,
                full_table_name=f"SHOP.CORE.T{seed}",
            )
            for seed in range(30)
        )
    )

    found = conditions(scored)

    lasting = [condition for condition in found if condition.last_seen > BEGAN]
    assert all(condition.holds for condition in lasting)
    assert len({condition.table for condition in lasting}) == len(lasting) >= 29
    failing = {each.table for each in table_qualities(scored, 30) if not each.checks[0].success}
    assert failing == {condition.table for condition in lasting}
    known: list[Condition] = []
    for day in range(1, DAYS + 26):
        ends = scored["bucket_end"]
        to = FIRST_DAY + timedelta(days=day)
        recent = pc.and_(pc.greater(ends, pa.scalar(to - timedelta(days=2))), pc.less_equal(ends, pa.scalar(to)))
        known = conditions(scored.filter(recent), known)
    assert counts_of(known) == counts_of(found)


@pytest.mark.parametrize("kind", ["expected", "muted"])
def test_an_outage_that_lasts_longer_than_was_said_is_flagged_again(kind: str) -> None:
    said = Feedback(kind, since=BEGAN, until=BEGAN + timedelta(days=6))

    scored = verdicts([0.0] * 10, feedback=[said])

    [condition] = conditions(scored)
    assert times_of([condition]) == [(BEGAN + timedelta(days=6), BEGAN + timedelta(days=10), None)]


def test_an_outage_lasts_over_a_holiday() -> None:
    scored = verdicts([0.0] * 10, holidays=[BEGAN.date() + timedelta(days=5)])

    [condition] = conditions(scored)

    assert times_of([condition]) == [(BEGAN, BEGAN + timedelta(days=10), None)]


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

    assert counts_of(known) == counts_of(conditions(scored))


def test_rows_that_came_late_end_an_outage_in_their_bucket() -> None:
    known = conditions(verdicts([0.0] * 6))
    corrected = verdicts([*[0.0] * 5, 1000.0, 1001.0])

    [condition] = conditions(corrected.slice(DAYS + 5), known)

    assert times_of([condition]) == [(BEGAN, BEGAN + timedelta(days=5), BEGAN + timedelta(days=6))]
    assert counts_of([condition]) == counts_of(conditions(corrected))


#: Verdicts of a day: flagged, as far off and not flagged again, as expected.
FLAGGED, STILL_OFF, EXPECTED = "F", "s", "."


def days(marks: str, first: int = 0) -> pa.Table:
    """Return verdicts, a mark a day."""
    return rows_of(
        *(
            verdict(ORDERS, day)
            if mark == FLAGGED
            else fine(ORDERS, day, reason="continues as flagged before" if mark == STILL_OFF else "as expected")
            for day, mark in enumerate(marks, first)
        )
    )


@pytest.mark.parametrize("marks", ["FFF", "Fss", "FFs"])
@pytest.mark.parametrize("corrected", [1, 2])
def test_a_condition_ends_with_the_first_of_its_buckets_that_was_corrected(marks: str, corrected: int) -> None:
    known = conditions(days(marks))

    found = conditions(days(EXPECTED * (4 - corrected), corrected), known)

    end = SUNDAY + timedelta(days=corrected)
    assert times_of(found) == [(SUNDAY, end, end + timedelta(days=1))]
    assert counts_of(found) == counts_of(conditions(days(marks[:corrected] + EXPECTED)))


@pytest.mark.parametrize("marks", ["F", "FFF", "Fss"])
def test_a_condition_of_which_every_bucket_was_corrected_is_gone(marks: str) -> None:
    assert conditions(days(EXPECTED * 4), conditions(days(marks))) == []


def test_a_bucket_that_was_corrected_parts_two_conditions() -> None:
    known = conditions(days("FFFF"))

    first, second = conditions(days(".FF", 2), known)

    assert times_of([first]) == [(SUNDAY, SUNDAY + timedelta(days=2), SUNDAY + timedelta(days=3))]
    assert times_of([second]) == [(SUNDAY + timedelta(days=3), SUNDAY + timedelta(days=5), None)]


@pytest.mark.parametrize("newest", ["s", "F", "ss", "s."])
def test_a_condition_holds_again_where_the_bucket_that_ended_it_is_corrected(newest: str) -> None:
    known = conditions(days("Fs."))

    found = conditions(days(newest, 2), known)

    assert counts_of(found) == counts_of(conditions(days("Fs" + newest)))


def test_a_condition_whose_first_bucket_was_corrected_stays_the_same() -> None:
    [known] = conditions(days("FF"))

    [found] = conditions(days(".FF"), [known])

    assert found.condition_id == known.condition_id
    assert times_of([found]) == [(SUNDAY, SUNDAY + timedelta(days=3), None)]


@settings(max_examples=60, deadline=None)
@given(marks=st.text("Fs.", min_size=1, max_size=12), reported=st.integers(1, 4))
def test_runs_that_report_some_days_say_what_one_run_says(marks: str, reported: int) -> None:
    known: list[Condition] = []

    for day in range(1, len(marks) + 1):
        first = max(day - reported, 0)
        known = conditions(days(marks[first:day], first), known)

    assert counts_of(known) == counts_of(conditions(days(marks)))


@pytest.mark.parametrize("value", [1000.0, 500.0], ids=["at its level", "below it"])
def test_a_value_that_is_the_same_for_weeks_is_the_new_normal(value: float) -> None:
    scored = verdicts([value] * 60)

    *_, frozen = conditions(scored)

    assert frozen.state == "frozen"
    # As many repeats as the model takes for normal, and the value that they repeat.
    assert frozen.last_seen == BEGAN + timedelta(days=DAILY.accept_run_after + 1)
    assert frozen.ended_at == frozen.last_seen + timedelta(days=1)
    assert table_qualities(scored, 1)[0].checks[0].success is True


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
