"""Converts drivers' values to Elementary's types and counts misfits."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.warehouses.time_values import holds_value, to_times

_NO_NUMBER = "text that is no number"
_NOT_FINITE = "number that is not finite"
_NO_INTEGER = "number that is no integer of 64 bits"
_NO_BOOLEAN = "value that is no boolean"
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
_NULLS = frozenset({"", "null", "none"})


@dataclass
class Rejections:
    """Counts values and rows that could not be used, by table, column and kind of value; never a value itself.

    :param values: values that are null from now on, by ``(table, column, kind)``.
    :param rows: rows that were left out, by ``(table, column, kind)``.
    """

    values: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    rows: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def discard(self, table: str) -> None:
        """Discard the counts of a table that is read again."""
        for counts in (self.values, self.rows):
            for entry in [entry for entry in counts if entry[0] == table]:
                del counts[entry]

    def carry(self, table: str, entries: Sequence[Mapping[str, Any]]) -> None:
        """Count for a table what an earlier :meth:`to_list` says of it, in place of what was met."""
        self.discard(table)
        for entry in entries:
            if entry["table"] == table:
                counts, unit = (self.rows, "rows") if "rows" in entry else (self.values, "values")
                counts[table, entry["column"], entry["kind"]] = entry[unit]

    def add(self, other: Rejections, tables: Collection[str] | None = None) -> None:
        """Count what another session counted, of some tables or of all."""
        for own, counts in ((self.values, other.values), (self.rows, other.rows)):
            own.update({entry: count for entry, count in counts.items() if tables is None or entry[0] in tables})

    def to_list(self) -> list[dict[str, Any]]:
        """Return the counts as JSON values, for the manifest."""
        return [
            {"table": table, "column": column, "kind": kind, unit: count}
            for unit, counts in (("rows", self.rows), ("values", self.values))
            for (table, column, kind), count in sorted(counts.items())
            if count
        ]


def conform(
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    table: str,
    rejections: Rejections,
    watermark: str | None = None,
) -> Iterator[pa.RecordBatch]:
    """Give a driver's batches the catalog's names and types; a value that does not fit becomes null and is counted.

    :param watermark: the column that dates a row: a row is left out where that value does not fit.
    """
    for batch in batches:
        columns, unusable = [], None
        for array, wanted in zip(batch.columns, schema, strict=True):
            converted, kinds = to_type(array, wanted.type)
            columns.append(converted)
            counts = rejections.rows if wanted.name == watermark else rejections.values
            for kind, count in kinds.items():
                counts[table, wanted.name, kind] += count
            if wanted.name == watermark and kinds:
                unusable = pc.and_(holds_value(array), pc.is_null(converted))
        conformed = pa.RecordBatch.from_arrays(columns, schema=schema)
        yield conformed if unusable is None else conformed.filter(pc.invert(unusable))


def to_type(values: pa.Array, target: pa.DataType) -> tuple[pa.Array, Mapping[str, int]]:
    """Return values in another type, null where one does not fit, and how many of each kind did not."""
    values = _plain(values)
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), target), {}
    if pa.types.is_timestamp(target):
        return to_times(values)
    if pa.types.is_floating(target):
        return _finite(*_to_number(values, target))
    if values.type == target:
        return values, {}
    if pa.types.is_integer(target):
        return _to_number(values, target)
    if pa.types.is_boolean(target):
        return _each(values, target, _boolean, _NO_BOOLEAN)
    return _to_text(values)


def _plain(values: pa.Array) -> pa.Array:
    """Return the values of an extension type, a dictionary or a view as those of the plain type."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_string_view(values.type):
        return values.cast(pa.string())
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _to_number(values: pa.Array, target: pa.DataType) -> tuple[pa.Array, Mapping[str, int]]:
    if values.type == target:
        return values, {}
    kind = values.type
    if pa.types.is_floating(target) and (pa.types.is_decimal(kind) or pa.types.is_floating(kind)):
        return pc.cast(values, target, safe=False), {}
    try:
        # An integer column of the warehouse holds integers: what casts without loss, casts at once.
        return values.cast(target), {}
    except pa.ArrowException:
        read = _float if pa.types.is_floating(target) else _integer
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        bad = _NO_NUMBER if is_text else _NO_INTEGER if pa.types.is_integer(target) else f"type {kind}"
        return _each(values, target, read, bad)


def _finite(values: pa.Array, kinds: Mapping[str, int]) -> tuple[pa.Array, Mapping[str, int]]:
    finite = pc.is_finite(values)
    if pc.all(finite, min_count=0).as_py():
        return values, kinds
    count = pc.sum(pc.invert(finite)).as_py()
    return pc.if_else(finite, values, pa.scalar(None, values.type)), {**kinds, _NOT_FINITE: count}


def _to_text(values: pa.Array) -> tuple[pa.Array, Mapping[str, int]]:
    kind = values.type
    is_uuid = pa.types.is_fixed_size_binary(kind) and kind.byte_width == 16
    if not (is_uuid or pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        try:
            return values.cast(pa.string()), {}
        except pa.ArrowException:
            pass
    return _each(values, pa.string(), partial(_text, is_uuid=is_uuid), f"type {kind}")


def _each(
    values: pa.Array, target: pa.DataType, read: Callable[[Any], Any], bad: str
) -> tuple[pa.Array, Mapping[str, int]]:
    """Convert value by value; what cannot be read becomes null."""
    converted: list[Any] = []
    count = 0
    for value in _pylist(values):
        try:
            converted.append(None if value is None else read(value))
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            converted.append(None)
            count += 1
    return pa.array(converted, target), {bad: count} if count else {}


def _pylist(values: pa.Array) -> Sequence[Any]:
    try:
        found: Sequence[Any] = values.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        # Of nested values some lie outside of what Python holds.
        return [object() if value.is_valid else None for value in values]
    return found


def _float(value: Any) -> float | None:
    if isinstance(value, str) and value.strip().lower() in _NULLS:
        return None
    return float(value)


def _integer(value: Any) -> int | None:
    if isinstance(value, str):
        if (value := value.strip().lower()) in _NULLS:
            return None
        value = Decimal(value)
    number = int(value)
    if number != value or not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _boolean(value: Any) -> bool | None:
    text = str(value).strip().lower()
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError


def _text(value: Any, *, is_uuid: bool) -> str:
    if isinstance(value, bytes):
        # PostgreSQL's uuid comes as its 16 bytes.
        return str(uuid.UUID(bytes=value)) if is_uuid else value.decode()
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    if type(value) is object:
        raise ValueError
    return str(value)
