"""Computes table metrics over time from any `Source` as one table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.arrow_values import is_one_of, without_nulls
from airflow_provider_elementary.duckdb_sandbox import bounded_connection
from airflow_provider_elementary.exceptions import ConfigurationError, ElementaryError, StoreError, UnknownTableError
from airflow_provider_elementary.metrics.computed import ComputedMetrics, columns_needed
from airflow_provider_elementary.metrics.deduplicate import newest_of_each_id
from airflow_provider_elementary.metrics.definitions import METRICS_SCHEMA, Definition
from airflow_provider_elementary.metrics.health_score import HEALTH_WEIGHTS
from airflow_provider_elementary.metrics.registry import DEFINITIONS, names_of
from airflow_provider_elementary.source import Source, reader_of, reading
from airflow_provider_elementary.times import utc_now
from airflow_provider_elementary.words import plural

log = logging.getLogger(__name__)

#: A month that has just begun, in the zone that is furthest ahead.
_LONGEST_BUCKET = timedelta(days=32)
COLLECTED_TABLE = "data_monitoring_metrics"
COLLECTED_SCHEMA = pa.schema([*METRICS_SCHEMA, pa.field("created_at", pa.timestamp("us"))])
#: The columns of a collected monitor without which it means nothing; the others are null where they are not held.
_COLLECTED_NEEDS = ("id", "full_table_name", "metric_name", "metric_value", "bucket_end", "updated_at", "created_at")
Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)
METRICS_LIMIT = "512MB"


def compute_metrics(source: Source, *, health_weights: Mapping[str, float] | None = None) -> pa.RecordBatchReader:
    """Compute every metric that the source's tables allow.

    Metrics whose tables or columns the source does not hold are left out, and the log says so. Memory stays bounded
    whatever the size of the tables.

    :param source: a warehouse or a snapshot.
    :param health_weights: how much a quality dimension counts in the total health score, where not 1.
    :return: rows of :data:`METRICS_SCHEMA`; percentages are 0-100, times in seconds, buckets in UTC.
    :raises ConfigurationError: a weight is of no known quality dimension, or negative.
    """
    weights = health_weights_of(health_weights or {})
    definitions, collected = possible_definitions(source), holds_collected(source)
    return reader_of(METRICS_SCHEMA, without_future(_metrics(source, definitions, weights, collected=collected)))


def _metrics(
    source: Source, definitions: list[Definition], weights: pa.Table, *, collected: bool
) -> Iterator[pa.RecordBatch]:
    of_collected = [(COLLECTED_TABLE, COLLECTED_SCHEMA.names)] if collected else []
    with reading(source, [*of_collected, *columns_needed(definitions).items()]):
        if collected:
            yield from _collected(source)
        yield from _computed(source, definitions, weights)


def possible_definitions(source: Source) -> list[Definition]:
    """Return the metrics that a source's tables allow; the log says which they do not."""
    return [
        definition
        for definition in DEFINITIONS
        if all(_holds(source, table, names, definition.names) for table, names in definition.needs.items())
    ]


def holds_collected(source: Source) -> bool:
    """Return whether a source holds the monitors that the package collected."""
    return _holds(source, COLLECTED_TABLE, _COLLECTED_NEEDS, ("collected monitors",))


def scored_metrics(metrics: pa.Table) -> pa.Table:
    """Return the metrics in which anomalies are looked for: not pass rates and the like, which are results already."""
    results = names_of(lambda metric: not metric.is_scored)
    return _without(metrics, "metric_name", lambda names: is_one_of(names, *results))


def has_names(rows: Rows) -> Rows:
    """Return the metrics that name their table and themselves: without a name, a row is of no series."""
    for column in ("full_table_name", "metric_name"):
        rows = _without(rows, column, lambda names: pc.equal(pc.utf8_trim_whitespace(without_nulls(names, "")), ""))
    return rows


