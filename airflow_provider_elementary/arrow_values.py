"""Makes Arrow arrays of plain values without importing pandas.

``pyarrow.array``, ``pyarrow.scalar`` and what takes Python values import pandas, where it is installed, to know its
values from others. A server would spend time and memory on it in each process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)


def array_of_numbers(
    values: np.ndarray, kind: pa.DataType | None = None, *, is_null: np.ndarray | None = None, nan_is_null: bool = False
) -> pa.Array[Any]:
    """Return the values of a NumPy array; its memory is shared where Arrow has the same form.

    :param kind: numbers, booleans, or timestamps that are given as whole numbers; that of the values by default.
    :param is_null: which values are null; a time that is none is null too.
    :param nan_is_null: a value that is no number is null too.
    """
    if values.dtype.kind == "M" or (nan_is_null and values.dtype.kind == "f"):
        is_null = np.isnan(values) if is_null is None else is_null | np.isnan(values)
    validity = None if is_null is None or not is_null.any() else _bits(~is_null)
    kind = kind or pa.from_numpy_dtype(values.dtype)
    if pa.types.is_boolean(kind):
        return pa.Array.from_buffers(kind, len(values), [validity, _bits(values.astype(bool, copy=False))])
    stored = np.ascontiguousarray(values, _numpy_type(kind))
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(stored)])


def array_of(values: Iterable[Any], kind: pa.DataType) -> pa.Array[Any]:
    """Return values of one type, or None, as an Arrow array.

    :param kind: texts, numbers, booleans, timestamps in microseconds without a zone, or a struct of them, of mappings.
    :raises ValueError: timestamps of another unit.
    """
    given = list(values)
    is_null = np.fromiter((value is None for value in given), bool, len(given))
    if pa.types.is_string(kind):
        texts = [b"" if value is None else value.encode() for value in given]
        ends = np.zeros(len(given) + 1, np.int32)
        np.cumsum(np.fromiter(map(len, texts), np.int32, len(texts)), out=ends[1:])
        validity = _bits(~is_null) if is_null.any() else None
        return pa.Array.from_buffers(kind, len(given), [validity, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))])
    if pa.types.is_struct(kind):
        rows = [{} if value is None else value for value in given]
        children = [array_of([row.get(field.name) for row in rows], field.type) for field in kind]
        return pa.Array.from_buffers(kind, len(given), [_bits(~is_null)], children=children)
    if pa.types.is_timestamp(kind):
        if kind.unit != "us":
            raise ValueError(f"Timestamps are made in microseconds, not in {kind.unit}. Cast them afterwards.")
        given = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in given]
        stored: Any = np.int64
    else:
        stored = bool if pa.types.is_boolean(kind) else _numpy_type(kind)
    numbers = np.fromiter((0 if value is None else value for value in given), stored, len(given))
    return array_of_numbers(numbers, kind, is_null=is_null)


def numpy_of(column: pa.ChunkedArray[Any] | pa.Array[Any]) -> np.ndarray:
    """Return numbers, or booleans without nulls, as a NumPy array; numbers with nulls as floats, NaN for null."""
    if isinstance(column, pa.Array):
        return _numbers_of(column)
    kind = bool if pa.types.is_boolean(column.type) else _numpy_type(column.type)
    return np.concatenate([np.zeros(0, kind), *map(_numbers_of, column.chunks)])


def arrow_table_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table; a column that a row lacks is null in it."""
    columns = [array_of([row.get(field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def scalar_of(value: Any, kind: pa.DataType) -> pa.Scalar[Any]:
    """Return a value as a scalar of Arrow; see :func:`array_of`."""
    return array_of([value], kind)[0]


def is_one_of(column: pa.ChunkedArray[Any], *values: Any) -> pa.ChunkedArray[Any]:
    """Return which values of a column are one of these; a null is, where None is given.

    :param column: of what :func:`array_of` makes, texts of any length, a dictionary of them, or nulls without a type.
    """
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    known = array_of(values, pa.string()).cast(kind) if pa.types.is_large_string(kind) else array_of(values, kind)
    found: pa.ChunkedArray[Any] = pc.is_in(column, known)
    return found


def true_values(column: Any) -> Any:
    """Return which values of a column of booleans are true; a null is not."""
    return pc.and_kleene(pc.is_valid(column), column)


def flags_of(column: pa.ChunkedArray[Any] | pa.Array[Any]) -> np.ndarray:
    """Return which values of a column of booleans are true, as a NumPy array; a null is not."""
    return numpy_of(true_values(column))


def without_nulls(column: Any, value: str) -> Any:
    """Return a column of texts with a text in place of each null."""
    return pc.fill_null(column, scalar_of(value, pa.string()))


def _numbers_of(array: pa.Array[Any]) -> np.ndarray:
    is_null, values = array.buffers()
    part = slice(array.offset, array.offset + len(array))
    if pa.types.is_boolean(array.type):
        return _booleans(values)[part]
    numbers = np.frombuffer(values or b"", _numpy_type(array.type))[part]
    return np.where(_booleans(is_null)[part], numbers, np.nan) if array.null_count else numbers


def _numpy_type(kind: pa.DataType) -> np.dtype[Any]:
    """Return the NumPy type of numbers or times; Arrow's own conversion imports pandas before its release 26."""
    if pa.types.is_timestamp(kind):
        return np.dtype(f"datetime64[{kind.unit}]")
    return np.dtype({"double": "f8", "float": "f4", "halffloat": "f2"}.get(str(kind), str(kind)))


def _booleans(bits: pa.Buffer | None) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bits or b"", np.uint8), bitorder="little").astype(bool)


def _bits(values: np.ndarray) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
