"""What the benchmark of incidents calls found, a coincidence, missed, and a false alarm."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.benchmarks.incidents.matching import Quiet, Truth, chance, outcome, quiet

START = datetime(2026, 11, 3, 9)
DAY = timedelta(days=1)
TABLES = frozenset({"DB.RAW.ORDERS", "DB.CORE.FCT_ORDERS"})
DROP = Truth("A1", "volume_drop", TABLES, START, START + timedelta(hours=5))


def verdict(day: int, score: float | None, table: str = "DB.RAW.ORDERS", **columns: Any) -> dict[str, Any]:
    """Return a verdict on a day of November 2026; Elementary's rule flags from 3 on."""
    start = datetime(2026, 11, day)
    return {
        "full_table_name": table,
        "column_name": None,
        "metric_name": "row_count",
        "dimension": None,
        "bucket_start": start,
        "bucket_end": start + DAY,
        "score": score,
        "is_anomalous": score is not None and abs(score) > 3,
        "reason": "not enough data" if score is None else "as expected",
        **columns,
    }


@pytest.mark.parametrize(
    ("what", "flagged"),
    [
        ("on its day", verdict(3, -4.0)),
        ("on the next morning", verdict(4, -4.0)),
        ("downstream", verdict(3, -4.0, "DB.CORE.FCT_ORDERS")),
        ("at a moment", verdict(3, -4.0, bucket_start=None)),
    ],
)
def test_a_moved_metric_that_is_flagged_in_place_and_time_finds_the_incident(what: str, flagged: Any) -> None:
    found = outcome(DROP, [flagged, verdict(5, -9.0)], 3)

    assert (found.status, found.verdict, found.delay) == ("found", flagged, flagged["bucket_end"] - START), what


@pytest.mark.parametrize(
    ("what", "flagged"),
    [
        ("before it began", verdict(2, -4.0)),
        ("after its grace", verdict(5, -4.0)),
        ("another table", verdict(3, -4.0, "DB.RAW.EVENTS")),
    ],
)
def test_a_bucket_elsewhere_or_at_another_time_does_not(what: str, flagged: Any) -> None:
    assert outcome(DROP, [flagged], 3).status == "missed", what


def test_a_metric_that_such_an_incident_does_not_move_is_a_coincidence() -> None:
    rows = [verdict(3, 5.0, metric_name="execution_time"), verdict(3, -2.0)]

    found = outcome(DROP, rows, 3)

    assert (found.status, found.reason) == ("coincidence", "below the bar: orders row_count scored -2.00 of 3")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([verdict(3, 0.1, metric_name="execution_time")], "nothing collects row_count, dimension, sum,"),
        ([verdict(9, 0.1)], "no bucket of row_count, dimension, sum,"),
        ([verdict(3, None)], "no verdict: not enough data"),
        ([verdict(3, -2.5), verdict(4, 1.0)], "below the bar: orders row_count scored -2.50 of 3"),
        ([verdict(3, -7.0, is_anomalous=False)], "not flagged: orders row_count: as expected"),
    ],
    ids=["no monitor", "no bucket", "too young", "below the bar", "let pass"],
)
def test_a_miss_says_why(rows: Any, reason: str) -> None:
    missed = outcome(DROP, rows, 3)

    assert missed.status == "missed"
    assert missed.reason.startswith(reason)


def test_chance_is_the_share_of_quiet_days_on_which_it_would_have_been_found_as_well() -> None:
    rows = [verdict(day, -4.0 if day in (3, 20) else 0.0) for day in range(1, 31)]

    # Two days see the 20th: itself and, by the grace, the 19th. Those that overlap the incident are not tried.
    assert chance(DROP, rows, [DROP]) == pytest.approx(2 / 27)


def test_what_is_flagged_outside_every_incident_is_a_false_alarm() -> None:
    rows = [
        verdict(3, -4.0),
        verdict(4, 9.0, metric_name="execution_time"),
        verdict(6, 0.0),
        verdict(7, 5.0),
        verdict(7, 5.0, metric_name="freshness"),
        verdict(8, None),
        verdict(3, 4.0, "DB.RAW.EVENTS"),
    ]

    assert quiet(rows, [DROP]) == Quiet(table_days=3, alarmed=2, buckets=3)


def test_an_incident_of_everything_is_everywhere() -> None:
    outage = Truth("A2", "orchestrator_outage", None, START, START + DAY)

    assert outcome(outage, [verdict(3, -4.0, "SHOP", metric_name="invocations")], 3).status == "found"
