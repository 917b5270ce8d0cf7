"""Declares facts: what the rows of one event say, kept by day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pyarrow as pa

#: A metric of a day depends on facts of at most this number of days before it.
DAYS_BACK = 35

_TIME = pa.timestamp("us")
#: What every fact has: by what it is recognised, the table that it is about, when it happened, when its row was
#: written, and the number of the snapshot that it first came with.
COMMON: Mapping[str, pa.DataType] = MappingProxyType(
    {
        "key": pa.string(),
        "full_table_name": pa.string(),
        "day": _TIME,
        "happened_at": _TIME,
        "created_at": _TIME,
        "taken": pa.int64(),
    }
)

# A fact keeps the name under which it first came: a table that is renamed does not rename its past.
_NEWEST = """
SELECT * REPLACE (arg_min(full_table_name, taken) OVER same AS full_table_name, min(taken) OVER same AS taken)
FROM {rows}
WINDOW same AS (PARTITION BY key)
QUALIFY row_number() OVER (
    PARTITION BY key ORDER BY created_at DESC NULLS LAST, taken DESC, happened_at DESC, {columns}
) = 1
"""


@dataclass(frozen=True, eq=False)
class Fact:
    """One kind of fact; a DuckDB table of its own, which the queries of metrics read.

    :param name: of the table.
    :param columns: what it has besides :data:`COMMON`.
    :param happened: when a row of a table that it is read from happened, in SQL, by table.
    :param reads: columns that the query reads; null where the source does not hold them.
    :param query: a DuckDB query over tables of the source that yields all columns but ``taken``.
    :param merge: a query that makes one fact of several rows of it, ``rows``; by default the newest counts.
    :param values: columns of values by which no fact is recognised or named, with the columns that they are made of.
    :param context: what earlier facts say that the query needs: columns of them, by column of the source, by table.
    """

    name: str
    columns: Mapping[str, pa.DataType]
    happened: Mapping[str, str]
    reads: Mapping[str, tuple[str, ...]]
    query: str
    merge: str = _NEWEST
    values: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    context: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def schema(self) -> pa.Schema:
        """The columns of its table."""
        return pa.schema({**COMMON, **self.columns})

    def merged(self, rows: str) -> str:
        """Return a query that yields each of its facts once, of a table that has rows of them."""
        return self.merge.format(rows=rows, columns=", ".join(self.columns or ["key"]))


def facts_schema(facts: tuple[Fact, ...]) -> pa.Schema:
    """Return the columns of all facts together, as they are stored."""
    columns = {name: kind for fact in facts for name, kind in fact.columns.items()}
    return pa.schema({"fact": pa.string(), **COMMON, **columns})
