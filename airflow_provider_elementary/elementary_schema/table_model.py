"""Models a table and a column of the Elementary schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Literal

from airflow_provider_elementary.elementary_schema.categories import Category, Sensitivity

ColumnType = Literal["string", "float64", "int64", "boolean", "timestamp"]


class Kind(StrEnum):
    """How a table changes over time."""

    ARTIFACTS = "artifacts"
    """The current state of the dbt project; rows are replaced when their ``metadata_hash`` changes."""
    EVENTS = "events"
    """Append-only, written by the hooks of a dbt run."""
    METRICS = "metrics"
    """Append-only with a logical upsert: of the rows with one id the newest counts."""
    CONFIGURATION = "configuration"
    """One row."""


@dataclass(frozen=True)
class Column:
    """One column as the catalog classifies it.

    :param name: lower case, as the package declares it.
    :param type: the type in which it leaves every source; timestamps have no zone and microseconds.
    :param category: the one category that the column belongs to.
    :param sensitivity: why it needs care, or None.
    """

    name: str
    type: ColumnType
    category: Category
    sensitivity: Sensitivity | None = None


@dataclass(frozen=True)
class RowSplit:
    """Rows of one table that belong to another category than the rest.

    :param column: the column that decides.
    :param value: rows with this value (None: with no value) belong to ``category``, all others to the table's own.
    :param category: the category of the rows singled out.
    """

    column: str
    value: str | None
    category: Category


@dataclass(frozen=True)
class Table:
    """One table of the Elementary schema.

    :param name: lower case, as the package declares it.
    :param kind: how the table changes over time.
    :param grain: what one row is, in words.
    :param key: the columns that identify a row; the package enforces none, so duplicates happen.
    :param newest_by: of several rows with one key, the one with the greatest value here counts (None: any of them).
    :param watermark: the column by which new rows are found, or None where rows are replaced in place.
    :param category: the category of the table's rows and columns where nothing narrower is said.
    :param columns: every column that the package declares on all adapters, in its order.
    :param row_split: rows that belong to another category, if any.
    :param content_key: columns of the key that older packages lack; rows are then identified by their whole content,
        and equal rows are counted.
    :param other_columns: columns that only some adapter or some older package has.
    """

    name: str
    kind: Kind
    grain: str
    key: tuple[str, ...]
    newest_by: str | None
    watermark: str | None
    category: Category
    columns: tuple[Column, ...] = field(repr=False)
    row_split: RowSplit | None = None
    content_key: frozenset[str] = frozenset()
    other_columns: tuple[Column, ...] = field(default=(), repr=False)

    @property
    def known_columns(self) -> tuple[Column, ...]:
        """Every column that is classified."""
        return self.columns + self.other_columns

    @property
    def required_columns(self) -> frozenset[str]:
        """Columns that identify and date a row."""
        return frozenset(self.key) | ({self.watermark} if self.watermark else frozenset())

    @property
    def indispensable_columns(self) -> frozenset[str]:
        """Columns without which a table cannot be used; for others of the key, the content of a row stands in."""
        return self.required_columns - self.content_key

    @property
    def categories(self) -> tuple[Category, ...]:
        """Every category that the table's rows and columns belong to, in the order of :class:`Category`."""
        found = {column.category for column in self.known_columns} | {self.category}
        if self.row_split:
            found.add(self.row_split.category)
        return tuple(category for category in Category if category in found)

    def column(self, name: str) -> Column | None:
        """Return the column of that name (any case), or None where the catalog does not know it."""
        return self._by_name.get(name.lower())

    @cached_property
    def _by_name(self) -> Mapping[str, Column]:
        return {column.name: column for column in self.known_columns}
