"""Rows are compared by all of their contents, and match as often as they were taken."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import numpy as np
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
    taken.add(row_digests(rows(row, row, other), SCHEMA.names))

    recognised = taken.match(row_digests(rows(row, row, row), SCHEMA.names))

    assert recognised.to_pylist() == [True, True, False]
    assert len(taken) == 1


def test_rows_are_recognised_over_batches_and_in_any_order() -> None:
    numbers = np.random.default_rng(1).integers(0, 300, 1_000)
    taken, met = SeenRows(), Counter[int]()
    for part in np.split(numbers, 4):
        taken.add(row_digests(rows(*((str(one), "", AT, 1.0) for one in part)), SCHEMA.names))
    counts = Counter(numbers.tolist())

    for part in np.split(np.tile(np.arange(500), 4), 20):
        mask = taken.match(row_digests(rows(*((str(one), "", AT, 1.0) for one in part)), SCHEMA.names)).to_pylist()
        for one, known in zip(part.tolist(), mask, strict=True):
            met[one] += 1
            assert known == (met[one] <= counts[one])
    assert len(taken) == sum(max(0, count - 4) for count in counts.values())


def test_digests_with_a_key_differ_and_are_the_same_for_a_part_of_a_batch() -> None:
    batch = rows(("x", "y", AT, 1.0), ("x", None, None, 2.0))

    keyed = row_digests(batch, SCHEMA.names, b"key")

    assert not {*keyed} & {*row_digests(batch, SCHEMA.names)}
    assert keyed[1:] == row_digests(batch.slice(1), SCHEMA.names, b"key")
