"""A Source over Arrow tables in memory, for tests that need no warehouse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import TABLES
from airflow_provider_elementary.exceptions import UnknownTableError
from airflow_provider_elementary.source import catalog_table, require_watermark, select_columns


@dataclass(frozen=True)
class TableSource:
    """Tables that are held as they are given."""

    held: Mapping[str, pa.Table]

    def tables(self) -> list[str]:
        return [name for name in TABLES if name in self.held]

    def schema(self, table: str) -> pa.Schema:
        if table not in self.held:
            raise UnknownTableError(f"Expected a table that is held, found {table!r}.")
        return self.held[table].schema

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pa.RecordBatchReader:
        names = select_columns(catalog_table(table), self.schema(table).names, columns)
        held = self.held[table]
        for moment, is_within in ((since, pc.greater_equal), (until, pc.less)):
            if moment is not None:
                held = held.filter(is_within(held[require_watermark(catalog_table(table))], pa.scalar(moment)))
        return held.select(names).to_reader()

    def without(self, table: str, *columns: str) -> TableSource:
        """The same source as a policy would leave it: without a table, or without some of its columns."""
        kept = {name: held for name, held in self.held.items() if name != table}
        return TableSource({**kept, table: self.held[table].drop_columns(list(columns))} if columns else kept)
