"""Times in the forms that warehouses, adapters and people write them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.warehouses.time_values import BadTimeError, holds_value, read_time, to_times

SIX = datetime(2026, 10, 9, 6, 8)
FAR = np.iinfo(np.int64).max


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-10-09 06:08:00", SIX),
        ("2026-10-09T06:08:00Z", SIX),
        ("2026-10-09 06:08", SIX),
        ("2026-10-09T08:08:00+02:00", SIX),
        ("2026-10-09 08:08:00+02", SIX),
        ("2026-10-08 23:08:00 -0700", SIX),
        ("2026-10-09 11:53:00+05:45", SIX),
        ("2026-10-09 06:08:00 UTC", SIX),
        ("2026-10-09 06:08:00.000000 +0000 UTC", SIX),
        ("2026-10-09T06:08:00.123456789Z", SIX.replace(microsecond=123456)),
        ("2026-10-09 06:08:00.5", SIX.replace(microsecond=500000)),
        ("  2026-10-09 06:08:00  ", SIX),
        ("20261009T060800Z", SIX),
        ("2026/10/09 06:08:00", SIX),
        ("Oct 9 2026 06:08:00", SIX),
        ("2026-10-09", datetime(2026, 10, 9)),
        ("Oct 9 2026", datetime(2026, 10, 9)),
        ("2026-10-09T24:00:00", datetime(2026, 10, 10)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59)),
        ("1791526080", SIX),
        ("1791526080000", SIX),
        ("1791526080000000", SIX),
        ("1791526080000000000", SIX),
        ("1791526080.5", SIX.replace(microsecond=500000)),
        ("9999-12-31 23:59:59", datetime(9999, 12, 31, 23, 59, 59)),
        ('"2026-10-09T06:08:00Z"', SIX),
        ("'2026-10-09 06:08:00'", SIX),
        (' " 2026-10-09 06:08:00 " ', SIX),
        ('"1791526080"', SIX),
        ("1.79152608e9", SIX),
        ("1.79152608E+12", SIX),
        ("Fri, 09 Oct 2026 06:08:00 +0000", SIX),
        ("Fri, 9 Oct 2026 08:08:00 +0200", SIX),
        ("9 Oct 2026 02:08 EDT", SIX),
        ("Fri, 09 Oct 2026 06:08:00 GMT", SIX),
        ("Fri Oct  9 06:08:00 2026", SIX),
        ("Fri Oct 09 06:08:00 2026 UTC", SIX),
        ("Fri Oct  9 06:08:00 UTC 2026", SIX),
        ("Oct 9 2026 06:08:00 GMT", SIX),
        ("2026-10-09 06:08:00 AM", SIX),
        ("2026/10/9 12:08 am", SIX.replace(hour=0)),
        ("2026-10-09 06:08:00pm +00:00", SIX.replace(hour=18)),
        ("2026-W41-5", datetime(2026, 10, 9)),
        ("2026-10-09t06:08:00z", SIX),
        ("", None),
        ('""', None),
        ('"null"', None),
        ("null", None),
        ("NaT", None),
    ],
)
def test_a_time_in_text_is_read_in_utc_or_as_it_stands(text: str, moment: datetime | None) -> None:
    assert read_time(text) == moment


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("infinity", "infinite time"),
        ("-Infinity", "infinite time"),
        ("4713-01-01 00:00:00 BC", "time outside the years 1 to 9999"),
        ("10000-01-01 00:00:00", "time outside the years 1 to 9999"),
        ("294276-12-31 23:59:59", "time outside the years 1 to 9999"),
        ("0000-00-00 00:00:00", "time outside the years 1 to 9999"),
        ("9999-12-31 23:59:59-01:00", "time outside the years 1 to 9999"),
        ("2026-02-30 00:00:00", "text that is no time"),
        ("2026-10-09 25:00:00", "text that is no time"),
        ("yesterday", "text that is no time"),
        ("2026-10-09 06:08:00+99:00", "text that is no time"),
        ("CANARY", "text that is no time"),
        ('"CANARY"', "text that is no time"),
        ("NaN", "text that is no time"),
        ("12345", "text that is no time"),
        ("1e300", "text that is no time"),
        ("2026-10-09 13:08 PM", "text that is no time"),
        ("Fri, 31 Feb 2026 06:08:00 +0000", "text that is no time"),
        ("10/09/2026 06:08:00", "date with an ambiguous order of day and month"),
        ("13/10/2026", "date with an ambiguous order of day and month"),
        ("09.10.26 06:08", "date with an ambiguous order of day and month"),
        ("2026-10-09 06:08:00 America/New_York", "time in a named zone"),
        ("2026-10-09 06:08:00 CEST", "time in a named zone"),
        ("2026-10-09T08:08:00+02:00[Europe/Paris]", "time in a named zone"),
    ],
)
def test_what_is_no_time_is_named_by_its_kind_and_never_by_its_value(text: str, kind: str) -> None:
    with pytest.raises(BadTimeError) as caught:
        read_time(text)

    assert str(caught.value) == kind


@pytest.mark.parametrize(
    "values",
    [
        pa.array([SIX, None], pa.timestamp("us")),
        pa.array([SIX, None], pa.timestamp("s")),
        pa.array([SIX, None], pa.timestamp("ms")),
        pa.array([SIX, None], pa.timestamp("ns")),
        pa.array([SIX, None], pa.timestamp("us", tz="Asia/Tokyo")),
        pa.array(["2026-10-09 06:08:00", None]),
        pa.array(["2026-10-09T06:08:00Z", None], pa.large_string()),
        pa.array([1791526080, None], pa.int64()),
        pa.array([1791526080000, None], pa.int64()),
        pa.array([1791526080.0, None], pa.float64()),
        pa.array([Decimal("1791526080"), None], pa.decimal128(38, 0)),
    ],
    ids=lambda values: str(values.type),
)
def test_every_type_that_holds_a_time_gives_microseconds_without_a_zone(values: pa.Array) -> None:
    times, kinds = to_times(values)

    assert (times.type, times.to_pylist(), kinds) == (pa.timestamp("us"), [SIX, None], {})


def test_a_date_is_its_midnight() -> None:
    times, _ = to_times(pa.array([date(2026, 10, 9)]))

    assert times.to_pylist() == [datetime(2026, 10, 9)]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_infinite_and_far_times_become_null_and_are_counted_by_kind(unit: str) -> None:
    far = {"s": 1, "ms": 10**3, "us": 10**6}[unit] * 86_400 * 365 * 9_000
    values = pa.array([FAR, -FAR, -FAR - 1, far, -far, 0], pa.int64()).cast(pa.timestamp(unit))

    times, kinds = to_times(values)

    assert times.to_pylist() == [None] * 5 + [datetime(1970, 1, 1)]
    assert kinds == {"infinite time": 3, "time outside the years 1 to 9999": 2}


def test_repeated_bad_text_is_counted_as_often_as_it_comes() -> None:
    times, kinds = to_times(pa.array(["soon", "soon", "infinity", "2026-10-09 06:08:00", None]))

    assert times.to_pylist() == [None, None, None, SIX, None]
    assert kinds == {"text that is no time": 2, "infinite time": 1}


@pytest.mark.parametrize("value", [[1], {"a": 1}, True])
def test_a_type_that_holds_no_time_gives_nulls_and_names_the_type(value: Any) -> None:
    values = pa.array([value, None])

    times, kinds = to_times(values)

    assert (times.null_count, kinds) == (2, {f"type {values.type}": 1})


@pytest.mark.parametrize("nothing", ["", " ", "null", "None", "NaT", '""', '" null "', "'none'", '"NULL"'])
def test_text_for_null_holds_no_value(nothing: str) -> None:
    values = pa.array([nothing, "2026-10-09", '"2026-10-09"', "nullable", '"null', None])

    assert holds_value(values).to_pylist() == [False, True, True, True, True, False]
    assert read_time(nothing) is None
