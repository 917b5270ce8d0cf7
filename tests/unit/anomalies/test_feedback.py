"""What people said about verdicts is an input of the replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import robust
from airflow_provider_elementary.anomalies.feedback import Feedback
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.exceptions import ConfigurationError
from tests.support.metric_series import FIRST_DAY, daily


def noisy(buckets: int, level: float = 1000, noise: float = 20) -> list[float | None]:
    return list(np.round(np.random.default_rng(1).normal(level, noise, buckets)))


def day(number: int) -> datetime:
    return FIRST_DAY + timedelta(days=number)


def flagged(values: list[float | None], *feedback: Feedback | dict[str, Any]) -> list[int]:
    verdicts = robust.score(daily(values), feedback=feedback)
    return [int(place) for place in np.flatnonzero(verdicts["is_anomalous"].to_numpy(zero_copy_only=False))]


SPIKE = [*noisy(60), 1500.0, *noisy(5)]


@pytest.mark.parametrize("kind", ["expected", "muted", "excluded"])
def test_feedback_on_a_bucket_takes_its_alarm_away(kind: str) -> None:
    assert flagged(SPIKE) == [60]
    assert flagged(SPIKE, Feedback(kind, since=day(60), until=day(61))) == []
    assert flagged(SPIKE, Feedback(kind, since=day(61))) == [60]
    assert flagged(SPIKE, Feedback(kind, full_table_name="shop.core.orders", metric_name="ROW_COUNT")) == []
    assert flagged(SPIKE, Feedback(kind, full_table_name="SHOP.CORE.OTHER")) == [60]


def test_a_new_normal_is_no_alarm_and_the_level_from_then_on() -> None:
    moved = [*noisy(60), *noisy(20, level=3000, noise=60)]

    assert flagged(moved) == [60, 61, 62]
    assert flagged(moved, Feedback("new normal", since=day(60))) == []
    assert flagged([*moved[:70], 1000.0], Feedback("new normal", since=day(60))) == [70]


def test_sensitivity_per_table_replaces_that_of_its_test() -> None:
    values = [*noisy(60), 1075.0]

    assert flagged(values, Feedback("sensitivity", sensitivity=6)) == []
    assert flagged(values, {"kind": "sensitivity", "sensitivity": 1.5, "full_table_name": "SHOP.CORE.ORDERS"})[-1] == 60


def test_a_reason_says_what_a_person_said() -> None:
    rows = [{"kind": "expected", "since": day(60), "until": day(61)}]

    verdicts = robust.score(daily(SPIKE), feedback=pa.Table.from_pylist(rows))

    assert verdicts["reason"].to_pylist()[60] == "marked as expected"


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        ({"kind": "fine"}, "Feedback 'fine' is unknown"),
        ({"kind": "sensitivity"}, "sensitivity None"),
        ({"kind": "sensitivity", "sensitivity": float("nan")}, "sensitivity nan"),
        ({"kind": "muted", "sensitivity": 3.0}, "takes no sensitivity"),
        ({"kind": "new normal"}, "lacks since"),
        ({"kind": "muted", "since": "yesterday"}, "since 'yesterday'"),
        ({"kind": "muted", "table": "orders"}, "no field table"),
        ({"full_table_name": "SHOP.CORE.ORDERS"}, "lacks its kind"),
    ],
)
def test_feedback_that_does_not_fit_is_refused(feedback: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        robust.score(daily([1.0]), feedback=[feedback])


def test_a_state_is_resumed_only_with_the_same_feedback_and_configuration() -> None:
    metrics = daily([*noisy(60), *noisy(20, level=3000, noise=60)])
    feedback = [Feedback("new normal", since=day(60))]
    tests = pa.Table.from_pylist([{"full_table_name": "SHOP.CORE.ORDERS", "anomaly_sensitivity": 2.0}])
    runs: list[tuple[Any, Any]] = [((), None), (feedback, None), (feedback, None), (feedback, tests), (feedback, tests)]

    state, resumed = None, []
    for number, (said, configurations) in enumerate(runs):
        last = 70 + number
        with bounded_connection() as connection:
            replay = robust.Replay(connection, state, configurations, said)
            series = replay.add(metrics.slice(0, last))
            until = int(day(last - 1).replace(tzinfo=UTC).timestamp())
            pieces: list[pa.Table] = []
            found = replay.score(metrics.slice(last - 1, 1), series[last - 1 :], until, {}, pieces.extend)
        whole = robust.score(metrics.slice(0, last), configurations=configurations, feedback=said)
        assert found.verdicts.equals(whole.slice(last - 1).combine_chunks())
        state = robust.ModelState.of(pieces, until)
        resumed.append(found.resumed)

    assert resumed == [0, 0, 1, 0, 1]
