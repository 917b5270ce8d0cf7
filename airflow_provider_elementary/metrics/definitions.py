"""What a metric is: its facts and the DuckDB query that computes it; the metrics themselves are in a file a subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from airflow_provider_elementary.elementary_schema.nodes import ARTIFACTS, PLACE_COLUMNS, TARGET_COLUMNS, table_sql


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
    :param places: as ``useful``, of what says which table an execution belongs to.
    """

    metrics: tuple[Metric, ...]
    grain: str
    needs: Mapping[str, tuple[str, ...]]
    query: str
    useful: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    places: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics' names."""
        return tuple(metric.name for metric in self.metrics)


#: What names a dbt model's table.
MODEL_COLUMNS = ("unique_id", "generated_at", "database_name", "schema_name", "alias")

#: A common table expression: of each model its tables, one for each database and schema; of several rows the newest.
MODELS = f"""
models AS (
    SELECT
        unique_id,
        {table_sql("database_name", "schema_name", "coalesce(nullif(trim(alias), ''), name)")} AS full_table_name
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
