"""Collects every condition that is known now."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from airflow_provider_elementary.incidents.anomaly_conditions import anomaly_conditions
from airflow_provider_elementary.incidents.conditions import Condition
from airflow_provider_elementary.incidents.dbt_conditions import dbt_conditions
from airflow_provider_elementary.incidents.dbt_evidence import DbtConditions
from airflow_provider_elementary.incidents.earlier_results import EarlierResults
from airflow_provider_elementary.incidents.meta_severity import read_condition_metas
from airflow_provider_elementary.project.lineage import Lineage
from airflow_provider_elementary.snapshots.reader import SnapshotSource
from airflow_provider_elementary.source import Source
from airflow_provider_elementary.times import utc_now, without_zone

log = logging.getLogger(__name__)


def current_conditions(
    verdicts: pa.Table, lineage: Lineage, of_dbt: DbtConditions | None, before: Iterable[Condition] = ()
) -> list[Condition]:
    """Return the conditions of dbt's results and those of anomalous metrics, past ones included.

    :param verdicts: of :func:`~airflow_provider_elementary.anomalies.detect`, of the buckets that the run reports.
    :param lineage: severities of the tests that monitor the metrics.
    :param of_dbt: what :func:`read_dbt_conditions` returned; None where nothing was read.
    :param before: the conditions of the previous run.
    """
    if of_dbt is None:
        log.warning("dbt's results were not read: conditions of tests, runs and freshness checks stay as they were")
        return anomaly_conditions(verdicts, lineage, before)
    before = list(before)
    return [*anomaly_conditions(verdicts, lineage, before), *of_dbt.since(before)]


def read_dbt_conditions(
    source: Source, as_of: datetime | None = None, earlier: EarlierResults | None = None
) -> DbtConditions:
    """Return the conditions that dbt's results are evidence of; a table that cannot be read is logged.

    :param as_of: the moment that the source is of, UTC; None where that is not known.
    :param earlier: results that are not read again; see
        :func:`~airflow_provider_elementary.incidents.dbt_conditions.dbt_conditions`.
    """
    missing: list[str] = []
    metas = read_condition_metas(source)
    found = dbt_conditions(source, as_of=as_of, missing=missing, skips=metas.skips, earlier=earlier)
    for error in dict.fromkeys(missing):
        log.warning("conditions of one table stay as they were: %s", error)
    return replace(found, conditions=tuple(metas.applied(found.conditions)))


def read_conditions_of(source: Source, earlier: EarlierResults | None = None) -> DbtConditions:
    """Return the conditions that dbt's results are evidence of, as of the moment that the source is of.

    A snapshot is of the moment it was taken, whenever it is read: later, nobody looked. A warehouse is of now.

    :param earlier: results of the snapshot that are not read again.
    """
    if isinstance(source, SnapshotSource):
        return read_dbt_conditions(source, without_zone(source.manifest.taken_at), earlier)
    return read_dbt_conditions(source, utc_now())
