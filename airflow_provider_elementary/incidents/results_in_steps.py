"""Reduces many results of dbt step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_elementary.incidents.earlier_results import RESULT_COLUMNS, EarlierResults
from airflow_provider_elementary.project.reading import read_rows
from airflow_provider_elementary.source import Source, catalog_table, require_watermark, select_columns

if TYPE_CHECKING:
    import pyarrow as pa

#: Of more results than these, the oldest are reduced first.
_ROWS_AT_ONCE = 200_000


@dataclass(frozen=True)
class HeldResults:
    """A source whose results were read once.

    :param held: these, by table.
    :param until: as if there were none of this time and later; None for all.
    """

    source: Source
    held: Mapping[str, pa.Table]
    until: datetime | None = None
    _others: dict[tuple[str, tuple[str, ...]], pa.Table] = field(default_factory=dict)

    def tables(self) -> list[str]:
        """Return the tables of the source."""
        return self.source.tables()

    def schema(self, table: str) -> pa.Schema:
        """Return the columns of a table."""
        return self.held[table].schema if table in self.held else self.source.schema(table)

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pa.RecordBatchReader:
        """Stream a table's rows; see :meth:`airflow_provider_elementary.source.Source.read`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if table not in self.held and (since is not None or until is not None):
            return self.source.read(table, columns=columns, since=since, until=until)
        if table not in self.held:
            # Each step reads the artifacts.
            key = (table, tuple(columns or ()))
            if key not in self._others:
                with self.source.read(table, columns=columns) as reader:
                    self._others[key] = reader.read_all()
            return self._others[key].to_reader()
        rows = self.held[table]
        dates = rows[require_watermark(catalog_table(table))]
        for moment, is_within in ((since, pc.greater_equal), (until, pc.less), (self.until, pc.less)):
            if moment is not None:
                found = is_within(dates, pa.scalar(moment, dates.type))
                rows, dates = rows.filter(found), dates.filter(found)
        return rows.select(select_columns(catalog_table(table), rows.schema.names, columns)).to_reader()


def reduced_in_steps(
    source: Source,
    as_of: datetime,
    step: Callable[[Source, datetime, EarlierResults | None], EarlierResults | None],
) -> tuple[Source, EarlierResults | None]:
    """Return a source that holds its results, and the older of them reduced; None where there are few.

    :param as_of: no step ends later: what is dated later has a wrong date.
    :param step: returns the earlier results of a source as of a time, of which some are reduced already; None where
        nothing divides them from later ones.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    errors: list[str] = []
    held = {name: read_rows(source, name, columns, missing=errors) for name, columns in RESULT_COLUMNS.items()}
    if errors:
        return source, None
    results, earlier = HeldResults(source, held), None
    chunks = [chunk for rows in held.values() for chunk in rows["created_at"].chunks]
    dates = pa.chunked_array(chunks, pa.timestamp("us"))
    if len(dates) <= _ROWS_AT_ONCE or dates.null_count:
        return results, None
    ordered = dates.take(pc.sort_indices(dates))
    place = _ROWS_AT_ONCE
    while place < len(ordered) and (end := ordered[place].as_py()) <= as_of:
        earlier = step(replace(results, until=end), end, earlier)
        reduced = pc.sum(pc.less(ordered, pa.scalar(earlier.until, ordered.type))).as_py() if earlier is not None else 0
        # As many as are read again, so that all steps together read few rows more than twice.
        place += max(_ROWS_AT_ONCE, place - reduced)
    return results, earlier
