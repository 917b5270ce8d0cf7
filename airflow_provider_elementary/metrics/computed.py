"""Computes metrics of days from new facts and those of earlier runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import KeyUnavailableError, UnknownTableError
from airflow_provider_elementary.metrics.definitions import METRICS_SCHEMA, Definition
from airflow_provider_elementary.metrics.facts import DAYS_BACK, facts_schema
from airflow_provider_elementary.source import Source, arrow_schema, with_own_errors

_BATCH_ROWS = 65_536
_A_DAY = timedelta(days=1)

#: Computed metrics are one value a day; this makes rows of the long table of them.
_LONG = """
SELECT
    md5(concat_ws('|', full_table_name, metric_name, dimension_value, day)) AS id,
    full_table_name,
    NULL AS column_name,
    metric_name,
    metric_name AS metric_type,
    dimension,
    dimension_value,
    NULL AS metric_properties,
    day AS bucket_start,
    day + INTERVAL 1 DAY AS bucket_end,
    24 AS bucket_duration_hours,
    metric_value,
    updated_at
FROM ({query})
WHERE nullif(trim(full_table_name), '') IS NOT NULL AND isfinite(metric_value) AND isfinite(day) AND {is_wanted}
"""

#: Days that have a place in a calendar, with the days around them.
_IS_POSSIBLE = "{day} BETWEEN TIMESTAMP '0001-03-01' AND TIMESTAMP '9999-12-31'"

# The metrics of whole days, and of days without a row, are known once there is a later row: of each day with new facts
# the day before it that had some, of all tables and of each project.
_DAY_BEFORE = f"""
SELECT day::DATE, min(before)::DATE
FROM (
    SELECT project, new.day, max(known.day) AS before
    FROM ({{new}}) AS new JOIN ({{known}}) AS known USING (project)
    WHERE known.day < new.day AND known.day >= new.day - INTERVAL {DAYS_BACK} DAYS
    GROUP BY project, new.day
)
GROUP BY day
"""  # noqa: S608 - a constant

#: What every metric is computed by, whatever its definition says.
QUERIES = (_LONG, _IS_POSSIBLE, _DAY_BEFORE)


class ComputedMetrics:
    """Facts in DuckDB, and the metrics that are computed from them.

    :param engine: where they are.
    :param definitions: the metrics that can be computed.
    :param weights: of quality dimensions: ``dimension_value`` and ``weight``.
    :param taken: the number of the snapshot that new facts come with.
    """

    def __init__(
        self, engine: duckdb.DuckDBPyConnection, definitions: Sequence[Definition], weights: pa.Table, taken: int = 0
    ) -> None:
        self._engine, self._definitions, self._taken = engine, definitions, taken
        self.facts = tuple(dict.fromkeys(fact for definition in definitions for fact in definition.facts))
        self.schema = facts_schema(self.facts)
        engine.register("health_weights", weights)
        for fact in self.facts:
            for name in (fact.name, f"{fact.name}_stored", f"{fact.name}_new"):
                self._create(name, fact.schema)

    def load(self, whole: Source, new: Source) -> set[date]:
        """Read new rows and what they refer to, and return the days on which they happened.

        :param whole: the source, from which tables that are replaced in place are read.
        :param new: the source with the new rows of the other tables.
        """
        for table, columns in columns_needed(self._definitions).items():
            self._create(table, arrow_schema(TABLES[table], columns))
            _load(self._engine, whole if TABLES[table].watermark is None else new, table, columns)
        happened = {(table, time) for fact in self.facts for table, time in fact.happened.items()}
        found = (
            self._engine.sql(
                f"SELECT DISTINCT {time}::DATE FROM {table} WHERE {_IS_POSSIBLE.format(day=time)}"  # noqa: S608
            )
            for table, time in sorted(happened)
        )
        return {day for rows in found for (day,) in rows.fetchall()}

    def add_stored(self, rows: Iterable[pa.RecordBatch]) -> None:
        """Take in facts of earlier runs."""
        for batch in rows:
            self._engine.register("incoming", batch)
            for fact in self.facts:
                columns = ", ".join(f'"{name}"' for name in fact.schema.names)
                self._engine.execute(
                    f"INSERT INTO {fact.name}_stored SELECT {columns} FROM incoming WHERE fact = ?",  # noqa: S608
                    [fact.name],
                )
            self._engine.unregister("incoming")

    def find_new(self) -> None:
        """Make facts of the rows that were loaded, once the stored facts of about that time are there."""
        for fact in self.facts:
            for table, columns in fact.context.items():
                self._engine.execute(
                    f"INSERT INTO {table} ({', '.join(columns)}) "  # noqa: S608 - constants
                    f"SELECT DISTINCT {', '.join(columns.values())} FROM {fact.name}_stored"
                )
        for fact in self.facts:
            query = f"SELECT *, $taken::BIGINT AS taken FROM ({fact.query}) WHERE {_IS_POSSIBLE.format(day='day')}"  # noqa: S608
            self._engine.execute(f"INSERT INTO {fact.name}_new BY NAME {query}", {"taken": self._taken})

    def merge(self) -> None:
        """Make one fact of several rows of it, stored and new."""
        for fact in self.facts:
            both = f"(FROM {fact.name}_stored UNION ALL BY NAME FROM {fact.name}_new)"
            self._engine.execute(f"DELETE FROM {fact.name}")  # noqa: S608 - a constant
            self._engine.execute(f"INSERT INTO {fact.name} BY NAME {fact.merged(both)}")

    def depending_on(self, touched: Collection[date]) -> set[date]:
        """Return the days whose metrics may change with new facts of some days; the facts around them are there."""
        if not touched:
            return set()
        before = self._days_before()
        days = [f"SELECT max(day)::DATE AS day FROM {fact.name}" for fact in self.facts]  # noqa: S608 - constants
        newest = self._engine.sql(f"SELECT max(day) FROM ({' UNION ALL '.join(days)})").fetchall()[0][0]  # noqa: S608
        found: set[date] = set()
        for day in touched:
            first, last = min(later(day, -1), before.get(day, day)), min(later(day, DAYS_BACK), max(newest or day, day))
            found |= {first + _A_DAY * number for number in range((last - first).days + 1)}
        return found

    def _days_before(self) -> dict[date, date]:
        projects = {"run_executions": "''", "invocations": "full_table_name"}
        held = {fact.name for fact in self.facts} & set(projects)
        if not held:
            return {}

        def union(suffix: str) -> str:
            parts = [f"SELECT {projects[name]} AS project, day FROM {name}{suffix}" for name in sorted(held)]  # noqa: S608
            return " UNION ".join(parts)

        return dict(self._engine.sql(_DAY_BEFORE.format(new=union("_new"), known=union(""))).fetchall())

    def rows(self, days: Collection[date] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the metrics of some days, or of all."""
        is_wanted = "TRUE"
        if days is not None:
            self._engine.register("wanted", pa.table({"day": pa.array(sorted(days), pa.date32())}))
            is_wanted = "day::DATE IN (SELECT day FROM wanted)"
        for definition in self._definitions:
            query = _LONG.format(query=definition.query, is_wanted=is_wanted)
            for batch in self._engine.sql(query).to_arrow_reader(_BATCH_ROWS):
                yield batch.cast(METRICS_SCHEMA)

    def days(self) -> Mapping[date, int]:
        """Return the days that have facts, with how many."""
        found: Counter[date] = Counter()
        for fact in self.facts:
            query = f"SELECT day::DATE, count(*) FROM {fact.name} GROUP BY 1"  # noqa: S608 - a constant
            found.update(dict(self._engine.sql(query).fetchall()))
        return found

    def facts_between(self, first: date, last: date) -> Iterator[pa.RecordBatch]:
        """Yield the facts of some days, as :meth:`add_stored` takes them."""
        for fact in self.facts:
            query = f"SELECT * FROM {fact.name} WHERE day BETWEEN $first AND $last ORDER BY day, key"  # noqa: S608
            for batch in self._engine.sql(query, params={"first": first, "last": last}).to_arrow_reader(_BATCH_ROWS):
                held = {
                    "fact": pa.repeat(fact.name, batch.num_rows),
                    **dict(zip(batch.schema.names, batch, strict=True)),
                }
                nothing = pa.nulls(batch.num_rows)
                arrays = [held.get(column.name, nothing).cast(column.type) for column in self.schema]
                yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _create(self, name: str, schema: pa.Schema) -> None:
        self._engine.register("incoming", schema.empty_table())
        self._engine.execute(f'CREATE TABLE "{name}" AS SELECT * FROM incoming')  # noqa: S608 - out of the catalog
        self._engine.unregister("incoming")


