"""Splits a table into parts of one category each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.elementary_schema import Category, RowSplit, Table


@dataclass(frozen=True)
class Part:
    """The columns, or the rows, of one table that belong to one category.

    Parts by columns repeat the columns that identify a row, and hold the same rows in the same order.

    :param table: the table's name.
    :param category: what every value in the part belongs to.
    :param columns: the columns in the part.
    :param split: None for a part by columns; else the rule that selects the rows of the part.
    """

    table: str
    category: Category
    columns: tuple[str, ...]
    split: RowSplit | None = None

    def rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of a batch that belong to this part, with all their columns."""
        return batch if self.split is None else _filtered(batch, self._mask(batch[self.split.column]))

    def select(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return what of a batch of the whole table belongs to this part."""
        return self.rows(batch).select(list(self.columns))

    def _mask(self, values: pa.Array) -> pa.Array:
        assert self.split is not None  # noqa: S101
        if self.split.value is None:
            singled_out = pc.is_null(values)
        else:
            singled_out = pc.fill_null(pc.equal(values, self.split.value), False)
        return singled_out if self.category is self.split.category else pc.invert(singled_out)


def _filtered(batch: pa.RecordBatch, mask: pa.Array) -> pa.RecordBatch:
    """Return the rows of a mask; columns that hold nothing are made again, as that is cheaper."""
    # By place, as a name may come twice.
    filled = [place for place, column in enumerate(batch.columns) if column.null_count < batch.num_rows]
    found = dict(zip(filled, batch.select(filled).filter(mask).columns, strict=True))
    rows = pc.sum(mask).as_py() or 0
    # A slice of the empty ones would keep all that the driver handed over.
    columns = [
        found[place] if place in found else pa.nulls(rows, field.type) for place, field in enumerate(batch.schema)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def parts_of(table: Table, held: Sequence[str], categories: Sequence[Category]) -> list[Part]:
    """Return the parts of a table that a snapshot of these categories takes.

    :param held: the classified columns that the source holds and the policy does not drop.
    :param categories: the categories that are taken.
    """
    if table.row_split is not None and table.row_split.column in held:
        both = (table.category, table.row_split.category)
        return [Part(table.name, category, tuple(held), table.row_split) for category in both if category in categories]
    identity = table.required_columns
    parts = []
    for category in table.categories:
        own = {column.name for column in table.known_columns if column.category is category}
        columns = tuple(name for name in held if name in own | identity)
        if category in categories and own & set(held):
            parts.append(Part(table.name, category, columns))
    return parts
