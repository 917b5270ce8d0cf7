"""Computing table metrics: one long table of numbers per table over time, from any ``Source``."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.exceptions import ElementaryError, UnknownTableError
from airflow_provider_elementary.metrics.definitions import DEFINITIONS, Definition
from airflow_provider_elementary.source import Source, reader_of

log = logging.getLogger(__name__)

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
_ENGINE: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_BATCH_ROWS = 65_536


def compute_metrics(source: Source) -> pa.RecordBatchReader:
    """Compute every metric that the source's tables allow.

    Metrics whose tables or columns the source does not hold are left out, and the log says so.

    :param source: a warehouse or a snapshot.
    :return: rows of :data:`METRICS_SCHEMA`; percentages are 0-100, times in seconds, buckets in UTC.
    """
    possible = [definition for definition in DEFINITIONS if _allows(source, definition)]
    return reader_of(METRICS_SCHEMA, _run(source, possible))


def judged_metrics(metrics: pa.Table) -> pa.Table:
    """Return the metrics in which anomalies are looked for: all but rates of verdicts, which are verdicts already."""
    rates = {name for definition in DEFINITIONS if not definition.judged for name in definition.names}
    return metrics.filter(pc.invert(pc.is_in(metrics["metric_name"], pa.array(sorted(rates)))))


def _allows(source: Source, definition: Definition) -> bool:
    named = ", ".join(definition.names) or "collected monitors"
    for table, columns in definition.needs.items():
        try:
            missing = set(columns) - set(source.schema(table).names)
        except ElementaryError as error:
            if not isinstance(error, UnknownTableError):
                log.warning("%s: left out: %s", named, error)
                return False
            missing = set(columns)
        if missing:
            log.warning("%s: left out, as the source does not hold %s of %s", named, ", ".join(sorted(missing)), table)
            return False
    return True


def _run(source: Source, definitions: list[Definition]) -> Iterator[pa.RecordBatch]:
    needed: dict[str, set[str]] = {}
    for definition in definitions:
        for name, names in definition.needs.items():
            needed.setdefault(name, set()).update(names)
    with duckdb.connect(":memory:", config=_ENGINE) as engine:
        for table, columns in needed.items():
            with source.read(table, columns=sorted(columns)) as reader:
                engine.register("incoming", reader)
                engine.execute(f'CREATE TABLE "{table}" AS SELECT * FROM incoming')  # noqa: S608 - a catalog name
                engine.unregister("incoming")
        for definition in definitions:
            for batch in engine.sql(definition.query).to_arrow_reader(_BATCH_ROWS):
                yield _conform(batch)


def _conform(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.select(METRICS_SCHEMA.names).cast(METRICS_SCHEMA)
