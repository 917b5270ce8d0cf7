"""Values of types that the package does not declare: each is converted or null, and counted by kind."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_elementary.warehouses.values import Rejections, conform, to_type
from airflow_provider_elementary.warehouses.watermarks import WatermarkType, watermark_type

ID = uuid.UUID("0195e6a2-0000-7000-8000-000000000001")


@pytest.mark.parametrize(
    ("values", "target", "converted"),
    [
        (pa.array(["1.5", " ", "NULL"]), pa.float64(), [1.5, None, None]),
        (pa.array([Decimal("1.50")]), pa.float64(), [1.5]),
        (pa.array([1.5], pa.float32()), pa.float64(), [1.5]),
        (pa.array([7], pa.int32()), pa.int64(), [7]),
        (pa.array([7.0]), pa.int64(), [7]),
        (pa.array([Decimal("7.00")]), pa.int64(), [7]),
        (pa.array(["7", "7.0"]), pa.int64(), [7, 7]),
        (pa.array(["t", "FALSE", "1", "no"]), pa.bool_(), [True, False, True, False]),
        (pa.array([1, 0]), pa.bool_(), [True, False]),
        (pa.array([True]), pa.string(), ["true"]),
        (pa.array([12]), pa.string(), ["12"]),
        (pa.array([["a", "ä"]]), pa.string(), ['["a", "ä"]']),
        (pa.array([{"a": 1}]), pa.string(), ['{"a": 1}']),
        (pa.array([b"text"]), pa.string(), ["text"]),
        (pa.array([ID.bytes], pa.binary(16)), pa.string(), [str(ID)]),
        (pa.array([datetime(2026, 1, 2)]), pa.string(), ["2026-01-02 00:00:00.000000"]),
        (pa.array(["a", "a"]).dictionary_encode(), pa.string(), ["a", "a"]),
        (pa.array(["a"], pa.string_view()), pa.string(), ["a"]),
        (pa.array(["1.5"], pa.string_view()), pa.float64(), [1.5]),
        (pa.array(["2026-01-02"], pa.string_view()), pa.timestamp("us"), [datetime(2026, 1, 2)]),
        (pa.nulls(2), pa.int64(), [None, None]),
    ],
)
def test_a_value_that_fits_is_converted(values: pa.Array, target: pa.DataType, converted: list[Any]) -> None:
    found, kinds = to_type(values, target)

    assert (found.type, found.to_pylist(), kinds) == (target, converted, {})


@pytest.mark.parametrize(
    ("values", "target", "kinds"),
    [
        (pa.array([float("nan"), float("inf"), float("-inf"), 1.0]), pa.float64(), {"number that is not finite": 3}),
        (pa.array(["NaN", "1"]), pa.float64(), {"number that is not finite": 1}),
        (pa.array(["many", "1"]), pa.float64(), {"text that is no number": 1}),
        (pa.array([0.5, 1.0]), pa.int64(), {"number that is no integer of 64 bits": 1}),
        (pa.array([Decimal(10) ** 30, Decimal(1)]), pa.int64(), {"number that is no integer of 64 bits": 1}),
        (pa.array([2**64 - 1, 1], pa.uint64()), pa.int64(), {"number that is no integer of 64 bits": 1}),
        (pa.array(["maybe", "true"]), pa.bool_(), {"value that is no boolean": 1}),
        (pa.array([b"\xff", b"a"]), pa.string(), {"type binary": 1}),
    ],
)
def test_a_value_that_does_not_fit_is_null_and_the_others_stay(
    values: pa.Array, target: pa.DataType, kinds: dict[str, int]
) -> None:
    found, counted = to_type(values, target)

    assert counted == kinds
    assert found.null_count == sum(kinds.values())


def test_a_row_whose_watermark_is_no_time_is_left_out_and_one_without_stays() -> None:
    schema = pa.schema([("id", pa.string()), ("created_at", pa.timestamp("us"))])
    batch = pa.record_batch({"id": ["good", "bad", "undated"], "created_at": ["2026-10-09 06:08:00", "CANARY", None]})
    rejections = Rejections()

    [conformed] = conform(iter([batch]), schema, "dbt_run_results", rejections, "created_at")

    assert conformed["id"].to_pylist() == ["good", "undated"]
    assert rejections.to_list() == [
        {"table": "dbt_run_results", "column": "created_at", "kind": "text that is no time", "rows": 1}
    ]


@pytest.mark.parametrize(
    ("declared", "dialect", "kind"),
    [
        ("timestamp without time zone", "postgres", WatermarkType.LOCAL),
        ("timestamp with time zone", "postgres", WatermarkType.INSTANT),
        ("TIMESTAMP WITH TIME ZONE", "duckdb", WatermarkType.INSTANT),
        ("TIMESTAMP_NS", "duckdb", WatermarkType.NANOSECONDS),
        ("TIMESTAMP_NTZ", "snowflake", WatermarkType.LOCAL),
        ("TIMESTAMP_LTZ", "snowflake", WatermarkType.INSTANT),
        ("TIMESTAMP_TZ(9)", "snowflake", WatermarkType.INSTANT),
        ("TIMESTAMP", "bigquery", WatermarkType.INSTANT),
        ("DATETIME", "bigquery", WatermarkType.LOCAL),
        ("timestamp(6) with time zone", "trino", WatermarkType.INSTANT),
        ("TIMESTAMP", "databricks", WatermarkType.INSTANT),
        ("datetime2", "tsql", WatermarkType.LOCAL),
        ("datetimeoffset", "tsql", WatermarkType.INSTANT),
        ("Nullable(DateTime64(6))", "clickhouse", WatermarkType.EPOCH),
        ("date", "postgres", WatermarkType.LOCAL),
        ("text", "postgres", WatermarkType.OTHER),
        ("daterange", "postgres", WatermarkType.OTHER),
        ("BIGINT", "duckdb", WatermarkType.OTHER),
        ("USER-DEFINED", "postgres", WatermarkType.OTHER),
    ],
)
def test_a_watermark_is_compared_in_the_warehouse_where_its_type_allows(
    declared: str, dialect: str, kind: WatermarkType
) -> None:
    assert watermark_type(declared, dialect) is kind
