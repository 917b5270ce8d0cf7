"""Decides whether anomalies stop a pipeline."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.exceptions import AnomaliesFoundError, ConfigurationError
from airflow_provider_elementary.project.lineage import Lineage

#: ``warn`` stops for every anomaly, as ``any`` does; ``error`` for those that a dbt test of that severity watches.
WORDS = ("none", "any", "warn", "error")
_TABLES_LISTED = 10


def stopping_tables(
    fail_on: str | Sequence[str], verdicts: pa.Table, lineage: Lineage, tables: Collection[str]
) -> list[str]:
    """Return the anomalous tables for which a pipeline has to stop, in the order of their names.

    :param fail_on: one of :data:`WORDS`, or the name of a model (its name, ``unique_id`` or table), or several names.
    :param verdicts: with the columns of :func:`~airflow_provider_elementary.incidents.enrich.enrich`.
    :param lineage: where models are looked up.
    :param tables: every table that has metrics.
    :raises ConfigurationError: a name is that of no model and no table, so the breaker could never stop anything.
    """
    anomalies = verdicts.filter(verdicts["is_anomalous"])
    if fail_on == "none":
        return []
    if fail_on == "error":
        anomalies = anomalies.filter(pc.equal(anomalies["severity"], "error"))
    elif fail_on not in WORDS:
        named = {_table(name, lineage, tables) for name in ([fail_on] if isinstance(fail_on, str) else fail_on)}
        anomalies = anomalies.filter(pc.is_in(anomalies["full_table_name"], pa.array(sorted(named), pa.string())))
    return sorted(filter(None, pc.unique(anomalies["full_table_name"]).to_pylist()))


def require_none(stopping: Sequence[str], verdicts_are: str) -> None:
    """Stop for these tables, if any.

    :param verdicts_are: where the verdicts are stored, for the message.
    :raises AnomaliesFoundError: there is a table.
    """
    if stopping:
        more = f" and {len(stopping) - _TABLES_LISTED} more" if len(stopping) > _TABLES_LISTED else ""
        raise AnomaliesFoundError(
            f"Anomalies in {', '.join(stopping[:_TABLES_LISTED])}{more}, for which fail_on stops the pipeline. "
            f"The verdicts are in {verdicts_are}. Look at these tables on the Elementary page; clear this task when "
            "the data is fixed, or mark it as success to let downstream tasks run."
        )


def _table(name: str, lineage: Lineage, tables: Collection[str]) -> str:
    if found := lineage.find(name):
        return found
    for table in tables:
        if name.upper() in (table.upper(), table.upper().rpartition(".")[2]):
            return table
    raise ConfigurationError(
        f"{name!r} in fail_on is no model, no source and no table with metrics. "
        f"Use {', '.join(WORDS)} or the name of a model."
    )
