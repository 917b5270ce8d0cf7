"""The geometry of charts: what is drawn of ordinary and of odd series."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from airflow_provider_elementary.page.charts import HEIGHT, WIDTH, Chart, bars, draw
from airflow_provider_elementary.page.series import Point, Series

FIRST = datetime(2026, 11, 1)


def chart(*values: float | None, low: float | None = None, high: float | None = None, anomalous: int = -1) -> Chart:
    points = [
        Point(FIRST + timedelta(days=day), FIRST + timedelta(days=day + 1), value, low, high, day == anomalous, "why")
        for day, value in enumerate(values)
    ]
    return draw(Series("row_count", None, 1, 1, tuple(points)), lambda metric, value: f"{value}")


def test_a_series_is_one_line() -> None:
    assert chart(1.0, 2.0, 3.0).line == ("M64.0,128.0L209.0,72.0L354.0,16.0",)


def test_a_bucket_without_a_value_interrupts_the_line() -> None:
    drawn = chart(1.0, 2.0, None, 4.0)

    assert len(drawn.line) == 1
    assert len(drawn.dots) == 1


@pytest.mark.parametrize(
    "values", [(), (None,), (5.0,), (5.0, 5.0), (float("inf"), 1.0), (float("nan"), 1.0), (1e300, -1e300)]
)
def test_an_odd_series_is_drawn_within_its_frame(values: tuple[float | None, ...]) -> None:
    drawn = chart(*values, low=0.0, high=10.0)

    assert all(0 <= y <= HEIGHT for y, _, _ in drawn.levels)
    assert all(0 <= dot.x <= WIDTH and 0 <= dot.y <= HEIGHT for dot in drawn.dots)
    assert "nan" not in "".join((*drawn.line, *drawn.band))
    assert "inf" not in "".join((*drawn.line, *drawn.band))


def test_the_expected_range_is_a_closed_shape() -> None:
    assert chart(1.0, 2.0, low=0.0, high=4.0).band == ("M64.0,16.0L354.0,16.0L354.0,128.0L64.0,128.0Z",)


def test_the_range_of_a_single_bucket_has_a_width() -> None:
    [band] = chart(2.0, low=0.0, high=4.0).band

    assert band == "M207.5,16.0L210.5,16.0L210.5,128.0L207.5,128.0Z"


def test_an_anomaly_is_marked_with_its_reason() -> None:
    [mark] = chart(1.0, 9.0, anomalous=1).marks

    assert (mark.x, mark.y, mark.text) == (354.0, 16.0, "why")


def test_a_chart_is_described_for_those_who_do_not_see_it() -> None:
    assert chart(1.0, 9.0, anomalous=1).description == (
        "2 buckets up to 03 Nov 2026 00:00 UTC, from 1.0 to 9.0, last 9.0. 1 is anomalous."
    )


@pytest.mark.parametrize("values", [[], [0], [0, 0], [1, 5, 3]])
def test_bars_stand_within_their_frame(values: list[float]) -> None:
    drawn = bars([(value, "text") for value in values])

    assert len(drawn) == len(values)
    assert all(0 <= bar.y and bar.y + bar.height <= HEIGHT and bar.x + bar.width <= WIDTH for bar in drawn)


def test_buckets_at_both_ends_of_the_calendar_are_drawn() -> None:
    ends = (datetime.min, datetime(2026, 11, 1), datetime.max)
    points = tuple(Point(end, end, 1.0, None, None, is_anomalous=False, reason="") for end in ends)

    [line] = draw(Series("row_count", None, 1, 1, points), lambda metric, value: f"{value}").line

    assert line.startswith("M64.0,")
    assert "L354.0," in line
