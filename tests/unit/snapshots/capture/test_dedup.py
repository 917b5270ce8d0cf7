"""Rows are compared by all of their contents, and match as often as they were taken."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.snapshots.capture.dedup import SeenRows, row_digests

SCHEMA = pa.schema([("a", pa.string()), ("b", pa.string()), ("at", pa.timestamp("us")), ("n", pa.float64())])
AT = datetime(2026, 11, 22)


def rows(*values: tuple[Any, ...]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in values], schema=SCHEMA)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("x", "y", AT, 1.0), ("x", "y", AT, 1.0000001)),
        (("x", "y", AT, 1.0), ("y", "x", AT, 1.0)),
        (("xy", "", AT, 1.0), ("x", "y", AT, 1.0)),
        (("1:x", "", AT, 1.0), ("", "1:x", AT, 1.0)),
        ((None, "y", AT, 1.0), ("", "y", AT, 1.0)),
        (("-", None, AT, 1.0), (None, "-", AT, 1.0)),
        (("x", "y", AT, None), ("x", "y", AT, float("nan"))),
        (("x", "y", AT, 1.0), ("x", "y", AT.replace(microsecond=1), 1.0)),
    ],
)
def test_rows_that_differ_have_different_digests(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert len(set(row_digests(rows(one, other), SCHEMA.names))) == 2


def test_a_digest_does_not_depend_on_the_order_of_columns() -> None:
    batch = rows(("x", "y", AT, 1.0))

    assert list(row_digests(batch, SCHEMA.names)) == list(
        row_digests(batch.select(["n", "at", "b", "a"]), SCHEMA.names)
    )


def test_a_column_that_is_not_there_counts_as_null() -> None:
    batch = rows(("x", None, AT, 1.0))

    assert list(row_digests(batch, SCHEMA.names)) == list(row_digests(batch.select(["a", "at", "n"]), SCHEMA.names))


def test_a_row_is_recognised_as_often_as_it_was_taken() -> None:
    row, other = ("x", "y", AT, 1.0), ("z", "y", AT, 1.0)
    taken = SeenRows()
    taken.add(rows(row, row, other), SCHEMA.names)

    recognised = taken.match(rows(row, row, row), SCHEMA.names)

    assert recognised.to_pylist() == [True, True, False]
    assert len(taken) == 1
