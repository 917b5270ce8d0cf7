"""Compares a table's watermark in the warehouse's SQL."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

from sqlglot import exp

from airflow_provider_elementary.warehouses.registry import by_dialect

_WRAPPED = re.compile(r"(?:nullable|lowcardinality)\((.*)\)")


class WatermarkType(StrEnum):
    """What the warehouse can compare a watermark with."""

    LOCAL = "local"
    """A time without a zone: that of the session which wrote it."""
    INSTANT = "instant"
    """A time with a zone; it leaves the warehouse in UTC."""
    NANOSECONDS = "nanoseconds"
    """A time without a zone that reaches from 1677 to 2262 only."""
    EPOCH = "epoch"
    """A count since 1970, which a session's time zone only shows: ClickHouse's, of any precision."""
    OTHER = "other"
    """Any other type, as text and numbers: rows are compared after they are read."""


class Undated(StrEnum):
    """Which rows without a usable watermark a read meets."""

    NONE = "none"
    """Those of a time span have one; without a span, rows with a null watermark come too."""
    COUNTED = "counted"
    """No other comes, and those whose watermark is no time are counted, whatever the span."""
    NULL = "null"
    """As counted, and those with a null watermark come."""
    ALL = "all"
    """All come, with null in the watermark."""


def watermark_type(declared: str, dialect: str) -> WatermarkType:
    """Return what a column can be compared with.

    :param declared: its type, as the warehouse's information schema says.
    """
    kind = declared.strip().lower()
    while wrapped := _WRAPPED.fullmatch(kind):
        kind = wrapped[1]
    warehouse = by_dialect(dialect)
    if warehouse.counts_time_since_1970 and re.match(r"datetime(?:64)?(?:\(|$)", kind):
        return WatermarkType.EPOCH
    if kind in warehouse.instants or re.match(r"timestamp_?(?:l?tz)\b|datetimeoffset", kind):
        return WatermarkType.INSTANT
    if re.match(r"timestamp.* with (?:local )?time zone", kind):
        return WatermarkType.INSTANT
    if kind == "timestamp_ns":
        return WatermarkType.NANOSECONDS
    is_time = re.match(r"timestamp|datetime|smalldatetime|date", kind) and not kind.startswith("daterange")
    return WatermarkType.LOCAL if is_time else WatermarkType.OTHER


def earliest_watermark(kind: WatermarkType) -> datetime:
    """Return a time that no usable watermark of that type lies before."""
    return datetime(1678, 1, 1) if kind is WatermarkType.NANOSECONDS else datetime.min


def watermark_bound(moment: datetime, kind: WatermarkType) -> exp.Cast:
    """Return a time as SQL that a watermark of that type is compared with, whatever the session's time zone."""
    text = moment.isoformat(sep=" ", timespec="microseconds")
    if kind is WatermarkType.EPOCH:
        # The plain type has neither microseconds nor this zone.
        return exp.cast(exp.Literal.string(text), exp.DataType.build("DateTime64(6, 'UTC')", dialect="clickhouse"))
    if kind is WatermarkType.INSTANT:
        return exp.cast(exp.Literal.string(f"{text}+00:00"), "timestamptz")
    return exp.cast(exp.Literal.string(text), "timestamp")