def _without(rows: Rows, column: str, are_left_out: Callable[[pa.Array], pa.Array]) -> Rows:
    """Leave out the rows with some names of a column; each name is looked at once."""
    names = pc.unique(rows[column]).cast(pa.string())
    left_out = names.filter(are_left_out(names)).to_pylist()
    return rows.filter(pc.invert(is_one_of(rows[column], *left_out))) if left_out else rows


def without_future(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Leave out buckets that end after any that can have begun: one wrong date would be the newest of all."""
    bound = pa.scalar(utc_now() + _LONGEST_BUCKET, METRICS_SCHEMA.field("bucket_end").type)
    left_out = 0
    for batch in batches:
        kept = batch.filter(pc.fill_null(pc.less_equal(batch["bucket_end"], bound), True))
        left_out += batch.num_rows - kept.num_rows
        yield kept
    if left_out:
        log.warning("left out %s whose bucket ends in the future", plural(left_out, "metric"))


def _with_finite_values(rows: pa.RecordBatch) -> pa.RecordBatch:
    place = rows.schema.get_field_index("metric_value")
    values = rows.column(place)
    is_finite = pc.is_finite(values)
    if pc.all(is_finite).as_py() is not False:
        return rows
    return rows.set_column(place, rows.schema.field(place), pc.if_else(is_finite, values, None))


def health_weights_of(given: Mapping[str, float]) -> pa.Table:
    """Return how much each quality dimension counts."""
    wrong = sorted(name for name, weight in given.items() if name not in HEALTH_WEIGHTS or weight < 0)
    if wrong:
        raise ConfigurationError(
            f"health_weights does not accept {', '.join(wrong)}. "
            f"Give weights of 0 or more for {', '.join(HEALTH_WEIGHTS)}."
        )
    weights = {**HEALTH_WEIGHTS, **given}
    return pa.table({"dimension_value": pa.array(weights), "weight": pa.array(weights.values(), pa.float64())})


def _holds(source: Source, table: str, columns: tuple[str, ...], metrics: tuple[str, ...]) -> bool:
    try:
        missing = set(columns) - set(source.schema(table).names)
    except UnknownTableError:
        missing = set(columns)
    except StoreError:
        # A later attempt may read it; what was left out would be missing in the stored metrics for ever.
        raise
    except ElementaryError as error:
        log.warning("%s: left out: %s", ", ".join(metrics), error)
        return False
    if missing:
        found = ", ".join(sorted(missing))
        log.warning("%s: left out, as the source does not hold %s of %s", ", ".join(metrics), found, table)
    return not missing


def _collected(source: Source) -> Iterator[pa.RecordBatch]:
    for batch in newest_of_each_id(reader_of(COLLECTED_SCHEMA, collected_rows(source))):
        yield batch.select(METRICS_SCHEMA.names)


def collected_rows(source: Source) -> Iterator[pa.RecordBatch]:
    """Yield the rows of collected monitors that have names, each as often as it was written, with ``created_at``."""
    try:
        held = source.schema(COLLECTED_TABLE).names
    except UnknownTableError:
        return
    columns = [field.name for field in COLLECTED_SCHEMA if field.name in held]
    nameless = 0
    with source.read(COLLECTED_TABLE, columns=columns) as reader:
        for batch in reader:
            arrays = [
                batch[field.name] if field.name in held else pa.nulls(batch.num_rows, field.type)
                for field in COLLECTED_SCHEMA
            ]
            rows = pa.RecordBatch.from_arrays(arrays, COLLECTED_SCHEMA.names).cast(COLLECTED_SCHEMA)
            named = has_names(rows)
            nameless += rows.num_rows - named.num_rows
            yield _with_finite_values(named)
    if nameless:
        log.warning(
            "left out %s of %s without full_table_name or metric_name", plural(nameless, "row"), COLLECTED_TABLE
        )


def _computed(source: Source, definitions: list[Definition], weights: pa.Table) -> Iterator[pa.RecordBatch]:
    if not definitions:
        return
    with bounded_connection(METRICS_LIMIT) as engine:
        computed = ComputedMetrics(engine, definitions, weights)
        computed.load(source, source)
        computed.find_new()
        computed.merge()
        yield from computed.rows()
