"""What may leave the warehouse: categories in or out, the failed rows sample limited, secrets masked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from airflow_provider_elementary.catalog import TABLES, Category, Column, Sensitivity, Table
from airflow_provider_elementary.exceptions import ConfigurationError

MASK = "***"
DEFAULT_CATEGORIES = tuple(category for category in Category if category is not Category.QUERY_LOGS)


@dataclass(frozen=True)
class Policy:
    """What a snapshot takes; the defaults keep the promise of Elementary Cloud's security page.

    :param categories: the categories that are taken; all but Query logs by default.
    :param failed_rows_per_test: how many sampled rows of one test execution are taken at most.
    :param failed_rows_days: sampled rows older than this many days are left behind.
    :param masked_columns: further ``table.column`` whose values are replaced by ``***``; dbt vars always are.
    :raises ConfigurationError: a category or a column is not known, or a limit is negative.
    """

    categories: tuple[Category, ...] = DEFAULT_CATEGORIES
    failed_rows_per_test: int = 5
    failed_rows_days: int = 30
    masked_columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", _categories(self.categories))
        object.__setattr__(self, "masked_columns", tuple(self.masked_columns))
        if self.failed_rows_per_test < 0 or self.failed_rows_days < 0:
            raise ConfigurationError(
                "Expected failed_rows_per_test and failed_rows_days of 0 or more, found "
                f"{self.failed_rows_per_test} and {self.failed_rows_days}. 0 takes no sampled rows."
            )
        for name in self.masked_columns:
            table, _, column = name.partition(".")
            if table not in TABLES or (known := TABLES[table].column(column)) is None:
                raise ConfigurationError(f"Expected table.column of an Elementary table to mask, found {name!r}.")
            if known.type != "string" or column in TABLES[table].required_columns:
                raise ConfigurationError(
                    f"Expected a text column that identifies no rows to mask, found {name!r}. "
                    "Leave its category out instead."
                )

    def masks(self, table: Table, column: Column) -> bool:
        """Tell whether the column's values are replaced."""
        return column.sensitivity is Sensitivity.SECRETS or f"{table.name}.{column.name}" in self.masked_columns

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as JSON values, for the manifest."""
        return {
            name: list(map(str, value)) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }


@dataclass
class HeldBack:
    """Counts what a policy left behind while a table streams by; by rule, table and column.

    :param rows: rows left out, by ``(rule, table)``.
    :param values: values masked, by ``(rule, table.column)``.
    """

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    values: Counter[tuple[str, str]] = field(default_factory=Counter)

    def to_list(self) -> list[dict[str, Any]]:
        """Return the counts as JSON values, for the manifest."""
        return [
            {"rule": rule, "table": table, "rows": count} for (rule, table), count in sorted(self.rows.items()) if count
        ] + [
            {"rule": rule, "column": column, "values": count}
            for (rule, column), count in sorted(self.values.items())
            if count
        ]


class FailedRowsLimit:
    """Lets so many sampled rows of each test execution pass, and none that are too old, over all batches of a table.

    :param table: the table of sampled rows.
    :param policy: how many, and how old.
    :param taken_at: when the snapshot is taken, UTC without a zone.
    :param held_back: where to count the others.
    """

    def __init__(self, table: Table, policy: Policy, taken_at: datetime, held_back: HeldBack) -> None:
        self._table = table
        self._policy = policy
        self._oldest = pa.scalar(taken_at - timedelta(days=policy.failed_rows_days), pa.timestamp("us"))
        self._held_back = held_back
        # Counted here and not read off row_index, which older rows lack.
        self._passed: Counter[str] = Counter()

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of a batch that may pass."""
        recent = pc.fill_null(pc.greater_equal(batch["created_at"], self._oldest), False)
        batch = self._keep(batch, recent, f"failed_rows_days={self._policy.failed_rows_days}")
        within = pa.array(map(self._may_pass, batch["elementary_test_results_id"].to_pylist()), pa.bool_())
        return self._keep(batch, within, f"failed_rows_per_test={self._policy.failed_rows_per_test}")

    def _may_pass(self, execution: str) -> bool:
        self._passed[execution] += 1
        return self._passed[execution] <= self._policy.failed_rows_per_test

    def _keep(self, batch: pa.RecordBatch, mask: pa.Array, rule: str) -> pa.RecordBatch:
        kept = batch.filter(mask)
        self._held_back.rows[rule, self._table.name] += batch.num_rows - kept.num_rows
        return kept


def limit_failed_row_lists(batch: pa.RecordBatch, table: Table, policy: Policy, held_back: HeldBack) -> pa.RecordBatch:
    """Shorten samples kept as one JSON list per test, the layout of projects without a table of result rows."""
    if table.category is Category.FAILED_ROWS_SAMPLE:
        return batch
    for position, name in enumerate(batch.schema.names):
        column = table.column(name)
        if column is None or column.category is not Category.FAILED_ROWS_SAMPLE:
            continue
        shortened = []
        for value in batch.column(position).to_pylist():
            rows = _json_list(value)
            held_back.rows[f"failed_rows_per_test={policy.failed_rows_per_test}", table.name] += max(
                0, len(rows) - policy.failed_rows_per_test
            )
            shortened.append(json.dumps(rows[: policy.failed_rows_per_test]) if rows else None)
        batch = batch.set_column(position, batch.schema.field(position), pa.array(shortened, pa.string()))
    return batch


def mask_columns(batch: pa.RecordBatch, table: Table, policy: Policy, held_back: HeldBack) -> pa.RecordBatch:
    """Replace the values of masked columns; what was null stays null."""
    for position, name in enumerate(batch.schema.names):
        column = table.column(name)
        if column is None or not policy.masks(table, column):
            continue
        present = pc.is_valid(batch.column(position))
        masked = pc.if_else(present, MASK, pa.scalar(None, pa.string()))
        held_back.values["masked", f"{table.name}.{name}"] += pc.sum(present).as_py() or 0
        batch = batch.set_column(position, batch.schema.field(position), masked)
    return batch


def _json_list(value: str | None) -> list[Any]:
    """Return the rows of a JSON list; what is no list is one row, and is never passed on unread."""
    if value is None:
        return []
    try:
        rows = json.loads(value)
    except ValueError:
        return [value]
    return rows if isinstance(rows, list) else [rows]


def _categories(names: Sequence[str]) -> tuple[Category, ...]:
    try:
        wanted = {Category(name) for name in names}
    except ValueError:
        raise ConfigurationError(
            f"Expected categories out of {', '.join(category.value for category in Category)}; "
            f"found {', '.join(map(str, names))}."
        ) from None
    if not wanted:
        raise ConfigurationError("Expected at least one category to take, found none.")
    return tuple(category for category in Category if category in wanted)
