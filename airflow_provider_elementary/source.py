"""Defines ``Source``, the interface of everything that yields Elementary tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from itertools import chain
from typing import Protocol

import pyarrow as pa

from airflow_provider_elementary.elementary_schema import TABLES, Table
from airflow_provider_elementary.elementary_schema.table_model import ColumnType
from airflow_provider_elementary.exceptions import ElementaryError, UnknownColumnError, UnknownTableError

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}


class Source(Protocol):
    """Where Elementary tables are read from; rows arrive as record batches, never as a whole table.

    A source reads only tables and columns that the catalog knows. Column names are lower case and types are the
    catalog's, whatever the warehouse. Rows come as the dbt package wrote them: duplicates are not removed. A source
    that knows which warehouse dbt wrote them on says so by an attribute ``adapter``; see :func:`adapter_of`.
    """

    def tables(self) -> list[str]:
        """Return the names of the catalog's tables that this source holds, in the catalog's order."""
        ...

    def schema(self, table: str) -> pa.Schema:
        """Return the columns that :meth:`read` yields when it is asked for none in particular.

        :raises UnknownTableError: this source does not hold that table.
        """
        ...

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> pa.RecordBatchReader:
        """Stream a table's rows, in no particular order.

        :param table: one of :meth:`tables`.
        :param columns: the columns to read, in this order; all that the source holds by default.
        :param since: only rows whose watermark is at or after this time.
        :param until: only rows whose watermark is before this time.
        :raises UnknownTableError: this source does not hold that table.
        :raises UnknownColumnError: a column is not held, or ``since``/``until`` are given for a table that has no
            watermark.
        """
        ...


def adapter_of(source: Source) -> str | None:
    """Return dbt's name of the warehouse that a source's rows were written on, or None where the source does not know.

    A schema that was restored elsewhere says where it is now.
    """
    adapter: str | None = getattr(source, "adapter", None)
    return adapter


def reading(source: Source, tables: Iterable[tuple[str, Iterable[str]]]) -> AbstractContextManager[None]:
    """Let a source fetch ahead what is read of tables next, in their order, where it can; each is read whole.

    :param tables: each with the columns that are read.
    """
    ahead = getattr(source, "reading", None)
    return ahead(tables) if ahead is not None else nullcontext()


def catalog_table(name: str) -> Table:
    """Return the catalog's entry for a table.

    :raises UnknownTableError: the table is not one of Elementary's.
    """
    try:
        return TABLES[name]
    except KeyError:
        raise UnknownTableError(f"{name!r} is not a table of Elementary. Its tables: {', '.join(TABLES)}.") from None


def select_columns(table: Table, held: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """Return the columns to read, checked against those that a source holds.

    :param held: the classified columns that the source holds.
    :param wanted: the columns asked for; None for all.
    :raises UnknownColumnError: a column asked for is not held.
    """
    if wanted is None:
        return list(held)
    missing = [column for column in wanted if column not in held]
    if missing:
        raise UnknownColumnError(
            f"{table.name} has no column {', '.join(map(repr, missing))} in this source. It holds: {', '.join(held)}."
        )
    return list(wanted)


def require_watermark(table: Table) -> str:
    """Return the table's watermark column.

    :raises UnknownColumnError: the table has none, so ``since`` and ``until`` mean nothing for it.
    """
    if table.watermark is None:
        raise UnknownColumnError(
            f"{table.name} has no watermark for since/until: its rows are replaced in place. Read it without them."
        )
    return table.watermark


def arrow_schema(table: Table, columns: Sequence[str]) -> pa.Schema:
    """Return the Arrow schema of these columns of a table, in this order."""
    types = {column.name: ARROW_TYPES[column.type] for column in table.known_columns}
    return pa.schema([(name, types[name]) for name in columns])


def read_all(source: Source, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a whole table: for small ones, in notebooks and tests."""
    with source.read(table, columns=columns) as reader:
        return reader.read_all()


def reader_of(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    """Return a reader over batches that are made one at a time."""
    return pa.RecordBatchReader.from_batches(schema, batches)


@contextmanager
def with_own_errors(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatchReader]:
    """Yield a reader to hand to an engine, which passes an error of the stream on as one of its own: raise ours."""
    failure: list[ElementaryError] = []

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except ElementaryError as error:
            failure.append(error)
            raise

    try:
        yield reader_of(reader.schema, batches())
    except Exception:
        if failure:
            raise failure[0] from None
        raise


def reader_of_first(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
    """Return a reader over batches, with the schema of the first one; there must be one, even if empty."""
    first = next(batches)
    return pa.RecordBatchReader.from_batches(first.schema, chain([first], batches))
