"""What may leave the warehouse: categories in or out, the failed rows sample limited, secrets masked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
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
        return asdict(self)


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


def limit_failed_rows(
    batch: pa.RecordBatch, table: Table, policy: Policy, taken_at: datetime, held_back: HeldBack
) -> pa.RecordBatch:
    """Drop sampled rows beyond the number a test may give, and those that are too old.

    :param batch: rows of ``test_result_rows`` that are failed rows; ``row_index`` counts from 1 in each execution.
    :param taken_at: when the snapshot is taken, UTC without a zone.
    """
    if "row_index" in batch.schema.names:
        within = pc.less_equal(batch["row_index"], pa.scalar(policy.failed_rows_per_test, pa.int64()))
        batch = _keep(batch, within, f"failed_rows_per_test={policy.failed_rows_per_test}", table, held_back)
    oldest = pa.scalar(taken_at - timedelta(days=policy.failed_rows_days), pa.timestamp("us"))
    recent = pc.greater_equal(batch["created_at"], oldest)
    return _keep(batch, recent, f"failed_rows_days={policy.failed_rows_days}", table, held_back)


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


def _keep(batch: pa.RecordBatch, mask: pa.Array, rule: str, table: Table, held_back: HeldBack) -> pa.RecordBatch:
    kept = batch.filter(mask)
    held_back.rows[rule, table.name] += batch.num_rows - kept.num_rows
    return kept


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


def policy_from(values: Mapping[str, Any]) -> Policy:
    """Return the policy that a form or a template gave as plain values; what is absent keeps its default."""
    return Policy(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
