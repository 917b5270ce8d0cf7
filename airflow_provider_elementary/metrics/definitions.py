"""What a metric is: its facts and the DuckDB query that computes it; the metrics themselves are in a file a subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Metric:
    """One computed metric, as it stands in ``metric_name``.

    :param name: its name.
    :param unit: ``s``, ``%``, ``rows``, …
    :param formula: how it is computed, in words.
    :param judged: whether anomalies are looked for; rates of verdicts are verdicts already.
    """

    name: str
    unit: str
    formula: str
    judged: bool = True


@dataclass(frozen=True)
class Definition:
    """How some metrics come about.

    :param metrics: the metrics that the query yields.
    :param grain: what one value stands for, in words.
    :param needs: the tables that the query reads, each with the columns that it reads; without them there is none.
    :param query: a DuckDB query over these tables that yields ``full_table_name``, ``metric_name``, ``dimension``,
        ``dimension_value``, ``day``, ``metric_value`` and ``updated_at``.
    :param useful: columns that the query reads too, and that are null where the source does not hold them.
    """

    metrics: tuple[Metric, ...]
    grain: str
    needs: Mapping[str, tuple[str, ...]]
    query: str
    useful: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics' names."""
        return tuple(metric.name for metric in self.metrics)


#: What names a dbt model's table.
MODEL_COLUMNS = ("unique_id", "generated_at", "database_name", "schema_name", "alias")

#: A common table expression: of each model its table; of several rows of one model the newest counts.
MODELS = """
models AS (
    SELECT unique_id, upper(concat_ws('.', nullif(database_name, ''), schema_name, alias)) AS full_table_name
    FROM dbt_models
    QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY generated_at DESC NULLS LAST) = 1
)
"""
