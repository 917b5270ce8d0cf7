"""Asks the warehouse for its time, which bounds what its rows can say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlglot import exp

from airflow_provider_elementary.exceptions import QueryRefusedError, TableUnreadableError
from airflow_provider_elementary.warehouses.source import WarehouseSource

#: A row is dated in the time zone of dbt's session: none is further ahead of UTC, and none further behind it.
MOST_AHEAD = timedelta(hours=14)
MOST_BEHIND = timedelta(hours=12)
#: Clocks of a warehouse's machines differ, and the end of summer time repeats an hour.
SLACK = timedelta(hours=1)


@dataclass(frozen=True)
class Clock:
    """The warehouse's time, UTC without a zone.

    :param now: when it was asked; PostgreSQL answers with the start of the transaction.
    """

    now: datetime

    @property
    def latest(self) -> datetime:
        """The latest time that a session of any zone can have written by now."""
        return self.now + MOST_AHEAD + SLACK


def read_clock(source: WarehouseSource, table: str) -> Clock:
    """Return the warehouse's time, or this machine's where the warehouse does not say.

    :param table: any table of the source, as only queries over Elementary's tables pass.
    """
    warehouse, here = source.warehouse, datetime.now(UTC).replace(tzinfo=None)
    relation = exp.table_(source.table(table).name, db=warehouse.schema, catalog=warehouse.database, quoted=True)
    query = exp.select(exp.CurrentTimestamp().as_("read_at"), exp.func("count", exp.Star()).as_("n")).from_(relation)
    try:
        answer = one_row(source, query.sql(warehouse.dialect))["read_at"]
    except (QueryRefusedError, TableUnreadableError):
        return Clock(here)
    if not isinstance(answer, datetime):
        return Clock(here)
    # An answer without a zone is of the session's, which may be behind UTC.
    return Clock(to_utc(answer) if answer.tzinfo else max(answer, here))


def one_row(source: WarehouseSource, sql: str) -> dict[str, Any]:
    """Return the one row of a query over Elementary's tables, by lower case name."""
    with source.query(sql) as reader:
        row = reader.read_all()
    # Drivers differ in unit and case; Python knows microseconds.
    return {
        name.lower(): (column.cast(pa.timestamp("us", column.type.tz), safe=False) if _is_time(column) else column)[
            0
        ].as_py()
        for name, column in zip(row.column_names, row.columns, strict=True)
    }


def to_utc(moment: datetime) -> datetime:
    """Return a time with a zone in UTC without one; a time without a zone as it is."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _is_time(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_timestamp(column.type))
