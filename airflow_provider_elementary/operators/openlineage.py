"""Builds the OpenLineage events of the operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import conf

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_elementary.anomalies.table_quality import TableQuality

#: Tables of one run whose quality is reported: an event has to stay small.
MAX_TABLES = 200


def lineage_of_snapshot(summary: Mapping[str, Any], source: Mapping[str, Any]) -> OperatorLineage[Any, Any]:
    """Return that a snapshot reads Elementary's tables and writes its manifest.

    :param summary: what the snapshot operator returned.
    :param source: dialect, database, schema and namespace, as the manifest names them.
    """
    from airflow.providers.common.compat.openlineage.facet import Dataset, OutputStatisticsOutputDatasetFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_elementary.storage.layout import manifest_key

    statistics = OutputStatisticsOutputDatasetFacet(rowCount=summary["rows"], size=summary["bytes"])
    place = [part for part in (source.get("database"), source.get("schema")) if part]
    namespace = table_namespace(source.get("namespace"))
    return OperatorLineage(
        inputs=[Dataset(namespace=namespace, name=".".join([*place, table])) for table in sorted(summary["tables"])],
        outputs=[_stored(summary["store"], manifest_key(int(summary["sequence"])), {"outputStatistics": statistics})],
    )


def lineage_of_result(store: str, written: str, rows: int) -> OperatorLineage[Any, Any]:
    """Return that a task wrote a result to a store.

    :param store: the store's URI.
    :param written: the key of what was written.
    :param rows: how many rows were written.
    """
    from airflow.providers.common.compat.openlineage.facet import OutputStatisticsOutputDatasetFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    statistics = OutputStatisticsOutputDatasetFacet(rowCount=rows)
    return OperatorLineage(outputs=[_stored(store, written, {"outputStatistics": statistics})])


def lineage_of_verdicts(
    store: str,
    written: str,
    qualities: Iterable[TableQuality],
    *,
    namespace: str | None = None,
    name_of: Callable[[str], str] = str,
) -> OperatorLineage[Any, Any]:
    """Return the data quality of the scored tables, as metrics and assertions, and where the verdicts are.

    :param store: the store's URI.
    :param written: the key of the verdicts.
    :param namespace: of the warehouse, where it is known.
    :param name_of: returns what dbt's own lineage calls a table.
    """
    from airflow.providers.common.compat.openlineage.facet import InputDataset
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.generated.data_quality_assertions_dataset import (
        Assertion,
        DataQualityAssertionsDatasetFacet,
    )
    from openlineage.client.generated.data_quality_metrics_input_dataset import (
        ColumnMetrics,
        DataQualityMetricsInputDatasetFacet,
    )

    inputs = [
        InputDataset(
            namespace=table_namespace(namespace),
            name=name_of(quality.table),
            inputFacets={
                "dataQualityMetrics": DataQualityMetricsInputDatasetFacet(
                    rowCount=quality.row_count,
                    columnMetrics={
                        column: ColumnMetrics(nullCount=count) for column, count in quality.null_counts.items()
                    },
                ),
                "dataQualityAssertions": DataQualityAssertionsDatasetFacet(
                    assertions=[
                        Assertion(
                            assertion=f"elementary.{check.metric}",
                            success=check.success,
                            column=check.column,
                            **_known(Assertion, check.severity, check.expected, check.actual, check.description),
                        )
                        for check in quality.checks
                    ]
                ),
            },
        )
        for quality in qualities
    ]
    return OperatorLineage(inputs=inputs, outputs=[_stored(store, written, {})])


def table_namespace(known: str | None = None) -> str:
    """Return the namespace of the warehouse's tables, which has to be that of dbt's own lineage to be joined with it.

    :param known: that of the connection; the configuration wins.
    """
    return conf.get("elementary", "openlineage_namespace", fallback="") or known or "elementary"


def _known(kind: Any, severity: str | None, expected: str | None, actual: str | None, description: str | None) -> Any:
    """Return the fields that the installed version of OpenLineage's client has."""
    facts = {"severity": severity, "expected": expected, "actual": actual, "description": description}
    return {name: value for name, value in facts.items() if hasattr(kind, name)}


def _stored(store: str, key: str, facets: dict[str, Any]) -> Any:
    """Return an object of a store, named as OpenLineage names files."""
    from airflow.providers.common.compat.openlineage.facet import OutputDataset

    place = urlsplit(store)
    if place.scheme == "file":
        return OutputDataset(namespace="file", name=f"{place.path.rstrip('/')}/{key}", outputFacets=facets)
    name = "/".join(part for part in (place.path.strip("/"), key) if part)
    return OutputDataset(namespace=f"{place.scheme}://{place.netloc}", name=name, outputFacets=facets)
