"""Values of a dimension that move together are one alarm of their table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.anomalies import robust
from airflow_provider_elementary.anomalies.detect_recent import score_recent
from airflow_provider_elementary.anomalies.feedback import Feedback
from airflow_provider_elementary.metrics import METRICS_SCHEMA
from tests.support.metric_series import FIRST_DAY, daily

_DAYS = 60
LAST_DAY = FIRST_DAY + timedelta(days=_DAYS - 1)


def shops(factors: Mapping[str, float], table: float = 1.0) -> pa.Table:
    """Return the row counts of a table and of its shops, multiplied by these factors on the last day."""
    random = np.random.default_rng(11)
    series = []
    for name, factor in (("", table), *factors.items()):
        values = random.normal(1000, 20, _DAYS).round()
        values[-1] = round(1000 * factor)
        of_shop = {"metric_name": "dimension", "dimension": "shop", "dimension_value": name} if name else {}
        series.append(daily([*values], **of_shop))  # type: ignore[arg-type]
    return pa.concat_tables(series)


def flagged(metrics: pa.Table, *feedback: Feedback, **parameters: Any) -> list[tuple[str | None, str]]:
    """Return the value and the reason of each bucket that is flagged on the last day."""
    verdicts = robust.score(metrics, feedback=feedback, **parameters).filter(
        pa.array(([False] * (_DAYS - 1) + [True]) * (len(metrics) // _DAYS))
    )
    rows = verdicts.to_pylist()
    return [(row["dimension_value"], row["reason"]) for row in rows if row["is_anomalous"]]


def test_values_that_move_together_are_flagged_once() -> None:
    metrics = shops({"a": 0.5, "b": 0.4, "c": 0.45, "d": 1.0, "e": 1.0, "f": 1.0})

    [(value, reason)] = flagged(metrics)

    assert value == "b"
    assert reason.endswith("; 3 of 6 values of shop moved")
    assert [value for value, _ in flagged(metrics, siblings=0)] == ["a", "b", "c"]


def test_their_table_alarms_for_them_where_it_moves_too() -> None:
    metrics = shops(dict.fromkeys("abcdef", 0.5), table=0.5)

    verdicts = robust.score(metrics).filter(pa.array(([False] * (_DAYS - 1) + [True]) * 7))

    assert verdicts["is_anomalous"].to_pylist() == [True, *[False] * 6]
    assert verdicts["kind"].to_pylist() == ["drop", *[None] * 6]
    assert verdicts["reason"].to_pylist()[1] == "moves with 6 of 6 values of shop, as their table does"


def expected(value: str | None, days: int = 1, metric: str = "dimension") -> Feedback:
    """Return that the last days of a shop, or of the table, were expected."""
    since = LAST_DAY - timedelta(days=days - 1)
    return Feedback(
        "expected", metric_name=metric, dimension_value=value, since=since, until=LAST_DAY + timedelta(days=1)
    )


def test_that_the_one_alarm_was_expected_holds_for_all_that_moved_with_it() -> None:
    metrics = shops({**dict.fromkeys("acefg", 0.5), "b": 0.4, "d": 1.6, "h": 1.0})
    assert [value for value, _ in flagged(metrics)] == ["b", "d"]

    verdicts = robust.score(metrics, feedback=[expected("b")]).filter(pa.array(([False] * (_DAYS - 1) + [True]) * 9))

    by_value = {row["dimension_value"]: row for row in verdicts.to_pylist()}
    assert [value for value, row in by_value.items() if row["is_anomalous"]] == ["d"]
    assert by_value["a"]["reason"] == "marked as expected, with 6 of 8 values of shop"
    assert by_value["b"]["reason"] == "marked as expected"


def test_what_was_expected_of_one_value_for_longer_says_nothing_of_others() -> None:
    metrics = shops({**dict.fromkeys("aceh", 0.5), "b": 0.4, "d": 1.0})

    [(value, _)] = flagged(metrics, expected("b", days=2))

    assert value != "b"
    assert [value for value, _ in flagged(metrics, expected("d"))] == ["b"]


def test_an_expected_value_that_a_rule_never_flags_has_not_moved() -> None:
    metrics = shops({**dict.fromkeys("ab", 0.4), "c": 0.8, **dict.fromkeys("defgh", 1.0)})
    rule = {"full_table_name": "SHOP.CORE.ORDERS", "drop_failure_percent_threshold": 40.0}

    found = flagged(metrics, expected("c"), configurations=pa.Table.from_pylist([rule]))

    assert [value for value, _ in found] == ["a", "b"]


def test_what_was_expected_of_their_table_holds_for_its_values() -> None:
    metrics = shops(dict.fromkeys("abcdef", 0.5), table=0.5)

    assert flagged(metrics, expected(None, metric="row_count")) == []
    assert len(flagged(shops(dict.fromkeys("abcdef", 0.5)), expected(None, metric="row_count"))) == 1


@pytest.mark.parametrize(
    "factors",
    [
        {"a": 0.5, "b": 0.5, "c": 1.0, "d": 1.0},
        {"a": 0.5, "b": 1.6, "c": 1.6, "d": 0.5},
        {"a": 0.5, "b": 0.5, "c": 0.5, **dict.fromkeys("defghijklm", 1.0)},
    ],
    ids=["too few", "to both sides", "a small part"],
)
def test_single_values_are_flagged_as_they_are(factors: Mapping[str, float]) -> None:
    assert [value for value, _ in flagged(shops(factors))] == [name for name, factor in factors.items() if factor != 1]


def test_a_run_that_scores_the_newest_days_says_the_same() -> None:
    metrics = shops({"a": 0.5, "b": 0.4, "c": 0.45, "d": 1.0, "e": 1.0, "f": 1.0})
    given = pa.Table.from_pylist(metrics.to_pylist(), schema=METRICS_SCHEMA)

    recent = score_recent(given.to_reader(), method="robust", days=2, parameters={}).verdicts

    whole = robust.score(metrics)
    assert recent.num_rows == 2 * 7
    assert (
        recent.filter(recent["is_anomalous"])["reason"].to_pylist()
        == whole.filter(whole["is_anomalous"])["reason"].to_pylist()[-1:]
    )
