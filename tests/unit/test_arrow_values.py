"""Tests that Arrow arrays are made of plain values as Arrow makes them, and without pandas."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from airflow_provider_elementary.arrow_values import (
    array_of,
    array_of_numbers,
    arrow_table_of,
    flags_of,
    is_one_of,
    numpy_of,
    scalar_of,
    true_values,
    without_nulls,
)

PERIOD = pa.struct([("period", pa.string()), ("count", pa.int64())])
VALUES: list[tuple[list[Any], pa.DataType]] = [
    (["é", None, "", "a\0b"], pa.string()),
    ([True, None, False], pa.bool_()),
    ([1, None, -(2**62)], pa.int64()),
    ([1.5, None, 0.0, -0.0], pa.float64()),
    ([datetime(2026, 1, 1, 1, 2, 3, 4), None, datetime.min, datetime.max], pa.timestamp("us")),
    ([{"period": "day", "count": 1}, None, {"period": None, "count": None}, {}], PERIOD),
]


@pytest.mark.parametrize(("values", "kind"), VALUES, ids=[str(kind) for _, kind in VALUES])
@pytest.mark.parametrize("part", [slice(None), slice(1), slice(0)], ids=["some null", "none null", "no value"])
def test_an_array_is_the_one_that_arrow_makes(values: list[Any], kind: pa.DataType, part: slice) -> None:
    made = array_of(values[part], kind)

    made.validate(full=True)
    assert made.type == kind
    assert made.equals(expected := pa.array(values[part], kind))
    # As texts too: both zeros are equal.
    assert str(made.to_pylist()) == str(expected.to_pylist())


@pytest.mark.parametrize("unit", ["s", "ms", "ns"])
def test_times_are_made_in_microseconds_alone(unit: Any) -> None:
    with pytest.raises(ValueError, match=f"not in {unit}"):
        array_of([datetime(2026, 1, 1)], pa.timestamp(unit))


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint64, np.float64, bool])
def test_numbers_go_to_arrow_and_back(kind: type) -> None:
    values = np.array([3, 0, 1, 0, 7, 1, 0, 1, 1]).astype(kind)[::2]
    made = array_of_numbers(values)

    made.validate(full=True)
    assert made.equals(pa.array(values))
    assert numpy_of(made.slice(1)).tolist() == values[1:].tolist()
    assert numpy_of(pa.chunked_array([made, made.slice(2)])).tolist() == [*values, *values[2:]]
    assert numpy_of(pa.chunked_array([], made.type)).dtype == values.dtype


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.array([0, 1, 300_000], np.int32), pa.int64()),
        (np.array([0, 1, 2]), pa.float64()),
        (np.array([0, 1, 2], ">i8"), None),
        (np.array([True, False]), pa.int64()),
        (np.array([0, 2]), pa.bool_()),
        (np.array([0, 10**15]), pa.timestamp("us")),
        (np.array(["2026-01-01", "NaT"], "M8[us]"), None),
        (np.array(["2026-01-01", "NaT"], "M8[s]"), pa.timestamp("us")),
    ],
    ids=str,
)
def test_numbers_of_another_kind_become_it(values: np.ndarray, kind: pa.DataType | None) -> None:
    made = array_of_numbers(values, kind)

    made.validate(full=True)
    assert made.equals(pa.array(values.astype(values.dtype.newbyteorder("="))).cast(kind or made.type))


def test_what_is_no_number_is_null_and_comes_back() -> None:
    values = np.array([1.0, np.nan, 3.0])

    assert array_of_numbers(values, nan_is_null=True).to_pylist() == [1.0, None, 3.0]
    assert array_of_numbers(values, is_null=values == 3, nan_is_null=True).to_pylist() == [1.0, None, None]
    assert array_of_numbers(np.array([4, 5]), is_null=np.array([True, False])).to_pylist() == [None, 5]
    assert np.isnan(numpy_of(pa.array([2, None, 3]).slice(1))).tolist() == [True, False]


def test_a_column_that_rows_lack_is_null() -> None:
    made = arrow_table_of([{"a": "x"}, {"a": None, "b": 2}], pa.schema({"a": pa.string(), "b": pa.int64()}))

    assert made.to_pylist() == [{"a": "x", "b": None}, {"a": None, "b": 2}]


def test_columns_are_compared_with_values() -> None:
    column = pa.chunked_array([["a", None, ""]])

    assert is_one_of(column, "a").to_pylist() == [True, False, False]
    assert is_one_of(column.dictionary_encode(), "", None).to_pylist() == [False, True, True]
    assert is_one_of(column).to_pylist() == [False, False, False]
    for kind in (pa.large_string(), pa.dictionary(pa.int32(), pa.large_string())):
        assert is_one_of(column.cast(pa.large_string()).cast(kind), "", None).to_pylist() == [False, True, True]
    assert is_one_of(pa.chunked_array([pa.nulls(2)]), "a").to_pylist() == [False, False]
    assert is_one_of(pa.chunked_array([pa.nulls(2)]), "", None).to_pylist() == [True, True]
    assert true_values(pa.array([True, None, False])).to_pylist() == [True, False, False]
    assert flags_of(pa.array([True, None, False])).tolist() == [True, False, False]
    assert without_nulls(column, "-").to_pylist() == ["a", "-", ""]
    assert scalar_of(datetime(2026, 1, 1), pa.timestamp("us")).as_py() == datetime(2026, 1, 1)


def test_nothing_of_it_imports_pandas() -> None:
    program = """
import sys
import numpy as np, pyarrow as pa
from datetime import datetime
from airflow_provider_elementary.arrow_values import *
table = arrow_table_of([{"a": "x", "b": 1.5, "c": datetime(2026, 1, 1), "d": True}], pa.schema(
    {"a": pa.string(), "b": pa.float64(), "c": pa.timestamp("us"), "d": pa.bool_()}))
rows = table.filter(is_one_of(table["a"], "x")).take(array_of_numbers(np.array([0]))).sort_by("a")
rows.to_pylist(), numpy_of(rows["b"]), without_nulls(rows["a"], ""), true_values(rows["d"]), scalar_of(1, pa.int8())
print("pandas" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "False"
