"""Reads the warehouse's clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlglot import exp

from airflow_provider_elementary.exceptions import QueryRefusedError, TableUnreadableError
from airflow_provider_elementary.times import without_zone
from airflow_provider_elementary.warehouses.source import WarehouseSource

#: A row is dated in the time zone of dbt's session: none is further ahead of UTC, and none further behind it.
MOST_AHEAD = timedelta(hours=14)
MOST_BEHIND = timedelta(hours=12)
#: Clocks of a warehouse's machines differ, and the end of summer time repeats an hour.
SLACK = timedelta(hours=1)


@dataclass(frozen=True)
class WarehouseClock:
    """The warehouse's time, UTC without a zone.

    :param now: when it was asked; PostgreSQL answers with the start of the transaction.
    """

    now: datetime

    @property
    def latest(self) -> datetime:
        """The latest time that a session of any zone can have written by now."""
        return self.now + MOST_AHEAD + SLACK


def read_clock(source: WarehouseSource, table: str) -> WarehouseClock:
    """Return the warehouse's time, or this machine's if the warehouse has no answer.

    :param table: any table of the source, as only queries over Elementary's tables pass.
    """
    warehouse, here = source.warehouse, datetime.now(UTC).replace(tzinfo=None)
    relation = exp.table_(source.table(table).name, db=warehouse.schema, catalog=warehouse.database, quoted=True)
    # One row, also of an empty table, and no scan of a large one.
    first = exp.select(exp.Literal.number(1).as_("one")).from_(relation).limit(1).subquery("first_row")
    query = exp.select(exp.CurrentTimestamp().as_("read_at"), exp.func("count", exp.Star()).as_("n")).from_(first)
    try:
        answer = one_row(source, query.sql(warehouse.dialect))["read_at"]
    except (QueryRefusedError, TableUnreadableError):
        return WarehouseClock(here)
    if not isinstance(answer, datetime):
        return WarehouseClock(here)
    if answer.tzinfo:
        return WarehouseClock(without_zone(answer))
    # An answer without a zone is of the session's, which may be behind UTC; this machine's clock may be wrong.
    return WarehouseClock(min(max(answer, here), answer + MOST_BEHIND))


def one_row(source: WarehouseSource, sql: str) -> dict[str, Any]:
    """Return the one row of a query over Elementary's tables, by lower case name."""
    with source.ask(sql) as reader:
        row = reader.read_all()
    # Drivers differ in unit and case; Python knows microseconds.
    return {
        name.lower(): (column.cast(pa.timestamp("us", column.type.tz), safe=False) if _is_time(column) else column)[
            0
        ].as_py()
        for name, column in zip(row.column_names, row.columns, strict=True)
    }


def _is_time(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_timestamp(column.type))
