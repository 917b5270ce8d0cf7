"""Collects every condition that is known now."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import pyarrow as pa

from airflow_provider_elementary.incidents.anomaly_conditions import anomaly_conditions
from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.incidents.meta_severity import read_condition_metas
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.source import Source

log = logging.getLogger(__name__)


def current_conditions(
    verdicts: pa.Table, lineage: Lineage, of_dbt: Sequence[Condition] | None, before: Iterable[Condition] = ()
) -> list[Condition]:
    """Return the conditions of dbt's results and those of anomalous metrics, past ones included.

    :param verdicts: of :func:`~airflow_provider_elementary.anomalies.detect`, of the buckets that the run reports.
    :param lineage: severities of the tests that monitor the metrics.
    :param of_dbt: what :func:`read_dbt_conditions` returned; None where nothing was read.
    :param before: the conditions of the previous run.
    """
    if of_dbt is None:
        log.warning("dbt's results were not read: conditions of tests, runs and freshness checks stay as they were")
    return [*anomaly_conditions(verdicts, lineage, before), *(of_dbt or ())]


def read_dbt_conditions(source: Source) -> list[Condition]:
    """Return the conditions that dbt's results are evidence of; a table that cannot be read is logged."""
    missing: list[str] = []
    metas = read_condition_metas(source)
    found = metas.applied(dbt_conditions(source, missing=missing, skips=metas.skips))
    for error in dict.fromkeys(missing):
        log.warning("conditions of one table stay as they were: %s", error)
    return found