def later(day: date, days: int) -> date:
    """Return the day a number of days after another, or the first or last one that there is."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))


def columns_needed(definitions: Sequence[Definition]) -> dict[str, list[str]]:
    """Return the columns to read of each table, each once however many metrics use it."""
    wanted: dict[str, set[str]] = {}
    for definition in definitions:
        for uses in (definition.needs, definition.useful, definition.places):
            for table, names in uses.items():
                wanted.setdefault(table, set()).update(names)
        for fact in definition.facts:
            for table, names in fact.reads.items():
                wanted.setdefault(table, set()).update(names)
    return {table: sorted(names) for table, names in wanted.items()}


def _load(engine: duckdb.DuckDBPyConnection, source: Source, table: str, columns: list[str]) -> None:
    """Copy the columns of a table into DuckDB; those that the source does not hold are null."""
    try:
        held = [name for name in columns if name in source.schema(table).names]
    except (UnknownTableError, KeyUnavailableError):
        # A table that only adds detail, and that is not there or not readable.
        return
    schema = arrow_schema(TABLES[table], columns)
    with source.read(table, columns=held) as reader, with_own_errors(reader) as rows:
        engine.register("incoming", rows)
        # A number that is none, or infinite, would make every sum that it is in the same.
        numbers = [field.name for field in schema if pa.types.is_floating(field.type) and field.name in held]
        finite = ", ".join(f"CASE WHEN isfinite({name}) THEN {name} END AS {name}" for name in numbers)
        columns_read = f"* REPLACE ({finite})" if numbers else "*"
        engine.execute(f'INSERT INTO "{table}" BY NAME SELECT {columns_read} FROM incoming')  # noqa: S608 - as above
        engine.unregister("incoming")
