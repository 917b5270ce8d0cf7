"""Declares what a metric is: unit, family, direction and query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import pyarrow as pa

from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, PLACE_COLUMNS, TARGET_COLUMNS, table_sql
from airflow_provider_elementary.metrics.facts import Fact

Family = Literal["count", "percent", "duration", "sum", "number"]

#: The long table of metrics, with Elementary's own column names.
METRICS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("full_table_name", pa.string()),
        ("column_name", pa.string()),
        ("metric_name", pa.string()),
        ("metric_type", pa.string()),
        ("dimension", pa.string()),
        ("dimension_value", pa.string()),
        ("metric_properties", pa.string()),
        ("bucket_start", pa.timestamp("us")),
        ("bucket_end", pa.timestamp("us")),
        ("bucket_duration_hours", pa.int64()),
        ("metric_value", pa.float64()),
        ("updated_at", pa.timestamp("us")),
    ]
)
#: The family of each unit: how values are modelled and written. A metric whose unit is not here cannot be declared.
FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "rows": "count",
        "runs": "count",
        "tests": "count",
        "columns": "count",
        "dbt commands": "count",
        "%": "percent",
        "0-100": "percent",
        "s": "duration",
        "column's total": "sum",
        "column's": "number",
        "characters": "number",
        "ratio": "number",
    }
)


@dataclass(frozen=True)
class Metric:
    """One metric, as it is named in ``metric_name``.

    :param name: its name.
    :param unit: one of :data:`FAMILIES`.
    :param formula: how it is computed, in words.
    :param is_scored: whether anomalies are looked for; pass rates and the like are results of checks already.
    :param is_signed: whether values may be below zero, so that the expected range may be too.
    :param is_spikes_only: whether only values that are too high are anomalies, whatever the configured direction.
    :param is_raw: whether a value is that of a single row, so that it must not leave the store in plain text.
    """

    name: str
    unit: str
    formula: str
    is_scored: bool = True
    is_signed: bool = False
    is_spikes_only: bool = False
    is_raw: bool = False

    def __post_init__(self) -> None:
        if self.unit not in FAMILIES:
            raise ValueError(f"Metric {self.name} has the unknown unit {self.unit!r}. Add the unit to FAMILIES.")

    @property
    def family(self) -> Family:
        """How its values are modelled and written."""
        return FAMILIES[self.unit]


@dataclass(frozen=True)
class Definition:
    """How some metrics are computed.

    :param metrics: the metrics that the query yields.
    :param grain: what one value stands for, in words.
    :param needs: the tables and columns that the query reads; without them the metrics are left out.
    :param facts: what the query reads, made of these tables.
    :param query: a DuckDB query over facts that yields ``full_table_name``, ``metric_name``, ``dimension``,
        ``dimension_value``, ``day``, ``metric_value`` and ``updated_at``.
    :param useful: columns that the query reads too, and that are null where the source does not hold them.
    :param places: as ``useful``, of what says which table an execution belongs to.
    """

    metrics: tuple[Metric, ...]
    grain: str
    needs: Mapping[str, tuple[str, ...]]
    query: str
    facts: tuple[Fact, ...] = ()
    useful: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    places: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics' names."""
        return tuple(metric.name for metric in self.metrics)


#: The metrics that Elementary's package collects (its monitors), under its own names.
COLLECTED = (
    Metric("row_count", "rows", "rows of the table in the bucket"),
    Metric("dimension", "rows", "rows of one value of a dimension in the bucket"),
    Metric("freshness", "s", "longest time without new rows", is_spikes_only=True),
    Metric("event_freshness", "s", "longest time between an event and its loading", is_spikes_only=True),
    Metric("null_count", "rows", "rows in which the column is null"),
    Metric("null_percent", "%", "null_count relative to all rows"),
    Metric("not_null_percent", "%", "100 - null_percent"),
    Metric("missing_count", "rows", "rows in which the column is null, empty or 'null'"),
    Metric("missing_percent", "%", "missing_count relative to all rows"),
    Metric("not_missing_percent", "%", "100 - missing_percent"),
    Metric("zero_count", "rows", "rows in which the column is 0"),
    Metric("zero_percent", "%", "zero_count relative to all rows"),
    Metric("not_zero_percent", "%", "100 - zero_percent"),
    Metric("count_true", "rows", "rows in which the column is true"),
    Metric("count_false", "rows", "rows in which the column is false"),
    Metric("min_length", "characters", "shortest text of the column"),
    Metric("max_length", "characters", "longest text of the column"),
    Metric("average_length", "characters", "mean length of the column's texts"),
    Metric("min", "column's", "smallest value of the column", is_signed=True, is_raw=True),
    Metric("max", "column's", "largest value of the column", is_signed=True, is_raw=True),
    Metric("average", "column's", "mean of the column", is_signed=True),
    Metric("standard_deviation", "column's", "standard deviation of the column", is_signed=True),
    Metric("variance", "column's", "variance of the column", is_signed=True),
    Metric("sum", "column's total", "sum of the column", is_signed=True),
)

#: What names a dbt model's table.
MODEL_COLUMNS = ("unique_id", "generated_at", "database_name", "schema_name", "alias")

#: A common table expression: of each model its tables, one for each database and schema; of several rows the newest.
MODELS = f"""
models AS (
    SELECT
        unique_id,
        {table_sql("coalesce(nullif(trim(alias), ''), name)")} AS full_table_name
    FROM dbt_models
    WHERE nullif(trim(unique_id), '') IS NOT NULL AND full_table_name IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY unique_id, database_name, schema_name ORDER BY generated_at DESC NULLS LAST
    ) = 1
)
"""  # noqa: S608 - constants


def place_columns(*artifacts: str) -> dict[str, tuple[str, ...]]:
    """Return what :func:`~airflow_provider_elementary.elementary_schema.nodes.places_sql` reads, by table."""
    named = {artifact: (*PLACE_COLUMNS, ARTIFACTS[artifact]) for artifact in artifacts}
    return {**named, **TARGET_COLUMNS}


def together(*uses: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the columns of several mappings by table, each once."""
    found: dict[str, dict[str, None]] = {}
    for use in uses:
        for table, names in use.items():
            found.setdefault(table, {}).update(dict.fromkeys(names))
    return {table: tuple(names) for table, names in found.items()}
